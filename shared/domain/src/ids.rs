//! Parsed identifiers: a value of one of these types is well-formed, and one kind cannot stand in for another.

use std::{fmt, str::FromStr};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::{Random, SalesforceId, billing::Scope};

/// The text is not an identifier of the expected kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected an id that starts with \"{expected}\" and goes on with 32 lower-case hexadecimal digits")]
pub struct MalformedId {
    /// The prefix that ids of this kind carry.
    pub expected: &'static str,
}

/// Records that Salesforce made first get their portal id from the Salesforce id, so that two deliveries of
/// the same news cannot make two records.
const FROM_SALESFORCE: Uuid = Uuid::from_u128(0x6f70_6f72_7469_636f_8000_0000_5fa1_e5f0);

macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $prefix:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(Uuid);

        impl $name {
            /// What the text form starts with.
            pub const PREFIX: &str = $prefix;

            /// A new id: sorts by time, cannot be guessed.
            pub fn new(now: Timestamp, random: &Random) -> Self {
                Self(random.uuid(now))
            }

            /// The one portal id of a record that Salesforce made first.
            pub fn of_salesforce(id: &SalesforceId) -> Self {
                let name = format!(concat!($prefix, "{}"), id);
                Self(Uuid::new_v5(&FROM_SALESFORCE, name.as_bytes()))
            }

            /// The id with these bits, for records that are provisioned under a known id.
            pub const fn from_uuid(uuid: Uuid) -> Self {
                Self(uuid)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!($prefix, "{}"), self.0.as_simple())
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl FromStr for $name {
            type Err = MalformedId;

            fn from_str(text: &str) -> Result<Self, MalformedId> {
                parse(text, $prefix).map(Self).ok_or(MalformedId { expected: $prefix })
            }
        }

        impl TryFrom<String> for $name {
            type Error = MalformedId;

            fn try_from(text: String) -> Result<Self, MalformedId> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> String {
                id.to_string()
            }
        }
    };
}

id!(
    /// A client company.
    AccountId, "acct_"
);
id!(
    /// A case: one request of a client, from the question to the invoice.
    CaseId, "case_"
);
id!(
    /// A contract between the consultancy and a client company.
    ContractId, "ctr_"
);
id!(
    /// One line of a case's timeline, or one time entry.
    EntryId, "ent_"
);
id!(
    /// One fact in the outbox.
    EventId, "evt_"
);
id!(
    /// A file of a case.
    FileId, "file_"
);
id!(
    /// An archive of a case's files.
    ArchiveId, "arch_"
);
id!(
    /// An invoice.
    InvoiceId, "inv_"
);
id!(
    /// A credit note.
    CreditNoteId, "cn_"
);
id!(
    /// A question about a position of an invoice, or a dispute.
    DisputeId, "dsp_"
);

id!(
    /// One run of the work that holds the portal against Salesforce.
    RunId, "run_"
);

impl RunId {
    /// The one run of this name, sorting by `at` as others do.
    pub(crate) fn of_name(name: &str, at: Timestamp) -> Self {
        Self(sorted_by(at, name))
    }
}

impl EntryId {
    /// The first line of a case's timeline.
    pub fn first_of(case: CaseId) -> Self {
        Self(case.0)
    }

    /// When the portal made this id; absent in ids that follow from another record's.
    pub fn made_at(&self) -> Option<Timestamp> {
        let (seconds, nanoseconds) = self.0.get_timestamp()?.to_unix();
        Timestamp::new(seconds.try_into().ok()?, nanoseconds.try_into().ok()?).ok()
    }
}

impl FileId {
    /// The file that was declared together with a case, at this place of the request. Whoever repeats the request
    /// declares this file.
    pub fn with_case(case: CaseId, place: usize) -> Self {
        let name = format!("file/{case}/{place}");
        Self(Uuid::new_v5(&FROM_SALESFORCE, name.as_bytes()))
    }
}

impl EventId {
    /// The one event that tells how a request ended. Sorts by time as others do.
    pub fn of_request(request_id: &str, at: Timestamp) -> Self {
        Self(sorted_by(at, &format!("request/{request_id}")))
    }
}

/// A UUIDv7 of this moment in which a name stands instead of randomness.
fn sorted_by(at: Timestamp, name: &str) -> Uuid {
    let mut bytes = [0; 10];
    for (byte, from) in bytes.iter_mut().zip(Sha256::digest(name)) {
        *byte = from;
    }
    let milliseconds = u64::try_from(at.as_millisecond()).unwrap_or_default();
    uuid::Builder::from_unix_timestamp_millis(milliseconds, &bytes).into_uuid()
}

impl InvoiceId {
    /// The one invoice of a month, or of each part of a case, under a contract. Whoever generates it, however often, generates this id.
    pub fn of(account: AccountId, contract: ContractId, scope: Scope) -> Self {
        let name = match scope {
            Scope::Case { case, part: 0, .. } => format!("invoice/{account}/{contract}/{case}"),
            Scope::Case { case, part, .. } => format!("invoice/{account}/{contract}/{case}/{part}"),
            Scope::Period(period) => format!("invoice/{account}/{contract}/{period}"),
        };
        Self(Uuid::new_v5(&FROM_SALESFORCE, name.as_bytes()))
    }
}

/// Only the canonical form is an id: one record has one text, so two spellings cannot pass two checks.
fn parse(text: &str, prefix: &str) -> Option<Uuid> {
    let digits = text.strip_prefix(prefix)?;
    let canonical = digits.len() == 32 && digits.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    if canonical { Uuid::try_parse(digits).ok() } else { None }
}

/// A person who can sign in: the `sub` of the Cognito user.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct UserId(String);

impl UserId {
    /// Longest `sub` that is taken; Cognito's are UUIDs of 36 characters.
    pub const MAX_LENGTH: usize = 128;

    /// The `sub` as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for UserId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for UserId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for UserId {
    type Err = MalformedId;

    fn from_str(text: &str) -> Result<Self, MalformedId> {
        text.to_owned().try_into()
    }
}

impl TryFrom<String> for UserId {
    type Error = MalformedId;

    fn try_from(text: String) -> Result<Self, MalformedId> {
        let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
        if text.is_empty() || text.len() > Self::MAX_LENGTH || !text.bytes().all(plain) {
            return Err(MalformedId { expected: "" });
        }
        Ok(Self(text))
    }
}

impl From<UserId> for String {
    fn from(id: UserId) -> String {
        id.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_reads_back_as_itself() {
        let id = CaseId::from_uuid(Uuid::from_u128(7));
        assert_eq!(id.to_string(), "case_00000000000000000000000000000007");
        assert_eq!(id.to_string().parse(), Ok(id));
    }

    #[test]
    fn other_spellings_and_other_kinds_are_refused() {
        for text in [
            "case_0000000000000000000000000000000A",
            "case_00000000-0000-0000-0000-000000000007",
            "file_00000000000000000000000000000007",
            "00000000000000000000000000000007",
            "case_",
            "",
        ] {
            assert_eq!(text.parse::<CaseId>(), Err(MalformedId { expected: "case_" }), "{text}");
        }
    }

    #[test]
    fn new_ids_sort_by_time() {
        let random = Random::new(|bytes| bytes.fill(0xff));
        let ids: Vec<_> = [1, 2, 1_000_000]
            .map(|ms| EventId::new(Timestamp::from_millisecond(ms).unwrap(), &random).to_string())
            .into();
        assert!(ids.is_sorted(), "{ids:?}");
    }

    #[test]
    fn an_entry_tells_when_the_portal_made_it() {
        let now: Timestamp = "2026-11-22T09:30:00.123456789Z".parse().unwrap();
        let entry = EntryId::new(now, &Random::new(|bytes| bytes.fill(7)));
        assert_eq!(entry.made_at(), Some("2026-11-22T09:30:00.123Z".parse().unwrap()));
        assert_eq!(format!("{:.3}", entry.made_at().unwrap()), format!("{now:.3}"));
        assert_eq!(EntryId::of_salesforce(&"500000000000001AAA".parse().unwrap()).made_at(), None);
    }

    #[test]
    fn a_salesforce_record_has_one_portal_id_for_each_kind() {
        let id: SalesforceId = "500000000000001AAA".parse().unwrap();
        assert_eq!(CaseId::of_salesforce(&id), CaseId::of_salesforce(&id));
        let other: SalesforceId = "500000000000002AAA".parse().unwrap();
        assert_ne!(CaseId::of_salesforce(&id), CaseId::of_salesforce(&other));
    }
}
