//! Every file in `events/` as it stands, through its function, on the real thing: the whole answer, what it did to
//! the records, and which rights it took.
//!
//! A file without a test fails, and so does a test without a file. The functions run behind a [`crate::guard`] that
//! enforces their policies.

mod archives;
pub mod billing;
mod disputes;
mod file_access;
mod files;
mod http;
mod live;
mod previews;
pub mod queues;
mod reconcile;
mod relay;
mod shapes;

use std::{
    cell::Cell,
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
};

use serde_json::{Value, json};

use crate::{
    template::Template,
    world::{Guarded, World, lambda_event},
};

/// One test for each file: `case_listing_page` runs `events/case-listing-page.json`.
macro_rules! samples {
    ($($sample:ident => $check:path;)+) => {
        /// The names of the files, without `.json`.
        fn names() -> Vec<String> {
            vec![$(file_name(stringify!($sample))),+]
        }

        $(
            #[tokio::test]
            async fn $sample() {
                let sample = Sample::prepare(&file_name(stringify!($sample))).await;
                $check(&sample).await;
                sample.finish();
            }
        )+
    };
}

samples! {
    archive_assembly_access_ended => archives::case_t09_puts_nothing_together_for_a_leaver;
    archive_assembly_archive_requested => archives::puts_an_archive_together;
    archive_assembly_content_missing => archives::leaves_no_hole;
    archive_assembly_last_receive => archives::tells_of_a_failure;
    archive_assembly_no_files => archives::puts_no_empty_archive_together;
    audit_recording_events => queues::seals_what_people_did;
    audit_trail_export => http::exports_the_audit_trail;
    audit_trail_member => http::refuses_the_audit_trail_to_a_member;
    audit_trail_page => http::shows_the_audit_trail;
    billing_cycles_begin => billing::begins_to_count_months;
    billing_cycles_due => billing::finds_a_month_that_is_over;
    billing_preview_account => previews::shows_months;
    billing_preview_case => previews::shows_a_case;
    billing_preview_foreign_contract => previews::case_t12_hides_a_foreign_contract;
    billing_preview_member => previews::refuses_a_member;
    case_archives_colleagues => archives::case_t12_hides_a_colleagues_archive;
    case_archives_overdue => archives::says_what_nobody_finished;
    case_archives_ready => archives::leads_to_an_archive;
    case_archives_request => archives::asks_for_an_archive;
    case_archives_request_agent => archives::lets_an_agent_ask;
    case_archives_request_foreign => archives::case_t12_hides_a_foreign_case;
    case_changes_close => http::closes_a_case;
    case_changes_close_closed => http::does_not_close_twice;
    case_changes_close_unanswered => http::case_i03_answers_a_change_that_was_made;
    case_changes_edit => http::edits_a_new_case;
    case_changes_edit_too_late => http::does_not_edit_what_an_agent_works_on;
    case_changes_follow => http::lets_follow;
    case_changes_reopen => http::reopens_a_case;
    case_changes_unfollow => http::lets_unfollow;
    case_conversation_add => http::adds_a_comment;
    case_conversation_list => http::case_t08_lists_public_comments;
    case_conversation_refused => http::case_r07_refuses_a_comment;
    case_listing_agent => http::lists_cases_for_an_agent;
    case_listing_detail => http::reads_a_case;
    case_listing_filtered => http::filters_the_list;
    case_listing_foreign_case => http::case_t12_hides_a_foreign_case;
    case_listing_leaver => http::case_t09_refuses_a_leaver;
    case_listing_page => http::lists_a_page;
    case_listing_refused_filter => http::refuses_a_filter;
    case_listing_timeline => http::reads_a_timeline;
    case_submission_choices => http::offers_choices;
    case_submission_everything => http::raises_a_case_with_everything;
    case_submission_foreign_references => http::case_t04_refuses_foreign_references;
    case_submission_new_case => http::raises_a_case;
    case_submission_outage => http::case_r08_takes_a_case_during_an_outage;
    case_submission_refused_fields => http::refuses_fields;
    case_submission_staged_file => http::raises_a_case_with_a_staged_file;
    case_submission_without_key => http::case_i01_refuses_without_a_key;
    event_relay_bill_changed => previews::case_t05_tells_who_may_see_money;
    event_relay_case_changed => relay::case_t05_tells_those_who_may_know;
    event_relay_work_for_queues => relay::hands_over_to_queues;
    file_changes_delete => file_access::deletes_a_file;
    file_changes_delete_pending => file_access::does_not_delete_what_is_awaited;
    file_changes_erase => file_access::erases_a_file;
    file_changes_erase_manager => file_access::does_not_erase_for_a_manager;
    file_changes_relabel => file_access::relabels_a_file;
    file_changes_relabel_refused => file_access::refuses_labels;
    file_changes_relabel_unchanged => file_access::leaves_what_is_so_already;
    file_changes_restore => file_access::restores_a_file;
    file_disposal_erasure => files::erases_what_is_to_be_erased;
    file_disposal_nothing_goes => files::keeps_what_is_kept;
    file_disposal_schedule => files::case_f03_removes_what_never_came;
    file_disposal_unfinished_parts => files::case_f03_removes_parts;
    invoice_disputes_answer => disputes::answers_a_client;
    invoice_disputes_list => disputes::lists_what_was_said;
    invoice_disputes_member => disputes::hides_an_invoice_from_a_member;
    invoice_disputes_no_such_line => disputes::knows_no_such_position;
    invoice_disputes_question => disputes::holds_nothing_for_a_question;
    invoice_disputes_raise => disputes::holds_one_position;
    invoice_disputes_raise_twice => disputes::holds_a_position_once;
    invoice_disputes_refused => disputes::asks_for_words;
    invoice_disputes_reply => disputes::lets_a_client_reply;
    invoice_disputes_resolve => disputes::says_how_it_ended;
    invoice_disputes_resolve_client => disputes::leaves_the_end_to_the_consultancy;
    invoice_disputes_resolve_credited => disputes::gives_in_after_a_credit;
    invoice_disputes_resolve_not_credited => disputes::does_not_give_in_without_a_credit;
    invoice_disputes_withdraw => disputes::takes_a_dispute_back;
    invoice_drafting_credit => billing::case_b07_takes_a_part_back;
    invoice_drafting_credit_too_much => billing::does_not_take_back_more_than_there_is;
    invoice_drafting_draft => billing::takes_a_case_in_hand;
    invoice_drafting_draft_month => billing::takes_a_month_in_hand;
    invoice_drafting_issue => billing::issues_what_was_seen;
    invoice_drafting_issue_changed => billing::does_not_issue_what_nobody_saw;
    invoice_drafting_list => billing::lists_what_is_in_hand;
    invoice_drafting_manager => billing::leaves_bills_to_the_consultancy;
    invoice_drafting_month_running => billing::does_not_bill_a_month_that_runs;
    invoice_drafting_refused => billing::asks_for_a_case_or_a_month;
    invoice_generation_billing_due => queues::invoices_a_month;
    invoice_generation_case_closed => queues::invoices_a_closed_case;
    invoice_generation_case_open => queues::does_not_invoice_an_open_case;
    invoice_listing_detail => http::reads_an_invoice;
    invoice_listing_filtered => disputes::filters_invoices;
    invoice_listing_filtered_out => disputes::finds_no_paid_invoice;
    invoice_listing_member => http::refuses_invoices_to_a_member;
    invoice_listing_page => http::lists_invoices;
    invoice_listing_pdf => http::leads_to_the_pdf;
    invoice_listing_refused_filter => disputes::refuses_a_filter;
    invoice_listing_xml => disputes::leads_to_the_e_invoice;
    invoice_listing_xml_none => disputes::says_that_there_is_no_e_invoice;
    invoice_rendering_credit_note_issued => billing::renders_a_credit_note;
    invoice_rendering_invoice_issued => queues::renders_an_invoice;
    live_connections_connect => live::connects;
    live_connections_disconnect => live::disconnects;
    live_connections_unknown_ticket => live::refuses_an_unknown_ticket;
    live_tickets_issue => http::issues_a_ticket;
    malware_verdicts_access_denied => files::case_f04_refuses_what_was_not_scanned;
    malware_verdicts_clean => files::opens_a_clean_file;
    malware_verdicts_foreign_key => files::passes_over_an_object_of_others;
    malware_verdicts_threat => files::case_f04_refuses_malware;
    malware_verdicts_unsupported => files::case_f04_remembers_an_early_verdict;
    presigned_downloads_agent => http::lets_an_agent_download;
    presigned_downloads_deleted => file_access::does_not_let_a_deleted_file_out;
    presigned_downloads_file => http::lets_a_file_out;
    presigned_downloads_list => file_access::lists_the_files_of_a_case;
    presigned_downloads_staged => file_access::lets_a_staged_file_out_to_its_uploader;
    presigned_downloads_usage => file_access::tells_what_is_used;
    presigned_downloads_usage_member => file_access::refuses_the_usage_to_a_member;
    presigned_downloads_versions => file_access::lists_versions;
    presigned_uploads_abandon => http::case_f03_gives_an_upload_up;
    presigned_uploads_add_file => http::lets_a_file_in;
    presigned_uploads_add_parts => http::case_f05_lets_a_large_file_in_by_parts;
    presigned_uploads_add_version => http::lets_a_new_version_in;
    presigned_uploads_join => http::has_nothing_to_join;
    presigned_uploads_progress => http::tells_how_far_an_upload_is;
    presigned_uploads_refused => http::refuses_a_file;
    presigned_uploads_stage => http::stages_a_file;
    salesforce_change_events_other_object => queues::passes_over_another_object;
    salesforce_change_events_overflow => queues::asks_for_a_sweep;
    salesforce_change_events_records_changed => queues::takes_a_change_event;
    salesforce_reconcile_backfill => reconcile::names_an_accounts_records;
    salesforce_reconcile_backfill_of_a_stranger => reconcile::refuses_who_is_no_client;
    salesforce_reconcile_compare => reconcile::finds_what_differs;
    salesforce_reconcile_redrive => reconcile::sends_dead_letters_back;
    salesforce_reconcile_schedule => reconcile::asks_for_a_run;
    salesforce_reconcile_sweep => reconcile::finds_what_nobody_told;
    salesforce_reconcile_unreadable_message => reconcile::keeps_an_unreadable_message;
    salesforce_sync_case_moved => queues::case_w21_moves_a_case;
    salesforce_sync_contract_moved => queues::case_w21_moves_a_contract;
    salesforce_sync_expense_moved => queues::case_w21_moves_an_expense;
    salesforce_sync_hours_withdrawn => queues::takes_hours_off_the_timeline;
    salesforce_sync_own_comment => queues::case_w15_knows_its_own_comment;
    salesforce_sync_people_left => queues::case_w21_suspends_who_left;
    salesforce_sync_records_changed => queues::takes_records_over;
    salesforce_sync_references_lost => queues::loses_references;
    salesforce_sync_unreadable_message => queues::keeps_an_unreadable_message;
    salesforce_writer_case_amended => queues::hands_changes_over;
    salesforce_writer_case_submitted => queues::hands_a_case_over;
    salesforce_writer_comment_added => queues::hands_a_comment_over;
    salesforce_writer_file_added => queues::refers_to_a_file;
    salesforce_writer_file_deleted => queues::shows_a_file_as_deleted;
    salesforce_writer_file_erased => queues::forgets_an_erased_file;
    salesforce_writer_head_start => queues::leaves_a_new_case_alone;
    salesforce_writer_invoice_issued => queues::records_an_invoice;
    salesforce_writer_parked => queues::parks_what_cannot_be_carried_over;
    upload_confirmation_abandoned => files::erases_what_belongs_to_no_file;
    upload_confirmation_foreign_key => queues::ignores_a_foreign_key;
    upload_confirmation_object_created => queues::confirms_an_upload;
    upload_confirmation_object_gone => files::waits_for_an_object_that_is_gone;
    upload_confirmation_other_content => files::case_f01_rejects_other_content;
    upload_confirmation_parts_joined => files::opens_parts_that_were_scanned_before;
    webhook_receiver_base64 => http::takes_an_encoded_message;
    webhook_receiver_callout => http::takes_a_callout;
    webhook_receiver_callout_forged => http::refuses_a_forged_callout;
    webhook_receiver_cases_changed => http::takes_a_message;
    webhook_receiver_record_deleted => http::takes_a_message_about_a_deleted_record;
    webhook_receiver_wrong_secret => http::hides_behind_the_path_secret;
}

fn file_name(sample: &str) -> String {
    sample.replace('_', "-")
}

fn directory() -> PathBuf {
    portico_conformance::root().join("events")
}

/// The text of a file in `events/`.
pub fn text(name: &str) -> String {
    std::fs::read_to_string(directory().join(format!("{name}.json"))).unwrap()
}

fn binary<'t>(template: &'t Template, name: &str) -> &'t str {
    let functions = template.functions().into_iter().map(|function| function.binary);
    let mut fitting =
        functions.filter(|binary| name.strip_prefix(binary).is_some_and(|rest| rest.starts_with('-')));
    fitting.next().unwrap_or_else(|| panic!("{name} begins with no function's name"))
}

/// A file, its function and a world around it.
pub struct Sample {
    name: String,
    pub world: World,
    pub guarded: Guarded,
    answer: Cell<Option<Value>>,
}

impl Sample {
    async fn prepare(name: &str) -> Self {
        let world = World::start().await;
        let guarded = world.boot(binary(&world.stack.template, name)).await;
        Self { name: name.to_owned(), world, guarded, answer: Cell::new(None) }
    }

    /// Hands the file over and returns the answer, its body as JSON where it is JSON.
    pub async fn run(&self) -> Value {
        let answer = self.guarded.function.invoke(lambda_event(&text(&self.name))).await.unwrap();
        assert_eq!(self.guarded.guard.denied(), [], "the policy in template.yaml does not allow this");
        let mut answer: Value = serde_json::from_str(answer.get()).unwrap();
        if let Some(body) = answer["body"].as_str().and_then(|body| serde_json::from_str(body).ok()) {
            answer["body"] = body;
        }
        let first = self.answer.replace(Some(answer.clone()));
        assert_eq!(first, None, "a sample runs once");
        answer
    }

    /// What the check did not look at is in the snapshot.
    fn finish(self) {
        let answer =
            self.answer.into_inner().unwrap_or_else(|| panic!("the check of {} does not run it", self.name));
        assert_eq!(self.guarded.guard.denied(), [], "the policy in template.yaml does not allow this");
        let calls: BTreeSet<String> = self
            .guarded
            .guard
            .used()
            .iter()
            .map(|grant| {
                format!("{} {}", grant.action, resource(&self.world.stack.template, &grant.resource))
            })
            .collect();
        let record = json!({ "answer": masked(answer), "calls": calls });
        insta::with_settings!({ sort_maps => true, prepend_module_to_snapshot => false, omit_expression => true }, {
            insta::assert_json_snapshot!(self.name, record);
        });
    }
}

/// The logical id of the resource that an ARN is of.
fn resource(template: &Template, arn: &str) -> String {
    let name = match arn.split_once(":::") {
        Some((_, object)) => {
            let bucket = object.split('/').next().unwrap();
            let mut buckets = template.of_type("AWS::S3::Bucket").map(|(id, _)| id);
            return buckets.find(|id| id.to_lowercase() == bucket).unwrap().to_owned();
        }
        None => arn.rsplit(':').next().unwrap(),
    };
    if arn.contains(":execute-api:") {
        return "LiveApi".to_owned();
    }
    if arn.contains(":secretsmanager:") {
        // Secrets Manager puts a dash and six characters behind the name.
        return name.rsplit_once('-').map_or(name, |(name, _)| name).to_owned();
    }
    let name = name.strip_suffix(".fifo").unwrap_or(name);
    name.split('/').find(|part| template.type_of(part).is_some()).unwrap_or(name).to_owned()
}

/// `value` without what is different every time: the addresses of this run, and the signatures of links.
fn masked(value: Value) -> Value {
    match value {
        Value::Object(entries) => entries.into_iter().map(|(name, value)| (name, masked(value))).collect(),
        Value::Array(items) => items.into_iter().map(masked).collect(),
        Value::String(text) => Value::String(masked_link(text)),
        other => other,
    }
}

fn masked_link(text: String) -> String {
    let Some((path, query)) = text.strip_prefix("http://127.0.0.1:").and_then(|rest| rest.split_once('?'))
    else {
        return text;
    };
    let path = path.split_once('/').unwrap().1;
    let query: Vec<String> = query
        .split('&')
        .map(|pair| match pair.split_once('=') {
            Some((name @ ("X-Amz-Credential" | "X-Amz-Date" | "X-Amz-Signature" | "uploadId"), _)) => {
                format!("{name}=...")
            }
            _ => pair.to_owned(),
        })
        .collect();
    format!("http://store/{path}?{}", query.join("&"))
}

/// What each function did in all its samples: action and resource, from the committed snapshots.
pub fn calls() -> BTreeMap<String, BTreeSet<(String, String)>> {
    let template = Template::read();
    let mut all: BTreeMap<String, BTreeSet<(String, String)>> = BTreeMap::new();
    for name in names() {
        let path =
            portico_conformance::root().join(format!("infra/conformance/tests/it/snapshots/{name}.snap"));
        let text =
            std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let (_, json) = text.trim_start_matches("---\n").split_once("---\n").unwrap();
        let record: Value = serde_json::from_str(json).unwrap();
        let calls = all.entry(binary(&template, &name).to_owned()).or_default();
        for call in record["calls"].as_array().unwrap() {
            let (action, resource) = call.as_str().unwrap().split_once(' ').unwrap();
            calls.insert((action.to_owned(), resource.to_owned()));
        }
    }
    all
}

#[test]
fn every_file_has_a_test_and_every_test_a_file() {
    let files: BTreeSet<String> = std::fs::read_dir(directory())
        .unwrap()
        .map(|file| {
            let name = file.unwrap().file_name().into_string().unwrap();
            name.strip_suffix(".json").unwrap_or_else(|| panic!("{name} is no sample")).to_owned()
        })
        .collect();
    assert_eq!(files, names().into_iter().collect());
}

#[test]
fn every_function_has_a_sample() {
    let template = Template::read();
    let covered: BTreeSet<&str> = names().iter().map(|name| binary(&template, name)).collect::<BTreeSet<_>>();
    let functions: BTreeSet<&str> = template.functions().iter().map(|function| function.binary).collect();
    assert_eq!(covered, functions);
}
