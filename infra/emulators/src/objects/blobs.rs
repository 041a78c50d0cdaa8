//! The bytes of objects: files with random names, complete and verified before anything names them.
//!
//! An object is one file, or several that follow each other: the parts that it was joined from stay what they are.

use std::collections::{HashMap, HashSet};
use std::ops::Range;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use futures::{Stream, StreamExt as _, TryStreamExt as _};
use md5::{Digest as _, Md5};
use s3s::TrailingHeaders;
use s3s::dto::{ChecksumAlgorithm, StreamingBlob};
use tokio::fs::File;
use tokio::io::{AsyncReadExt as _, AsyncSeekExt as _, AsyncWriteExt as _, BufWriter};
use tokio_util::io::ReaderStream;

use super::checksums::{Algorithm, Checksums, hasher};
use super::{ObjectError, PUT_BYTES};
use crate::store::random_id;

/// How much of an object is in memory while it is read.
const CHUNK_BYTES: usize = 64 * 1024;

/// The directory of the files.
#[derive(Debug)]
pub(super) struct Blobs {
    directory: PathBuf,
    leases: Mutex<HashMap<String, Leases>>,
}

/// Who reads a file.
#[derive(Debug, Default)]
struct Leases {
    readers: usize,
    /// Nothing names the file any more: it goes with its last reader.
    unnamed: bool,
}

/// A file that is complete. Nothing names it yet.
#[derive(Debug)]
pub(super) struct Blob {
    pub(super) name: String,
    pub(super) size: i64,
    pub(super) md5: [u8; 16],
    pub(super) checksums: Checksums,
}

/// A file of an object.
#[derive(Clone, Debug)]
pub(super) struct Piece {
    pub(super) blob: String,
    pub(super) size: i64,
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
    /// The checksums that the request names, by value or by announcement.
    pub(super) fn algorithms(&self) -> Vec<Algorithm> {
        let chosen = self.algorithm.as_ref().and_then(Algorithm::of);
        let named =
            |algorithm: &Algorithm| chosen == Some(*algorithm) || self.checksums.get(*algorithm).is_some();
        Algorithm::ALL.into_iter().filter(named).collect()
    }

    /// Compares the content with everything that the request said about it.
    fn check(&self, size: u64, md5: [u8; 16], found: &Checksums) -> Result<(), ObjectError> {
        if self.length.is_some_and(|length| length != size) {
            return Err(ObjectError::IncompleteBody);
        }
        if self.md5.as_ref().is_some_and(|claimed| *claimed != STANDARD.encode(md5)) {
            return Err(ObjectError::BadDigest("Content-MD5"));
        }
        for algorithm in Algorithm::ALL {
            let name = algorithm.header();
            let trailer = self
                .trailers
                .as_ref()
                .and_then(|trailers| trailers.read(|headers| headers.get(name).cloned()).flatten());
            let trailer = trailer.as_ref().and_then(|value| value.to_str().ok());
            if let Some(claimed) = self.checksums.get(algorithm).or(trailer)
                && found.get(algorithm) != Some(claimed)
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
        Ok(Self { directory, leases: Mutex::default() })
    }

    /// Writes the content of a request and compares it with its claims. A refused file is gone.
    pub(super) async fn write(&self, body: StreamingBlob, claims: &Claims) -> Result<Blob, ObjectError> {
        let body = body.map_err(ObjectError::Body);
        let (draft, found) = self.fill(body, &claims.algorithms()).await?;
        let size = u64::try_from(found.size).unwrap_or(0);
        claims.check(size, found.md5, &found.checksums)?;
        Ok(Blob { name: draft.keep(), ..found })
    }

    /// Another file with the same bytes, and checksums of all of them by these algorithms.
    pub(super) async fn copy(&self, content: Content, algorithms: &[Algorithm]) -> Result<Blob, ObjectError> {
        let size = content.size();
        let body = content.stream(0..size).map_err(ObjectError::Io);
        let (draft, found) = self.fill(body, algorithms).await?;
        Ok(Blob { name: draft.keep(), ..found })
    }

    async fn fill(
        &self,
        body: impl Stream<Item = Result<Bytes, ObjectError>>,
        algorithms: &[Algorithm],
    ) -> Result<(Draft, Blob), ObjectError> {
        let (draft, file) = self.draft()?;
        let mut file = BufWriter::new(file);
        let (mut size, mut md5, mut hasher) = (0_u64, Md5::new(), hasher(algorithms.iter().copied()));
        let mut body = std::pin::pin!(body);
        while let Some(chunk) = body.next().await {
            let chunk = chunk?;
            size = size.saturating_add(chunk.len() as u64);
            if size > PUT_BYTES {
                return Err(ObjectError::TooLarge);
            }
            md5.update(&chunk);
            hasher.update(&chunk);
            file.write_all(&chunk).await?;
        }
        file.flush().await?;
        let blob = Blob {
            name: String::new(),
            size: i64::try_from(size).map_err(|_| ObjectError::TooLarge)?,
            md5: md5.finalize().into(),
            checksums: Checksums::from(hasher.finalize()),
        };
        Ok((draft, blob))
    }

    /// Keeps files readable until the content is dropped, also when nothing names them any more. To be called in the
    /// transaction that found them named.
    pub(super) fn lease(self: &Arc<Self>, pieces: Vec<Piece>) -> Content {
        let mut leases = self.leases.lock().unwrap_or_else(PoisonError::into_inner);
        for piece in &pieces {
            let lease = leases.entry(piece.blob.clone()).or_default();
            lease.readers = lease.readers.saturating_add(1);
        }
        Content { blobs: Arc::clone(self), pieces }
    }

    /// Removes files that nothing names any more; what fails is removed at the next start.
    pub(super) async fn remove(&self, names: impl IntoIterator<Item = String>) {
        for name in names {
            if self.is_read(&name) {
                continue;
            }
            if let Err(error) = tokio::fs::remove_file(self.directory.join(name)).await {
                tracing::warn!(%error, "a file of a deleted object stays until the next start");
            }
        }
    }

    /// Whether the last reader removes the file instead.
    fn is_read(&self, name: &str) -> bool {
        let mut leases = self.leases.lock().unwrap_or_else(PoisonError::into_inner);
        let lease = leases.get_mut(name);
        lease.map(|lease| lease.unnamed = true).is_some()
    }

    /// A file to write. Without a pause in between: whoever goes away now leaves nothing.
    fn draft(&self) -> Result<(Draft, File), ObjectError> {
        let name = random_id()?.simple().to_string();
        let path = self.directory.join(&name);
        let file = std::fs::File::create_new(&path)?;
        Ok((Draft { path, name: Some(name) }, File::from_std(file)))
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
            // What fails is removed at the next start.
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

/// The files of an object, to be read.
#[derive(Debug)]
pub(super) struct Content {
    blobs: Arc<Blobs>,
    pieces: Vec<Piece>,
}

impl Content {
    pub(super) fn size(&self) -> u64 {
        self.pieces.iter().map(|piece| u64::try_from(piece.size).unwrap_or(0)).sum()
    }

    /// The bytes of a range, one file after the other.
    pub(super) fn stream(
        self,
        range: Range<u64>,
    ) -> impl Stream<Item = std::io::Result<Bytes>> + Send + Sync + 'static {
        let mut sections = Vec::with_capacity(self.pieces.len());
        let mut start = 0_u64;
        for piece in &self.pieces {
            let end = start.saturating_add(u64::try_from(piece.size).unwrap_or(0));
            let (from, to) = (range.start.max(start), range.end.min(end));
            if from < to {
                let path = self.blobs.directory.join(&piece.blob);
                sections.push((path, from.saturating_sub(start), to.saturating_sub(from)));
            }
            start = end;
        }
        let files = futures::stream::iter(sections).then(|(path, skip, length)| async move {
            let mut file = File::open(path).await?;
            file.seek(std::io::SeekFrom::Start(skip)).await?;
            Ok::<_, std::io::Error>(ReaderStream::with_capacity(file.take(length), CHUNK_BYTES))
        });
        // The lease ends with the stream.
        files.try_flatten().inspect(move |_| _ = &self)
    }
}

impl Drop for Content {
    fn drop(&mut self) {
        let mut leases = self.blobs.leases.lock().unwrap_or_else(PoisonError::into_inner);
        for piece in &self.pieces {
            let Some(lease) = leases.get_mut(&piece.blob) else { continue };
            lease.readers = lease.readers.saturating_sub(1);
            if lease.readers > 0 {
                continue;
            }
            if lease.unnamed {
                // What fails is removed at the next start.
                let _ = std::fs::remove_file(self.blobs.directory.join(&piece.blob));
            }
            leases.remove(&piece.blob);
        }
    }
}
