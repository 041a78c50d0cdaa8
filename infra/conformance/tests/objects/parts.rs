//! Objects that go up in parts.

use portico_aws::{Checksum, Joined};
use portico_domain::files::{MultipartId, Part, StoredPart};
use tokio::{io::AsyncWriteExt as _, net::TcpStream};

use crate::store::{Kind, PART, Store, WINDOW, base64, bytes, media_type, now, part};

const KEY: &str = "accounts/a/files/large";

/// Begins an upload of these contents, each one part.
async fn begun(store: &Store, contents: &[Vec<u8>]) -> (MultipartId, Vec<Part>) {
    let upload = store.bucket.begin_parts(KEY, &media_type("application/zip")).await.unwrap();
    let parts = (1..).zip(contents).map(|(number, content)| part(number, content)).collect();
    (upload, parts)
}

/// Sends one part by its link.
async fn send(store: &Store, upload: &MultipartId, part: &Part, content: &[u8]) {
    let link = store.bucket.presign_part(KEY, upload, part, now(), WINDOW).await.unwrap();
    let answer = store.send(&link, content.to_vec()).await;
    assert_eq!(answer.status, 200, "{}", String::from_utf8_lossy(&answer.body));
}

async fn stored(store: &Store, upload: &MultipartId) -> Vec<StoredPart> {
    store.bucket.parts(KEY, upload).await.unwrap().unwrap()
}

pub async fn case_f05_parts_become_one_object(store: &Store) {
    let contents = [bytes(PART, 1), bytes(PART + 7, 2), b"the end".to_vec()];
    let (upload, parts) = begun(store, &contents).await;
    assert_eq!(stored(store, &upload).await, []);
    // The last first: what counts is the number.
    for (part, content) in parts.iter().zip(&contents).rev() {
        send(store, &upload, part, content).await;
        store.nothing(KEY, "parts are no object").await;
    }
    let found = stored(store, &upload).await;
    assert_eq!(found.len(), parts.len());
    for (found, declared) in found.iter().zip(&parts) {
        assert_eq!((found.number, found.size), (declared.number, declared.size));
        assert_eq!(found.sha256, Some(base64(&declared.sha256)));
    }

    assert_eq!(store.bucket.join_parts(KEY, &upload, &found).await.unwrap(), Joined::Done);
    let facts = store.bucket.facts(KEY).await.unwrap().unwrap();
    assert_eq!(facts.size, parts.iter().map(|part| part.size).sum::<u64>());
    assert_eq!(facts.checksum, Some(Checksum::of_parts(&parts)));
    assert_eq!(facts.content_type.as_deref(), Some("application/zip"));
    assert_eq!(store.content(KEY).await, contents.concat());

    // Again, by somebody who does not know that it is done.
    let again = store.bucket.join_parts(KEY, &upload, &found).await.unwrap();
    match store.kind {
        Kind::Portico => assert_eq!(again, Joined::NoSuchUpload),
        // S3 documents NoSuchUpload for what was completed; ministack repeats its answer, as S3 is seen to do for a while.
        Kind::Ministack => assert_eq!(again, Joined::Done),
    }
    assert_eq!(store.bucket.facts(KEY).await.unwrap().unwrap(), facts, "which tells that it is there");
    assert_eq!(store.bucket.parts(KEY, &upload).await.unwrap(), None);
}

pub async fn case_f03_an_upload_goes_on_after_its_first_part(store: &Store) {
    let contents = [bytes(PART, 1), bytes(1000, 2)];
    let (upload, parts) = begun(store, &contents).await;
    send(store, &upload, &parts[0], &contents[0]).await;

    // Whoever goes on has only the id of the upload, and what was declared.
    let known = stored(store, &upload).await;
    let missing: Vec<&Part> =
        parts.iter().filter(|part| !known.iter().any(|stored| stored.number == part.number)).collect();
    assert_eq!(missing, [&parts[1]]);
    send(store, &upload, missing[0], &contents[1]).await;
    let joined = store.bucket.join_parts(KEY, &upload, &stored(store, &upload).await).await.unwrap();
    assert_eq!(joined, Joined::Done);
    assert_eq!(store.content(KEY).await, contents.concat());
}

pub async fn case_f03_a_client_that_dies_in_the_middle_leaves_nothing(store: &Store) {
    let contents = [bytes(PART, 1)];
    let (upload, parts) = begun(store, &contents).await;
    let before = store.kept().await;
    let link = store.bucket.presign_part(KEY, &upload, &parts[0], now(), WINDOW).await.unwrap();
    let url: reqwest::Url = link.url.parse().unwrap();
    let mut request = format!("PUT {}?{} HTTP/1.1\r\n", url.path(), url.query().unwrap());
    request.push_str(&format!("host: {}:{}\r\n", url.host_str().unwrap(), url.port().unwrap()));
    for (name, value) in &link.headers {
        request.push_str(&format!("{name}: {value}\r\n"));
    }
    assert!(request.contains(&format!("content-length: {PART}\r\n")), "{request}");
    for _ in 0..3 {
        let mut client = TcpStream::connect(url.socket_addrs(|| None).unwrap()[0]).await.unwrap();
        client.write_all(format!("{request}\r\n").as_bytes()).await.unwrap();
        client.write_all(&contents[0][..PART / 2]).await.unwrap();
        client.flush().await.unwrap();
        if store.kind == Kind::Portico {
            // Until the store has begun to keep it.
            wait_for(async || store.kept().await > before).await;
        }
        drop(client);
    }
    wait_for(async || store.kept().await == before).await;
    assert_eq!(stored(store, &upload).await, []);

    // The same link still works, and then there is exactly one.
    let answer = store.send(&link, contents[0].clone()).await;
    assert_eq!(answer.status, 200);
    assert_eq!(stored(store, &upload).await.len(), 1);
}

async fn wait_for(condition: impl AsyncFn() -> bool) {
    const TURNS: u32 = 500;
    for _ in 0..TURNS {
        if condition().await {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    panic!("it did not come to that");
}

pub async fn case_f03_an_abandoned_upload_is_gone(store: &Store) {
    let contents = [bytes(PART, 1)];
    let (upload, parts) = begun(store, &contents).await;
    let empty = store.kept().await;
    send(store, &upload, &parts[0], &contents[0]).await;
    let known = stored(store, &upload).await;
    for _ in 0..2 {
        store.bucket.abandon_parts(KEY, &upload).await.unwrap();
        assert_eq!(store.bucket.parts(KEY, &upload).await.unwrap(), None);
    }
    assert_eq!(store.kept().await, empty);
    let joined = store.bucket.join_parts(KEY, &upload, &known).await.unwrap();
    assert_eq!(joined, Joined::NoSuchUpload);
    // A short one: a store may answer before it has read a long one, and hang up.
    let late = part(2, b"late");
    let link = store.bucket.presign_part(KEY, &upload, &late, now(), WINDOW).await.unwrap();
    store.send(&link, "late").await.refused(404, "NoSuchUpload", "a part that comes too late");
    store.nothing(KEY, "an abandoned upload").await;
    assert_eq!(store.kept().await, empty);
}

pub async fn parts_that_are_not_those_of_the_store_are_not_joined(store: &Store) {
    let contents = [bytes(PART, 1), bytes(1000, 2)];
    let (upload, parts) = begun(store, &contents).await;
    for (part, content) in parts.iter().zip(&contents) {
        send(store, &upload, part, content).await;
    }
    let [first, second] = <[StoredPart; 2]>::try_from(stored(store, &upload).await).unwrap();
    let refused = |code: &str| Joined::Refused(code.to_owned());
    let missing = StoredPart { number: 3, ..second.clone() };
    let other_tag = StoredPart { e_tag: first.e_tag.clone(), ..second.clone() };
    let other_sum = StoredPart { sha256: first.sha256.clone(), ..second.clone() };
    let no_sum = StoredPart { sha256: None, ..second.clone() };
    let small = StoredPart { number: 1, ..second.clone() };
    for (named, what) in [
        (vec![first.clone(), second.clone(), missing], "a part that was not sent"),
        (vec![first.clone(), other_tag], "another e-tag"),
        (vec![first.clone(), other_sum], "another checksum"),
        (vec![small, second.clone()], "one part for another"),
    ] {
        let joined = store.bucket.join_parts(KEY, &upload, &named).await.unwrap();
        assert_eq!(joined, refused("InvalidPart"), "{what}");
        store.nothing(KEY, what).await;
    }
    // A part that is too small is one only because another follows.
    send(store, &upload, &part(3, b"another"), b"another").await;
    let all = stored(store, &upload).await;
    for (named, code, what) in [
        (vec![second.clone(), first.clone()], "InvalidPartOrder", "the wrong order"),
        (vec![first.clone(), first.clone()], "InvalidPartOrder", "one part twice"),
        (vec![first.clone(), no_sum], "InvalidRequest", "no checksum"),
        (all.clone(), "EntityTooSmall", "a part that is too small"),
    ] {
        // S3 documents each of these refusals for CompleteMultipartUpload; ministack sorts the parts, adds checksums
        // that are not named, and joins parts of any size.
        if store.kind == Kind::Ministack {
            continue;
        }
        let joined = store.bucket.join_parts(KEY, &upload, &named).await.unwrap();
        assert_eq!(joined, refused(code), "{what}");
        store.nothing(KEY, what).await;
    }

    // Nothing of this has harmed the upload.
    assert_eq!(stored(store, &upload).await, all);
    let joined = store.bucket.join_parts(KEY, &upload, &all[..2]).await.unwrap();
    assert_eq!(joined, Joined::Done);
    assert_eq!(store.content(KEY).await, contents.concat());
}
