//! Erasing: what a bucket with versions otherwise keeps.

use aws_sdk_s3::types::{Delete, ObjectIdentifier};

use super::{Bucket, ObjectError, failed};

/// How often up to 1,000 versions of one key are removed in one call.
const ERASURES_MAX: usize = 100;

impl Bucket {
    /// Removes an object for good: every version and every delete marker of this very key. Safe to repeat; nothing there
    /// is no error. Works with versions and without.
    ///
    /// # Errors
    /// [`ObjectError`] if the store fails, refuses one of them, or has more than 100,000. Some are gone then.
    pub async fn erase(&self, key: &str) -> Result<(), ObjectError> {
        for _ in 0..ERASURES_MAX {
            // Always from the start: what was found before is gone. A key comes before those that it begins.
            let page = self.client.list_object_versions().bucket(&self.name).prefix(key).send().await;
            let page = page.map_err(failed)?;
            let versions = page.versions().iter().map(|found| (found.key(), found.version_id()));
            let markers = page.delete_markers().iter().map(|found| (found.key(), found.version_id()));
            let own = versions.chain(markers).filter(|(found, _)| *found == Some(key));
            let own = own.map(|(_, version)| version.map(str::to_owned)).collect::<Vec<_>>();
            if own.is_empty() {
                return Ok(());
            }
            self.delete_versions(key, own).await?;
        }
        Err(ObjectError("an object with more versions than are erased at once".to_owned()))
    }

    async fn delete_versions(&self, key: &str, versions: Vec<Option<String>>) -> Result<(), ObjectError> {
        let unusable = |error: aws_sdk_s3::error::BuildError| ObjectError(error.to_string());
        let named = versions
            .into_iter()
            .map(|version| ObjectIdentifier::builder().key(key).set_version_id(version).build());
        let named = named.collect::<Result<Vec<_>, _>>().map_err(unusable)?;
        let delete = Delete::builder().set_objects(Some(named)).quiet(true).build().map_err(unusable)?;
        let answer = self.client.delete_objects().bucket(&self.name).delete(delete).send().await;
        // In quiet mode the answer names only what was refused.
        match answer.map_err(failed)?.errors().first() {
            None => Ok(()),
            Some(refused) => Err(ObjectError(format!(
                "a version was not erased: {}",
                refused.code().unwrap_or("no reason given")
            ))),
        }
    }
}
