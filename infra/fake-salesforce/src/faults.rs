//! Faults on demand: rules that make requests below `/services` and `/console` fail.

use std::sync::Mutex;

use http::Method;
use serde::{Deserialize, Serialize};

use crate::{org::lock, random};

/// Most rules at once.
const RULES_MAX: usize = 100;
/// Longest pause that a rule may ask for: ten minutes, more than any client waits.
const PAUSE_MAX_MS: u32 = 600_000;

/// A rule: which requests, how often, and what happens to them. The first rule that fits is applied.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// HTTP method; any when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub method: Option<String>,
    /// Path in which `*` stands for any text, slashes included.
    #[serde(default = "everything")]
    pub path: String,
    /// How often the rule still applies; for ever when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remaining: Option<u32>,
    /// Of 100 requests that fit, how many are hit.
    #[serde(default = "always")]
    pub percent: u8,
    /// What happens.
    pub effect: Effect,
}

impl Rule {
    /// A rule that hits every request below `/services` until it is cleared.
    pub fn always(effect: Effect) -> Rule {
        Rule { method: None, path: everything(), remaining: None, percent: always(), effect }
    }

    /// A rule that hits the next `times` requests with this method and path pattern.
    pub fn times(times: u32, method: &str, path: &str, effect: Effect) -> Rule {
        Rule {
            method: Some(method.to_owned()),
            path: path.to_owned(),
            remaining: Some(times),
            percent: always(),
            effect,
        }
    }
}

fn everything() -> String {
    "/services/*".to_owned()
}

fn always() -> u8 {
    100
}

/// What happens to a request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Effect {
    /// Answered normally, later.
    Latency {
        /// Milliseconds before the request is looked at.
        ms: u32,
    },
    /// 500 with a JSON error list.
    ServerError,
    /// 503 with an HTML page.
    HtmlUnavailable,
    /// 503 without a body.
    EmptyUnavailable,
    /// The work is done and committed, then the connection is held and closed without an answer.
    CommitThenHang {
        /// Milliseconds before the connection is closed.
        ms: u32,
    },
    /// Nothing is done; the connection is held and closed without an answer.
    Hang {
        /// Milliseconds before the connection is closed.
        ms: u32,
    },
    /// 401 `INVALID_SESSION_ID`, whatever the token.
    InvalidSession,
    /// 403 `REQUEST_LIMIT_EXCEEDED`.
    RequestLimit,
    /// 403 `INSUFFICIENT_ACCESS_OR_READONLY`: a permission error that looks much like the limit.
    Forbidden,
    /// 400 `UNABLE_TO_LOCK_ROW`.
    LockRow,
    /// Any status, with an error list of one.
    Error {
        /// HTTP status, 300 to 599.
        status: u16,
        /// `errorCode`.
        code: String,
        /// `message`.
        message: String,
    },
    /// The connection is closed at once.
    Down,
}

/// A rule that cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RuleError {
    /// Too many rules.
    #[error("more than {RULES_MAX} rules")]
    TooMany,
    /// A pause that is too long.
    #[error("a pause is at most {PAUSE_MAX_MS} ms")]
    Pause,
    /// A status outside 300-599.
    #[error("an error's status is between 300 and 599")]
    Status,
    /// A path without a leading slash.
    #[error("a path pattern starts with / or *")]
    Path,
}

/// The rules in force.
#[derive(Default)]
pub(crate) struct Faults(Mutex<Vec<Rule>>);

impl Faults {
    /// Adds rules after the ones in force.
    pub(crate) fn add(&self, new: Vec<Rule>) -> Result<(), RuleError> {
        for rule in &new {
            match rule.effect {
                Effect::Latency { ms } | Effect::CommitThenHang { ms } | Effect::Hang { ms }
                    if ms > PAUSE_MAX_MS =>
                {
                    return Err(RuleError::Pause);
                }
                Effect::Error { status, .. } if !(300..=599).contains(&status) => {
                    return Err(RuleError::Status);
                }
                _ if !rule.path.starts_with(['/', '*']) => return Err(RuleError::Path),
                _ => {}
            }
        }
        let mut rules = lock(&self.0);
        if rules.len().saturating_add(new.len()) > RULES_MAX {
            return Err(RuleError::TooMany);
        }
        rules.extend(new);
        Ok(())
    }

    pub(crate) fn list(&self) -> Vec<Rule> {
        lock(&self.0).clone()
    }

    pub(crate) fn clear(&self) {
        lock(&self.0).clear();
    }

    /// The effect on this request, if any; uses the rule up.
    pub(crate) fn hit(&self, method: &Method, path: &str) -> Option<Effect> {
        let mut rules = lock(&self.0);
        let index = rules.iter().position(|rule| {
            rule.method.as_ref().is_none_or(|wanted| wanted.eq_ignore_ascii_case(method.as_str()))
                && matches(&rule.path, path)
                && random::percent(rule.percent)
        })?;
        let rule = rules.get_mut(index)?;
        let effect = rule.effect.clone();
        match &mut rule.remaining {
            Some(0 | 1) => {
                let spent = rules.remove(index);
                (spent.remaining != Some(0)).then_some(effect)
            }
            Some(remaining) => {
                *remaining -= 1;
                Some(effect)
            }
            None => Some(effect),
        }
    }
}

/// `*` stands for any text; everything else for itself.
fn matches(pattern: &str, path: &str) -> bool {
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = path.strip_prefix(first) else { return false };
    let mut parts: Vec<&str> = parts.collect();
    let Some(last) = parts.pop() else { return rest.is_empty() };
    for part in parts {
        match rest.find(part) {
            Some(at) => rest = rest.get(at + part.len()..).unwrap_or_default(),
            None => return false,
        }
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stars_match_any_text() {
        assert!(matches("/services/*", "/services/data/v66.0/limits"));
        assert!(matches("*", "/"));
        assert!(matches("/services/data/*/sobjects/Case/*", "/services/data/v66.0/sobjects/Case/500"));
        assert!(matches("/a", "/a"));
        assert!(!matches("/a", "/ab"));
        assert!(!matches("*/Case", "/services/Case/1"));
        assert!(!matches("/services/*", "/_fake/faults"));
    }

    #[test]
    fn a_rule_is_used_up() {
        let faults = Faults::default();
        faults.add(vec![Rule::times(2, "GET", "*", Effect::Down)]).unwrap();
        assert_eq!(faults.hit(&Method::POST, "/services/x"), None);
        assert_eq!(faults.hit(&Method::GET, "/services/x"), Some(Effect::Down));
        assert_eq!(faults.hit(&Method::GET, "/services/x"), Some(Effect::Down));
        assert_eq!(faults.hit(&Method::GET, "/services/x"), None);
        assert!(faults.list().is_empty());
    }

    #[test]
    fn rules_are_bounded() {
        let faults = Faults::default();
        assert_eq!(faults.add(vec![Rule::always(Effect::Latency { ms: 600_001 })]), Err(RuleError::Pause));
        let many = vec![Rule::always(Effect::Down); RULES_MAX + 1];
        assert_eq!(faults.add(many), Err(RuleError::TooMany));
    }
}
