//! Facts that the rest of the system acts on. Written in the same transaction as the change that they tell of.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    AccountId, ArchiveId, CaseId, ContractId, CreditNoteId, DisputeId, EntryId, EventId, FileId, InvoiceId,
    Random, UserId, audit::Actor, cases::Case, people::Audience,
};

/// One fact, addressed to the account that it is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// Unique; sorts by time.
    pub id: EventId,
    /// Whose record it is about.
    pub account: AccountId,
    /// Who of the account may know.
    pub audience: Audience,
    /// When it happened.
    pub at: Timestamp,
    /// Who did it, if a person asked for it; such events make the audit trail.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<Actor>,
    /// What happened.
    #[serde(flatten)]
    pub fact: Fact,
}

impl Event {
    /// A fact about a case, for those who may see the case.
    pub fn about(case: &Case, fact: Fact, now: Timestamp, random: &Random) -> Self {
        Self {
            id: EventId::new(now, random),
            account: case.account,
            audience: case.audience.clone(),
            at: now,
            by: None,
            fact,
        }
    }

    /// A fact about an account that is no fact about one case, and that nobody's browser shows.
    pub fn in_account(account: AccountId, fact: Fact, now: Timestamp, random: &Random) -> Self {
        let id = EventId::new(now, random);
        Self { id, account, audience: Audience::default(), at: now, by: None, fact }
    }

    /// Somebody was refused. The same request refused again is the same event.
    pub fn refused(
        account: AccountId,
        actor: Actor,
        problem: &str,
        sought: Option<String>,
        at: Timestamp,
    ) -> Self {
        Self {
            id: EventId::of_request(&actor.request_id, at),
            account,
            audience: Audience::default(),
            at,
            by: Some(actor),
            fact: Fact::Accessed(Access::Refused { problem: problem.to_owned(), sought }),
        }
    }

    /// What its order is kept with: the case that it is about, or else the account. Whoever acts on events sees those of
    /// one subject in the order in which they were committed.
    pub fn subject(&self) -> String {
        match self.fact.case() {
            Some(case) => case.to_string(),
            None => self.account.to_string(),
        }
    }

    /// The same, done by this person.
    #[must_use]
    pub fn by(self, actor: Actor) -> Self {
        Self { by: Some(actor), ..self }
    }

    /// The fact that somebody's next bill is no longer what a browser shows, for those who may see money.
    pub fn bill_changed(account: AccountId, case: Option<CaseId>, now: Timestamp, random: &Random) -> Self {
        Self::in_account(account, Fact::BillChanged { case }, now, random)
    }

    /// The fact that a case is no longer what a browser shows.
    pub fn case_changed(case: &Case, now: Timestamp, random: &Random) -> Self {
        Self::about(case, Fact::CaseChanged { case: case.id, version: case.version }, now, random)
    }
}

/// What can happen. Ids and versions only: whoever needs content reads it, with their own rights.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "fact", rename_all = "snake_case")]
pub enum Fact {
    /// A client raised a case in the portal; Salesforce has to know.
    CaseSubmitted {
        /// Which.
        case: CaseId,
        /// Files that were staged for it and can be downloaded already; Salesforce has to know of them too.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        files: Vec<FileId>,
    },
    /// A case, or something on it, is no longer what a browser shows.
    CaseChanged {
        /// Which.
        case: CaseId,
        /// The version that now stands.
        version: u64,
    },
    /// A case went from open to closed; it may have to be billed.
    CaseClosed {
        /// Which.
        case: CaseId,
    },
    /// A client changed a case: closed it, opened it again or put it in other words; Salesforce has to know.
    CaseAmended {
        /// Which.
        case: CaseId,
        /// The version that now stands.
        version: u64,
    },
    /// Somebody follows a case now, or no longer does. Their own affair: nobody is told.
    CaseFollowed {
        /// Which.
        case: CaseId,
    },
    /// A client said something on a case; Salesforce has to know.
    CommentAdded {
        /// On which case.
        case: CaseId,
        /// The version of the case that now stands.
        version: u64,
        /// The line of its timeline.
        entry: EntryId,
    },
    /// Somebody is about to upload a file; it is not there yet.
    FileDeclared {
        /// The case that it will belong to; none yet if it is staged.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        case: Option<CaseId>,
        /// Which.
        file: FileId,
    },
    /// A file has come further on its way, or will never be available: whoever uploads it waits for that.
    FileChecked {
        /// The case that it will belong to, if there is one yet.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        case: Option<CaseId>,
        /// Which.
        file: FileId,
        /// Who waits.
        uploader: UserId,
    },
    /// Who uploads a file gave it up before it was there.
    FileAbandoned {
        /// The case that it would have belonged to.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        case: Option<CaseId>,
        /// Which.
        file: FileId,
    },
    /// A file can be downloaded; Salesforce has to know.
    FileAdded {
        /// The case that it belongs to.
        case: CaseId,
        /// Which.
        file: FileId,
    },
    /// A file has a newer version; Salesforce has to know.
    FileSuperseded {
        /// The case that it belongs to.
        case: CaseId,
        /// Which.
        file: FileId,
    },
    /// Somebody said what sort of file it is, or whom it is for; Salesforce has to know.
    FileRelabelled {
        /// The case that it belongs to.
        case: CaseId,
        /// Which.
        file: FileId,
    },
    /// Somebody deleted a file, all versions of it; it can be brought back. Salesforce has to know.
    FileDeleted {
        /// The case that it belongs to.
        case: CaseId,
        /// Which.
        file: FileId,
    },
    /// Somebody brought a deleted file back; Salesforce has to know.
    FileRestored {
        /// The case that it belongs to.
        case: CaseId,
        /// Which.
        file: FileId,
    },
    /// Somebody has a file erased for good; from now on nobody sees it.
    FileErasureRequested {
        /// The case that it belongs to.
        case: CaseId,
        /// Which.
        file: FileId,
    },
    /// A file is gone, content and record; Salesforce has to forget it.
    FileErased {
        /// The case that it belongs to.
        case: CaseId,
        /// Which.
        file: FileId,
    },
    /// Somebody wants all files of a case in one archive; it has to be put together.
    ArchiveRequested {
        /// The case.
        case: CaseId,
        /// Which archive.
        archive: ArchiveId,
    },
    /// An archive has come further: who asked for it waits for that.
    ArchiveChanged {
        /// The case.
        case: CaseId,
        /// Which archive.
        archive: ArchiveId,
        /// Who waits.
        requester: UserId,
        /// The version that now stands.
        version: u64,
    },
    /// An invoice has its number; it has to be rendered, and Salesforce has to know.
    InvoiceIssued {
        /// The case that it bills, if it bills one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        case: Option<CaseId>,
        /// Which.
        invoice: InvoiceId,
    },
    /// Salesforce no longer says of a file what the portal said there, or has lost it; it has to be put right.
    FileReferenceLost {
        /// The case that it belongs to.
        case: CaseId,
        /// Which.
        file: FileId,
    },
    /// Salesforce no longer says of an invoice what the portal said there, or has lost it; it has to be put right.
    InvoiceRecordLost {
        /// The case that it bills, if it bills one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        case: Option<CaseId>,
        /// Which.
        invoice: InvoiceId,
    },
    /// The PDF of an invoice can be downloaded.
    InvoiceRendered {
        /// The case that it bills, if it bills one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        case: Option<CaseId>,
        /// Which.
        invoice: InvoiceId,
    },
    /// Somebody of the consultancy has taken a bill in hand. Clients do not see it.
    InvoiceDrafted {
        /// The invoice that it becomes.
        invoice: InvoiceId,
    },
    /// Months of a contract are over; they have to be billed.
    BillingDue {
        /// Which contract.
        contract: ContractId,
    },
    /// What is not invoiced yet has changed: hours, expenses, a contract, or a case that is on no bill any more.
    BillChanged {
        /// The case that it is about, if it is about one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        case: Option<CaseId>,
    },
    /// Less is owed for an invoice; the credit note has to be rendered, and Salesforce has to know.
    CreditNoteIssued {
        /// The case that the invoice bills, if it bills one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        case: Option<CaseId>,
        /// The invoice.
        invoice: InvoiceId,
        /// The credit note.
        credit_note: CreditNoteId,
    },
    /// The PDF of a credit note can be downloaded.
    CreditNoteRendered {
        /// The case that the invoice bills, if it bills one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        case: Option<CaseId>,
        /// The invoice.
        invoice: InvoiceId,
        /// The credit note.
        credit_note: CreditNoteId,
    },
    /// A client asked about a position of an invoice, or disputes it; Salesforce has to know.
    DisputeRaised {
        /// The case that the invoice bills, if it bills one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        case: Option<CaseId>,
        /// The invoice.
        invoice: InvoiceId,
        /// Which.
        dispute: DisputeId,
    },
    /// Somebody said something more about it.
    DisputeAnswered {
        /// The case that the invoice bills, if it bills one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        case: Option<CaseId>,
        /// The invoice.
        invoice: InvoiceId,
        /// Which.
        dispute: DisputeId,
    },
    /// It is over, and nothing is held for it any more; Salesforce has to know.
    DisputeClosed {
        /// The case that the invoice bills, if it bills one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        case: Option<CaseId>,
        /// The invoice.
        invoice: InvoiceId,
        /// Which.
        dispute: DisputeId,
    },
    /// Somebody looked at something, or was not let: nothing has changed. Only the audit trail takes it.
    Accessed(Access),
}

impl Fact {
    /// Who alone waits for it, if it is one person's affair.
    pub fn awaited_by(&self) -> Option<&UserId> {
        match self {
            Self::FileChecked { uploader, .. } => Some(uploader),
            Self::ArchiveChanged { requester, .. } => Some(requester),
            _ => None,
        }
    }

    /// The case that it is about, or that what it is about belongs to.
    pub fn case(&self) -> Option<CaseId> {
        match self {
            Self::CaseSubmitted { case, .. }
            | Self::CaseChanged { case, .. }
            | Self::CaseClosed { case }
            | Self::CaseAmended { case, .. }
            | Self::CaseFollowed { case }
            | Self::CommentAdded { case, .. }
            | Self::FileAdded { case, .. }
            | Self::FileSuperseded { case, .. }
            | Self::FileRelabelled { case, .. }
            | Self::FileDeleted { case, .. }
            | Self::FileRestored { case, .. }
            | Self::FileErasureRequested { case, .. }
            | Self::FileErased { case, .. }
            | Self::ArchiveRequested { case, .. }
            | Self::ArchiveChanged { case, .. }
            | Self::FileReferenceLost { case, .. }
            | Self::Accessed(Access::ArchiveDownloaded { case, .. }) => Some(*case),
            Self::FileDeclared { case, .. }
            | Self::InvoiceIssued { case, .. }
            | Self::InvoiceRecordLost { case, .. }
            | Self::InvoiceRendered { case, .. }
            | Self::BillChanged { case }
            | Self::CreditNoteIssued { case, .. }
            | Self::CreditNoteRendered { case, .. }
            | Self::DisputeRaised { case, .. }
            | Self::DisputeAnswered { case, .. }
            | Self::DisputeClosed { case, .. }
            | Self::FileChecked { case, .. }
            | Self::FileAbandoned { case, .. }
            | Self::Accessed(Access::FileDownloaded { case, .. }) => *case,
            Self::InvoiceDrafted { .. } | Self::BillingDue { .. } => None,
            Self::Accessed(
                Access::InvoicesListed
                | Access::InvoiceRead { .. }
                | Access::InvoiceDownloaded { .. }
                | Access::EInvoiceDownloaded { .. }
                | Access::DisputesListed { .. }
                | Access::AuditRead
                | Access::AuditExported
                | Access::Refused { .. },
            ) => None,
        }
    }
}

/// What somebody looked at, or wanted to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "access", rename_all = "snake_case")]
pub enum Access {
    /// They were given a link to a file's content.
    FileDownloaded {
        /// The case that it belongs to; none while it is staged for one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        case: Option<CaseId>,
        /// Which.
        file: FileId,
    },
    /// They were given a link to all files of a case.
    ArchiveDownloaded {
        /// The case.
        case: CaseId,
        /// Which archive.
        archive: ArchiveId,
    },
    /// They saw a page of the account's invoices.
    InvoicesListed,
    /// They saw an invoice with its positions.
    InvoiceRead {
        /// Which.
        invoice: InvoiceId,
    },
    /// They were given a link to an invoice's PDF.
    InvoiceDownloaded {
        /// Which.
        invoice: InvoiceId,
    },
    /// They were given a link to an invoice's e-invoice.
    EInvoiceDownloaded {
        /// Which.
        invoice: InvoiceId,
    },
    /// They saw the questions and disputes about an invoice.
    DisputesListed {
        /// Which.
        invoice: InvoiceId,
    },
    /// They saw a page of the audit trail.
    AuditRead,
    /// They took a part of the audit trail away.
    AuditExported,
    /// They were refused.
    Refused {
        /// The problem's slug.
        problem: String,
        /// The id of a record that they asked for. It need not exist, nor be theirs.
        sought: Option<String>,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_download_that_was_recorded_before_files_were_staged_still_reads() {
        let case = CaseId::from_uuid(uuid::Uuid::from_u128(1));
        let file = FileId::from_uuid(uuid::Uuid::from_u128(2));
        let read = |text: String| serde_json::from_str::<Fact>(&text).unwrap();
        let kept =
            format!(r#"{{"fact":"accessed","access":"file_downloaded","case":"{case}","file":"{file}"}}"#);
        let of_case = Fact::Accessed(Access::FileDownloaded { case: Some(case), file });
        assert_eq!(serde_json::to_string(&of_case).unwrap(), kept);
        assert_eq!((read(kept), of_case.case()), (of_case.clone(), Some(case)));
        let staged = Fact::Accessed(Access::FileDownloaded { case: None, file });
        assert_eq!((read(serde_json::to_string(&staged).unwrap()), staged.case()), (staged.clone(), None));
    }
}
