//! Streams hold what has just arrived, however long they are.

use std::process::Stdio;

use portico_aws::{Bucket, Settings};
use tokio::process::Command;

use crate::store::{Store, bucket, bytes};

const KEY: &str = "accounts/a/files/f";
const MEBIBYTE: usize = 1024 * 1024;
/// What one object may need at its peak: two parts of 16 MiB, what arrives meanwhile, and the program.
const PEAK_MIB_MAX: usize = 128;
/// What an object four times as long, 192 MiB longer, may need more: what the allocator does not give back at once, and
/// what piles up on a busy machine.
const GROWTH_MIB_MAX: usize = 48;

/// Measured in a process that does nothing else: not even keep the objects.
#[tokio::test(flavor = "multi_thread")]
async fn case_f06_streams_need_the_same_memory_for_every_length() {
    let store = Store::portico("memory").await;
    let child = Command::new(std::env::current_exe().unwrap())
        .args(["memory::copies_for_its_parent", "--exact", "--ignored", "--nocapture"])
        .env("COPIES_URL", &store.url)
        .env("COPIES_BUCKET", &store.name)
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output()
        .await
        .unwrap();
    let printed = String::from_utf8(child.stdout).unwrap();
    assert!(child.status.success(), "{printed}{}", String::from_utf8_lossy(&child.stderr));
    let peaks: Vec<usize> = printed
        .lines()
        .filter_map(|line| line.split_once("peak MiB ").and_then(|(_, peak)| peak.trim().parse().ok()))
        .collect();
    let [short, long] = peaks.as_slice() else { panic!("{printed}") };
    assert!(*long <= PEAK_MIB_MAX && *long <= short + GROWTH_MIB_MAX, "{printed}");
    println!("{short} MiB for 64 MiB, {long} MiB for 256 MiB");
}

/// The other process of the test above, not a test.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "started by case_f06_streams_need_the_same_memory_for_every_length"]
async fn copies_for_its_parent() {
    let settings = Settings::of_process();
    let Some(url) = settings.optional("COPIES_URL") else { return };
    let bucket = bucket(url, settings.text("COPIES_BUCKET").unwrap());
    for length in [64, 256] {
        copy(&bucket, length).await;
        let status = std::fs::read_to_string("/proc/self/status").unwrap();
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        let peak: usize = peak.trim().trim_end_matches(" kB").parse().unwrap();
        println!("\npeak MiB {}", peak / 1024);
    }
}

/// Writes an object of so many mebibytes, and writes it again from what is read of it.
async fn copy(bucket: &Bucket, mebibytes: usize) {
    let piece = bytes::Bytes::from(bytes(MEBIBYTE, 1));
    let mut first = bucket.writer(KEY, "text/plain").await.unwrap();
    for _ in 0..mebibytes {
        first.write(piece.clone()).await.unwrap();
    }
    first.finish().await.unwrap();
    let mut read = bucket.read(KEY).await.unwrap().unwrap();
    let mut second = bucket.writer("accounts/a/archives/z", "text/plain").await.unwrap();
    while let Some(piece) = read.next().await.unwrap() {
        second.write(piece).await.unwrap();
    }
    assert_eq!(second.finish().await.unwrap(), u64::try_from(mebibytes * MEBIBYTE).unwrap());
}
