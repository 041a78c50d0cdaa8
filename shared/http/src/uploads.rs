//! What clients say of files that they are about to upload.

use portico_domain::files::{Declaration, FileError};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    Fields, Problem,
    views::{FileView, StoreRequest},
};

/// What the client is about to upload.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct FileBody {
    /// Name to show. Never used as a path.
    #[schema(schema_with = crate::schemas::file_name)]
    name: String,
    /// Bytes, 1 to 5 GiB.
    #[schema(minimum = 1, maximum = 5368709120_u64, example = 5242880)]
    size: u64,
    /// Media type, without parameters.
    #[schema(
        min_length = 3,
        max_length = 255,
        pattern = "^[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]*/[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]*$",
        example = "text/plain"
    )]
    content_type: String,
    /// SHA-256 of the content: 64 lower-case hexadecimal digits.
    #[schema(
        min_length = 64,
        max_length = 64,
        pattern = "^[0-9a-f]{64}$",
        example = "4d7d201ebb4eee3266d0c6439c244579c375e5d0765a352c2df297379e215e25"
    )]
    sha256: String,
}

impl FileBody {
    /// What the client declares, checked.
    ///
    /// # Errors
    /// A [`Problem`] that names every field that is not right.
    pub fn check(self) -> Result<Declaration, Problem> {
        let mut fields = Fields::new();
        self.take("", &mut fields).ok_or_else(|| fields.refusal())
    }

    /// As [`FileBody::check`], where it is a part of a body: at this JSON pointer.
    pub fn take(self, at: &str, fields: &mut Fields) -> Option<Declaration> {
        let name = fields.take(&format!("{at}/name"), self.name.try_into().map_err(FileError::Name));
        let content_type = fields.take(&format!("{at}/content_type"), self.content_type.try_into());
        let sha256 = fields.take(&format!("{at}/sha256"), self.sha256.try_into());
        let size = fields.take(&format!("{at}/size"), Declaration::checked_size(self.size));
        Some(Declaration { name: name?, size: size?, content_type: content_type?, sha256: sha256? })
    }
}

/// A declared file, and how to upload it.
#[derive(Debug, Serialize, ToSchema)]
pub struct Upload {
    /// The file.
    #[serde(flatten)]
    pub file: FileView,
    /// Send this to the store, with the content as body.
    pub upload: StoreRequest,
}
