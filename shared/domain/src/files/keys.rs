//! Where content lies: keys of ours alone, nothing of the client's in them.

use crate::{AccountId, ArchiveId, FileId};

/// Where a file lies in the bucket of files: `accounts/{account}/files/{file}`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ObjectKey {
    /// Whose file it is.
    pub account: AccountId,
    /// Which file it is.
    pub file: FileId,
}

impl std::fmt::Display for ObjectKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "accounts/{}/files/{}", self.account, self.file)
    }
}

/// The key is not one that the portal gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a key of the portal")]
pub struct ForeignKey;

impl std::str::FromStr for ObjectKey {
    type Err = ForeignKey;

    fn from_str(key: &str) -> Result<Self, ForeignKey> {
        let (account, file) =
            key.strip_prefix("accounts/").and_then(|rest| rest.split_once("/files/")).ok_or(ForeignKey)?;
        Ok(Self {
            account: account.parse().map_err(|_| ForeignKey)?,
            file: file.parse().map_err(|_| ForeignKey)?,
        })
    }
}

/// Where an archive lies in the bucket of archives: `accounts/{account}/archives/{archive}.zip`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ArchiveKey {
    /// Of whose files it is made.
    pub account: AccountId,
    /// Which archive it is.
    pub archive: ArchiveId,
}

impl std::fmt::Display for ArchiveKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "accounts/{}/archives/{}.zip", self.account, self.archive)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_read_back_and_nothing_else_does() {
        let key = ObjectKey {
            account: AccountId::from_uuid(uuid::Uuid::from_u128(1)),
            file: FileId::from_uuid(uuid::Uuid::from_u128(2)),
        };
        assert_eq!(key.to_string().parse(), Ok(key));
        for foreign in ["", "accounts/x/files/y", "accounts/../files/..", "invoices/1.pdf"] {
            assert_eq!(foreign.parse::<ObjectKey>(), Err(ForeignKey), "{foreign}");
        }
        assert_eq!(format!("{key}/../x").parse::<ObjectKey>(), Err(ForeignKey));
    }
}
