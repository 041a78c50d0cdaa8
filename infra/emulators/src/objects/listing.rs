//! Listings: pages of keys, folded at a delimiter.

use rusqlite::Transaction;

use super::versions::{self, Place, Version};
use super::{ObjectError, PAGE};

/// What is listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Listed {
    Objects,
    /// Versions and marks of deletions.
    Versions,
}

/// What a listing is asked for.
#[derive(Debug)]
pub(super) struct Query {
    pub(super) bucket: String,
    pub(super) prefix: String,
    pub(super) delimiter: Option<String>,
    pub(super) max: usize,
}

impl Query {
    /// With the defaults and limits of S3.
    pub(super) fn new(bucket: &str, prefix: Option<&str>, delimiter: Option<&str>, max: Option<i32>) -> Self {
        Self {
            bucket: bucket.to_owned(),
            prefix: prefix.unwrap_or_default().to_owned(),
            delimiter: delimiter.filter(|delimiter| !delimiter.is_empty()).map(str::to_owned),
            max: page_size(max),
        }
    }
}

/// How many entries a page has at most.
pub(super) fn page_size(max: Option<i32>) -> usize {
    usize::try_from(max.unwrap_or(i32::MAX)).unwrap_or(0).min(PAGE)
}

/// One page of a listing.
#[derive(Default)]
pub(super) struct Listing {
    pub(super) entries: Vec<Version>,
    pub(super) prefixes: Vec<String>,
    /// The key, and the version if there is one, behind which the next page begins, when there is one.
    pub(super) next: Option<(String, Option<String>)>,
}

impl Listing {
    pub(super) fn read(
        tx: &Transaction<'_>,
        listed: Listed,
        query: &Query,
        mut after: Place,
    ) -> Result<Self, ObjectError> {
        let page = match listed {
            Listed::Objects => versions::page,
            Listed::Versions => versions::page_of_all,
        };
        let mut listing = Self::default();
        let mut last = (after.key.clone(), None);
        // Each turn adds an entry or ends the loop.
        loop {
            let room = query.max.saturating_sub(listing.entries.len()).saturating_sub(listing.prefixes.len());
            // One more than fits tells whether there is another page.
            let found = page(tx, &query.bucket, &query.prefix, &after, room.saturating_add(1))?;
            if found.is_empty() {
                return Ok(listing);
            }
            if room == 0 {
                listing.next = (query.max > 0).then_some(last);
                return Ok(listing);
            }
            for version in found.into_iter().take(room) {
                if let Some(common) = query.fold(&version.key) {
                    // The last key that the prefix could cover, so that the next page begins behind it.
                    after = Place { key: format!("{common}{}", char::MAX), number: 0 };
                    last = (after.key.clone(), None);
                    listing.prefixes.push(common);
                    break;
                }
                after = Place { key: version.key.clone(), number: version.number };
                last = (version.key.clone(), Some(version.id.clone()));
                listing.entries.push(version);
            }
        }
    }
}

impl Query {
    /// The prefix that stands for this key, if there is a delimiter in the rest of it.
    fn fold(&self, key: &str) -> Option<String> {
        let delimiter = self.delimiter.as_deref()?;
        let rest = key.get(self.prefix.len()..)?;
        let end = rest.find(delimiter)?.checked_add(delimiter.len())?;
        Some(format!("{}{}", self.prefix, rest.get(..end)?))
    }
}
