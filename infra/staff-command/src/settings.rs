//! Variables: those of the environment, and of a file what is missing there.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use portico_aws::Settings;

/// Longest file of variables that is read.
const FILE_BYTES_MAX: u64 = 64 * 1024;

/// The file of variables cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SettingsError {
    #[error("{}: {source} (is the local cloud running? `make run` starts it)", path.display())]
    Unreadable { path: PathBuf, source: std::io::Error },
    #[error("{}: longer than {FILE_BYTES_MAX} bytes", path.display())]
    TooLong { path: PathBuf },
    #[error("{} line {line}: not NAME=value", path.display())]
    Line { path: PathBuf, line: usize },
}

/// The variables.
///
/// # Errors
/// [`SettingsError`].
#[expect(clippy::disallowed_methods, reason = "the one place that reads the command's environment")]
pub(crate) fn read(file: Option<&Path>) -> Result<Settings, SettingsError> {
    let mut variables = match file {
        Some(path) => of_file(path)?,
        None => BTreeMap::new(),
    };
    variables.extend(std::env::vars());
    Ok(Settings::new(variables))
}

fn of_file(path: &Path) -> Result<BTreeMap<String, String>, SettingsError> {
    let unreadable = |source| SettingsError::Unreadable { path: path.to_owned(), source };
    if std::fs::metadata(path).map_err(unreadable)?.len() > FILE_BYTES_MAX {
        return Err(SettingsError::TooLong { path: path.to_owned() });
    }
    let text = std::fs::read_to_string(path).map_err(unreadable)?;
    let lines =
        text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty() && !line.starts_with('#'));
    lines
        .map(|(index, line)| {
            let pair = line.split_once('=').filter(|(name, _)| !name.trim().is_empty());
            let (name, value) =
                pair.ok_or_else(|| SettingsError::Line { path: path.to_owned(), line: index + 1 })?;
            Ok((name.trim().to_owned(), value.trim().to_owned()))
        })
        .collect()
}
