//! Content as a stream.

use std::time::Duration;

use portico_aws::BEGINNING_BYTES_MAX;

use crate::store::{Store, bytes, sha256};

const KEY: &str = "accounts/a/files/f";

/// Longer than every time limit of a call.
const PAUSE: Duration = Duration::from_secs(10);

pub async fn a_long_object_is_read_slowly_and_whole(store: &Store) {
    // More than the buffers between here and there hold.
    let content = bytes(32 * 1024 * 1024, 1);
    let mut writer = store.bucket.writer(KEY, "text/plain").await.unwrap();
    writer.write(content.clone().into()).await.unwrap();
    writer.finish().await.unwrap();

    let mut read = store.bucket.read(KEY).await.unwrap().unwrap();
    assert_eq!(read.size(), 32 * 1024 * 1024);
    let mut all = read.next().await.unwrap().unwrap().to_vec();
    tokio::time::sleep(PAUSE).await;
    let (mut largest, began) = (0, tokio::time::Instant::now());
    while let Some(piece) = read.next().await.unwrap() {
        largest = largest.max(piece.len());
        all.extend_from_slice(&piece);
        // The other half of it slowly, piece by piece.
        if all.len() > content.len() / 2 && began.elapsed() < PAUSE {
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }
    assert_eq!(sha256(&all), sha256(&content));
    assert!(largest <= 1024 * 1024, "a piece of {largest} bytes");
}

pub async fn the_beginning_of_an_object_is_no_more_than_that(store: &Store) {
    let content = bytes(2 * 1024 * 1024, 1);
    store.bucket.put(KEY, "text/plain", content.clone().into()).await.unwrap();
    for wanted in [1, 16, 4096, 100_000, BEGINNING_BYTES_MAX, BEGINNING_BYTES_MAX + 1, u64::MAX] {
        let got = store.bucket.beginning(KEY, wanted).await.unwrap().unwrap();
        let most = usize::try_from(wanted.min(BEGINNING_BYTES_MAX)).unwrap();
        assert_eq!(got, content[..most], "{wanted}");
    }
    store.bucket.put(KEY, "text/plain", "short".into()).await.unwrap();
    assert_eq!(store.bucket.beginning(KEY, 4096).await.unwrap().unwrap(), "short");
}

pub async fn case_f05_what_is_empty_or_missing_is_told_apart(store: &Store) {
    for _ in 0..2 {
        assert_eq!(store.bucket.facts(KEY).await.unwrap(), None);
        assert!(store.bucket.read(KEY).await.unwrap().is_none());
        assert_eq!(store.bucket.beginning(KEY, 16).await.unwrap(), None);
        store.bucket.put(KEY, "text/plain", "".into()).await.unwrap();
        assert_eq!(store.bucket.facts(KEY).await.unwrap().unwrap().size, 0);
        assert_eq!(store.content(KEY).await, b"");
        assert_eq!(store.bucket.beginning(KEY, 16).await.unwrap().unwrap(), "");
        store.bucket.erase(KEY).await.unwrap();
    }
}
