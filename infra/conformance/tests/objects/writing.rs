//! Objects of unknown length.

use portico_aws::Checksum;

use crate::store::{Store, bytes, sha256};

const KEY: &str = "accounts/a/archives/z";
const MEBIBYTE: usize = 1024 * 1024;

pub async fn case_f06_an_object_of_unknown_length_is_seen_when_it_is_finished(store: &Store) {
    // Empty, less than one part, exactly one, exactly two, and what ends in the middle of the third.
    for length in [0, 1000, 16 * MEBIBYTE, 32 * MEBIBYTE, 40 * MEBIBYTE + 1] {
        let content = bytes(length, 1);
        let mut writer = store.bucket.writer(KEY, "application/zip").await.unwrap();
        // In pieces that fit nothing.
        for piece in content.chunks(1_000_003) {
            writer.write(piece.to_vec().into()).await.unwrap();
        }
        store.nothing(KEY, "what is not finished").await;
        assert_eq!(writer.finish().await.unwrap(), u64::try_from(length).unwrap());
        let facts = store.bucket.facts(KEY).await.unwrap().unwrap();
        assert_eq!(facts.size, u64::try_from(length).unwrap());
        let parts = length.div_ceil(16 * MEBIBYTE).max(1);
        assert!(matches!(facts.checksum, Some(Checksum::Parts { count, .. }) if count == parts), "{facts:?}");
        assert_eq!(facts.content_type.as_deref(), Some("application/zip"));
        assert_eq!(sha256(&store.content(KEY).await), sha256(&content));
        store.bucket.erase(KEY).await.unwrap();
    }
}

pub async fn an_object_that_is_given_up_was_never_there(store: &Store) {
    let empty = store.kept().await;
    for length in [0, 20 * MEBIBYTE] {
        let mut writer = store.bucket.writer(KEY, "application/zip").await.unwrap();
        writer.write(bytes(length, 1).into()).await.unwrap();
        writer.abandon().await.unwrap();
        store.nothing(KEY, "what was given up").await;
    }
    assert_eq!(store.kept().await, empty);
    // An earlier object stays what it is.
    store.bucket.put(KEY, "text/plain", "earlier".into()).await.unwrap();
    let mut writer = store.bucket.writer(KEY, "application/zip").await.unwrap();
    writer.write(bytes(20 * MEBIBYTE, 1).into()).await.unwrap();
    assert_eq!(store.content(KEY).await, b"earlier");
    writer.abandon().await.unwrap();
    assert_eq!(store.content(KEY).await, b"earlier");
}
