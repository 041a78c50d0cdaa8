//! Erasing for good.

use crate::store::{Store, bytes};

const KEY: &str = "accounts/a/files/f";
/// Begins with [`KEY`], and is another object.
const LONGER: &str = "accounts/a/files/f2";

async fn erases(store: &Store) {
    store.bucket.erase(KEY).await.unwrap();
    let empty = store.kept().await;
    store.bucket.put(LONGER, "text/plain", "stays".into()).await.unwrap();
    store.bucket.put("accounts/a/files", "text/plain", "stays".into()).await.unwrap();
    let others = store.kept().await;
    for number in 0..3_u8 {
        store.bucket.put(KEY, "text/plain", bytes(1000, number).into()).await.unwrap();
    }
    let mut writer = store.bucket.writer(KEY, "text/plain").await.unwrap();
    writer.write("of a part".into()).await.unwrap();
    writer.finish().await.unwrap();
    assert!(store.kept().await > others);
    assert_eq!(store.content(KEY).await, b"of a part");
    for _ in 0..2 {
        store.bucket.erase(KEY).await.unwrap();
        store.nothing(KEY, "what was erased").await;
        assert_eq!(store.kept().await, others);
    }
    assert_eq!(store.content(LONGER).await, b"stays");
    store.bucket.put(KEY, "text/plain", "again".into()).await.unwrap();
    assert_eq!(store.content(KEY).await, b"again");
    for key in [KEY, LONGER, "accounts/a/files"] {
        store.bucket.erase(key).await.unwrap();
    }
    assert_eq!(store.kept().await, empty);
}

pub async fn an_erased_object_leaves_nothing_with_versions(store: &Store) {
    for number in 0..2_u8 {
        store.bucket.put("accounts/a/versions", "text/plain", bytes(1000, number).into()).await.unwrap();
    }
    assert_eq!(store.kept().await, 2, "what is overwritten is kept");
    erases(store).await;
}

pub async fn an_erased_object_leaves_nothing_without_versions(store: &Store) {
    let store = store.without_versions("an_erased_object_leaves_nothing_without_versions").await;
    for number in 0..2_u8 {
        store.bucket.put("accounts/a/versions", "text/plain", bytes(1000, number).into()).await.unwrap();
    }
    assert_eq!(store.kept().await, 1, "what is overwritten is gone");
    erases(&store).await;
}
