//! How much of the portal an account uses: the room that its files take, and how often what was done.

use std::collections::BTreeMap;

use jiff::Timestamp;
use portico_domain::{
    AccountId, CaseId,
    audit::Entry,
    files::{FileRules, NoRoom, Space},
};
use serde::{Deserialize, de::IgnoredAny};

use crate::{
    Commit, Declared, Store, StoreError, Tenant, Ticket,
    engine::{Key, Table, Write},
    keys,
};

/// The room that an account's files take.
const SPACE: &str = "space";

fn key(account: AccountId, entry: String) -> Key {
    keys::key(Table::Usage, account, Some(entry))
}

fn space_of_case(case: CaseId) -> String {
    format!("{SPACE}#{case}")
}

/// What was done in a month; `2026-11` for November.
fn acts(month: &str) -> String {
    format!("acts#{month}")
}

fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// Gives back the room that files took.
pub(crate) fn give_back(tenant: &Tenant, case: Option<CaseId>, space: Space) -> Vec<Write> {
    let amounts = vec![
        ("files".to_owned(), signed(space.files).saturating_neg()),
        ("bytes".to_owned(), signed(space.bytes).saturating_neg()),
    ];
    let add = |entry: String| Write::Add {
        key: key(tenant.account(), entry),
        amounts: amounts.clone(),
        at_most: Vec::new(),
    };
    [Some(SPACE.to_owned()), case.map(space_of_case)].into_iter().flatten().map(add).collect()
}

/// What has to be free for a command, and what its client is told if it is not.
pub(crate) struct Room {
    account: AccountId,
    needs: Vec<(String, Space, Space, NoRoom)>,
}

impl Room {
    /// Room for new files of an account; none is asked for if there are no files.
    pub(crate) fn of_account(tenant: &Tenant, taken: Space, rules: &FileRules) -> Self {
        let mut room = Self { account: tenant.account(), needs: Vec::new() };
        let most = Space { files: u64::MAX, bytes: rules.account_bytes };
        room.need(SPACE.to_owned(), taken, most, NoRoom::InAccount { bytes: rules.account_bytes });
        room
    }

    /// And of one case of it.
    pub(crate) fn and_of_case(&mut self, case: CaseId, taken: Space, rules: &FileRules) {
        let refusal = NoRoom::InCase { files: rules.case.files, bytes: rules.case.bytes };
        self.need(space_of_case(case), taken, rules.case, refusal);
    }

    fn need(&mut self, entry: String, taken: Space, most: Space, refusal: NoRoom) {
        if taken.files > 0 {
            self.needs.push((entry, taken, most, refusal));
        }
    }

    fn writes(&self) -> Vec<Write> {
        let write = |(entry, taken, most, _): &(String, Space, Space, NoRoom)| Write::Add {
            key: key(self.account, entry.clone()),
            amounts: vec![
                ("files".to_owned(), signed(taken.files)),
                ("bytes".to_owned(), signed(taken.bytes)),
            ],
            at_most: [("files", most.files), ("bytes", most.bytes)]
                .into_iter()
                .filter(|(_, most)| *most < u64::MAX)
                .collect(),
        };
        self.needs.iter().map(write).collect()
    }
}

/// Counts what was done, by month and action, for the usage report.
pub(crate) fn count_acts(account: AccountId, entries: &[&Entry]) -> Vec<Write> {
    let mut months: BTreeMap<String, BTreeMap<&str, i64>> = BTreeMap::new();
    for entry in entries {
        let month = entry.at.strftime("%Y-%m").to_string();
        *months.entry(month).or_default().entry(&entry.action).or_default() += 1;
    }
    let write = |(month, counts): (String, BTreeMap<&str, i64>)| Write::Add {
        key: key(account, acts(&month)),
        amounts: counts.into_iter().map(|(action, count)| (action.to_owned(), count)).collect(),
        at_most: Vec::new(),
    };
    months.into_iter().map(write).collect()
}

impl Store {
    /// A command that takes room: its effect, the room and the ticket, or none of them.
    pub(crate) async fn command_with_room(
        &self,
        ticket: &Ticket,
        made: &str,
        mut effect: Vec<Write>,
        room: Room,
    ) -> Result<Declared, StoreError> {
        let first = effect.len();
        effect.extend(room.writes());
        match self.try_command(ticket, made, effect).await? {
            Ok(Commit::Done) => Ok(Declared::Done),
            Ok(Commit::Repeated(repeat)) => Ok(Declared::Repeated(repeat)),
            Err(refused) => {
                let mut full =
                    refused.iter().skip(first).zip(&room.needs).filter(|(refused, _)| refused.is_some());
                match full.next() {
                    Some((_, (_, _, _, refusal))) => Ok(Declared::NoRoom(*refusal)),
                    None => Err(StoreError::Conflict),
                }
            }
        }
    }

    /// The room that the files of an account take, or those of one case of it.
    ///
    /// # Errors
    /// [`StoreError`] if the engine fails.
    pub async fn space(&self, tenant: &Tenant, case: Option<CaseId>) -> Result<Space, StoreError> {
        let entry = case.map_or_else(|| SPACE.to_owned(), space_of_case);
        let item = self.engine.get(&key(tenant.account(), entry)).await?;
        Ok(item.map(|item| keys::record(Table::Usage, item)).transpose()?.unwrap_or_default())
    }

    /// How often what was done in the month of this moment, by the audit trail's names.
    ///
    /// # Errors
    /// [`StoreError`] if the engine fails.
    pub async fn acts(&self, tenant: &Tenant, at: Timestamp) -> Result<BTreeMap<String, u64>, StoreError> {
        /// Every number of the item is a count; its keys are text.
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Value {
            Count(u64),
            Key(IgnoredAny),
        }
        let month = at.strftime("%Y-%m").to_string();
        let item = self.engine.get(&key(tenant.account(), acts(&month))).await?;
        let values: BTreeMap<String, Value> =
            item.map(|item| keys::record(Table::Usage, item)).transpose()?.unwrap_or_default();
        let count = |(name, value)| match value {
            Value::Count(count) => Some((name, count)),
            Value::Key(IgnoredAny) => None,
        };
        Ok(values.into_iter().filter_map(count).collect())
    }
}
