//! Who gets what of whose: every cell of `docs/isolation.md`, sent over HTTP to a whole running cloud.
//!
//! One cloud for all of it, because starting one takes longer than everything that is asked of it.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "clippy allows these in test functions only, and the harness has helpers"
)]

mod bills;
mod cells;
mod client;
mod files;
mod links;
mod lists;
mod live;
mod scene;
mod tokens;

use std::collections::BTreeSet;

use portico_conformance::isolation;

use crate::scene::Scene;

/// An operation without a row fails, and a row without an operation too.
#[test]
fn every_operation_has_a_row() {
    let document = portico_conformance::openapi::document().unwrap();
    let mut operations = BTreeSet::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        for method in ["get", "put", "post", "delete", "patch"] {
            if methods.get(method).is_some() {
                operations.insert(format!("{} {path}", method.to_uppercase()));
            }
        }
    }
    let rows: Vec<String> = isolation::rows().map(|row| row.operation.to_owned()).collect();
    assert_eq!(operations, rows.iter().cloned().collect());
    assert_eq!(operations.len(), rows.len(), "one row for each");
    assert!(isolation::rows().all(|row| row.is_whole()), "a cell for each relation");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_matrix_holds() {
    let scene = Scene::start().await;
    tokens::case_t11_without_access_nothing_is_done(&scene).await;
    cells::case_t12_what_is_refused_looks_as_if_it_were_not_there(&scene).await;
    cells::case_t01_what_is_allowed_is_done(&scene).await;
    scene.at_rest().await;
    lists::case_t06_filters_tell_nothing(&scene).await;
    lists::case_t06_lists_hold_what_one_may_see(&scene).await;
    lists::case_t06_cursors_stay_in_own_lists(&scene).await;
    lists::case_t04_foreign_ids_in_bodies_are_as_good_as_none(&scene).await;
    files::case_t08_files_are_for_whom_they_are(&scene).await;
    links::case_t07_links_work_only_as_given(&scene).await;
    links::case_f06_a_removed_persons_link_lapses_by_itself_and_no_new_one_is_given(&scene).await;
    scene.at_rest().await;
    live::case_t05_tickets_open_one_connection(&scene).await;
    live::case_t05_news_reach_who_may_see_the_record(&scene).await;
    bills::case_t05_the_next_bill_reaches_who_may_see_money(&scene).await;
    bills::members_see_money_where_the_account_says_so(&scene).await;
    live::case_t09_who_leaves_is_out_at_once(&scene).await;
    scene.stop().await;
}
