//! Access tokens: opaque, with a sliding end.
//!
//! They are kept in memory: a restart ends every session, as maintenance of a real org does.

use std::{collections::HashMap, sync::Mutex};

use jiff::Timestamp;

use crate::{org::lock, random};

/// Sessions at once; a client that authenticates on each call would otherwise fill the memory.
const SESSIONS_MAX: usize = 1_000;
/// Characters of the random part: 6 bits each.
const TOKEN_LENGTH: usize = 96;

/// The open sessions by token.
#[derive(Default)]
pub(crate) struct Sessions(Mutex<HashMap<String, Timestamp>>);

impl Sessions {
    /// Opens a session.
    ///
    /// # Errors
    /// When the operating system has no randomness.
    pub(crate) fn open(&self, organization_id: &str, now: Timestamp) -> Result<String, getrandom::Error> {
        let organization = organization_id.get(..15).unwrap_or(organization_id);
        let token = format!("{organization}!{}", random::token(TOKEN_LENGTH)?);
        let mut sessions = lock(&self.0);
        if sessions.len() >= SESSIONS_MAX {
            let oldest = sessions.iter().min_by_key(|(_, used)| **used).map(|(token, _)| token.clone());
            oldest.and_then(|token| sessions.remove(&token));
        }
        sessions.insert(token.clone(), now);
        Ok(token)
    }

    /// True when the token opens a session that was used within `seconds`; using it prolongs it.
    pub(crate) fn accepts(&self, token: &str, now: Timestamp, seconds: u32) -> bool {
        let mut sessions = lock(&self.0);
        let Some(used) = sessions.get_mut(token) else { return false };
        if now.as_second().saturating_sub(used.as_second()) >= i64::from(seconds) {
            sessions.remove(token);
            return false;
        }
        *used = now;
        true
    }

    /// Ends all sessions.
    pub(crate) fn end_all(&self) {
        lock(&self.0).clear();
    }
}
