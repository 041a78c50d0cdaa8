//! The operations of S3.

use futures::TryStreamExt as _;
use md5::{Digest as _, Md5};
use s3s::auth::SimpleAuth;
use s3s::dto::*;
use s3s::service::{S3Service, S3ServiceBuilder};
use s3s::{S3, S3Request, S3Response, S3Result, s3_error};
use tokio::fs::File;
use tokio::io::{AsyncReadExt as _, AsyncSeekExt as _};
use tokio_util::io::ReaderStream;

use super::blobs::{Blob, Checksums, Claims};
use super::catalogue::{self, Condition, Headers};
use super::events::EventName;
use super::{EVENTS, KEY_BYTES, ObjectError, Objects, PAGE};
use crate::clock::now_ms;
use crate::store::random_id;
use crate::{ACCESS_KEY_ID, SECRET_ACCESS_KEY};

/// How much of an object is in memory while it is sent.
const CHUNK_BYTES: usize = 64 * 1024;

/// How often a read starts again because the object was replaced between its row and its file.
const READ_ATTEMPTS: usize = 3;

/// The objects behind the protocol and the signatures of S3.
pub(crate) fn service(objects: Objects) -> S3Service {
    let mut builder = S3ServiceBuilder::new(objects);
    builder.set_auth(SimpleAuth::from_single(ACCESS_KEY_ID, SECRET_ACCESS_KEY));
    builder.build()
}

#[async_trait::async_trait]
impl S3 for Objects {
    async fn create_bucket(
        &self,
        request: S3Request<CreateBucketInput>,
    ) -> S3Result<S3Response<CreateBucketOutput>> {
        let (bucket, now) = (request.input.bucket, now_ms(&self.clock));
        let location = format!("/{bucket}");
        self.store.transact(move |tx| catalogue::create_bucket(tx, &bucket, now)).await?;
        Ok(S3Response::new(CreateBucketOutput { location: Some(location) }))
    }

    async fn delete_bucket(
        &self,
        request: S3Request<DeleteBucketInput>,
    ) -> S3Result<S3Response<DeleteBucketOutput>> {
        let bucket = request.input.bucket;
        self.store.transact(move |tx| catalogue::delete_bucket(tx, &bucket)).await?;
        Ok(S3Response::new(DeleteBucketOutput::default()))
    }

    async fn head_bucket(
        &self,
        request: S3Request<HeadBucketInput>,
    ) -> S3Result<S3Response<HeadBucketOutput>> {
        let bucket = request.input.bucket;
        self.store.transact(move |tx| catalogue::check_bucket(tx, &bucket)).await?;
        Ok(S3Response::new(HeadBucketOutput {
            bucket_region: Some(self.region.clone()),
            ..Default::default()
        }))
    }

    async fn list_buckets(
        &self,
        _request: S3Request<ListBucketsInput>,
    ) -> S3Result<S3Response<ListBucketsOutput>> {
        let buckets = self.store.transact(catalogue::buckets).await?;
        let buckets = buckets
            .into_iter()
            .map(|(name, created_ms)| Bucket {
                name: Some(name),
                creation_date: Some(timestamp(created_ms)),
                ..Default::default()
            })
            .collect();
        Ok(S3Response::new(ListBucketsOutput { buckets: Some(buckets), ..Default::default() }))
    }

    async fn put_object(&self, request: S3Request<PutObjectInput>) -> S3Result<S3Response<PutObjectOutput>> {
        let length = content_length(&request)?;
        let input = request.input;
        check_key(&input.key)?;
        let condition = Condition { if_match: input.if_match, if_none_match: input.if_none_match };
        // Refuses before a byte is read; the condition is checked again when the object becomes visible.
        let (bucket, key, early) = (input.bucket.clone(), input.key.clone(), condition.clone());
        self.store
            .transact(move |tx| early.allows_write(&key, catalogue::find(tx, &bucket, &key)?.as_ref()))
            .await?;
        let claims = Claims {
            length,
            md5: input.content_md5,
            algorithm: input.checksum_algorithm,
            checksums: Checksums {
                crc32: input.checksum_crc32,
                crc32c: input.checksum_crc32c,
                crc64nvme: input.checksum_crc64nvme,
                sha1: input.checksum_sha1,
                sha256: input.checksum_sha256,
            },
            trailers: request.trailing_headers,
        };
        let headers = Headers {
            content_type: input.content_type,
            content_encoding: input.content_encoding,
            content_disposition: input.content_disposition,
            content_language: input.content_language,
            cache_control: input.cache_control,
            encryption: encryption(input.server_side_encryption.as_ref()),
            metadata: input.metadata,
        };
        let blob = self.blobs.write(input.body.unwrap_or_else(empty), &claims).await?;
        let e_tag = hex::encode(blob.md5);
        let object = self
            .publish(input.bucket, input.key, blob, e_tag, headers, condition, EventName::Put, None)
            .await?;
        let sums = object.checksums;
        Ok(S3Response::new(PutObjectOutput {
            e_tag: Some(ETag::Strong(object.e_tag)),
            server_side_encryption: object.headers.encryption.map(ServerSideEncryption::from),
            checksum_crc32: sums.crc32,
            checksum_crc32c: sums.crc32c,
            checksum_crc64nvme: sums.crc64nvme,
            checksum_sha1: sums.sha1,
            checksum_sha256: sums.sha256,
            ..Default::default()
        }))
    }

    async fn copy_object(
        &self,
        request: S3Request<CopyObjectInput>,
    ) -> S3Result<S3Response<CopyObjectOutput>> {
        let input = request.input;
        check_key(&input.key)?;
        let CopySource::Bucket { bucket, key, .. } = &input.copy_source else {
            return Err(s3_error!(NotImplemented, "only an object can be copied"));
        };
        let (source, file) = self.open_object(bucket, key).await?;
        drop(file);
        let same = |condition: &ETagCondition| match condition {
            ETagCondition::Any => true,
            ETagCondition::ETag(expected) => expected.value() == source.e_tag,
        };
        if input.copy_source_if_match.is_some_and(|condition| !same(&condition))
            || input.copy_source_if_none_match.is_some_and(|condition| same(&condition))
        {
            return Err(ObjectError::Precondition.into());
        }
        let replaces = input
            .metadata_directive
            .as_ref()
            .is_some_and(|directive| directive.as_str() == MetadataDirective::REPLACE);
        let encryption = encryption(input.server_side_encryption.as_ref());
        let headers = if replaces {
            Headers {
                content_type: input.content_type,
                content_encoding: input.content_encoding,
                content_disposition: input.content_disposition,
                content_language: input.content_language,
                cache_control: input.cache_control,
                encryption,
                metadata: input.metadata,
            }
        } else {
            Headers { encryption, ..source.headers }
        };
        let mut blob = self.blobs.join(&[source.blob]).await?;
        blob.checksums = source.checksums;
        let e_tag = hex::encode(blob.md5);
        let object = self
            .publish(
                input.bucket,
                input.key,
                blob,
                e_tag,
                headers,
                Condition::default(),
                EventName::Copy,
                None,
            )
            .await?;
        Ok(S3Response::new(CopyObjectOutput {
            server_side_encryption: object.headers.encryption.map(ServerSideEncryption::from),
            copy_object_result: Some(CopyObjectResult {
                e_tag: Some(ETag::Strong(object.e_tag)),
                last_modified: Some(timestamp(object.modified_ms)),
                ..Default::default()
            }),
            ..Default::default()
        }))
    }

    async fn get_object(&self, request: S3Request<GetObjectInput>) -> S3Result<S3Response<GetObjectOutput>> {
        let input = request.input;
        let (object, mut file) = self.open_object(&input.bucket, &input.key).await?;
        check_read(&object, input.if_match.as_ref(), input.if_none_match.as_ref())?;
        let size = u64::try_from(object.size).unwrap_or(0);
        let range = input.range.map(|range| range.check(size)).transpose()?;
        let (length, content_range) = match &range {
            Some(range) => (
                range.end.saturating_sub(range.start),
                Some(format!("bytes {}-{}/{size}", range.start, range.end.saturating_sub(1))),
            ),
            None => (size, None),
        };
        if let Some(range) = &range {
            file.seek(std::io::SeekFrom::Start(range.start)).await.map_err(ObjectError::Io)?;
        }
        let body = ReaderStream::with_capacity(file.take(length), CHUNK_BYTES);
        // A checksum of the whole object says nothing about a part of it.
        let sums = if range.is_none() { object.checksums } else { Checksums::default() };
        Ok(S3Response::new(GetObjectOutput {
            body: Some(StreamingBlob::wrap(body.into_stream())),
            accept_ranges: Some("bytes".into()),
            content_length: i64::try_from(length).ok(),
            content_range,
            e_tag: Some(ETag::Strong(object.e_tag)),
            last_modified: Some(timestamp(object.modified_ms)),
            content_type: object.headers.content_type,
            content_encoding: object.headers.content_encoding,
            content_disposition: object.headers.content_disposition,
            content_language: object.headers.content_language,
            cache_control: object.headers.cache_control,
            server_side_encryption: object.headers.encryption.map(ServerSideEncryption::from),
            metadata: object.headers.metadata,
            checksum_crc32: sums.crc32,
            checksum_crc32c: sums.crc32c,
            checksum_crc64nvme: sums.crc64nvme,
            checksum_sha1: sums.sha1,
            checksum_sha256: sums.sha256,
            ..Default::default()
        }))
    }

    async fn head_object(
        &self,
        request: S3Request<HeadObjectInput>,
    ) -> S3Result<S3Response<HeadObjectOutput>> {
        let input = request.input;
        let (bucket, key) = (input.bucket, input.key);
        let object = self.store.transact(move |tx| catalogue::get(tx, &bucket, &key)).await?;
        check_read(&object, input.if_match.as_ref(), input.if_none_match.as_ref())?;
        Ok(S3Response::new(HeadObjectOutput {
            accept_ranges: Some("bytes".into()),
            content_length: Some(object.size),
            e_tag: Some(ETag::Strong(object.e_tag)),
            last_modified: Some(timestamp(object.modified_ms)),
            content_type: object.headers.content_type,
            content_encoding: object.headers.content_encoding,
            content_disposition: object.headers.content_disposition,
            content_language: object.headers.content_language,
            cache_control: object.headers.cache_control,
            server_side_encryption: object.headers.encryption.map(ServerSideEncryption::from),
            metadata: object.headers.metadata,
            checksum_crc32: object.checksums.crc32,
            checksum_crc32c: object.checksums.crc32c,
            checksum_crc64nvme: object.checksums.crc64nvme,
            checksum_sha1: object.checksums.sha1,
            checksum_sha256: object.checksums.sha256,
            ..Default::default()
        }))
    }

    async fn delete_object(
        &self,
        request: S3Request<DeleteObjectInput>,
    ) -> S3Result<S3Response<DeleteObjectOutput>> {
        let (bucket, key) = (request.input.bucket, request.input.key);
        let blob = self.store.transact(move |tx| catalogue::delete(tx, &bucket, &key)).await?;
        self.blobs.remove(blob).await;
        Ok(S3Response::new(DeleteObjectOutput::default()))
    }

    async fn delete_objects(
        &self,
        request: S3Request<DeleteObjectsInput>,
    ) -> S3Result<S3Response<DeleteObjectsOutput>> {
        let bucket = request.input.bucket;
        let keys: Vec<String> = request.input.delete.objects.into_iter().map(|object| object.key).collect();
        if keys.is_empty() || keys.len() > PAGE {
            return Err(s3_error!(MalformedXML, "a request deletes 1 to 1000 objects"));
        }
        let named = keys.clone();
        let blobs = self
            .store
            .transact(move |tx| {
                let mut blobs = Vec::new();
                for key in &named {
                    blobs.extend(catalogue::delete(tx, &bucket, key)?);
                }
                Ok::<_, ObjectError>(blobs)
            })
            .await?;
        self.blobs.remove(blobs).await;
        let deleted =
            keys.into_iter().map(|key| DeletedObject { key: Some(key), ..Default::default() }).collect();
        Ok(S3Response::new(DeleteObjectsOutput { deleted: Some(deleted), ..Default::default() }))
    }

    async fn list_objects_v2(
        &self,
        request: S3Request<ListObjectsV2Input>,
    ) -> S3Result<S3Response<ListObjectsV2Output>> {
        let input = request.input;
        let max = usize::try_from(input.max_keys.unwrap_or(i32::MAX)).unwrap_or(0).min(PAGE);
        let after = match input.continuation_token.as_deref() {
            Some(token) => String::from_utf8(hex::decode(token).unwrap_or_default())
                .ok()
                .filter(|after| !after.is_empty())
                .ok_or_else(|| s3_error!(InvalidArgument, "the continuation token provided is incorrect"))?,
            None => input.start_after.clone().unwrap_or_default(),
        };
        let (bucket, prefix) = (input.bucket.clone(), input.prefix.clone().unwrap_or_default());
        let delimiter = input.delimiter.clone().filter(|delimiter| !delimiter.is_empty());
        let listing = self
            .store
            .transact(move |tx| Listing::read(tx, &bucket, &prefix, delimiter.as_deref(), after, max))
            .await?;
        let contents: Vec<_> = listing
            .objects
            .into_iter()
            .map(|object| Object {
                key: Some(object.key),
                size: Some(object.size),
                e_tag: Some(ETag::Strong(object.e_tag)),
                last_modified: Some(timestamp(object.modified_ms)),
                storage_class: Some(ObjectStorageClass::from_static(ObjectStorageClass::STANDARD)),
                ..Default::default()
            })
            .collect();
        let prefixes: Vec<_> =
            listing.prefixes.into_iter().map(|prefix| CommonPrefix { prefix: Some(prefix) }).collect();
        Ok(S3Response::new(ListObjectsV2Output {
            key_count: i32::try_from(contents.len().saturating_add(prefixes.len())).ok(),
            max_keys: i32::try_from(max).ok(),
            is_truncated: Some(listing.next.is_some()),
            next_continuation_token: listing.next.map(hex::encode),
            contents: Some(contents),
            common_prefixes: Some(prefixes),
            continuation_token: input.continuation_token,
            start_after: input.start_after,
            delimiter: input.delimiter,
            prefix: input.prefix,
            name: Some(input.bucket),
            ..Default::default()
        }))
    }

    async fn create_multipart_upload(
        &self,
        request: S3Request<CreateMultipartUploadInput>,
    ) -> S3Result<S3Response<CreateMultipartUploadOutput>> {
        let input = request.input;
        check_key(&input.key)?;
        let headers = Headers {
            content_type: input.content_type,
            content_encoding: input.content_encoding,
            content_disposition: input.content_disposition,
            content_language: input.content_language,
            cache_control: input.cache_control,
            encryption: encryption(input.server_side_encryption.as_ref()),
            metadata: input.metadata,
        };
        let id = random_id().map_err(ObjectError::Store)?.simple().to_string();
        let (upload, bucket, key, now) =
            (id.clone(), input.bucket.clone(), input.key.clone(), now_ms(&self.clock));
        self.store
            .transact(move |tx| catalogue::start_upload(tx, &upload, &bucket, &key, &headers, now))
            .await?;
        Ok(S3Response::new(CreateMultipartUploadOutput {
            bucket: Some(input.bucket),
            key: Some(input.key),
            upload_id: Some(id),
            ..Default::default()
        }))
    }

    async fn upload_part(
        &self,
        request: S3Request<UploadPartInput>,
    ) -> S3Result<S3Response<UploadPartOutput>> {
        let length = content_length(&request)?;
        let input = request.input;
        let claims = Claims {
            length,
            md5: input.content_md5,
            algorithm: input.checksum_algorithm,
            checksums: Checksums {
                crc32: input.checksum_crc32,
                crc32c: input.checksum_crc32c,
                crc64nvme: input.checksum_crc64nvme,
                sha1: input.checksum_sha1,
                sha256: input.checksum_sha256,
            },
            trailers: request.trailing_headers,
        };
        let (bucket, key, upload) = (input.bucket, input.key, input.upload_id);
        let (asked_bucket, asked_key, asked_upload) = (bucket.clone(), key.clone(), upload.clone());
        self.store
            .transact(move |tx| catalogue::upload(tx, &asked_upload, &asked_bucket, &asked_key))
            .await?;
        let blob = self.blobs.write(input.body.unwrap_or_else(empty), &claims).await?;
        let part = catalogue::Part {
            number: input.part_number,
            blob: blob.name.clone(),
            size: blob.size,
            e_tag: hex::encode(blob.md5),
            modified_ms: now_ms(&self.clock),
        };
        let e_tag = part.e_tag.clone();
        let kept = self
            .store
            .transact(move |tx| {
                // The upload may have been completed or aborted meanwhile.
                catalogue::upload(tx, &upload, &bucket, &key)?;
                catalogue::put_part(tx, &upload, &part)
            })
            .await;
        let replaced = self.or_remove(blob.name, kept).await?;
        self.blobs.remove(replaced).await;
        Ok(S3Response::new(UploadPartOutput {
            e_tag: Some(ETag::Strong(e_tag)),
            checksum_crc32: blob.checksums.crc32,
            checksum_crc32c: blob.checksums.crc32c,
            checksum_crc64nvme: blob.checksums.crc64nvme,
            checksum_sha1: blob.checksums.sha1,
            checksum_sha256: blob.checksums.sha256,
            ..Default::default()
        }))
    }

    async fn list_parts(&self, request: S3Request<ListPartsInput>) -> S3Result<S3Response<ListPartsOutput>> {
        let input = request.input;
        let (bucket, key, upload) = (input.bucket.clone(), input.key.clone(), input.upload_id.clone());
        let parts = self
            .store
            .transact(move |tx| {
                catalogue::upload(tx, &upload, &bucket, &key)?;
                catalogue::parts(tx, &upload)
            })
            .await?;
        let parts = parts
            .into_iter()
            .map(|part| Part {
                part_number: Some(part.number),
                size: Some(part.size),
                e_tag: Some(ETag::Strong(part.e_tag)),
                last_modified: Some(timestamp(part.modified_ms)),
                ..Default::default()
            })
            .collect();
        Ok(S3Response::new(ListPartsOutput {
            bucket: Some(input.bucket),
            key: Some(input.key),
            upload_id: Some(input.upload_id),
            is_truncated: Some(false),
            parts: Some(parts),
            ..Default::default()
        }))
    }

    async fn complete_multipart_upload(
        &self,
        request: S3Request<CompleteMultipartUploadInput>,
    ) -> S3Result<S3Response<CompleteMultipartUploadOutput>> {
        let input = request.input;
        let named: Vec<(i32, Option<String>)> = input
            .multipart_upload
            .and_then(|upload| upload.parts)
            .unwrap_or_default()
            .into_iter()
            .map(|part| (part.part_number.unwrap_or(0), part.e_tag.map(ETag::into_value)))
            .collect();
        let (bucket, key, upload) = (input.bucket.clone(), input.key.clone(), input.upload_id.clone());
        let (headers, parts) = self
            .store
            .transact(move |tx| {
                let headers = catalogue::upload(tx, &upload, &bucket, &key)?;
                let parts = catalogue::chosen_parts(&catalogue::parts(tx, &upload)?, &named)?;
                Ok::<_, ObjectError>((headers, parts))
            })
            .await?;
        // S3's: the hash of the hashes, and how many there are.
        let mut hashes = Md5::new();
        for part in &parts {
            hashes.update(hex::decode(&part.e_tag).unwrap_or_default());
        }
        let e_tag = format!("{}-{}", hex::encode(hashes.finalize()), parts.len());
        let blobs: Vec<_> = parts.into_iter().map(|part| part.blob).collect();
        let blob = self.blobs.join(&blobs).await?;
        let condition = Condition { if_match: input.if_match, if_none_match: input.if_none_match };
        let object = self
            .publish(
                input.bucket.clone(),
                input.key.clone(),
                blob,
                e_tag,
                headers,
                condition,
                EventName::CompleteMultipartUpload,
                Some(input.upload_id),
            )
            .await?;
        Ok(S3Response::new(CompleteMultipartUploadOutput {
            location: Some(format!("/{}/{}", input.bucket, input.key)),
            bucket: Some(input.bucket),
            key: Some(input.key),
            e_tag: Some(ETag::Strong(object.e_tag)),
            server_side_encryption: object.headers.encryption.map(ServerSideEncryption::from),
            ..Default::default()
        }))
    }

    async fn abort_multipart_upload(
        &self,
        request: S3Request<AbortMultipartUploadInput>,
    ) -> S3Result<S3Response<AbortMultipartUploadOutput>> {
        let input = request.input;
        let blobs = self
            .store
            .transact(move |tx| {
                catalogue::upload(tx, &input.upload_id, &input.bucket, &input.key)?;
                catalogue::end_upload(tx, &input.upload_id)
            })
            .await?;
        self.blobs.remove(blobs).await;
        Ok(S3Response::new(AbortMultipartUploadOutput::default()))
    }
}

impl Objects {
    /// Makes a complete file visible as an object, with its event; ends the upload it came from.
    #[expect(clippy::too_many_arguments, reason = "the columns of one object; three callers")]
    async fn publish(
        &self,
        bucket: String,
        key: String,
        blob: Blob,
        e_tag: String,
        headers: Headers,
        condition: Condition,
        event: EventName,
        upload: Option<String>,
    ) -> Result<catalogue::Object, ObjectError> {
        let object = catalogue::Object {
            key,
            blob: blob.name.clone(),
            size: blob.size,
            e_tag,
            modified_ms: now_ms(&self.clock),
            headers,
            checksums: blob.checksums,
        };
        let new = object.clone();
        let put = self
            .store
            .transact(move |tx| {
                let mut unnamed = Vec::new();
                if let Some(upload) = &upload {
                    // Two completions of one upload: the second finds nothing.
                    catalogue::upload(tx, upload, &bucket, &new.key)?;
                    unnamed = catalogue::end_upload(tx, upload)?;
                }
                unnamed.extend(catalogue::put(tx, &bucket, &new, &condition, event)?);
                Ok(unnamed)
            })
            .await;
        let unnamed = self.or_remove(blob.name, put).await?;
        self.queues.changed(EVENTS);
        self.blobs.remove(unnamed).await;
        Ok(object)
    }

    /// Removes a file that no row came to name.
    async fn or_remove<T>(&self, blob: String, outcome: Result<T, ObjectError>) -> Result<T, ObjectError> {
        if outcome.is_err() {
            self.blobs.remove([blob]).await;
        }
        outcome
    }

    /// An object and its file, which stays readable when the object is replaced from now on.
    pub(super) async fn open_object(
        &self,
        bucket: &str,
        key: &str,
    ) -> Result<(catalogue::Object, File), ObjectError> {
        let mut attempt = 1;
        loop {
            let (asked_bucket, asked_key) = (bucket.to_owned(), key.to_owned());
            let object = self.store.transact(move |tx| catalogue::get(tx, &asked_bucket, &asked_key)).await?;
            match self.blobs.open_file(&object.blob).await {
                Ok(file) => return Ok((object, file)),
                Err(error) if error.kind() == std::io::ErrorKind::NotFound && attempt < READ_ATTEMPTS => {
                    attempt += 1;
                }
                Err(error) => return Err(error.into()),
            }
        }
    }
}

/// One page of a listing.
#[derive(Default)]
struct Listing {
    objects: Vec<catalogue::Object>,
    prefixes: Vec<String>,
    /// Where the next page begins, when there is one.
    next: Option<String>,
}

impl Listing {
    fn read(
        tx: &rusqlite::Transaction<'_>,
        bucket: &str,
        prefix: &str,
        delimiter: Option<&str>,
        mut after: String,
        max: usize,
    ) -> Result<Self, ObjectError> {
        let mut listing = Self::default();
        // Each turn adds an entry or ends the loop.
        loop {
            let room = max.saturating_sub(listing.objects.len()).saturating_sub(listing.prefixes.len());
            // One more than fits tells whether there is another page.
            let page = catalogue::page(tx, bucket, prefix, &after, room.saturating_add(1))?;
            if page.is_empty() {
                return Ok(listing);
            }
            if room == 0 {
                listing.next = (max > 0).then_some(after);
                return Ok(listing);
            }
            for object in page.into_iter().take(room) {
                let rest = object.key.get(prefix.len()..).unwrap_or_default();
                let common = delimiter.and_then(|delimiter| {
                    let end = rest.find(delimiter)?.checked_add(delimiter.len())?;
                    Some(format!("{prefix}{}", rest.get(..end)?))
                });
                if let Some(common) = common {
                    // The last key that the prefix could cover, so that the next page begins behind it.
                    after = format!("{common}{}", char::MAX);
                    listing.prefixes.push(common);
                    break;
                }
                after.clone_from(&object.key);
                listing.objects.push(object);
            }
        }
    }
}

fn check_key(key: &str) -> Result<(), ObjectError> {
    if key.is_empty() || key.len() > KEY_BYTES {
        return Err(ObjectError::Invalid("a key has 1 to 1024 bytes"));
    }
    Ok(())
}

fn check_read(
    object: &catalogue::Object,
    if_match: Option<&ETagCondition>,
    if_none_match: Option<&ETagCondition>,
) -> S3Result<()> {
    let same = |condition: &ETagCondition| match condition {
        ETagCondition::Any => true,
        ETagCondition::ETag(expected) => expected.value() == object.e_tag,
    };
    if if_match.is_some_and(|condition| !same(condition)) {
        return Err(ObjectError::Precondition.into());
    }
    if if_none_match.is_some_and(same) {
        return Err(s3_error!(NotModified));
    }
    Ok(())
}

/// The length of the content itself: chunked transfer with signatures has its own header for it.
fn content_length<T>(request: &S3Request<T>) -> Result<Option<u64>, ObjectError> {
    let header = ["x-amz-decoded-content-length", "content-length"]
        .into_iter()
        .find_map(|name| request.headers.get(name));
    header
        .map(|value| value.to_str().ok().and_then(|value| value.parse().ok()))
        .map(|length| length.ok_or(ObjectError::Invalid("the length of the content is not a number")))
        .transpose()
}

/// S3 encrypts everything with AES-256 unless it is told otherwise, and says so.
fn encryption(asked: Option<&ServerSideEncryption>) -> Option<String> {
    Some(asked.map_or(ServerSideEncryption::AES256, ServerSideEncryption::as_str).to_owned())
}

fn empty() -> StreamingBlob {
    StreamingBlob::wrap(futures::stream::empty::<Result<bytes::Bytes, std::io::Error>>())
}

fn timestamp(milliseconds: i64) -> Timestamp {
    let since = std::time::Duration::from_millis(u64::try_from(milliseconds).unwrap_or(0));
    std::time::SystemTime::UNIX_EPOCH.checked_add(since).unwrap_or(std::time::SystemTime::UNIX_EPOCH).into()
}
