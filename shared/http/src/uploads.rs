//! What people say of files that they are about to upload.

use jiff::Timestamp;
use portico_domain::{
    FileId,
    files::{
        Category, Declaration, File, FileError, FileRules, NAMED_MAX, SINGLE_BYTES_MAX, Sha256Hex,
        UploadLinks, Visibility, cut,
    },
    people::Viewer,
};
use portico_store::{Store, StoreError, Tenant};
use serde::{Deserialize, Deserializer, Serialize, de::Error};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use crate::{
    FieldCode, Fields, Kind, Problem, Unfit,
    views::{FileView, StoreRequest},
};

const NO_SUCH_CATEGORY: Unfit =
    Unfit(FieldCode::UnknownValue, "is not one of the categories in GET /cases/choices");
const NO_SUCH_COLLEAGUE: Unfit = Unfit(FieldCode::UnknownValue, "is nobody of this company");
const TOO_MANY_PEOPLE: Unfit = Unfit(FieldCode::TooMany, "must name at most 50 people");
const NO_FILE_ID: Unfit = Unfit(FieldCode::Malformed, "must be the id of a file of this case");
const NO_PARTS: Unfit = Unfit(FieldCode::TooMany, "must be left out for a file of at most 64 MiB");

/// A body with everything that is said of a file, and what is said of it in one place only. Their descriptions stay
/// apart: serde cannot flatten what refuses unknown fields.
macro_rules! file_body {
    ($(#[$meaning:meta])* $name:ident { $($besides:tt)* }) => {
        $(#[$meaning])*
        #[derive(Debug, Deserialize, ToSchema)]
        #[serde(deny_unknown_fields)]
        pub struct $name {
            /// Name to show. Never used as a path.
            #[schema(schema_with = crate::schemas::file_name)]
            name: String,
            /// Bytes, 1 to 5 GiB, or what the consultancy takes.
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
            /// For a file of more than 64 MiB, which goes up in parts of 64 MiB: the SHA-256 of each part, in order.
            #[serde(default)]
            #[schema(max_items = 80)]
            parts: Vec<String>,
            /// What sort of file it is: one of the file categories in `GET /cases/choices`.
            #[serde(default)]
            #[schema(max_length = 40, example = "Log")]
            category: Option<String>,
            /// Whom it is for; everybody who sees the case, if nothing is said.
            #[serde(default, deserialize_with = "read_visibility")]
            visibility: Option<VisibilityBody>,
            $($besides)*
        }
    };
}

file_body! {
    /// What is about to be uploaded.
    FileBody {}
}

file_body! {
    /// What is about to be uploaded to a case.
    CaseFileBody {
        /// The file of which it is a new version, any version of it. Category and visibility are then those of that
        /// file.
        #[serde(default)]
        #[schema(pattern = "^file_[0-9a-f]{32}$")]
        replaces: Option<String>,
    }
}

/// Whom a file is for. Who uploaded it, managers and the consultancy see it in any case.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(tag = "for", rename_all = "snake_case", deny_unknown_fields)]
pub enum VisibilityBody {
    /// Everybody who sees the case.
    Case,
    /// Managers only.
    Managers,
    /// These of those who see the case.
    Named {
        /// Their user ids, up to 50; `GET /cases/choices` has those of colleagues.
        #[schema(max_items = 50)]
        people: Vec<String>,
    },
}

/// Reads whom a file is for. By itself serde would also take the number of a variant for its name.
///
/// # Errors
/// If it is not one of the kinds.
pub fn read_visibility<'de, D: Deserializer<'de>>(source: D) -> Result<Option<VisibilityBody>, D::Error> {
    let Some(fields) = Option::<Map<String, Value>>::deserialize(source)? else { return Ok(None) };
    if fields.get("for").is_some_and(|kind| !kind.is_string()) {
        return Err(D::Error::custom("`for` must be a text"));
    }
    VisibilityBody::deserialize(Value::Object(fields)).map(Some).map_err(D::Error::custom)
}

/// A file that somebody wants to upload, as far as it can be checked without looking anything up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileWish {
    /// What it is.
    pub declared: Declaration,
    /// SHA-256 of each part, if it goes up in parts.
    pub parts: Vec<Sha256Hex>,
    /// What sort of file it is.
    pub category: Option<Category>,
    /// Whom it is for.
    pub visibility: Visibility,
}

impl FileBody {
    /// What is declared, checked.
    ///
    /// # Errors
    /// A [`Problem`] that names every field that is not right.
    pub async fn check(self, rules: &FileRules, store: &Store, tenant: &Tenant) -> Result<FileWish, Problem> {
        let mut fields = Fields::new();
        let wish = self.take("", rules, store, tenant, &mut fields).await?;
        match wish {
            Some(wish) if fields.is_empty() => Ok(wish),
            _ => Err(fields.refusal()),
        }
    }

    /// As [`FileBody::check`], where it is a part of a body: at this JSON pointer.
    ///
    /// # Errors
    /// [`StoreError`] if the store does not answer.
    pub async fn take(
        self,
        at: &str,
        rules: &FileRules,
        store: &Store,
        tenant: &Tenant,
        fields: &mut Fields,
    ) -> Result<Option<FileWish>, StoreError> {
        let name = fields.take(&format!("{at}/name"), self.name.try_into().map_err(FileError::Name));
        let content_type = fields.take(&format!("{at}/content_type"), self.content_type.try_into());
        let sha256 = fields.take(&format!("{at}/sha256"), self.sha256.try_into());
        let size = fields.take(&format!("{at}/size"), Declaration::checked_size(self.size, rules.file_bytes));
        let parts = take_parts(at, self.size, self.parts, fields);
        let category = fields.take(&format!("{at}/category"), known_category(rules, self.category));
        let visibility = match self.visibility {
            Some(body) => body.take(&format!("{at}/visibility"), store, tenant, fields).await?,
            None => Some(Visibility::Case),
        };
        Ok((|| {
            let declared =
                Declaration { name: name?, size: size?, content_type: content_type?, sha256: sha256? };
            Some(FileWish { declared, parts: parts?, category: category?, visibility: visibility? })
        })())
    }
}

impl CaseFileBody {
    /// What is declared, and the file of which it is a new version, checked.
    ///
    /// # Errors
    /// A [`Problem`] that names every field that is not right.
    pub async fn check(
        self,
        rules: &FileRules,
        store: &Store,
        tenant: &Tenant,
    ) -> Result<(FileWish, Option<FileId>), Problem> {
        let Self { name, size, content_type, sha256, parts, category, visibility, replaces } = self;
        let mut fields = Fields::new();
        let file = FileBody { name, size, content_type, sha256, parts, category, visibility };
        let wish = file.take("", rules, store, tenant, &mut fields).await?;
        let replaces = replaces.map(|id| id.parse().map_err(|_| NO_FILE_ID)).transpose();
        let replaces = fields.take("/replaces", replaces);
        match wish.zip(replaces) {
            Some(checked) if fields.is_empty() => Ok(checked),
            _ => Err(fields.refusal()),
        }
    }
}

fn take_parts(at: &str, size: u64, parts: Vec<String>, fields: &mut Fields) -> Option<Vec<Sha256Hex>> {
    let pointer = format!("{at}/parts");
    if size <= SINGLE_BYTES_MAX {
        let none = if parts.is_empty() { Ok(Vec::new()) } else { Err(NO_PARTS) };
        return fields.take(&pointer, none);
    }
    let read = parts.into_iter().map(Sha256Hex::try_from).collect::<Result<Vec<_>, _>>();
    fields.take(&pointer, read.and_then(|hashes| cut(size, &hashes).map(|_| hashes)))
}

/// The category of this name, if the consultancy has one of that name.
///
/// # Errors
/// That it has none.
pub fn known_category(rules: &FileRules, wanted: Option<String>) -> Result<Option<Category>, Unfit> {
    let Some(wanted) = wanted else { return Ok(None) };
    rules.categories.iter().find(|known| known.as_str() == wanted).cloned().map(Some).ok_or(NO_SUCH_CATEGORY)
}

impl VisibilityBody {
    /// Whom it is for, at this JSON pointer. Whoever it names must be of the same company.
    ///
    /// # Errors
    /// [`StoreError`] if the store does not answer.
    pub async fn take(
        self,
        at: &str,
        store: &Store,
        tenant: &Tenant,
        fields: &mut Fields,
    ) -> Result<Option<Visibility>, StoreError> {
        let people = match self {
            Self::Case => return Ok(Some(Visibility::Case)),
            Self::Managers => return Ok(Some(Visibility::Managers)),
            Self::Named { people } => people,
        };
        let count = if people.len() > NAMED_MAX { Err(TOO_MANY_PEOPLE) } else { Ok(()) };
        if fields.take(&format!("{at}/people"), count).is_none() {
            return Ok(None);
        }
        let mut named = Some(std::collections::BTreeSet::new());
        for (place, id) in people.into_iter().enumerate() {
            let colleague = match id.parse() {
                Ok(user) => store.colleague(tenant, &user).await?.map(|_| user),
                Err(_) => None,
            };
            match fields.take(&format!("{at}/people/{place}"), colleague.ok_or(NO_SUCH_COLLEAGUE)) {
                Some(user) => {
                    named.as_mut().map(|named| named.insert(user));
                }
                None => named = None,
            }
        }
        Ok(named.map(|people| Visibility::Named { people }))
    }
}

/// A declared file, and how to upload it: in one piece with `upload`, or in parts with `parts`.
#[derive(Debug, Serialize, ToSchema)]
pub struct Upload {
    /// The file.
    #[serde(flatten)]
    pub file: FileView,
    /// Send this to the store, with the content as body.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub upload: Option<StoreRequest>,
    /// Send each of these to the store, with its part of the content as body, in any order and several at once, and then
    /// `PUT /files/{fileId}/upload`. Parts that the store has already are not here.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parts: Option<Vec<PartUpload>>,
    /// When the content must be there. Fresh links are there for the asking until then: `GET /files/{fileId}/upload`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub awaited_until: Option<Timestamp>,
}

/// One part of a file, and how to upload it.
#[derive(Debug, Serialize, ToSchema)]
pub struct PartUpload {
    /// Counts from 1.
    #[schema(minimum = 1, maximum = 80)]
    pub number: u16,
    /// Bytes. Each part but the last has 64 MiB; part n begins at byte (n - 1) * 67,108,864.
    #[schema(minimum = 1, maximum = 67108864)]
    pub size: u64,
    /// Send this to the store, with the part as body.
    pub upload: StoreRequest,
}

impl Upload {
    /// A file and its links; none if its content is not awaited any more.
    pub fn new(file: &File, links: Option<UploadLinks>, viewer: &Viewer) -> Self {
        let (upload, parts) = match links {
            None => (None, None),
            Some(UploadLinks::Whole(request)) => (Some(StoreRequest::from(request)), None),
            Some(UploadLinks::Parts(parts)) => {
                let part = |(part, request): (portico_domain::files::Part, _)| PartUpload {
                    number: part.number,
                    size: part.size,
                    upload: StoreRequest::from(request),
                };
                (None, Some(parts.into_iter().map(part).collect()))
            }
        };
        Self { file: FileView::new(file, viewer), upload, parts, awaited_until: file.awaited_until() }
    }
}

/// There is no room for a file.
impl From<portico_domain::files::NoRoom> for Problem {
    fn from(refusal: portico_domain::files::NoRoom) -> Self {
        Self::new(Kind::NoRoom).because(refusal)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn whom_a_file_is_for_is_said_in_words() {
        let read = |value: Value| read_visibility(value);
        assert!(matches!(read(json!({ "for": "managers" })), Ok(Some(VisibilityBody::Managers))));
        assert!(matches!(read(Value::Null), Ok(None)));
        let wrong = [
            json!({ "for": 0 }),
            json!({ "for": 0, "people": [] }),
            json!({ "for": "nobody" }),
            json!({ "for": "named" }),
            json!({}),
            json!("case"),
        ];
        for value in wrong {
            assert!(read(value.clone()).is_err(), "{value}");
        }
    }
}
