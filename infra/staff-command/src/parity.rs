//! Holds a workbook against the billing engine. Needs no settings and no network.

use std::{
    fs::File,
    io::Read,
    path::{Path, PathBuf},
};

use workbook_parity::{FILE_BYTES_MAX, Unusable};

use crate::{CommandError, FAILED, show};

/// Why there is no comparison.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ParityError {
    #[error("{}: {source}", path.display())]
    Unreadable { path: PathBuf, source: std::io::Error },
    #[error("{}: {source}", path.display())]
    Unusable { path: PathBuf, source: Unusable },
}

/// Shows the comparison; the exit code says whether everything agrees.
///
/// # Errors
/// [`ParityError`] if the workbook cannot be compared; [`CommandError::Terminal`].
pub(crate) fn compare(path: &Path) -> Result<u8, CommandError> {
    let file = read(path).map_err(|source| ParityError::Unreadable { path: path.to_owned(), source })?;
    let comparison = workbook_parity::compare(&file)
        .map_err(|source| ParityError::Unusable { path: path.to_owned(), source })?;
    show(&comparison.report())?;
    Ok(if comparison.agrees() { 0 } else { FAILED })
}

/// The file, or enough of it to see that it is too large.
fn read(path: &Path) -> Result<Vec<u8>, std::io::Error> {
    let most = u64::try_from(FILE_BYTES_MAX).unwrap_or(u64::MAX);
    let mut file = Vec::new();
    File::open(path)?.take(most.saturating_add(1)).read_to_end(&mut file)?;
    Ok(file)
}
