//! S3: versions, marks of deletions, and what buckets remove by themselves.

use std::time::Duration;

use aws_sdk_s3::Client;
use aws_sdk_s3::error::ProvideErrorMetadata as _;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{BucketVersioningStatus, Delete, ObjectIdentifier, VersioningConfiguration};
use portico_emulators::{BucketSpec, Emulators, LifecycleRule};

use crate::support::{Clients, ManualClock, start, start_with};

const BUCKET: &str = "portico-files";
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

async fn put(client: &Client, key: &str, content: &str) -> Option<String> {
    let body = ByteStream::from(content.as_bytes().to_vec());
    client.put_object().bucket(BUCKET).key(key).body(body).send().await.unwrap().version_id
}

async fn get(client: &Client, key: &str, version: Option<&str>) -> Result<String, (u16, String)> {
    let asked = client.get_object().bucket(BUCKET).key(key).set_version_id(version.map(str::to_owned));
    match asked.send().await {
        Ok(object) => Ok(String::from_utf8(object.body.collect().await.unwrap().to_vec()).unwrap()),
        Err(error) => {
            let status = error.raw_response().unwrap().status().as_u16();
            Err((status, error.into_service_error().code().unwrap_or_default().to_owned()))
        }
    }
}

fn refused<T>(status: u16, code: &str) -> Result<T, (u16, String)> {
    Err((status, code.to_owned()))
}

async fn delete(client: &Client, key: &str, version: Option<&str>) -> (Option<bool>, Option<String>) {
    let asked = client.delete_object().bucket(BUCKET).key(key).set_version_id(version.map(str::to_owned));
    let done = asked.send().await.unwrap();
    (done.delete_marker, done.version_id)
}

/// Key, version, whether it is a mark and whether it is the newest, in the order of the listing.
#[expect(clippy::panic, reason = "a listing that does not end fails its test")]
async fn listed(client: &Client, prefix: &str, page: i32) -> Vec<(String, String, bool, bool)> {
    let (mut all, mut key, mut version) = (Vec::new(), None, None);
    for _ in 0..100 {
        let asked = client.list_object_versions().bucket(BUCKET).prefix(prefix).max_keys(page);
        let found = asked.set_key_marker(key).set_version_id_marker(version).send().await.unwrap();
        let (versions, markers) = (found.versions(), found.delete_markers());
        assert!(versions.len() + markers.len() <= usize::try_from(page).unwrap());
        // XML has them apart; of one key the newest comes first, and a test's marks are newer than its versions.
        for marker in markers {
            all.push((
                marker.key.clone().unwrap(),
                marker.version_id.clone().unwrap(),
                true,
                marker.is_latest.unwrap(),
            ));
        }
        for one in versions {
            all.push((
                one.key.clone().unwrap(),
                one.version_id.clone().unwrap(),
                false,
                one.is_latest.unwrap(),
            ));
        }
        if found.is_truncated != Some(true) {
            return all;
        }
        (key, version) = (found.next_key_marker, found.next_version_id_marker);
    }
    panic!("a listing without an end");
}

async fn versioned() -> (Emulators, Client) {
    let emulators = start().await;
    let spec = BucketSpec { versioned: true, ..BucketSpec::plain(BUCKET) };
    emulators.create_bucket(spec).await.unwrap();
    let client = Clients::of(&emulators).s3;
    (emulators, client)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_overwritten_and_deleted_can_be_read_by_its_version() {
    let (_emulators, client) = versioned().await;
    let first = put(&client, "key", "first").await.unwrap();
    let second = put(&client, "key", "second").await.unwrap();
    assert_ne!(first, second);
    assert_eq!(get(&client, "key", None).await.unwrap(), "second");
    assert_eq!(get(&client, "key", Some(&first)).await.unwrap(), "first");
    let head = client.head_object().bucket(BUCKET).key("key").send().await.unwrap();
    assert_eq!(head.version_id(), Some(second.as_str()));

    let (marker, mark) = delete(&client, "key", None).await;
    let mark = mark.unwrap();
    assert_eq!(marker, Some(true));
    assert_eq!(get(&client, "key", None).await, refused(404, "NoSuchKey"));
    let gone = client.get_object().bucket(BUCKET).key("key").send().await.unwrap_err();
    let headers = gone.raw_response().unwrap().headers();
    assert_eq!(headers.get("x-amz-delete-marker"), Some("true"));
    assert_eq!(headers.get("x-amz-version-id"), Some(mark.as_str()));
    assert_eq!(get(&client, "key", Some(&mark)).await, refused(405, "MethodNotAllowed"));
    assert_eq!(get(&client, "key", Some("0123")).await, refused(404, "NoSuchVersion"));
    assert_eq!(get(&client, "key", Some(&second)).await.unwrap(), "second");
    let objects = client.list_objects_v2().bucket(BUCKET).send().await.unwrap();
    assert_eq!(objects.key_count(), Some(0), "a listing of objects has no deleted ones");
    let entry = |id: &str, mark, newest| ("key".to_owned(), id.to_owned(), mark, newest);
    let all = [entry(&mark, true, true), entry(&second, false, false), entry(&first, false, false)];
    assert_eq!(listed(&client, "", 1000).await, all);
    let used = client.delete_bucket().bucket(BUCKET).send().await.unwrap_err();
    assert_eq!(used.into_service_error().code(), Some("BucketNotEmpty"));

    // Without the mark the object is back, and without its newest version the one before is it.
    assert_eq!(delete(&client, "key", Some(&mark)).await, (Some(true), Some(mark.clone())));
    assert_eq!(get(&client, "key", None).await.unwrap(), "second");
    assert_eq!(delete(&client, "key", Some(&second)).await, (None, Some(second.clone())));
    assert_eq!(get(&client, "key", None).await.unwrap(), "first");
    let copy = format!("{BUCKET}/key?versionId={first}");
    let copied = client.copy_object().bucket(BUCKET).key("copy").copy_source(copy).send().await.unwrap();
    assert_eq!(copied.copy_source_version_id(), Some(first.as_str()));
    assert_eq!(get(&client, "copy", copied.version_id()).await.unwrap(), "first");
    assert_eq!(delete(&client, "key", Some(&first)).await, (None, Some(first)));
    assert_eq!(get(&client, "key", None).await, refused(404, "NoSuchKey"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_condition_looks_at_the_object_and_not_at_its_versions() {
    let (_emulators, client) = versioned().await;
    let create = async |content: &'static str| {
        let create = client.put_object().bucket(BUCKET).key("key").if_none_match("*");
        let done = create.body(ByteStream::from_static(content.as_bytes())).send().await;
        done.map(drop).map_err(|error| error.into_service_error().code().unwrap_or_default().to_owned())
    };
    create("one").await.unwrap();
    assert_eq!(create("two").await, Err("PreconditionFailed".to_owned()));
    delete(&client, "key", None).await;
    create("three").await.unwrap();
    assert_eq!(get(&client, "key", None).await.unwrap(), "three");
}

#[tokio::test(flavor = "multi_thread")]
async fn versions_are_listed_page_by_page() {
    let (_emulators, client) = versioned().await;
    for key in ["a", "b/1", "b/2", "c"] {
        for content in ["1", "2", "3"] {
            put(&client, key, content).await.unwrap();
        }
    }
    let whole = listed(&client, "", 1000).await;
    assert_eq!(whole.len(), 12);
    assert_eq!(whole.iter().filter(|(_, _, _, newest)| *newest).count(), 4);
    for page in 1..=5 {
        assert_eq!(listed(&client, "", page).await, whole, "pages of {page}");
    }
    assert_eq!(listed(&client, "b/", 2).await, whole[3..9]);
    let folded = client.list_object_versions().bucket(BUCKET).delimiter("/").send().await.unwrap();
    assert_eq!(folded.common_prefixes()[0].prefix(), Some("b/"));
    assert_eq!(folded.versions().len(), 6);

    // Whoever deletes what a page lists before they ask for the next misses nothing.
    let mut seen = 0;
    let (mut key, mut version) = (None, None);
    for _ in 0..10 {
        let asked = client.list_object_versions().bucket(BUCKET).max_keys(2);
        let page = asked.set_key_marker(key).set_version_id_marker(version).send().await.unwrap();
        let named = page.versions().iter().map(|one| {
            let named = ObjectIdentifier::builder().key(one.key().unwrap());
            named.version_id(one.version_id().unwrap()).build().unwrap()
        });
        let delete = Delete::builder().set_objects(Some(named.collect())).build().unwrap();
        if delete.objects().is_empty() {
            break;
        }
        seen += delete.objects().len();
        let deleted = client.delete_objects().bucket(BUCKET).delete(delete).send().await.unwrap();
        assert!(
            deleted.deleted().iter().all(|one| one.version_id().is_some() && one.delete_marker().is_none())
        );
        (key, version) = (page.next_key_marker, page.next_version_id_marker);
    }
    assert_eq!(seen, 12);
    assert_eq!(listed(&client, "", 1000).await, []);
    let lacking = client.list_object_versions().bucket(BUCKET).version_id_marker("x").send().await;
    assert_eq!(lacking.unwrap_err().into_service_error().code(), Some("InvalidArgument"));
}

#[tokio::test(flavor = "multi_thread")]
async fn versions_can_be_begun_and_suspended() {
    let emulators = start().await;
    emulators.create_bucket(BucketSpec::plain(BUCKET)).await.unwrap();
    let client = Clients::of(&emulators).s3;
    let status = async || client.get_bucket_versioning().bucket(BUCKET).send().await.unwrap().status;
    let set = async |status: BucketVersioningStatus| {
        let configuration = VersioningConfiguration::builder().status(status).build();
        let set = client.put_bucket_versioning().bucket(BUCKET).versioning_configuration(configuration);
        set.send().await.unwrap();
    };
    assert_eq!(status().await, None);
    assert_eq!(put(&client, "key", "before").await, None);
    assert_eq!(listed(&client, "", 10).await, [("key".to_owned(), "null".to_owned(), false, true)]);
    assert_eq!(delete(&client, "none", None).await, (None, None));

    set(BucketVersioningStatus::Enabled).await;
    assert_eq!(status().await, Some(BucketVersioningStatus::Enabled));
    let during = put(&client, "key", "during").await.unwrap();
    assert_eq!(get(&client, "key", Some("null")).await.unwrap(), "before");

    set(BucketVersioningStatus::Suspended).await;
    assert_eq!(put(&client, "key", "after").await.as_deref(), Some("null"));
    assert_eq!(get(&client, "key", Some("null")).await.unwrap(), "after");
    assert_eq!(get(&client, "key", Some(&during)).await.unwrap(), "during");
    assert_eq!(delete(&client, "key", None).await, (Some(true), Some("null".to_owned())));
    let all = listed(&client, "", 10).await;
    let ids: Vec<_> = all.iter().map(|(_, id, mark, _)| (id.as_str(), *mark)).collect();
    assert_eq!(ids, [("null", true), (during.as_str(), false)]);

    // What the template says wins over what was there, as with CloudFormation.
    emulators.create_bucket(BucketSpec { versioned: true, ..BucketSpec::plain(BUCKET) }).await.unwrap();
    assert_eq!(status().await, Some(BucketVersioningStatus::Enabled));
    emulators.create_bucket(BucketSpec::plain(BUCKET)).await.unwrap();
    assert_eq!(status().await, Some(BucketVersioningStatus::Suspended));
}

/// Emulators whose clock stands at noon, with a bucket of these rules.
async fn with_rules(clock: &ManualClock, versioned: bool, rules: Vec<LifecycleRule>) -> (Emulators, Client) {
    let emulators = start_with(clock).await;
    emulators.create_bucket(BucketSpec { name: BUCKET.to_owned(), versioned, rules }).await.unwrap();
    let client = Clients::of(&emulators).s3;
    (emulators, client)
}

#[tokio::test(flavor = "multi_thread")]
async fn case_f03_abandoned_uploads_go_after_their_day() {
    let clock = ManualClock::new();
    let rule =
        LifecycleRule { prefix: "a/".to_owned(), abort_uploads_after: Some(1), ..LifecycleRule::default() };
    let (emulators, client) = with_rules(&clock, true, vec![rule]).await;
    for key in ["a/1", "b/1"] {
        let begun = client.create_multipart_upload().bucket(BUCKET).key(key).send().await.unwrap();
        let part = client.upload_part().bucket(BUCKET).key(key).upload_id(begun.upload_id().unwrap());
        part.part_number(1).body(ByteStream::from_static(b"part")).send().await.unwrap();
    }
    let uploads = async || {
        let found = client.list_multipart_uploads().bucket(BUCKET).send().await.unwrap();
        found.uploads().iter().map(|upload| upload.key.clone().unwrap()).collect::<Vec<_>>()
    };
    // S3 counts whole days, from the midnight after.
    clock.advance(DAY + DAY / 2 - Duration::from_secs(1));
    emulators.objects().sweep().await.unwrap();
    assert_eq!(uploads().await, ["a/1", "b/1"]);
    clock.advance(Duration::from_secs(1));
    emulators.objects().sweep().await.unwrap();
    assert_eq!(uploads().await, ["b/1"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn old_versions_and_lone_marks_go_when_their_rule_says() {
    let clock = ManualClock::new();
    let rule = LifecycleRule {
        expire_noncurrent_after: Some(2),
        remove_lone_markers: true,
        ..LifecycleRule::default()
    };
    let (emulators, client) = with_rules(&clock, true, vec![rule]).await;
    put(&client, "kept", "old").await;
    let kept = put(&client, "kept", "new").await.unwrap();
    put(&client, "deleted", "old").await;
    clock.advance(DAY * 10);
    // What counts is since when it is not the newest, not how old it is.
    let (_, mark) = delete(&client, "deleted", None).await;
    emulators.objects().sweep().await.unwrap();
    assert_eq!(listed(&client, "kept", 10).await, [("kept".to_owned(), kept, false, true)]);
    assert_eq!(listed(&client, "deleted", 10).await.len(), 2);
    assert_eq!(listed(&client, "deleted", 10).await[0].1, mark.unwrap());
    clock.advance(DAY * 3);
    emulators.objects().sweep().await.unwrap();
    assert_eq!(listed(&client, "deleted", 10).await, []);
    assert_eq!(get(&client, "kept", None).await.unwrap(), "new");
}

#[tokio::test(flavor = "multi_thread")]
async fn objects_expire_below_their_prefix() {
    for versioned in [false, true] {
        let clock = ManualClock::new();
        let rule =
            LifecycleRule { prefix: "drafts/".to_owned(), expire_after: Some(7), ..LifecycleRule::default() };
        let (emulators, client) = with_rules(&clock, versioned, vec![rule]).await;
        let left = async || {
            let objects = client.list_objects_v2().bucket(BUCKET).send().await.unwrap();
            objects.contents().iter().map(|object| object.key.clone().unwrap()).collect::<Vec<_>>()
        };
        put(&client, "drafts/old", "content").await;
        put(&client, "files/old", "content").await;
        clock.advance(DAY * 7);
        put(&client, "drafts/new", "content").await;
        emulators.objects().sweep().await.unwrap();
        assert_eq!(left().await, ["drafts/new", "drafts/old", "files/old"]);
        clock.advance(DAY);
        emulators.objects().sweep().await.unwrap();
        assert_eq!(left().await, ["drafts/new", "files/old"]);
        // With versions it is only deleted, as if somebody had done it.
        let below = listed(&client, "drafts/old", 10).await;
        assert_eq!(below.len(), if versioned { 2 } else { 0 }, "{below:?}");
    }
}
