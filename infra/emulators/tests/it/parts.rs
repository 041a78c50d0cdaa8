//! S3: uploads in parts, and the files behind objects.

use std::path::Path;

use aws_sdk_s3::Client;
use aws_sdk_s3::error::ProvideErrorMetadata as _;
use aws_sdk_s3::operation::upload_part::UploadPartOutput;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{
    ChecksumAlgorithm, ChecksumMode, ChecksumType, CompletedMultipartUpload, CompletedPart,
};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use portico_emulators::{BucketSpec, Emulators};
use sha2::{Digest as _, Sha256};

use crate::support::{Clients, config};

const BUCKET: &str = "portico-files";
/// The smallest part that is not the last.
const PART: usize = 5 * 1024 * 1024;

async fn started(data: &Path) -> (Emulators, Client) {
    let emulators = Emulators::start(config(Some(data))).await.unwrap();
    emulators.create_bucket(BucketSpec::plain(BUCKET)).await.unwrap();
    let client = Clients::of(&emulators).s3;
    (emulators, client)
}

fn files(data: &Path) -> usize {
    std::fs::read_dir(data.join("objects")).unwrap().count()
}

fn sha256(content: &[u8]) -> String {
    STANDARD.encode(Sha256::digest(content))
}

async fn begin(client: &Client, key: &str) -> String {
    let begin = client.create_multipart_upload().bucket(BUCKET).key(key);
    let begun = begin.checksum_algorithm(ChecksumAlgorithm::Sha256).send().await.unwrap();
    assert_eq!(begun.checksum_type(), Some(&ChecksumType::Composite));
    begun.upload_id.unwrap()
}

async fn send(client: &Client, key: &str, upload: &str, number: i32, content: Vec<u8>) -> UploadPartOutput {
    let part = client.upload_part().bucket(BUCKET).key(key).upload_id(upload).part_number(number);
    part.checksum_algorithm(ChecksumAlgorithm::Sha256).body(ByteStream::from(content)).send().await.unwrap()
}

fn completed(parts: &[(i32, UploadPartOutput)]) -> CompletedMultipartUpload {
    let parts = parts.iter().map(|(number, part)| {
        CompletedPart::builder()
            .part_number(*number)
            .set_e_tag(part.e_tag.clone())
            .set_checksum_sha256(part.checksum_sha256.clone())
            .build()
    });
    CompletedMultipartUpload::builder().set_parts(Some(parts.collect())).build()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_checksum_of_parts_is_told_as_one() {
    let data = tempfile::tempdir().unwrap();
    let (emulators, client) = started(data.path()).await;
    let upload = begin(&client, "big").await;
    let contents = [vec![b'a'; PART], b"the end".to_vec()];
    let mut sent = Vec::new();
    for (number, content) in (1..).zip(&contents) {
        let part = send(&client, "big", &upload, number, content.clone()).await;
        assert_eq!(part.checksum_sha256, Some(sha256(content)));
        sent.push((number, part));
    }
    let left_out = send(&client, "big", &upload, 7, vec![b'x'; 10]).await;
    assert!(left_out.e_tag.is_some());
    assert_eq!(files(data.path()), 3);
    let hashes = contents.iter().flat_map(|content| Sha256::digest(content).to_vec()).collect::<Vec<_>>();
    let composite = format!("{}-2", sha256(&hashes));

    let complete = || {
        let complete = client.complete_multipart_upload().bucket(BUCKET).key("big").upload_id(&upload);
        complete.multipart_upload(completed(&sent))
    };
    let other = complete().checksum_sha256(format!("{}-2", sha256(b"other"))).send().await.unwrap_err();
    assert_eq!(other.into_service_error().code(), Some("BadDigest"));
    let short = complete().mpu_object_size(1).send().await.unwrap_err();
    assert_eq!(short.into_service_error().code(), Some("InvalidRequest"));
    let done = complete().checksum_sha256(&composite).send().await.unwrap();
    assert_eq!(done.checksum_sha256(), Some(composite.as_str()));
    assert_eq!(done.checksum_type(), Some(&ChecksumType::Composite));
    assert_eq!(files(data.path()), 2, "the parts are the object, and nothing is left of the others");

    let head = client.head_object().bucket(BUCKET).key("big").send().await.unwrap();
    assert_eq!(head.checksum_sha256(), None, "only those who ask for it are told");
    let head = client.head_object().bucket(BUCKET).key("big").checksum_mode(ChecksumMode::Enabled);
    let head = head.send().await.unwrap();
    assert_eq!(head.checksum_sha256(), Some(composite.as_str()));
    assert_eq!(head.checksum_type(), Some(&ChecksumType::Composite));
    // Across the seam.
    let (from, to) = (PART - 2, PART + 2);
    let middle = client.get_object().bucket(BUCKET).key("big").range(format!("bytes={from}-{to}"));
    let middle = middle.send().await.unwrap();
    assert_eq!(middle.body.collect().await.unwrap().to_vec(), b"aathe");
    let end = client.get_object().bucket(BUCKET).key("big").range("bytes=-3").send().await.unwrap();
    assert_eq!(end.body.collect().await.unwrap().to_vec(), b"end");

    // A copy is one piece, and has the checksum of its content.
    let source = format!("{BUCKET}/big");
    client.copy_object().bucket(BUCKET).key("copy").copy_source(source).send().await.unwrap();
    let head = client.head_object().bucket(BUCKET).key("copy").checksum_mode(ChecksumMode::Enabled);
    let head = head.send().await.unwrap();
    assert_eq!(head.checksum_sha256(), Some(sha256(&contents.concat()).as_str()));
    assert_eq!(head.checksum_type(), Some(&ChecksumType::FullObject));
    assert!(!head.e_tag().unwrap().contains('-'), "{:?}", head.e_tag());
    assert_eq!(files(data.path()), 3);
    for key in ["big", "copy"] {
        client.delete_object().bucket(BUCKET).key(key).send().await.unwrap();
    }
    assert_eq!(files(data.path()), 0);
    emulators.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_part_has_the_checksum_that_its_upload_was_begun_with() {
    let data = tempfile::tempdir().unwrap();
    let (_emulators, client) = started(data.path()).await;
    let upload = begin(&client, "key").await;
    let part = client.upload_part().bucket(BUCKET).key("key").upload_id(&upload).part_number(1);
    let other = part.checksum_algorithm(ChecksumAlgorithm::Crc32).body(ByteStream::from_static(b"part"));
    let error = other.send().await.unwrap_err().into_service_error();
    assert_eq!(error.code(), Some("InvalidRequest"));
    assert!(error.message().unwrap().contains("expected checksum Type: SHA256"), "{error:?}");
    for number in [0, 10_001] {
        let part = client.upload_part().bucket(BUCKET).key("key").upload_id(&upload).part_number(number);
        let error = part.body(ByteStream::from_static(b"part")).send().await.unwrap_err();
        assert_eq!(error.into_service_error().code(), Some("InvalidArgument"));
    }
    let begin = client.create_multipart_upload().bucket(BUCKET).key("key");
    let whole = begin.checksum_algorithm(ChecksumAlgorithm::Sha256).checksum_type(ChecksumType::FullObject);
    let error = whole.send().await.unwrap_err().into_service_error();
    assert_eq!(error.code(), Some("InvalidRequest"), "S3 cannot join SHA-256s");
    assert_eq!(files(data.path()), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn parts_and_uploads_are_listed_page_by_page() {
    let data = tempfile::tempdir().unwrap();
    let (_emulators, client) = started(data.path()).await;
    let mut uploads = Vec::new();
    for key in ["a", "a", "b/1", "b/2", "c"] {
        uploads.push((key.to_owned(), begin(&client, key).await));
    }
    uploads.sort();
    for page in [1, 2, 3, 5, 1000] {
        let (mut all, mut key, mut id) = (Vec::new(), None, None);
        loop {
            let asked = client.list_multipart_uploads().bucket(BUCKET).max_uploads(page);
            let found = asked.set_key_marker(key).set_upload_id_marker(id).send().await.unwrap();
            let named = found.uploads().iter();
            all.extend(named.map(|upload| (upload.key.clone().unwrap(), upload.upload_id.clone().unwrap())));
            if found.is_truncated != Some(true) {
                break;
            }
            (key, id) = (found.next_key_marker, found.next_upload_id_marker);
        }
        assert_eq!(all, uploads, "pages of {page}");
    }
    let below = client.list_multipart_uploads().bucket(BUCKET).prefix("b/").send().await.unwrap();
    assert_eq!(below.uploads().len(), 2);
    assert_eq!(below.uploads()[0].checksum_algorithm(), Some(&ChecksumAlgorithm::Sha256));

    let (key, upload) = &uploads[0];
    for number in [1, 2, 3, 50, 10_000] {
        send(&client, key, upload, number, number.to_string().into_bytes()).await;
    }
    for page in [1, 2, 4, 5, 1000] {
        let (mut numbers, mut after) = (Vec::new(), None);
        loop {
            let asked = client.list_parts().bucket(BUCKET).key(key).upload_id(upload).max_parts(page);
            let found = asked.set_part_number_marker(after).send().await.unwrap();
            for part in found.parts() {
                let number = part.part_number.unwrap();
                assert_eq!(part.checksum_sha256, Some(sha256(number.to_string().as_bytes())));
                numbers.push(number);
            }
            if found.is_truncated != Some(true) {
                break;
            }
            after = found.next_part_number_marker;
        }
        assert_eq!(numbers, [1, 2, 3, 50, 10_000], "pages of {page}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn parts_are_joined_only_where_the_condition_holds() {
    let data = tempfile::tempdir().unwrap();
    let (_emulators, client) = started(data.path()).await;
    let upload = begin(&client, "key").await;
    let sent = [(1, send(&client, "key", &upload, 1, b"parts".to_vec()).await)];
    let body = ByteStream::from_static(b"earlier");
    client.put_object().bucket(BUCKET).key("key").body(body).send().await.unwrap();
    let complete = || {
        let complete = client.complete_multipart_upload().bucket(BUCKET).key("key").upload_id(&upload);
        complete.multipart_upload(completed(&sent)).if_none_match("*").send()
    };
    assert_eq!(complete().await.unwrap_err().into_service_error().code(), Some("PreconditionFailed"));
    client.delete_object().bucket(BUCKET).key("key").send().await.unwrap();
    complete().await.unwrap();
    assert_eq!(files(data.path()), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_being_read_stays_until_it_is_read() {
    let data = tempfile::tempdir().unwrap();
    let (_emulators, client) = started(data.path()).await;
    let upload = begin(&client, "key").await;
    let mut sent = Vec::new();
    // More than the buffers between here and there hold, in files that are opened one after the other.
    for number in 1..=6 {
        let content = vec![u8::try_from(number).unwrap(); PART];
        sent.push((number, send(&client, "key", &upload, number, content).await));
    }
    let complete = client.complete_multipart_upload().bucket(BUCKET).key("key").upload_id(&upload);
    complete.multipart_upload(completed(&sent)).send().await.unwrap();

    let mut read = client.get_object().bucket(BUCKET).key("key").send().await.unwrap().body;
    let mut all = read.next().await.unwrap().unwrap().to_vec();
    client.delete_object().bucket(BUCKET).key("key").send().await.unwrap();
    let gone = client.head_object().bucket(BUCKET).key("key").send().await.unwrap_err();
    assert!(gone.into_service_error().is_not_found());
    while let Some(piece) = read.next().await {
        all.extend_from_slice(&piece.unwrap());
    }
    assert_eq!(all.len(), 6 * PART);
    assert!(all.chunks(PART).zip(1_u8..).all(|(part, number)| part.iter().all(|byte| *byte == number)));
    for _ in 0..500 {
        if files(data.path()) == 0 {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    panic!("what nobody reads any more is still there");
}
