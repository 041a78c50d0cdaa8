//! The bytes of objects: files with random names, complete and verified before anything names them.

use std::collections::HashSet;
use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures::StreamExt as _;
use md5::{Digest as _, Md5};
use s3s::TrailingHeaders;
use s3s::checksum::ChecksumHasher;
use s3s::dto::{Checksum, ChecksumAlgorithm, StreamingBlob};
use serde::{Deserialize, Serialize};
use tokio::fs::File;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, BufWriter};

use super::{ObjectError, PUT_BYTES};
use crate::store::random_id;

/// How much of a part is in memory while parts are joined.
const BUFFER_BYTES: usize = 64 * 1024;

/// The directory of the files.
#[derive(Debug)]
pub(super) struct Blobs {
    directory: PathBuf,
}

/// A file that is complete. Nothing names it yet.
#[derive(Debug)]
pub(super) struct Blob {
    pub(super) name: String,
    pub(super) size: i64,
    pub(super) md5: [u8; 16],
    pub(super) checksums: Checksums,
}

/// Checksums in base64, as they go over the wire.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Checksums {
    pub(super) crc32: Option<String>,
    pub(super) crc32c: Option<String>,
    pub(super) crc64nvme: Option<String>,
    pub(super) sha1: Option<String>,
    pub(super) sha256: Option<String>,
}

impl From<Checksum> for Checksums {
    fn from(sums: Checksum) -> Self {
        Self {
            crc32: sums.checksum_crc32,
            crc32c: sums.checksum_crc32c,
            crc64nvme: sums.checksum_crc64nvme,
            sha1: sums.checksum_sha1,
            sha256: sums.checksum_sha256,
        }
    }
}

/// What a request says about its content.
#[derive(Debug, Default)]
pub(super) struct Claims {
    pub(super) length: Option<u64>,
    pub(super) md5: Option<String>,
    pub(super) algorithm: Option<ChecksumAlgorithm>,
    pub(super) checksums: Checksums,
    /// Checksums may follow the content.
    pub(super) trailers: Option<TrailingHeaders>,
}

impl Claims {
    fn hasher(&self) -> ChecksumHasher {
        let chosen = |name: &str| self.algorithm.as_ref().is_some_and(|chosen| chosen.as_str() == name);
        let mut hasher = ChecksumHasher::default();
        if self.checksums.crc32.is_some() || chosen(ChecksumAlgorithm::CRC32) {
            hasher.crc32 = Some(Default::default());
        }
        if self.checksums.crc32c.is_some() || chosen(ChecksumAlgorithm::CRC32C) {
            hasher.crc32c = Some(Default::default());
        }
        if self.checksums.crc64nvme.is_some() || chosen(ChecksumAlgorithm::CRC64NVME) {
            hasher.crc64nvme = Some(Default::default());
        }
        if self.checksums.sha1.is_some() || chosen(ChecksumAlgorithm::SHA1) {
            hasher.sha1 = Some(Default::default());
        }
        if self.checksums.sha256.is_some() || chosen(ChecksumAlgorithm::SHA256) {
            hasher.sha256 = Some(Default::default());
        }
        hasher
    }

    /// Compares the content with everything that the request said about it.
    fn check(&self, size: u64, md5: [u8; 16], found: &Checksums) -> Result<(), ObjectError> {
        if self.length.is_some_and(|length| length != size) {
            return Err(ObjectError::IncompleteBody);
        }
        if self.md5.as_ref().is_some_and(|claimed| *claimed != STANDARD.encode(md5)) {
            return Err(ObjectError::BadDigest("Content-MD5"));
        }
        let checks = [
            ("x-amz-checksum-crc32", &self.checksums.crc32, &found.crc32),
            ("x-amz-checksum-crc32c", &self.checksums.crc32c, &found.crc32c),
            ("x-amz-checksum-crc64nvme", &self.checksums.crc64nvme, &found.crc64nvme),
            ("x-amz-checksum-sha1", &self.checksums.sha1, &found.sha1),
            ("x-amz-checksum-sha256", &self.checksums.sha256, &found.sha256),
        ];
        for (name, header, found) in checks {
            let trailer = self
                .trailers
                .as_ref()
                .and_then(|trailers| trailers.read(|headers| headers.get(name).cloned()).flatten());
            let trailer = trailer.as_ref().and_then(|value| value.to_str().ok());
            if let Some(claimed) = header.as_deref().or(trailer)
                && found.as_deref() != Some(claimed)
            {
                return Err(ObjectError::BadDigest(name));
            }
        }
        Ok(())
    }
}

impl Blobs {
    /// Opens the directory and removes the files that `named` lacks.
    pub(super) fn open(directory: PathBuf, named: &HashSet<String>) -> Result<Self, ObjectError> {
        std::fs::create_dir_all(&directory)?;
        for entry in std::fs::read_dir(&directory)? {
            let entry = entry?;
            if entry.file_name().to_str().is_none_or(|name| !named.contains(name)) {
                std::fs::remove_file(entry.path())?;
            }
        }
        Ok(Self { directory })
    }

    /// Writes the content of a request and compares it with its claims. A refused file is gone.
    pub(super) async fn write(&self, body: StreamingBlob, claims: &Claims) -> Result<Blob, ObjectError> {
        let draft = self.draft().await?;
        match self.fill(&draft, body, claims).await {
            Ok((size, md5, checksums)) => Ok(Blob { name: draft.keep(), size, md5, checksums }),
            Err(error) => Err(error),
        }
    }

    async fn fill(
        &self,
        draft: &Draft,
        mut body: StreamingBlob,
        claims: &Claims,
    ) -> Result<(i64, [u8; 16], Checksums), ObjectError> {
        let mut file = BufWriter::new(File::create(&draft.path).await?);
        let (mut size, mut md5, mut hasher) = (0_u64, Md5::new(), claims.hasher());
        while let Some(chunk) = body.next().await {
            let chunk = chunk.map_err(ObjectError::Body)?;
            size = size.saturating_add(chunk.len() as u64);
            if size > PUT_BYTES {
                return Err(ObjectError::TooLarge);
            }
            md5.update(&chunk);
            hasher.update(&chunk);
            file.write_all(&chunk).await?;
        }
        file.flush().await?;
        let (md5, checksums) = (md5.finalize().into(), Checksums::from(hasher.finalize()));
        claims.check(size, md5, &checksums)?;
        Ok((i64::try_from(size).map_err(|_| ObjectError::TooLarge)?, md5, checksums))
    }

    /// Joins the parts of an upload, or copies one object.
    pub(super) async fn join(&self, parts: &[String]) -> Result<Blob, ObjectError> {
        let draft = self.draft().await?;
        let mut file = BufWriter::new(File::create(&draft.path).await?);
        let (mut size, mut md5, mut buffer) = (0_i64, Md5::new(), vec![0; BUFFER_BYTES]);
        for part in parts {
            let mut part = self.open_file(part).await?;
            loop {
                let read = part.read(&mut buffer).await?;
                let Some(chunk) = buffer.get(..read).filter(|chunk| !chunk.is_empty()) else { break };
                size = size.saturating_add(i64::try_from(read).unwrap_or(i64::MAX));
                md5.update(chunk);
                file.write_all(chunk).await?;
            }
        }
        file.flush().await?;
        Ok(Blob { name: draft.keep(), size, md5: md5.finalize().into(), checksums: Checksums::default() })
    }

    /// Opens a file for reading.
    pub(super) async fn open_file(&self, name: &str) -> std::io::Result<File> {
        File::open(self.directory.join(name)).await
    }

    /// Removes files that nothing names any more; what fails is removed at the next start.
    pub(super) async fn remove(&self, names: impl IntoIterator<Item = String>) {
        for name in names {
            if let Err(error) = tokio::fs::remove_file(self.directory.join(name)).await {
                tracing::warn!(%error, "a file of a deleted object stays until the next start");
            }
        }
    }

    async fn draft(&self) -> Result<Draft, ObjectError> {
        let name = random_id()?.simple().to_string();
        Ok(Draft { path: self.directory.join(&name), name: Some(name) })
    }
}

/// A file being written; removed when the request ends without it.
struct Draft {
    path: PathBuf,
    name: Option<String>,
}

impl Draft {
    fn keep(mut self) -> String {
        self.name.take().unwrap_or_default()
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        if self.name.is_some() {
            // It may not have been created; otherwise the next start removes it.
            let _ = std::fs::remove_file(&self.path);
        }
    }
}
