//! Paging: how much, and where to go on.

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use serde_dynamo::{AttributeValue, Item};

/// Items a page, 1 to 100.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PageSize(u16);

impl PageSize {
    /// Most items a page.
    pub const MAX: u16 = 100;
    /// Items a page if nothing is said.
    pub const DEFAULT: Self = Self(25);

    /// `None` outside of 1 to [`Self::MAX`].
    pub fn new(items: u16) -> Option<Self> {
        (1..=Self::MAX).contains(&items).then_some(Self(items))
    }

    /// Items a page.
    pub fn get(self) -> u16 {
        self.0
    }
}

/// A page of records.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<T> {
    /// The records, in order.
    pub items: Vec<T>,
    /// Where to go on; absent at the end.
    pub next: Option<Cursor>,
}

/// Where to go on. Holds sort keys only: the partition always comes from the tenant, so a cursor of
/// somebody else leads nowhere but into one's own records.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cursor(Vec<(String, String)>);

/// The text is not a cursor that the portal gave.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a cursor of this list")]
pub struct CursorError;

impl Cursor {
    /// Longest cursor that is read.
    pub const MAX_LENGTH: usize = 512;

    pub(crate) fn of_key(key: &Item, names: &[&str]) -> Option<Self> {
        names
            .iter()
            .map(|name| match key.get(*name) {
                Some(AttributeValue::S(value)) => Some(((*name).to_owned(), value.clone())),
                _ => None,
            })
            .collect::<Option<_>>()
            .map(Self)
    }

    /// A place on a list, by its key attributes.
    pub(crate) fn at(key: &[(&str, String)]) -> Self {
        Self(key.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect())
    }

    /// The values of exactly these key attributes.
    pub(crate) fn values<const N: usize>(&self, names: [&str; N]) -> Result<[String; N], CursorError> {
        if !self.is_of(&names) {
            return Err(CursorError);
        }
        let values: Vec<String> = self.0.iter().map(|(_, value)| value.clone()).collect();
        values.try_into().map_err(|_| CursorError)
    }

    fn is_of(&self, names: &[&str]) -> bool {
        self.0.iter().map(|(name, _)| name.as_str()).eq(names.iter().copied())
    }

    /// The key to go on after, in the tenant's own partition.
    pub(crate) fn into_key(self, names: &[&str], partition: &[(&str, String)]) -> Result<Item, CursorError> {
        if self.is_of(names) { Ok(self.key(partition)) } else { Err(CursorError) }
    }

    /// The key, with the attributes of the tenant's own partition.
    pub(crate) fn key(self, partition: &[(&str, String)]) -> Item {
        let mut key = Item::default();
        let own = partition.iter().map(|(name, value)| ((*name).to_owned(), value.clone()));
        for (name, value) in self.0.into_iter().chain(own) {
            key.inner_mut().insert(name, AttributeValue::S(value));
        }
        key
    }
}

impl std::fmt::Display for Cursor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let json = serde_json::to_vec(&self.0).map_err(|_| std::fmt::Error)?;
        f.write_str(&BASE64_URL_SAFE_NO_PAD.encode(json))
    }
}

impl std::str::FromStr for Cursor {
    type Err = CursorError;

    fn from_str(text: &str) -> Result<Self, CursorError> {
        if text.len() > Self::MAX_LENGTH {
            return Err(CursorError);
        }
        let json = BASE64_URL_SAFE_NO_PAD.decode(text).map_err(|_| CursorError)?;
        let keys: Vec<(String, String)> = serde_json::from_slice(&json).map_err(|_| CursorError)?;
        // DynamoDB refuses empty key values; so do we, before it does.
        let sound = !keys.is_empty() && keys.iter().all(|(_, value)| !value.is_empty());
        if sound { Ok(Self(keys)) } else { Err(CursorError) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_reads_back_and_stays_in_its_list() {
        let cursor = Cursor(vec![("case".to_owned(), "case_1".to_owned())]);
        let read: Cursor = cursor.to_string().parse().unwrap();
        assert_eq!(read, cursor);
        assert_eq!(read.clone().into_key(&["invoice"], &[]), Err(CursorError));
        let key = read.into_key(&["case"], &[("account", "acct_mine".to_owned())]).unwrap();
        assert_eq!(key.get("account"), Some(&AttributeValue::S("acct_mine".to_owned())));
    }

    #[test]
    fn nonsense_is_no_cursor() {
        for text in ["", "!", "e30", &"A".repeat(600), &BASE64_URL_SAFE_NO_PAD.encode("[[\"case\",\"\"]]")] {
            assert_eq!(text.parse::<Cursor>(), Err(CursorError), "{text}");
        }
    }
}
