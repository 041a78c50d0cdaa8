//! What a function is told by its environment, read once.

use std::collections::BTreeMap;

use url::Url;

/// A function's environment variables. On Lambda they are the process's; in the local cloud they are what
/// `template.yaml` gives to this one function.
#[derive(Debug, Clone, Default)]
pub struct Settings(BTreeMap<String, String>);

/// A variable is missing or not what it should be. A function without it does not start.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SettingError {
    /// Not set.
    #[error("the variable {0} is not set")]
    Missing(String),
    /// Not a URL.
    #[error("the variable {0} is not a URL")]
    NotUrl(String),
    /// Not what it has to be.
    #[error("the variable {0} cannot be used")]
    Unusable(String),
}

impl Settings {
    /// These variables and no others.
    pub fn new(values: BTreeMap<String, String>) -> Self {
        Self(values)
    }

    /// The variables of this process: on Lambda, what the template says and what Lambda plants.
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the environment")]
    pub fn of_process() -> Self {
        Self(std::env::vars().collect())
    }

    /// The text of a variable.
    ///
    /// # Errors
    /// [`SettingError::Missing`] if it is absent or empty.
    pub fn text(&self, name: &str) -> Result<&str, SettingError> {
        self.optional(name).ok_or_else(|| SettingError::Missing(name.to_owned()))
    }

    /// The text of a variable that may be absent.
    pub fn optional(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// A variable that holds a URL.
    ///
    /// # Errors
    /// [`SettingError`] if it is absent or not a URL.
    pub fn url(&self, name: &str) -> Result<Url, SettingError> {
        self.text(name)?.parse().map_err(|_| SettingError::NotUrl(name.to_owned()))
    }
}
