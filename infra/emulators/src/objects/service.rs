//! The operations of S3.

use s3s::auth::SimpleAuth;
use s3s::dto::*;
use s3s::service::{S3Service, S3ServiceBuilder};
use s3s::{S3, S3Request, S3Response, S3Result, s3_error};

use super::blobs::{Claims, Piece};
use super::buckets::{self, Versioning};
use super::changes::{Completed, Completion, Opened, draft, settle};
use super::checksums::{Algorithm, Checksums};
use super::events::EventName;
use super::listing::{Listed, Listing, Query, page_size};
use super::uploads::{self, Named, Upload};
use super::versions::{self, Condition, Headers, Place, Version};
use super::{KEY_BYTES, NULL, ObjectError, Objects, PAGE, PUT_BYTES};
use crate::clock::now_ms;
use crate::store::random_id;
use crate::{ACCESS_KEY_ID, SECRET_ACCESS_KEY};

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
        self.store.transact(move |tx| buckets::create(tx, &bucket, now)).await?;
        Ok(S3Response::new(CreateBucketOutput { location: Some(location) }))
    }

    async fn delete_bucket(
        &self,
        request: S3Request<DeleteBucketInput>,
    ) -> S3Result<S3Response<DeleteBucketOutput>> {
        let bucket = request.input.bucket;
        self.store.transact(move |tx| buckets::delete(tx, &bucket)).await?;
        Ok(S3Response::new(DeleteBucketOutput::default()))
    }

    async fn head_bucket(
        &self,
        request: S3Request<HeadBucketInput>,
    ) -> S3Result<S3Response<HeadBucketOutput>> {
        let bucket = request.input.bucket;
        self.store.transact(move |tx| buckets::check(tx, &bucket)).await?;
        Ok(S3Response::new(HeadBucketOutput {
            bucket_region: Some(self.region.clone()),
            ..Default::default()
        }))
    }

    async fn list_buckets(
        &self,
        _request: S3Request<ListBucketsInput>,
    ) -> S3Result<S3Response<ListBucketsOutput>> {
        let buckets = self.store.transact(buckets::all).await?;
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

    async fn put_bucket_versioning(
        &self,
        request: S3Request<PutBucketVersioningInput>,
    ) -> S3Result<S3Response<PutBucketVersioningOutput>> {
        let bucket = request.input.bucket;
        let asked = request.input.versioning_configuration.status;
        let versioning = match asked.as_ref().map(BucketVersioningStatus::as_str) {
            Some(BucketVersioningStatus::ENABLED) => Versioning::Enabled,
            Some(BucketVersioningStatus::SUSPENDED) => Versioning::Suspended,
            _ => return Err(s3_error!(MalformedXML, "versioning is Enabled or Suspended")),
        };
        self.store.transact(move |tx| buckets::set_versioning(tx, &bucket, versioning)).await?;
        Ok(S3Response::new(PutBucketVersioningOutput {}))
    }

    async fn get_bucket_versioning(
        &self,
        request: S3Request<GetBucketVersioningInput>,
    ) -> S3Result<S3Response<GetBucketVersioningOutput>> {
        let bucket = request.input.bucket;
        let versioning = self.store.transact(move |tx| buckets::versioning(tx, &bucket)).await?;
        let status = match versioning {
            Versioning::Never => None,
            Versioning::Enabled => Some(BucketVersioningStatus::ENABLED),
            Versioning::Suspended => Some(BucketVersioningStatus::SUSPENDED),
        };
        Ok(S3Response::new(GetBucketVersioningOutput {
            status: status.map(BucketVersioningStatus::from_static),
            ..Default::default()
        }))
    }

    async fn put_object(&self, request: S3Request<PutObjectInput>) -> S3Result<S3Response<PutObjectOutput>> {
        let length = content_length(&request)?;
        let input = request.input;
        check_key(&input.key)?;
        let condition = Condition { if_match: input.if_match, if_none_match: input.if_none_match };
        // Refuses before a byte is read; the condition is checked again when the object becomes visible.
        let (bucket, key, early) = (input.bucket.clone(), input.key.clone(), condition.clone());
        self.store
            .transact(move |tx| {
                buckets::check(tx, &bucket)?;
                early.check(tx, &bucket, &key)
            })
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
                composite: false,
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
        let (e_tag, sums) = (hex::encode(blob.md5), blob.checksums.clone());
        let encryption = headers.encryption.clone();
        let draft = draft(input.key, &blob, headers, EventName::Put);
        let outcome = self.publish(input.bucket, draft, condition, blob).await?;
        Ok(S3Response::new(PutObjectOutput {
            e_tag: Some(ETag::Strong(e_tag)),
            version_id: outcome.version,
            server_side_encryption: encryption.map(ServerSideEncryption::from),
            checksum_type: sums.kind(),
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
        let CopySource::Bucket { bucket, key, version_id } = &input.copy_source else {
            return Err(s3_error!(NotImplemented, "only an object can be copied"));
        };
        let Opened { version: source, shown, content } =
            self.open_object(bucket, key, version_id.as_deref()).await?;
        let same = |condition: &ETagCondition| match condition {
            ETagCondition::Any => true,
            ETagCondition::ETag(expected) => expected.value() == source.e_tag,
        };
        if input.copy_source_if_match.is_some_and(|condition| !same(&condition))
            || input.copy_source_if_none_match.is_some_and(|condition| same(&condition))
        {
            return Err(ObjectError::Precondition.into());
        }
        if content.size() > PUT_BYTES {
            return Err(s3_error!(
                InvalidRequest,
                "the specified copy source is larger than the maximum allowable size for a copy source: 5368709120"
            ));
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
                encryption: encryption.clone(),
                metadata: input.metadata,
            }
        } else {
            Headers { encryption: encryption.clone(), ..source.headers }
        };
        // A copy is one piece, also of what was joined from parts, and its checksum is that of the content.
        let blob = self.blobs.copy(content, &source.checksums.algorithms()).await?;
        let sums = blob.checksums.clone();
        let e_tag = hex::encode(blob.md5);
        let draft = draft(input.key, &blob, headers, EventName::Copy);
        let outcome = self.publish(input.bucket, draft, Condition::default(), blob).await?;
        Ok(S3Response::new(CopyObjectOutput {
            version_id: outcome.version,
            copy_source_version_id: shown,
            server_side_encryption: encryption.map(ServerSideEncryption::from),
            copy_object_result: Some(CopyObjectResult {
                e_tag: Some(ETag::Strong(e_tag)),
                last_modified: Some(timestamp(now_ms(&self.clock))),
                checksum_type: sums.kind(),
                checksum_crc32: sums.crc32,
                checksum_crc32c: sums.crc32c,
                checksum_crc64nvme: sums.crc64nvme,
                checksum_sha1: sums.sha1,
                checksum_sha256: sums.sha256,
            }),
            ..Default::default()
        }))
    }

    async fn get_object(&self, request: S3Request<GetObjectInput>) -> S3Result<S3Response<GetObjectOutput>> {
        let input = request.input;
        let Opened { version: object, shown, content } =
            self.open_object(&input.bucket, &input.key, input.version_id.as_deref()).await?;
        check_read(&object, input.if_match.as_ref(), input.if_none_match.as_ref())?;
        let size = content.size();
        let asked = input.range.map(|range| range.check(size)).transpose()?;
        let content_range = asked
            .as_ref()
            .map(|range| format!("bytes {}-{}/{size}", range.start, range.end.saturating_sub(1)));
        // A checksum of the whole object says nothing about a part of it.
        let sums = told(&object, input.checksum_mode.as_ref().filter(|_| asked.is_none()));
        let range = asked.unwrap_or(0..size);
        let length = range.end.saturating_sub(range.start);
        Ok(S3Response::new(GetObjectOutput {
            body: Some(StreamingBlob::wrap(content.stream(range))),
            accept_ranges: Some("bytes".into()),
            content_length: i64::try_from(length).ok(),
            content_range,
            e_tag: Some(ETag::Strong(object.e_tag)),
            last_modified: Some(timestamp(object.modified_ms)),
            version_id: shown,
            content_type: object.headers.content_type,
            content_encoding: object.headers.content_encoding,
            content_disposition: object.headers.content_disposition,
            content_language: object.headers.content_language,
            cache_control: object.headers.cache_control,
            server_side_encryption: object.headers.encryption.map(ServerSideEncryption::from),
            metadata: object.headers.metadata,
            checksum_type: sums.kind(),
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
        let (bucket, key, id) = (input.bucket, input.key, input.version_id);
        let (object, shown) =
            self.store.transact(move |tx| versions::get(tx, &bucket, &key, id.as_deref())).await?;
        check_read(&object, input.if_match.as_ref(), input.if_none_match.as_ref())?;
        let sums = told(&object, input.checksum_mode.as_ref());
        Ok(S3Response::new(HeadObjectOutput {
            accept_ranges: Some("bytes".into()),
            content_length: Some(object.size),
            e_tag: Some(ETag::Strong(object.e_tag)),
            last_modified: Some(timestamp(object.modified_ms)),
            version_id: shown,
            content_type: object.headers.content_type,
            content_encoding: object.headers.content_encoding,
            content_disposition: object.headers.content_disposition,
            content_language: object.headers.content_language,
            cache_control: object.headers.cache_control,
            server_side_encryption: object.headers.encryption.map(ServerSideEncryption::from),
            metadata: object.headers.metadata,
            checksum_type: sums.kind(),
            checksum_crc32: sums.crc32,
            checksum_crc32c: sums.crc32c,
            checksum_crc64nvme: sums.crc64nvme,
            checksum_sha1: sums.sha1,
            checksum_sha256: sums.sha256,
            ..Default::default()
        }))
    }

    async fn delete_object(
        &self,
        request: S3Request<DeleteObjectInput>,
    ) -> S3Result<S3Response<DeleteObjectOutput>> {
        let input = request.input;
        let (_, outcome) =
            self.delete(input.bucket, vec![(input.key, input.version_id)]).await?.pop().unwrap_or_default();
        Ok(S3Response::new(DeleteObjectOutput {
            delete_marker: outcome.marker.then_some(true),
            version_id: outcome.version,
            ..Default::default()
        }))
    }

    async fn delete_objects(
        &self,
        request: S3Request<DeleteObjectsInput>,
    ) -> S3Result<S3Response<DeleteObjectsOutput>> {
        let DeleteObjectsInput { bucket, delete, .. } = request.input;
        if delete.objects.is_empty() || delete.objects.len() > PAGE {
            return Err(s3_error!(MalformedXML, "a request deletes 1 to 1000 objects"));
        }
        let named = delete.objects.into_iter().map(|object| (object.key, object.version_id)).collect();
        let deleted = self.delete(bucket, named).await?.into_iter().map(|(name, outcome)| {
            let (key, asked) = name;
            DeletedObject {
                key: Some(key),
                delete_marker: outcome.marker.then_some(true),
                delete_marker_version_id: outcome.version.filter(|_| outcome.marker),
                version_id: asked,
            }
        });
        let deleted = (delete.quiet != Some(true)).then(|| deleted.collect());
        Ok(S3Response::new(DeleteObjectsOutput { deleted, ..Default::default() }))
    }

    async fn list_objects_v2(
        &self,
        request: S3Request<ListObjectsV2Input>,
    ) -> S3Result<S3Response<ListObjectsV2Output>> {
        let input = request.input;
        let after = match input.continuation_token.as_deref() {
            Some(token) => String::from_utf8(hex::decode(token).unwrap_or_default())
                .ok()
                .filter(|after| !after.is_empty())
                .ok_or_else(|| s3_error!(InvalidArgument, "the continuation token provided is incorrect"))?,
            None => input.start_after.clone().unwrap_or_default(),
        };
        let query =
            Query::new(&input.bucket, input.prefix.as_deref(), input.delimiter.as_deref(), input.max_keys);
        let max = query.max;
        let after = Place { key: after, number: 0 };
        let listing =
            self.store.transact(move |tx| Listing::read(tx, Listed::Objects, &query, after)).await?;
        let contents: Vec<_> = listing
            .entries
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
        let prefixes = common_prefixes(listing.prefixes);
        Ok(S3Response::new(ListObjectsV2Output {
            key_count: i32::try_from(contents.len().saturating_add(prefixes.len())).ok(),
            max_keys: i32::try_from(max).ok(),
            is_truncated: Some(listing.next.is_some()),
            next_continuation_token: listing.next.map(|(key, _)| hex::encode(key)),
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

    async fn list_object_versions(
        &self,
        request: S3Request<ListObjectVersionsInput>,
    ) -> S3Result<S3Response<ListObjectVersionsOutput>> {
        let input = request.input;
        let query =
            Query::new(&input.bucket, input.prefix.as_deref(), input.delimiter.as_deref(), input.max_keys);
        let max = query.max;
        let (key, id) = (input.key_marker.clone(), input.version_id_marker.clone());
        if key.is_none() && id.is_some() {
            return Err(s3_error!(
                InvalidArgument,
                "a version-id marker cannot be specified without a key marker"
            ));
        }
        let listing = self
            .store
            .transact(move |tx| {
                let key = key.unwrap_or_default();
                let after = match id {
                    Some(id) => Place::behind(tx, &query.bucket, &key, &id)?,
                    None => Place { key, number: 0 },
                };
                Listing::read(tx, Listed::Versions, &query, after)
            })
            .await?;
        let (next_key_marker, next_version_id_marker) = listing.next.unzip();
        let (markers, versions): (Vec<_>, Vec<_>) =
            listing.entries.into_iter().partition(|version| version.marker);
        let versions = versions.into_iter().map(|version| ObjectVersion {
            key: Some(version.key),
            version_id: Some(version.id),
            is_latest: Some(version.current),
            size: Some(version.size),
            e_tag: Some(ETag::Strong(version.e_tag)),
            last_modified: Some(timestamp(version.modified_ms)),
            storage_class: Some(ObjectVersionStorageClass::from_static(ObjectVersionStorageClass::STANDARD)),
            ..Default::default()
        });
        let markers = markers.into_iter().map(|marker| DeleteMarkerEntry {
            key: Some(marker.key),
            version_id: Some(marker.id),
            is_latest: Some(marker.current),
            last_modified: Some(timestamp(marker.modified_ms)),
            ..Default::default()
        });
        Ok(S3Response::new(ListObjectVersionsOutput {
            versions: Some(versions.collect()),
            delete_markers: Some(markers.collect()),
            common_prefixes: Some(common_prefixes(listing.prefixes)),
            is_truncated: Some(next_key_marker.is_some()),
            next_key_marker,
            next_version_id_marker: next_version_id_marker.flatten(),
            key_marker: input.key_marker,
            version_id_marker: input.version_id_marker,
            max_keys: i32::try_from(max).ok(),
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
        // Without one, S3 works out a CRC-64 of the whole by itself. Nobody here asks for it.
        let algorithm = input.checksum_algorithm.as_ref().and_then(Algorithm::of);
        check_checksum_type(algorithm, input.checksum_type.as_ref())?;
        let upload = Upload {
            id: random_id().map_err(ObjectError::Store)?.simple().to_string(),
            key: input.key.clone(),
            headers: Headers {
                content_type: input.content_type,
                content_encoding: input.content_encoding,
                content_disposition: input.content_disposition,
                content_language: input.content_language,
                cache_control: input.cache_control,
                encryption: encryption(input.server_side_encryption.as_ref()),
                metadata: input.metadata,
            },
            algorithm,
            started_ms: now_ms(&self.clock),
        };
        let (id, bucket) = (upload.id.clone(), input.bucket.clone());
        self.store.transact(move |tx| uploads::start(tx, &bucket, &upload)).await?;
        Ok(S3Response::new(CreateMultipartUploadOutput {
            bucket: Some(input.bucket),
            key: Some(input.key),
            upload_id: Some(id),
            checksum_algorithm: algorithm.map(|known| ChecksumAlgorithm::from_static(known.name())),
            checksum_type: algorithm.map(|_| ChecksumType::from_static(ChecksumType::COMPOSITE)),
            ..Default::default()
        }))
    }

    async fn upload_part(
        &self,
        request: S3Request<UploadPartInput>,
    ) -> S3Result<S3Response<UploadPartOutput>> {
        let length = content_length(&request)?;
        let input = request.input;
        uploads::check_number(input.part_number)?;
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
                composite: false,
            },
            trailers: request.trailing_headers,
        };
        let (bucket, key, upload) = (input.bucket, input.key, input.upload_id);
        let (asked_bucket, asked_key, asked) = (bucket.clone(), key.clone(), upload.clone());
        let begun =
            self.store.transact(move |tx| uploads::get(tx, &asked, &asked_bucket, &asked_key)).await?;
        check_algorithm(&begun, &claims)?;
        let blob = self.blobs.write(input.body.unwrap_or_else(empty), &claims).await?;
        let (e_tag, sums) = (hex::encode(blob.md5), blob.checksums.clone());
        let part = uploads::Part {
            number: input.part_number,
            piece: Piece { blob: blob.name.clone(), size: blob.size },
            e_tag: e_tag.clone(),
            checksums: blob.checksums,
            modified_ms: now_ms(&self.clock),
        };
        let objects = self.clone();
        settle(async move {
            let kept = objects.store.transact(move |tx| {
                // The upload may have been completed or aborted meanwhile.
                uploads::get(tx, &upload, &bucket, &key)?;
                uploads::put_part(tx, &upload, &part)
            });
            let kept = kept.await;
            let replaced = objects.or_remove(blob.name, kept).await?;
            objects.blobs.remove(replaced).await;
            Ok(())
        })
        .await?;
        Ok(S3Response::new(UploadPartOutput {
            e_tag: Some(ETag::Strong(e_tag)),
            checksum_crc32: sums.crc32,
            checksum_crc32c: sums.crc32c,
            checksum_crc64nvme: sums.crc64nvme,
            checksum_sha1: sums.sha1,
            checksum_sha256: sums.sha256,
            ..Default::default()
        }))
    }

    async fn list_parts(&self, request: S3Request<ListPartsInput>) -> S3Result<S3Response<ListPartsOutput>> {
        let input = request.input;
        let max = page_size(input.max_parts);
        let after = input.part_number_marker.unwrap_or(0);
        let (bucket, key, id) = (input.bucket.clone(), input.key.clone(), input.upload_id.clone());
        let (upload, mut parts) = self
            .store
            .transact(move |tx| {
                let upload = uploads::get(tx, &id, &bucket, &key)?;
                // One more than fits tells whether there is another page.
                let parts = uploads::parts(tx, &id, after, max.saturating_add(1))?;
                Ok::<_, ObjectError>((upload, parts))
            })
            .await?;
        let more = parts.len() > max;
        parts.truncate(max);
        let next = parts.last().map(|part| part.number).filter(|_| more);
        let parts = parts.into_iter().map(|part| Part {
            part_number: Some(part.number),
            size: Some(part.piece.size),
            e_tag: Some(ETag::Strong(part.e_tag)),
            last_modified: Some(timestamp(part.modified_ms)),
            checksum_crc32: part.checksums.crc32,
            checksum_crc32c: part.checksums.crc32c,
            checksum_crc64nvme: part.checksums.crc64nvme,
            checksum_sha1: part.checksums.sha1,
            checksum_sha256: part.checksums.sha256,
        });
        let algorithm = upload.algorithm.map(|known| ChecksumAlgorithm::from_static(known.name()));
        Ok(S3Response::new(ListPartsOutput {
            bucket: Some(input.bucket),
            key: Some(input.key),
            upload_id: Some(input.upload_id),
            part_number_marker: input.part_number_marker,
            next_part_number_marker: next,
            max_parts: i32::try_from(max).ok(),
            is_truncated: Some(more),
            checksum_type: algorithm.as_ref().map(|_| ChecksumType::from_static(ChecksumType::COMPOSITE)),
            checksum_algorithm: algorithm,
            parts: Some(parts.collect()),
            ..Default::default()
        }))
    }

    async fn list_multipart_uploads(
        &self,
        request: S3Request<ListMultipartUploadsInput>,
    ) -> S3Result<S3Response<ListMultipartUploadsOutput>> {
        let input = request.input;
        if input.delimiter.as_deref().is_some_and(|delimiter| !delimiter.is_empty()) {
            return Err(s3_error!(NotImplemented, "uploads are not folded at a delimiter"));
        }
        let max = page_size(input.max_uploads);
        let (bucket, prefix) = (input.bucket.clone(), input.prefix.clone().unwrap_or_default());
        let key = input.key_marker.clone().unwrap_or_default();
        // Without an id the page begins behind all uploads of the key; an id alone counts for nothing.
        let id = input.upload_id_marker.clone().unwrap_or_else(|| char::MAX.to_string());
        let found = self
            .store
            .transact(move |tx| uploads::page(tx, &bucket, &prefix, (&key, &id), max.saturating_add(1)));
        let mut found = found.await?;
        let more = found.len() > max;
        found.truncate(max);
        let last = found.last().filter(|_| more);
        let (next_key_marker, next_upload_id_marker) =
            last.map(|upload| (upload.key.clone(), upload.id.clone())).unzip();
        let uploads = found.into_iter().map(|upload| MultipartUpload {
            key: Some(upload.key),
            upload_id: Some(upload.id),
            initiated: Some(timestamp(upload.started_ms)),
            checksum_algorithm: upload.algorithm.map(|known| ChecksumAlgorithm::from_static(known.name())),
            checksum_type: upload.algorithm.map(|_| ChecksumType::from_static(ChecksumType::COMPOSITE)),
            storage_class: Some(StorageClass::from_static(StorageClass::STANDARD)),
            ..Default::default()
        });
        Ok(S3Response::new(ListMultipartUploadsOutput {
            bucket: Some(input.bucket),
            prefix: input.prefix,
            key_marker: input.key_marker,
            upload_id_marker: input.upload_id_marker,
            next_key_marker,
            next_upload_id_marker,
            max_uploads: i32::try_from(max).ok(),
            is_truncated: Some(more),
            uploads: Some(uploads.collect()),
            ..Default::default()
        }))
    }

    async fn complete_multipart_upload(
        &self,
        request: S3Request<CompleteMultipartUploadInput>,
    ) -> S3Result<S3Response<CompleteMultipartUploadOutput>> {
        let input = request.input;
        let completion = Completion {
            id: input.upload_id,
            bucket: input.bucket.clone(),
            key: input.key.clone(),
            parts: input
                .multipart_upload
                .and_then(|upload| upload.parts)
                .unwrap_or_default()
                .into_iter()
                .map(named)
                .collect(),
            size: input.mpu_object_size,
            sha256: input.checksum_sha256,
            condition: Condition { if_match: input.if_match, if_none_match: input.if_none_match },
        };
        let Completed { outcome, e_tag, encryption, sums } = self.complete(completion).await?;
        Ok(S3Response::new(CompleteMultipartUploadOutput {
            location: Some(format!("/{}/{}", input.bucket, input.key)),
            bucket: Some(input.bucket),
            key: Some(input.key),
            e_tag: Some(ETag::Strong(e_tag)),
            version_id: outcome.version,
            server_side_encryption: encryption.map(ServerSideEncryption::from),
            checksum_type: sums.kind(),
            checksum_crc32: sums.crc32,
            checksum_crc32c: sums.crc32c,
            checksum_crc64nvme: sums.crc64nvme,
            checksum_sha1: sums.sha1,
            checksum_sha256: sums.sha256,
            ..Default::default()
        }))
    }

    async fn abort_multipart_upload(
        &self,
        request: S3Request<AbortMultipartUploadInput>,
    ) -> S3Result<S3Response<AbortMultipartUploadOutput>> {
        let (input, objects) = (request.input, self.clone());
        settle(async move {
            let parts = objects.store.transact(move |tx| {
                uploads::get(tx, &input.upload_id, &input.bucket, &input.key)?;
                let parts = uploads::all_parts(tx, &input.upload_id)?;
                uploads::end(tx, &input.upload_id)?;
                Ok::<_, ObjectError>(parts)
            });
            let blobs = parts.await?.into_iter().map(|part| part.piece.blob);
            objects.blobs.remove(blobs).await;
            Ok(())
        })
        .await?;
        Ok(S3Response::new(AbortMultipartUploadOutput::default()))
    }
}

fn named(part: CompletedPart) -> Named {
    Named {
        number: part.part_number.unwrap_or(0),
        e_tag: part.e_tag.map(ETag::into_value),
        checksums: Checksums {
            crc32: part.checksum_crc32,
            crc32c: part.checksum_crc32c,
            crc64nvme: part.checksum_crc64nvme,
            sha1: part.checksum_sha1,
            sha256: part.checksum_sha256,
            composite: false,
        },
    }
}

/// The checksums that an answer tells: only to those who ask for them.
fn told(object: &Version, mode: Option<&ChecksumMode>) -> Checksums {
    let asked = mode.is_some_and(|mode| mode.as_str() == ChecksumMode::ENABLED);
    if asked { object.checksums.clone() } else { Checksums::default() }
}

/// S3 works out checksums of the whole from those of parts for CRCs only; here nobody asks for that.
fn check_checksum_type(algorithm: Option<Algorithm>, kind: Option<&ChecksumType>) -> S3Result<()> {
    let whole = kind.is_some_and(|kind| kind.as_str() == ChecksumType::FULL_OBJECT);
    match algorithm {
        Some(Algorithm::Sha1 | Algorithm::Sha256) if whole => {
            Err(s3_error!(InvalidRequest, "the FULL_OBJECT checksum type cannot be used with SHA checksums"))
        }
        Some(Algorithm::Crc64nvme) => Err(s3_error!(NotImplemented, "CRC64NVME of parts is not worked out")),
        _ if whole => Err(s3_error!(NotImplemented, "checksums of the whole are not worked out from parts")),
        _ => Ok(()),
    }
}

/// Every part has the checksum that the upload was begun with.
fn check_algorithm(upload: &Upload, claims: &Claims) -> Result<(), ObjectError> {
    let Some(expected) = upload.algorithm else { return Ok(()) };
    let said = claims.algorithms();
    if said.contains(&expected) {
        return Ok(());
    }
    let actual = said.first().map_or(NULL, |algorithm| algorithm.name());
    Err(ObjectError::OtherChecksum { expected: expected.name(), actual })
}

fn common_prefixes(prefixes: Vec<String>) -> Vec<CommonPrefix> {
    prefixes.into_iter().map(|prefix| CommonPrefix { prefix: Some(prefix) }).collect()
}

fn check_key(key: &str) -> Result<(), ObjectError> {
    if key.is_empty() || key.len() > KEY_BYTES {
        return Err(ObjectError::Invalid("a key has 1 to 1024 bytes"));
    }
    Ok(())
}

fn check_read(
    object: &Version,
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
