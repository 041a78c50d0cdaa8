//! The audit trail: who did what to which record, when, from where; sealed into one chain an account.
//!
//! `docs/audit.md` says for readers outside of this code what an entry holds, how the chain is computed, and
//! what it proves.

use std::{fmt, str::FromStr};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::{
    AccountId, ArchiveId, CaseId, DisputeId, EventId, FileId, InvoiceId, UserId,
    events::{Access, Event, Fact},
    people::{ClientRole, StaffRole, Viewer},
};

/// What an entry is hashed under, so that no hash of anything else in the portal can pass for one of a chain.
const DOMAIN: &str = "portico-audit/v1";
/// The outcome of what was done.
const DONE: &str = "done";

/// As what somebody acted. One list for both sides, because an audit trail is read in one piece.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ActorRole {
    /// A person of the client company.
    Member,
    /// A manager of the client company.
    Manager,
    /// A billing contact of the client company.
    Billing,
    /// An agent of the consultancy.
    Agent,
    /// An administrator of the consultancy.
    Admin,
}

impl From<ClientRole> for ActorRole {
    fn from(role: ClientRole) -> Self {
        match role {
            ClientRole::Member => Self::Member,
            ClientRole::Manager => Self::Manager,
            ClientRole::Billing => Self::Billing,
        }
    }
}

impl From<StaffRole> for ActorRole {
    fn from(role: StaffRole) -> Self {
        match role {
            StaffRole::Agent => Self::Agent,
            StaffRole::Admin => Self::Admin,
        }
    }
}

/// Who did something, and from where. The role is the one at that moment: what they may do later does not
/// change what they were when they did it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Actor {
    /// The person.
    pub user: UserId,
    /// As what.
    pub role: ActorRole,
    /// The gateway's id of the request.
    pub request_id: String,
    /// Method and pattern of the route (`GET /files/{fileId}`), never the path that was asked for.
    pub route: String,
}

impl Actor {
    /// This person, by this request.
    pub fn new(viewer: &Viewer, request_id: impl Into<String>, route: impl Into<String>) -> Self {
        let role = match viewer {
            Viewer::Client { role, .. } => ActorRole::from(*role),
            Viewer::Staff { role, .. } => ActorRole::from(*role),
        };
        Self { user: viewer.user().clone(), role, request_id: request_id.into(), route: route.into() }
    }
}

/// The id of a record that somebody asked for, if that is what it can be: a case, a file, an archive, an invoice or a dispute.
/// It need not exist, nor be theirs. Anything else that was typed into a path is nobody's business to keep.
pub fn sought(text: &str) -> Option<String> {
    let is_id = text.parse::<CaseId>().is_ok()
        || text.parse::<FileId>().is_ok()
        || text.parse::<ArchiveId>().is_ok()
        || text.parse::<InvoiceId>().is_ok()
        || text.parse::<DisputeId>().is_ok();
    is_id.then(|| text.to_owned())
}

/// One line of an account's audit trail, before it is sealed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// The event that it was made from; one event makes one entry.
    pub event: EventId,
    /// When it happened. Entries are in the order of their recording, which may be another one.
    pub at: Timestamp,
    /// Who did it.
    pub user: UserId,
    /// As what.
    pub role: ActorRole,
    /// What they did: the name of a fact.
    pub action: String,
    /// Ids of the records that they did it to.
    pub records: Vec<String>,
    /// `done`, or the slug of the problem that they got.
    pub outcome: String,
    /// Method and pattern of the route.
    pub route: String,
    /// The gateway's id of the request.
    pub request_id: String,
}

fn of_file(case: Option<&CaseId>, file: &FileId) -> Vec<String> {
    case.map(CaseId::to_string).into_iter().chain([file.to_string()]).collect()
}

fn of_dispute(case: &Option<CaseId>, invoice: &InvoiceId, dispute: &DisputeId) -> Vec<String> {
    of_invoice(case, invoice).into_iter().chain([dispute.to_string()]).collect()
}

fn of_invoice(case: &Option<CaseId>, invoice: &InvoiceId) -> Vec<String> {
    case.iter().map(CaseId::to_string).chain([invoice.to_string()]).collect()
}

/// Something cannot be written as JSON.
#[derive(Debug, thiserror::Error)]
#[error("an audit entry cannot be written: {0}")]
pub struct WriteError(#[from] serde_json::Error);

impl Entry {
    /// The entry that an event makes; none if nobody asked for it.
    pub fn of(event: &Event) -> Option<Self> {
        let Actor { user, role, request_id, route } = event.by.clone()?;
        let (action, records, outcome) = match &event.fact {
            Fact::CaseSubmitted { case, files } => {
                let files = files.iter().map(FileId::to_string);
                ("case_submitted", std::iter::once(case.to_string()).chain(files).collect(), DONE)
            }
            Fact::CaseChanged { case, .. } => ("case_changed", vec![case.to_string()], DONE),
            Fact::CaseAmended { case, .. } => ("case_amended", vec![case.to_string()], DONE),
            Fact::CaseFollowed { case } => ("case_followed", vec![case.to_string()], DONE),
            Fact::CommentAdded { case, entry, .. } => {
                ("comment_added", vec![case.to_string(), entry.to_string()], DONE)
            }
            Fact::CaseClosed { case } => ("case_closed", vec![case.to_string()], DONE),
            Fact::FileDeclared { case, file } => ("file_declared", of_file(case.as_ref(), file), DONE),
            Fact::FileChecked { case, file, .. } => ("file_checked", of_file(case.as_ref(), file), DONE),
            Fact::FileAbandoned { case, file } => ("file_abandoned", of_file(case.as_ref(), file), DONE),
            Fact::FileSuperseded { case, file } => ("file_superseded", of_file(Some(case), file), DONE),
            Fact::FileRelabelled { case, file } => ("file_relabelled", of_file(Some(case), file), DONE),
            Fact::FileDeleted { case, file } => ("file_deleted", of_file(Some(case), file), DONE),
            Fact::FileRestored { case, file } => ("file_restored", of_file(Some(case), file), DONE),
            Fact::FileErasureRequested { case, file } => {
                ("file_erasure_requested", of_file(Some(case), file), DONE)
            }
            Fact::FileErased { case, file } => ("file_erased", of_file(Some(case), file), DONE),
            Fact::ArchiveRequested { case, archive } => {
                ("archive_requested", vec![case.to_string(), archive.to_string()], DONE)
            }
            Fact::ArchiveChanged { case, archive, .. } => {
                ("archive_changed", vec![case.to_string(), archive.to_string()], DONE)
            }
            Fact::Accessed(Access::ArchiveDownloaded { case, archive }) => {
                ("archive_downloaded", vec![case.to_string(), archive.to_string()], DONE)
            }
            Fact::FileAdded { case, file } => ("file_added", vec![case.to_string(), file.to_string()], DONE),
            Fact::InvoiceIssued { case, invoice } => ("invoice_issued", of_invoice(case, invoice), DONE),
            Fact::FileReferenceLost { case, file } => {
                ("file_reference_lost", vec![case.to_string(), file.to_string()], DONE)
            }
            Fact::InvoiceRecordLost { case, invoice } => {
                ("invoice_record_lost", of_invoice(case, invoice), DONE)
            }
            Fact::InvoiceRendered { case, invoice } => ("invoice_rendered", of_invoice(case, invoice), DONE),
            Fact::Accessed(Access::FileDownloaded { case, file }) => {
                ("file_downloaded", of_file(case.as_ref(), file), DONE)
            }
            Fact::InvoiceDrafted { invoice } => ("invoice_drafted", vec![invoice.to_string()], DONE),
            Fact::BillChanged { case } => {
                ("bill_changed", case.iter().map(CaseId::to_string).collect(), DONE)
            }
            Fact::BillingDue { contract } => ("billing_due", vec![contract.to_string()], DONE),
            Fact::CreditNoteIssued { case, invoice, credit_note } => {
                let mut records = of_invoice(case, invoice);
                records.push(credit_note.to_string());
                ("credit_note_issued", records, DONE)
            }
            Fact::CreditNoteRendered { case, invoice, credit_note } => {
                let mut records = of_invoice(case, invoice);
                records.push(credit_note.to_string());
                ("credit_note_rendered", records, DONE)
            }
            Fact::DisputeRaised { case, invoice, dispute } => {
                ("dispute_raised", of_dispute(case, invoice, dispute), DONE)
            }
            Fact::DisputeAnswered { case, invoice, dispute } => {
                ("dispute_answered", of_dispute(case, invoice, dispute), DONE)
            }
            Fact::DisputeClosed { case, invoice, dispute } => {
                ("dispute_closed", of_dispute(case, invoice, dispute), DONE)
            }
            Fact::Accessed(Access::InvoicesListed) => ("invoices_listed", Vec::new(), DONE),
            Fact::Accessed(Access::InvoiceRead { invoice }) => {
                ("invoice_read", vec![invoice.to_string()], DONE)
            }
            Fact::Accessed(Access::InvoiceDownloaded { invoice }) => {
                ("invoice_downloaded", vec![invoice.to_string()], DONE)
            }
            Fact::Accessed(Access::EInvoiceDownloaded { invoice }) => {
                ("e_invoice_downloaded", vec![invoice.to_string()], DONE)
            }
            Fact::Accessed(Access::DisputesListed { invoice }) => {
                ("disputes_listed", vec![invoice.to_string()], DONE)
            }
            Fact::Accessed(Access::AuditRead) => ("audit_read", Vec::new(), DONE),
            Fact::Accessed(Access::AuditExported) => ("audit_exported", Vec::new(), DONE),
            Fact::Accessed(Access::Refused { problem, sought }) => {
                ("refused", sought.iter().cloned().collect(), problem.as_str())
            }
        };
        Some(Self {
            event: event.id,
            at: event.at,
            user,
            role,
            action: action.to_owned(),
            records,
            outcome: outcome.to_owned(),
            route,
            request_id,
        })
    }

    /// The entry as it is hashed, kept and shown. This very text is the entry from here on.
    ///
    /// # Errors
    /// [`WriteError`] if it cannot be written as JSON.
    pub fn text(&self) -> Result<String, WriteError> {
        Ok(serde_json::to_string(self)?)
    }
}

/// A SHA-256 in a chain. As text: 64 lower-case hexadecimal digits, and nothing else.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ChainHash([u8; 32]);

/// The text is not a hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a hash has 64 lower-case hexadecimal digits")]
pub struct MalformedHash;

impl ChainHash {
    /// What comes before the first entry.
    pub const ZERO: Self = Self([0; 32]);
}

impl fmt::Display for ChainHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for ChainHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for ChainHash {
    type Err = MalformedHash;

    fn from_str(text: &str) -> Result<Self, MalformedHash> {
        let mut bytes = [0; 32];
        hex::decode_to_slice(text, &mut bytes).map_err(|_| MalformedHash)?;
        // One hash has one text; hexadecimal in capitals would be another.
        let hash = Self(bytes);
        if hash.to_string() == text { Ok(hash) } else { Err(MalformedHash) }
    }
}

impl TryFrom<String> for ChainHash {
    type Error = MalformedHash;

    fn try_from(text: String) -> Result<Self, MalformedHash> {
        text.parse()
    }
}

impl From<ChainHash> for String {
    fn from(hash: ChainHash) -> String {
        hash.to_string()
    }
}

/// Where a chain ends. Noted elsewhere, it is what a shortened or rewritten chain is found by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// Entries so far.
    pub sequence: u64,
    /// Hash of the last one.
    pub hash: ChainHash,
}

/// The text is not a head.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a head is SEQUENCE:HASH, as in 42:9f86d081…")]
pub struct MalformedHead;

impl fmt::Display for Head {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.sequence, self.hash)
    }
}

impl FromStr for Head {
    type Err = MalformedHead;

    fn from_str(text: &str) -> Result<Self, MalformedHead> {
        let (sequence, hash) = text.split_once(':').ok_or(MalformedHead)?;
        Ok(Self {
            sequence: sequence.parse().map_err(|_| MalformedHead)?,
            hash: hash.parse().map_err(|_| MalformedHead)?,
        })
    }
}

impl Head {
    /// The chain without entries.
    pub const START: Self = Self { sequence: 0, hash: ChainHash::ZERO };

    /// The next entry of this account's chain.
    pub fn seal(&self, account: AccountId, entry: String) -> Sealed {
        let sequence = self.sequence.saturating_add(1);
        let hash = chained(account, sequence, self.hash, &entry);
        Sealed { account, sequence, previous: self.hash, hash, entry }
    }
}

/// An entry in its place in the chain: a line of an export.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sealed {
    /// Whose chain.
    pub account: AccountId,
    /// Its place, from 1, without gaps.
    pub sequence: u64,
    /// Hash of the entry before; zeros before the first.
    pub previous: ChainHash,
    /// Hash of this one.
    pub hash: ChainHash,
    /// The entry, as the text that was hashed.
    pub entry: String,
}

impl Sealed {
    /// The chain up to here.
    pub fn head(&self) -> Head {
        Head { sequence: self.sequence, hash: self.hash }
    }

    /// The line of an export, without its line feed.
    ///
    /// # Errors
    /// [`WriteError`] if it cannot be written as JSON.
    pub fn line(&self) -> Result<String, WriteError> {
        Ok(serde_json::to_string(self)?)
    }

    /// What the entry says.
    ///
    /// # Errors
    /// If its text is not that of an entry.
    pub fn read(&self) -> Result<Entry, serde_json::Error> {
        serde_json::from_str(&self.entry)
    }
}

/// Every part goes in with its length before it, in eight bytes: no two different lists of parts are the same
/// bytes.
fn chained(account: AccountId, sequence: u64, previous: ChainHash, entry: &str) -> ChainHash {
    let mut hash = Sha256::new();
    for part in [DOMAIN, &account.to_string(), &sequence.to_string(), &previous.to_string(), entry] {
        let length = u64::try_from(part.len()).unwrap_or(u64::MAX);
        hash.update(length.to_be_bytes());
        hash.update(part.as_bytes());
    }
    ChainHash(hash.finalize().into())
}

/// Where and how a chain does not hold.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("sequence {sequence}: {fault}")]
pub struct Break {
    /// The first entry that is not what it has to be.
    pub sequence: u64,
    /// What is wrong with it.
    pub fault: Fault,
}

/// What is wrong with an entry.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// The line is not one that an export writes.
    #[error("the line is not as the portal writes it")]
    Unreadable,
    /// It belongs to another account.
    #[error("the entry is of another account, {0}")]
    OtherAccount(AccountId),
    /// Another entry stands in its place.
    #[error("entry {0} stands in its place: something was removed, inserted or moved")]
    OtherSequence(u64),
    /// It does not continue the entry before.
    #[error("the entry does not continue the one before")]
    NotLinked,
    /// Its hash is not that of its content.
    #[error("the hash is not that of the content")]
    Altered,
    /// It is not the one that was noted.
    #[error("the hash is not the one that was noted")]
    OtherThanNoted,
    /// The chain ends before it, although it was there when its head was noted.
    #[error("the chain ends before it, although it was there when the head was noted")]
    Missing,
}

/// Checks a chain, line by line.
#[derive(Debug, Clone)]
pub struct Verifier {
    first: u64,
    account: Option<AccountId>,
    last: Option<Head>,
    noted: Option<Head>,
}

impl Verifier {
    /// For a chain whose first line has this sequence. Only from 1 on is it the whole chain; from anywhere else,
    /// the hash before the first line is taken on trust.
    pub fn starting_at(first: u64) -> Self {
        Self { first: first.max(1), account: None, last: None, noted: None }
    }

    /// Also checks that the chain goes through this head.
    #[must_use]
    pub fn through(self, noted: Head) -> Self {
        Self { noted: Some(noted), ..self }
    }

    /// Takes the next line, without its line feed.
    ///
    /// # Errors
    /// [`Break`] if the chain does not hold here. What comes after proves nothing any more.
    pub fn line(&mut self, line: &str) -> Result<(), Break> {
        let sequence = self.last.map_or(self.first, |last| last.sequence.saturating_add(1));
        let broken = |fault| Err(Break { sequence, fault });
        let Ok(sealed) = serde_json::from_str::<Sealed>(line) else { return broken(Fault::Unreadable) };
        // Another text of the same content is not what the portal wrote.
        if sealed.line().ok().as_deref() != Some(line) {
            return broken(Fault::Unreadable);
        }
        if self.account.is_some_and(|account| account != sealed.account) {
            return broken(Fault::OtherAccount(sealed.account));
        }
        if sealed.sequence != sequence {
            return broken(Fault::OtherSequence(sealed.sequence));
        }
        let before = match self.last {
            Some(last) => Some(last.hash),
            None => (self.first == 1).then_some(ChainHash::ZERO),
        };
        if before.is_some_and(|before| before != sealed.previous) {
            return broken(Fault::NotLinked);
        }
        if chained(sealed.account, sequence, sealed.previous, &sealed.entry) != sealed.hash {
            return broken(Fault::Altered);
        }
        if self.noted.is_some_and(|noted| noted.sequence == sequence && noted.hash != sealed.hash) {
            return broken(Fault::OtherThanNoted);
        }
        self.account = Some(sealed.account);
        self.last = Some(sealed.head());
        Ok(())
    }

    /// Ends the check: where the chain ends, if there was a line at all.
    ///
    /// # Errors
    /// [`Break`] if the head that was noted lies outside of the lines.
    pub fn finish(self) -> Result<Option<Head>, Break> {
        let end = self.last.map_or(self.first.saturating_sub(1), |last| last.sequence);
        match self.noted {
            Some(noted) if noted.sequence > end => {
                Err(Break { sequence: end.saturating_add(1), fault: Fault::Missing })
            }
            _ => Ok(self.last),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use uuid::Uuid;

    use super::*;

    #[test]
    fn an_actor_is_what_they_are_at_that_moment() {
        let user: UserId = "user-1".parse().unwrap();
        for (role, expected) in [
            (ClientRole::Member, ActorRole::Member),
            (ClientRole::Manager, ActorRole::Manager),
            (ClientRole::Billing, ActorRole::Billing),
        ] {
            let viewer = Viewer::Client { user: user.clone(), role, contact: None };
            let actor = Actor::new(&viewer, "request-1", "POST /cases");
            assert_eq!((actor.user, actor.role), (user.clone(), expected));
        }
        for (role, expected) in [(StaffRole::Agent, ActorRole::Agent), (StaffRole::Admin, ActorRole::Admin)] {
            let viewer = Viewer::Staff { user: user.clone(), role };
            assert_eq!(Actor::new(&viewer, "request-1", "POST /cases").role, expected);
        }
    }

    fn account(place: u128) -> AccountId {
        AccountId::from_uuid(Uuid::from_u128(place))
    }

    /// The lines of a chain of these texts.
    fn chain(texts: &[String]) -> Vec<String> {
        let mut head = Head::START;
        let mut lines = Vec::new();
        for text in texts {
            let sealed = head.seal(account(1), text.clone());
            head = sealed.head();
            lines.push(sealed.line().unwrap());
        }
        lines
    }

    fn verify(lines: &[String], noted: Option<Head>) -> Result<Option<Head>, Break> {
        let mut verifier = Verifier::starting_at(1);
        if let Some(noted) = noted {
            verifier = verifier.through(noted);
        }
        for line in lines {
            verifier.line(line)?;
        }
        verifier.finish()
    }

    fn head_of(line: &str) -> Head {
        serde_json::from_str::<Sealed>(line).unwrap().head()
    }

    /// Computed by `python3` from the rule in `docs/audit.md`, not by this code.
    #[test]
    fn the_rule_is_the_documented_one() {
        let first = Head::START.seal(account(1), r#"{"a":1}"#.to_owned());
        assert_eq!(
            first.hash.to_string(),
            "0d2d54205b6be832666024ce5efe2ed72795457523eea3a0b878e5e75aee54cd"
        );
        let second = first.head().seal(account(1), "é".to_owned());
        assert_eq!(
            second.hash.to_string(),
            "4fb0950b2059e4b5c261ccf3d7c3376026db9a141b006c678dfadb520eabc253"
        );
    }

    #[test]
    fn heads_and_hashes_have_one_text() {
        let head = Head::START.seal(account(1), String::new()).head();
        assert_eq!(head.to_string().parse(), Ok(head));
        let capitals = head.hash.to_string().to_uppercase();
        assert_eq!(capitals.parse::<ChainHash>(), Err(MalformedHash));
        for text in ["", "1", "1:", "x:00", "1:00"] {
            assert_eq!(text.parse::<Head>(), Err(MalformedHead), "{text}");
        }
    }

    #[test]
    fn only_ids_of_records_are_kept_of_what_was_sought() {
        let id = "case_00000000000070008000000000000001";
        assert_eq!(sought(id).as_deref(), Some(id));
        for text in ["", "case_1", "Mara Lindqvist", "acct_00000000000070008000000000000001"] {
            assert_eq!(sought(text), None, "{text}");
        }
    }

    #[test]
    fn a_part_of_a_chain_holds_from_where_it_starts() {
        let lines = chain(&["a", "b", "c"].map(str::to_owned));
        let mut verifier = Verifier::starting_at(2);
        verifier.line(&lines[1]).unwrap();
        verifier.line(&lines[2]).unwrap();
        assert_eq!(verifier.finish(), Ok(Some(head_of(&lines[2]))));
        // Taken for the whole, its beginning is missing.
        assert_eq!(verify(&lines[1..], None), Err(Break { sequence: 1, fault: Fault::OtherSequence(2) }));
    }

    #[test]
    fn a_chain_without_entries_holds() {
        assert_eq!(verify(&[], None), Ok(None));
        assert_eq!(verify(&[], Some(Head::START)), Ok(None));
    }

    #[test]
    fn an_entry_of_another_account_does_not_fit_in() {
        let mut lines = chain(&["a", "b"].map(str::to_owned));
        let foreign = head_of(&lines[0]).seal(account(2), "b".to_owned());
        lines[1] = foreign.line().unwrap();
        assert_eq!(verify(&lines, None), Err(Break { sequence: 2, fault: Fault::OtherAccount(account(2)) }));
    }

    proptest! {
        #[test]
        fn an_untouched_chain_holds(texts in prop::collection::vec(".{0,60}", 1..12)) {
            let lines = chain(&texts);
            let head = head_of(lines.last().unwrap());
            prop_assert_eq!(verify(&lines, Some(head)), Ok(Some(head)));
        }

        #[test]
        fn any_changed_byte_is_found_where_it_is(
            texts in prop::collection::vec("[ -~é]{0,40}", 1..6),
            line in any::<prop::sample::Index>(),
            at in any::<prop::sample::Index>(),
            to in 0x20u8..0x7f,
        ) {
            let mut lines = chain(&texts);
            let line = line.index(lines.len());
            let mut bytes = lines[line].clone().into_bytes();
            let at = at.index(bytes.len());
            prop_assume!(bytes[at] != to);
            bytes[at] = to;
            // What is no text any more is not even a line.
            let Ok(changed) = String::from_utf8(bytes) else { return Ok(()) };
            lines[line] = changed;
            let found = verify(&lines, None).unwrap_err();
            prop_assert_eq!(found.sequence, u64::try_from(line).unwrap() + 1);
        }

        #[test]
        fn a_removed_entry_is_found(
            texts in prop::collection::vec(".{0,20}", 1..8),
            line in any::<prop::sample::Index>(),
        ) {
            let mut lines = chain(&texts);
            let head = head_of(lines.last().unwrap());
            let line = line.index(lines.len());
            lines.remove(line);
            let found = verify(&lines, Some(head)).unwrap_err();
            prop_assert_eq!(found.sequence, u64::try_from(line).unwrap() + 1);
        }

        #[test]
        fn a_moved_entry_is_found(
            texts in prop::collection::vec(".{0,20}", 2..8),
            from in any::<prop::sample::Index>(),
            to in any::<prop::sample::Index>(),
        ) {
            let mut lines = chain(&texts);
            let (from, to) = (from.index(lines.len()), to.index(lines.len()));
            prop_assume!(from != to);
            let moved = lines.remove(from);
            lines.insert(to, moved);
            let found = verify(&lines, None).unwrap_err();
            prop_assert_eq!(found.sequence, u64::try_from(from.min(to)).unwrap() + 1);
        }

        /// An entry that is computed by the rule, put between two others.
        #[test]
        fn an_inserted_entry_is_found(
            texts in prop::collection::vec(".{0,20}", 1..8),
            at in any::<prop::sample::Index>(),
            text in ".{0,20}",
        ) {
            let mut lines = chain(&texts);
            let at = at.index(lines.len());
            let before = at.checked_sub(1).map_or(Head::START, |before| head_of(&lines[before]));
            let inserted = before.seal(account(1), text);
            lines.insert(at, inserted.line().unwrap());
            let found = verify(&lines, None).unwrap_err();
            // By itself it fits in; what it pushed aside does not fit behind it.
            prop_assert_eq!(found.sequence, inserted.sequence + 1);
        }

        /// Whoever can write may compute all that follows anew; the head that somebody noted tells.
        #[test]
        fn a_rewritten_chain_is_found_by_a_noted_head(
            texts in prop::collection::vec(".{0,20}", 1..8),
            line in any::<prop::sample::Index>(),
        ) {
            let head = head_of(chain(&texts).last().unwrap());
            let mut rewritten = texts.clone();
            rewritten[line.index(texts.len())].push('!');
            let lines = chain(&rewritten);
            prop_assert!(verify(&lines, None).is_ok());
            let expected = Break { sequence: head.sequence, fault: Fault::OtherThanNoted };
            prop_assert_eq!(verify(&lines, Some(head)), Err(expected));
        }
    }
}
