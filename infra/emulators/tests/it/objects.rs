//! S3.

use std::time::Duration;

use aws_lambda_events::event::s3::S3Event;
use aws_sdk_s3::Client;
use aws_sdk_s3::error::ProvideErrorMetadata as _;
use aws_sdk_s3::presigning::{PresignedRequest, PresigningConfig};
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{
    ChecksumAlgorithm, CompletedMultipartUpload, CompletedPart, Delete, ObjectIdentifier,
};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use portico_emulators::{BucketSpec, Emulators, ObjectError};
use sha2::{Digest as _, Sha256};
use tokio::io::AsyncReadExt as _;

use crate::support::{Clients, ORIGIN, browser, start};

const CONTENT: &[u8] = b"the content";

fn sha256(content: &[u8]) -> String {
    STANDARD.encode(Sha256::digest(content))
}

async fn bucket() -> (Emulators, Client) {
    let emulators = start().await;
    emulators.create_bucket(BucketSpec::plain("portico-files")).await.unwrap();
    emulators.create_bucket(BucketSpec::plain("portico-files")).await.unwrap();
    let client = Clients::of(&emulators).s3;
    (emulators, client)
}

/// A PUT of [`CONTENT`] as the product signs it.
async fn presign(client: &Client, key: &str) -> PresignedRequest {
    client
        .put_object()
        .bucket("portico-files")
        .key(key)
        .content_length(CONTENT.len() as i64)
        .content_type("application/pdf")
        .checksum_algorithm(ChecksumAlgorithm::Sha256)
        .checksum_sha256(sha256(CONTENT))
        .presigned(PresigningConfig::expires_in(Duration::from_secs(300)).unwrap())
        .await
        .unwrap()
}

/// Sends a presigned request with other content, type or checksum.
async fn upload(request: &PresignedRequest, content: &[u8], changed: &[(&str, &str)]) -> reqwest::Response {
    let mut put = browser().put(request.uri()).header("origin", ORIGIN).body(content.to_vec());
    for (name, value) in request.headers().filter(|(name, _)| *name != "content-length") {
        let value = changed.iter().find(|(other, _)| *other == name).map_or(value, |(_, value)| value);
        put = put.header(name, value);
    }
    put.send().await.unwrap()
}

async fn put(client: &Client, key: &str, content: &[u8]) {
    let body = ByteStream::from(content.to_vec());
    client.put_object().bucket("portico-files").key(key).body(body).send().await.unwrap();
}

async fn get(client: &Client, key: &str) -> Vec<u8> {
    let object = client.get_object().bucket("portico-files").key(key).send().await.unwrap();
    object.body.collect().await.unwrap().to_vec()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_presigned_upload_takes_exactly_what_was_signed_and_its_event_appears() {
    let (emulators, client) = bucket().await;
    let key = "acct_1/a file+ü.pdf";
    let request = presign(&client, key).await;

    let longer = upload(&request, b"the content and more", &[]).await;
    assert_eq!(longer.status(), 403);
    let other_type = upload(&request, CONTENT, &[("content-type", "text/html")]).await;
    assert_eq!(other_type.status(), 403);
    let other = sha256(b"other conte");
    let other_checksum = upload(&request, b"other conte", &[("x-amz-checksum-sha256", &other)]).await;
    assert_eq!(other_checksum.status(), 403);
    let tampered = request.uri().replace("file", "life");
    assert_eq!(browser().put(tampered).body(CONTENT).send().await.unwrap().status(), 403);
    let other_content = upload(&request, b"other conte", &[]).await;
    assert_eq!(other_content.status(), 400);
    assert!(other_content.text().await.unwrap().contains("BadDigest"));
    let head = client.head_object().bucket("portico-files").key(key).send().await;
    assert!(head.unwrap_err().into_service_error().is_not_found(), "a refused upload leaves nothing");
    assert!(emulators.object_events().receive(10, Duration::ZERO).await.unwrap().is_empty());

    let taken = upload(&request, CONTENT, &[]).await;
    assert_eq!(taken.status(), 200, "{}", taken.text().await.unwrap());
    assert_eq!(get(&client, key).await, CONTENT);
    let events = emulators.object_events().receive(10, Duration::ZERO).await.unwrap();
    let [event] = events.as_slice() else { panic!("{events:?}") };
    assert_eq!((event.bucket.as_str(), event.key.as_str(), event.size), ("portico-files", key, 11));
    let record = serde_json::from_value::<S3Event>(event.event()).unwrap().records.remove(0);
    assert_eq!(record.event_name.as_deref(), Some("ObjectCreated:Put"));
    assert_eq!(record.event_source.as_deref(), Some("aws:s3"));
    assert_eq!(record.s3.bucket.name.as_deref(), Some("portico-files"));
    assert_eq!(record.s3.object.key.as_deref(), Some("acct_1/a+file%2B%C3%BC.pdf"));
    assert_eq!(record.s3.object.size, Some(11));
    assert_eq!(record.s3.object.e_tag.as_deref(), Some(event.e_tag.as_str()));
    emulators.object_events().delete(event).await.unwrap();
    assert!(emulators.object_events().receive(10, Duration::ZERO).await.unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_configured_origin_may_upload_from_a_browser() {
    let (emulators, client) = bucket().await;
    let preflight = |origin: &'static str| {
        browser()
            .request(reqwest::Method::OPTIONS, format!("{}/portico-files/key", emulators.aws_url()))
            .header("origin", origin)
            .header("access-control-request-method", "PUT")
            .header("access-control-request-headers", "content-type,x-amz-checksum-sha256")
            .send()
    };
    let allowed = preflight(ORIGIN).await.unwrap();
    assert_eq!(allowed.headers()["access-control-allow-origin"], ORIGIN);
    assert!(allowed.headers()["access-control-allow-methods"].to_str().unwrap().contains("PUT"));
    assert_eq!(allowed.headers()["access-control-allow-headers"], "content-type,x-amz-checksum-sha256");
    let foreign = preflight("http://evil.example").await.unwrap();
    assert!(!foreign.headers().contains_key("access-control-allow-origin"));

    let taken = upload(&presign(&client, "key").await, CONTENT, &[]).await;
    assert_eq!(taken.headers()["access-control-allow-origin"], ORIGIN);
    assert!(taken.headers()["access-control-expose-headers"].to_str().unwrap().contains("etag"));
}

#[tokio::test(flavor = "multi_thread")]
async fn one_of_many_conditional_writers_wins() {
    let (emulators, client) = bucket().await;
    let writers: Vec<_> = (0..16)
        .map(|writer| {
            let put = client.put_object().bucket("portico-files").key("invoice.pdf").if_none_match("*");
            tokio::spawn(put.body(ByteStream::from(format!("writer {writer}").into_bytes())).send())
        })
        .collect();
    let mut winners = Vec::new();
    for (writer, outcome) in writers.into_iter().enumerate() {
        match outcome.await.unwrap() {
            Ok(_) => winners.push(writer),
            Err(error) => assert_eq!(error.into_service_error().code(), Some("PreconditionFailed")),
        }
    }
    let [winner] = winners.as_slice() else { panic!("{winners:?}") };
    assert_eq!(get(&client, "invoice.pdf").await, format!("writer {winner}").into_bytes());
    assert_eq!(emulators.object_events().receive(10, Duration::ZERO).await.unwrap().len(), 1);

    let e_tag =
        client.head_object().bucket("portico-files").key("invoice.pdf").send().await.unwrap().e_tag.unwrap();
    let replace = |e_tag: &str| {
        let put = client.put_object().bucket("portico-files").key("invoice.pdf").if_match(e_tag);
        put.body(ByteStream::from_static(b"second edition")).send()
    };
    replace(&e_tag).await.unwrap();
    assert_eq!(replace(&e_tag).await.unwrap_err().into_service_error().code(), Some("PreconditionFailed"));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_comes_back_with_its_headers_whole_or_in_part() {
    let (_emulators, client) = bucket().await;
    // Longer than a file name may be, and beside a key that it begins with.
    let long = format!("acct_1/{}/file.pdf", "segment/".repeat(100));
    put(&client, "acct_1", b"a key that is also a directory").await;
    client
        .put_object()
        .bucket("portico-files")
        .key(&long)
        .content_type("application/pdf")
        .metadata("sha256", "abc")
        .body(ByteStream::from_static(CONTENT))
        .send()
        .await
        .unwrap();
    let object =
        client.get_object().bucket("portico-files").key(&long).range("bytes=4-10").send().await.unwrap();
    assert_eq!(object.content_type(), Some("application/pdf"));
    assert_eq!(object.content_range(), Some("bytes 4-10/11"));
    assert_eq!(object.metadata().unwrap()["sha256"], "abc");
    assert_eq!(object.body.collect().await.unwrap().to_vec(), b"content");

    let download = client
        .get_object()
        .bucket("portico-files")
        .key(&long)
        .response_content_disposition("attachment; filename=\"invoice.pdf\"")
        .presigned(PresigningConfig::expires_in(Duration::from_secs(300)).unwrap())
        .await
        .unwrap();
    let answer = browser().get(download.uri()).send().await.unwrap();
    assert_eq!(answer.headers()["content-disposition"], "attachment; filename=\"invoice.pdf\"");
    assert_eq!(answer.bytes().await.unwrap(), CONTENT);
    let unsigned = download.uri().split('?').next().unwrap();
    assert_eq!(browser().get(unsigned).send().await.unwrap().status(), 403);

    let e_tag = client.head_object().bucket("portico-files").key(&long).send().await.unwrap().e_tag.unwrap();
    let cached = client.get_object().bucket("portico-files").key(&long).if_none_match(e_tag).send().await;
    assert_eq!(cached.unwrap_err().raw_response().unwrap().status().as_u16(), 304);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_listing_pages_and_folds_at_the_delimiter() {
    let (_emulators, client) = bucket().await;
    for key in ["a/1", "a/2", "b", "c/1", "d"] {
        put(&client, key, key.as_bytes()).await;
    }
    let mut pages =
        client.list_objects_v2().bucket("portico-files").delimiter("/").max_keys(2).into_paginator().send();
    let mut seen = Vec::new();
    while let Some(page) = pages.next().await {
        let page = page.unwrap();
        assert!(page.key_count().unwrap() <= 2);
        seen.extend(page.common_prefixes().iter().map(|prefix| prefix.prefix().unwrap().to_owned()));
        seen.extend(page.contents().iter().map(|object| object.key().unwrap().to_owned()));
    }
    assert_eq!(seen, ["a/", "b", "c/", "d"]);
    let under = client.list_objects_v2().bucket("portico-files").prefix("a/").send().await.unwrap();
    assert_eq!(
        under.contents().iter().map(|object| object.key().unwrap()).collect::<Vec<_>>(),
        ["a/1", "a/2"]
    );

    let identifier = |key: &str| ObjectIdentifier::builder().key(key).build().unwrap();
    let delete = Delete::builder().objects(identifier("a/1")).objects(identifier("missing")).build().unwrap();
    client.delete_objects().bucket("portico-files").delete(delete).send().await.unwrap();
    client.delete_object().bucket("portico-files").key("a/2").send().await.unwrap();
    let rest = client.list_objects_v2().bucket("portico-files").send().await.unwrap();
    assert_eq!(rest.key_count(), Some(3));
    let missing = client.list_objects_v2().bucket("portico-none").send().await.unwrap_err();
    assert!(missing.into_service_error().is_no_such_bucket());
}

#[tokio::test(flavor = "multi_thread")]
async fn parts_become_one_object_once() {
    let (emulators, client) = bucket().await;
    let upload = client.create_multipart_upload().bucket("portico-files").key("big").send().await.unwrap();
    let id = upload.upload_id().unwrap();
    let parts = [vec![b'a'; 5 * 1024 * 1024], b"the end".to_vec()];
    let mut completed = CompletedMultipartUpload::builder();
    for (number, content) in (1..).zip(&parts) {
        let part = client.upload_part().bucket("portico-files").key("big").upload_id(id).part_number(number);
        let part = part.body(ByteStream::from(content.clone())).send().await.unwrap();
        completed =
            completed.parts(CompletedPart::builder().part_number(number).set_e_tag(part.e_tag).build());
    }
    let completed = completed.build();
    let complete = || {
        let complete = client.complete_multipart_upload().bucket("portico-files").key("big").upload_id(id);
        complete.multipart_upload(completed.clone()).send()
    };
    assert!(emulators.object_events().receive(10, Duration::ZERO).await.unwrap().is_empty());
    let done = complete().await.unwrap();
    assert!(done.e_tag().unwrap().ends_with("-2\""), "{:?}", done.e_tag());
    assert_eq!(get(&client, "big").await, parts.concat());
    assert_eq!(complete().await.unwrap_err().into_service_error().code(), Some("NoSuchUpload"));

    client
        .copy_object()
        .bucket("portico-files")
        .key("copy")
        .copy_source("portico-files/big")
        .send()
        .await
        .unwrap();
    let events = emulators.object_events().receive(10, Duration::ZERO).await.unwrap();
    let names: Vec<_> = events.iter().map(|event| (event.event_name, event.key.as_str())).collect();
    assert_eq!(names, [("ObjectCreated:CompleteMultipartUpload", "big"), ("ObjectCreated:Copy", "copy")]);
    assert!(events[0].sequencer < events[1].sequencer);

    let upload = client.create_multipart_upload().bucket("portico-files").key("other").send().await.unwrap();
    let id = upload.upload_id().unwrap();
    client.abort_multipart_upload().bucket("portico-files").key("other").upload_id(id).send().await.unwrap();
    let parts =
        client.list_parts().bucket("portico-files").key("other").upload_id(id).send().await.unwrap_err();
    assert_eq!(parts.into_service_error().code(), Some("NoSuchUpload"));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_is_read_without_http_as_it_was_when_it_was_opened() {
    let (emulators, client) = bucket().await;
    put(&client, "a/b", CONTENT).await;
    let objects = emulators.objects();
    let mut content = objects.content("portico-files", "a/b").await.unwrap().unwrap();
    assert_eq!(content.e_tag, hex::encode(md5::Md5::digest(CONTENT)));
    put(&client, "a/b", b"something else").await;
    client.delete_object().bucket("portico-files").key("a/b").send().await.unwrap();
    let mut read = Vec::new();
    content.content.read_to_end(&mut read).await.unwrap();
    assert_eq!(read, CONTENT);
    assert!(objects.content("portico-files", "a/b").await.unwrap().is_none());
    let elsewhere = objects.content("portico-elsewhere", "a/b").await;
    assert!(matches!(elsewhere, Err(ObjectError::NoSuchBucket(_))));
}
