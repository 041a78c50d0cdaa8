//! Links: what they take and give, and that they are good for nothing else.

use jiff::SignedDuration;
use portico_aws::Checksum;
use portico_domain::files::PresignedRequest;
use reqwest::{Method, Url};

use crate::store::{PART, Store, WINDOW, base64, bytes, declared, media_type, now, part, sha256};

const KEY: &str = "accounts/a/files/f";
const OTHER_KEY: &str = "accounts/b/files/f";
const CONTENT: &[u8] = b"the content";
/// As long as [`CONTENT`].
const OTHER: &[u8] = b"other words";

fn with_url(link: &PresignedRequest, url: impl Into<String>) -> PresignedRequest {
    PresignedRequest { url: url.into(), ..link.clone() }
}

fn with_header(link: &PresignedRequest, name: &str, value: &str) -> PresignedRequest {
    let mut other = link.clone();
    let header = other.headers.iter_mut().find(|(known, _)| known == name);
    header.unwrap_or_else(|| panic!("{link:?} has no {name}")).1 = value.to_owned();
    other
}

fn without_header(link: &PresignedRequest, name: &str) -> PresignedRequest {
    let mut other = link.clone();
    other.headers.retain(|(known, _)| known != name);
    assert_ne!(&other, link);
    other
}

fn with_key(link: &PresignedRequest, key: &str) -> PresignedRequest {
    let mut url: Url = link.url.parse().unwrap();
    let bucket = url.path().split('/').nth(1).unwrap().to_owned();
    url.set_path(&format!("/{bucket}/{key}"));
    with_url(link, url)
}

/// The same link with another value of a parameter, or without it.
fn with_parameter(link: &PresignedRequest, name: &str, value: Option<&str>) -> PresignedRequest {
    let mut url: Url = link.url.parse().unwrap();
    let pairs: Vec<(String, String)> = url.query_pairs().into_owned().collect();
    assert!(pairs.iter().any(|(known, old)| known == name && Some(old.as_str()) != value), "{url}: {name}");
    let kept = pairs.into_iter().filter_map(|(known, old)| match value {
        Some(value) if known == name => Some((known, value.to_owned())),
        None if known == name => None,
        _ => Some((known, old)),
    });
    let kept: Vec<_> = kept.collect();
    url.query_pairs_mut().clear().extend_pairs(kept);
    with_url(link, url)
}

/// What somebody may try with a link besides what it is for, and the status of S3's refusal.
fn tampered(link: &PresignedRequest) -> Vec<(PresignedRequest, &'static str)> {
    let zeros = "0".repeat(64);
    let yesterday = now().checked_sub(SignedDuration::from_hours(24)).unwrap();
    let yesterday = yesterday.strftime("%Y%m%dT%H%M%SZ").to_string();
    let mut moved: Url = link.url.parse().unwrap();
    moved.query_pairs_mut().append_pair("x-amz-acl", "public-read");
    vec![
        (with_key(link, OTHER_KEY), "another key"),
        (with_parameter(link, "X-Amz-Signature", Some(&zeros)), "another signature"),
        (with_parameter(link, "X-Amz-Expires", Some("86400")), "a longer life"),
        (with_parameter(link, "X-Amz-Date", Some(&yesterday)), "another date"),
        (with_parameter(link, "X-Amz-SignedHeaders", Some("host;x-id")), "other headers"),
        (with_url(link, moved), "one more parameter"),
    ]
}

pub async fn case_f01_an_upload_link_takes_what_was_declared_and_nothing_else(store: &Store) {
    let link = store.bucket.presign_upload(KEY, &declared(CONTENT), now(), WINDOW).await.unwrap();
    assert_eq!(link.method, "PUT");
    let names: Vec<&str> = link.headers.iter().map(|(name, _)| name.as_str()).collect();
    for name in ["content-length", "content-type", "x-amz-checksum-sha256"] {
        assert!(names.contains(&name), "{names:?}");
    }

    for (content, what) in [(&CONTENT[..10], "shorter"), (b"the content and more", "longer"), (b"", "empty")]
    {
        let refused = store.send(&link, content).await;
        refused.refused(403, "SignatureDoesNotMatch", what);
        store.nothing(KEY, what).await;
    }
    let other = base64(&sha256(OTHER));
    for (link, content, what) in [
        (with_header(&link, "content-type", "text/html"), CONTENT, "another type"),
        (with_header(&link, "x-amz-checksum-sha256", &other), OTHER, "another checksum"),
        (without_header(&link, "content-type"), CONTENT, "no type"),
        (without_header(&link, "x-amz-checksum-sha256"), OTHER, "no checksum"),
    ] {
        let refused = store.send(&link, content).await;
        refused.refused(403, "SignatureDoesNotMatch", what);
        store.nothing(KEY, what).await;
    }
    let refused = store.send(&link, OTHER).await;
    refused.refused(400, "BadDigest", "other content of the same length");
    store.nothing(KEY, "other content of the same length").await;
    for (link, what) in tampered(&link) {
        let refused = store.send(&link, CONTENT).await;
        assert_eq!(refused.status, 403, "{what}: {}", refused.code());
        store.nothing(KEY, what).await;
        store.nothing(OTHER_KEY, what).await;
    }
    for method in [Method::POST, Method::GET, Method::DELETE] {
        let refused = store.send_as(&link, method.clone(), CONTENT).await;
        assert!((400..500).contains(&refused.status), "{method}: {}", refused.status);
        store.nothing(KEY, method.as_str()).await;
    }

    let taken = store.send(&link, CONTENT).await;
    assert_eq!(taken.status, 200, "{}", String::from_utf8_lossy(&taken.body));
    let facts = store.bucket.facts(KEY).await.unwrap().unwrap();
    assert_eq!(facts.size, 11);
    assert_eq!(facts.checksum, Some(Checksum::of_whole(&sha256(CONTENT))));
    assert_eq!(facts.content_type.as_deref(), Some("text/plain"));
    assert_eq!(store.content(KEY).await, CONTENT);

    let refused = store.send(&link, OTHER).await;
    refused.refused(400, "BadDigest", "other content over what is there");
    assert_eq!(store.content(KEY).await, CONTENT);
}

pub async fn case_f01_a_link_of_a_part_takes_that_part_and_nothing_else(store: &Store) {
    let upload = store.bucket.begin_parts(KEY, &media_type("application/zip")).await.unwrap();
    let other_upload = store.bucket.begin_parts(OTHER_KEY, &media_type("text/plain")).await.unwrap();
    let declared = part(2, CONTENT);
    let link = store.bucket.presign_part(KEY, &upload, &declared, now(), WINDOW).await.unwrap();
    assert_eq!(link.method, "PUT");
    let none = async |what: &str| {
        for (key, upload) in [(KEY, &upload), (OTHER_KEY, &other_upload)] {
            assert_eq!(store.bucket.parts(key, upload).await.unwrap(), Some(Vec::new()), "{what}");
        }
    };

    let other = base64(&sha256(OTHER));
    let other_part = with_parameter(&link, "partNumber", Some("1"));
    for (link, content, what) in [
        (link.clone(), &CONTENT[..10], "shorter"),
        (link.clone(), b"the content and more", "longer"),
        (with_header(&link, "x-amz-checksum-sha256", &other), OTHER, "another checksum"),
        (without_header(&link, "x-amz-checksum-sha256"), OTHER, "no checksum"),
        (other_part, CONTENT, "another part"),
        (with_parameter(&link, "uploadId", Some(&other_upload.0)), CONTENT, "another upload"),
    ] {
        let refused = store.send(&link, content).await;
        refused.refused(403, "SignatureDoesNotMatch", what);
        none(what).await;
    }
    let refused = store.send(&link, OTHER).await;
    refused.refused(400, "BadDigest", "other content of the same length");
    none("other content of the same length").await;
    for (link, what) in tampered(&link) {
        let refused = store.send(&link, CONTENT).await;
        assert_eq!(refused.status, 403, "{what}: {}", refused.code());
        none(what).await;
    }

    let taken = store.send(&link, CONTENT).await;
    assert_eq!(taken.status, 200, "{}", String::from_utf8_lossy(&taken.body));
    let stored = store.bucket.parts(KEY, &upload).await.unwrap().unwrap();
    let [stored] = stored.as_slice() else { panic!("{stored:?}") };
    assert_eq!((stored.number, stored.size), (2, 11));
    assert_eq!(stored.sha256, Some(base64(&sha256(CONTENT))));
    store.nothing(KEY, "a part is no object").await;
}

pub async fn case_f06_a_download_link_gives_its_object_as_it_says_and_nothing_else(store: &Store) {
    for (key, content) in [(KEY, CONTENT), (OTHER_KEY, OTHER)] {
        store.bucket.put(key, "text/html", content.into()).await.unwrap();
    }
    let disposition = "attachment; filename=\"Pr_fung.pdf\"; filename*=UTF-8''Pr%C3%BCfung.pdf";
    let link =
        store.bucket.presign_download(KEY, disposition, "application/pdf", now(), WINDOW).await.unwrap();
    assert_eq!((link.method, link.headers.as_slice()), ("GET", [].as_slice()));

    let got = store.send(&link, "").await;
    assert_eq!((got.status, got.body.as_slice()), (200, CONTENT));
    assert_eq!(got.header("content-disposition"), disposition);
    assert_eq!(got.header("content-type"), "application/pdf");
    assert_eq!(got.header("cache-control"), "private, no-store");

    let mut tries = tampered(&link);
    for (name, value) in [
        ("response-content-disposition", Some("inline")),
        ("response-content-disposition", None),
        ("response-content-type", Some("text/html")),
        ("response-content-type", None),
    ] {
        tries.push((with_parameter(&link, name, value), name));
    }
    tries.push((with_key(&link, ""), "the whole bucket"));
    let bare = link.url.split('?').next().unwrap();
    // Those who do not sign at all are let in by ministack; S3 keeps a bucket that blocks public access to itself.
    if store.kind == crate::store::Kind::Portico {
        tries.push((with_url(&link, bare), "no signature"));
    }
    for (link, what) in tries {
        let refused = store.send(&link, "").await;
        assert_eq!(refused.status, 403, "{what}: {}", refused.code());
        for content in [CONTENT, OTHER] {
            assert!(!refused.body.windows(content.len()).any(|found| found == content), "{what}");
        }
    }
    for method in [Method::PUT, Method::DELETE, Method::POST] {
        let refused = store.send_as(&link, method.clone(), OTHER).await;
        assert!((400..500).contains(&refused.status), "{method}: {}", refused.status);
    }
    assert_eq!(store.content(KEY).await, CONTENT, "still there, and still what it was");
}

pub async fn case_f06_a_link_lapses_when_it_says(store: &Store) {
    store.bucket.put(OTHER_KEY, "text/plain", CONTENT.into()).await.unwrap();
    let upload = store.bucket.begin_parts(KEY, &media_type("text/plain")).await.unwrap();
    let (bucket, part) = (&store.bucket, part(1, CONTENT));
    // Whether the links of then still work now.
    for (age, works) in [(1, true), (4, true), (6, false), (60, false)] {
        let then = now().checked_sub(SignedDuration::from_mins(age)).unwrap();
        let links = [
            (bucket.presign_upload(KEY, &declared(CONTENT), then, WINDOW).await.unwrap(), CONTENT),
            (bucket.presign_part(KEY, &upload, &part, then, WINDOW).await.unwrap(), CONTENT),
            (bucket.presign_download(OTHER_KEY, "attachment", "a/b", then, WINDOW).await.unwrap(), b""),
        ];
        for (link, content) in links {
            assert_eq!(link.expires_at > now(), works, "{link:?}");
            let answer = store.send(&link, content).await;
            match works {
                true => assert_eq!(answer.status, 200, "{age}: {link:?}"),
                false => answer.refused(403, "AccessDenied", &format!("{age}: {link:?}")),
            }
        }
        if works {
            bucket.erase(KEY).await.unwrap();
        }
    }
    store.nothing(KEY, "after links that had lapsed").await;
}

pub async fn case_f05_the_same_link_may_be_used_again(store: &Store) {
    let content = bytes(PART, 1);
    let upload = store.bucket.begin_parts(KEY, &media_type("text/plain")).await.unwrap();
    let declared = declared(&content);
    let whole = store.bucket.presign_upload(OTHER_KEY, &declared, now(), WINDOW).await.unwrap();
    let part = store.bucket.presign_part(KEY, &upload, &part(1, &content), now(), WINDOW).await.unwrap();
    for link in [&whole, &part, &whole, &part] {
        assert_eq!(store.send(link, content.clone()).await.status, 200);
    }
    assert_eq!(store.content(OTHER_KEY).await, content);
    assert_eq!(store.bucket.parts(KEY, &upload).await.unwrap().unwrap().len(), 1);
}
