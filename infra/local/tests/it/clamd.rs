//! A real ClamAV daemon, with a signature of our own: the EICAR test file, and nothing from outside.
//!
//! `make clamd` installs it and runs these; without it they fail.

use std::io::{Cursor, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use portico_local::malware::{Clamd, Scanner, Verdict};
use portico_local::{LocalCloud, Options};
use serde_json::json;
use tempfile::TempDir;
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use crate::malware::{eicar, results, upload};
use crate::support::{Script, until};

/// What this daemon takes in one stream.
const STREAM_BYTES: usize = 1024 * 1024;

/// What it looks into.
const FILE_BYTES: usize = 512 * 1024;

/// The name of the signature in the database of these tests. ClamAV marks what does not come from its makers.
const SIGNATURE: &str = "Eicar-Test-Signature.UNOFFICIAL";

/// A running daemon; it ends with this.
struct Daemon {
    child: Child,
    address: SocketAddr,
    _directory: TempDir,
}

impl Daemon {
    async fn start() -> Self {
        let directory = TempDir::with_prefix("portico-clamd-").unwrap();
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let signatures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/signatures");
        let settings = [
            "Foreground yes".to_owned(),
            format!("DatabaseDirectory {}", signatures.display()),
            format!("TemporaryDirectory {}", directory.path().display()),
            format!("TCPAddr {}", address.ip()),
            format!("TCPSocket {}", address.port()),
            format!("StreamMaxLength {STREAM_BYTES}"),
            format!("MaxFileSize {FILE_BYTES}"),
            "AlertEncrypted yes".to_owned(),
            "AlertExceedsMax yes".to_owned(),
        ];
        let file = directory.path().join("clamd.conf");
        std::fs::write(&file, settings.join("\n")).unwrap();
        let child =
            Command::new(program()).arg("--config-file").arg(file).stdout(Stdio::null()).spawn().unwrap();
        let daemon = Self { child, address, _directory: directory };
        until("clamd to answer", async || daemon.answers()).await;
        daemon
    }

    fn answers(&self) -> bool {
        let Ok(mut stream) = TcpStream::connect(self.address) else { return false };
        let mut answer = Vec::new();
        stream.set_read_timeout(Some(Duration::from_secs(1))).unwrap();
        stream.write_all(b"zPING\0").is_ok() && stream.read_to_end(&mut answer).is_ok() && answer == b"PONG\0"
    }

    fn clamd(&self) -> Clamd {
        self.address.to_string().parse().unwrap()
    }

    async fn verdict(&self, content: &[u8]) -> Verdict {
        let scanner = Scanner::Clamd(self.clamd());
        scanner.scan(content, content.len() as u64).await.unwrap()
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Debian puts it where only root looks for programs.
fn program() -> PathBuf {
    let debian = PathBuf::from("/usr/sbin/clamd");
    if debian.exists() { debian } else { "clamd".into() }
}

fn zipped(members: &[(&str, &[u8])]) -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, content) in members {
        zip.start_file(*name, SimpleFileOptions::default()).unwrap();
        zip.write_all(content).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

/// The same zip with the mark of encryption on its last member, in both of its headers.
fn with_last_member_encrypted(mut zip: Vec<u8>) -> Vec<u8> {
    for (signature, flags) in [(b"PK\x03\x04", 6), (b"PK\x01\x02", 8)] {
        let at = zip.windows(4).rposition(|bytes| bytes == signature).unwrap();
        zip[at + flags] |= 1;
    }
    zip
}

fn found() -> Verdict {
    Verdict::ThreatsFound(vec![SIGNATURE.to_owned()])
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs clamd: make clamd"]
async fn case_f04_a_real_daemon_finds_what_the_built_in_scanner_does_not() {
    let daemon = Daemon::start().await;
    assert_eq!(daemon.verdict(b"hello").await, Verdict::NoThreatsFound);
    assert_eq!(daemon.verdict(b"").await, Verdict::NoThreatsFound);
    assert_eq!(daemon.verdict(&eicar()).await, found());
    let zip = zipped(&[("harmless.txt", b"hello"), ("folder/eicar.com", &eicar())]);
    assert_eq!(daemon.verdict(&zip).await, found());
    assert_eq!(daemon.verdict(&zipped(&[("inner.zip", &zip)])).await, found());
    let harmless = zipped(&[("harmless.txt", b"hello")]);
    assert_eq!(daemon.verdict(&harmless).await, Verdict::NoThreatsFound);
    let size = zip.len() as u64;
    let built_in = Scanner::BuiltIn.scan(zip.as_slice(), size).await.unwrap();
    assert_eq!(built_in, Verdict::NoThreatsFound, "as docs/files.md says");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs clamd: make clamd"]
async fn what_a_real_daemon_does_not_look_into_is_not_scanned() {
    let daemon = Daemon::start().await;
    // Beyond the length of a stream, the daemon hangs up in the middle; beyond the size of a file, it says that it did
    // not look.
    for bytes in [STREAM_BYTES + 1, 64 * STREAM_BYTES, FILE_BYTES + 1] {
        assert_eq!(daemon.verdict(&vec![b'x'; bytes]).await, Verdict::Unsupported, "{bytes}");
    }
    assert_eq!(daemon.verdict(&vec![b'x'; FILE_BYTES]).await, Verdict::NoThreatsFound);
    let zip = zipped(&[("harmless.txt", b"hello"), ("secret.txt", b"hello")]);
    assert_eq!(daemon.verdict(&zip).await, Verdict::NoThreatsFound);
    assert_eq!(daemon.verdict(&with_last_member_encrypted(zip)).await, Verdict::Unsupported);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs clamd: make clamd"]
async fn uploads_go_through_a_real_daemon() {
    let daemon = Daemon::start().await;
    let (script, seen) = Script::new().on("verdicts", |_| Ok(json!(null)));
    let options = Options { scanner: Scanner::Clamd(daemon.clamd()), ..script.options() };
    let cloud = LocalCloud::start(options).await.unwrap();
    let zip = zipped(&[("harmless.txt", b"hello"), ("eicar.com", &eicar())]);
    upload(&cloud, "Files", "accounts/eicar.zip", zip).await;
    upload(&cloud, "Files", "accounts/hello", "hello").await;
    upload(&cloud, "Files", "accounts/large", vec![b'x'; 4 * STREAM_BYTES]).await;
    let events = seen.wait_for(3).await;
    assert_eq!(
        results(&events),
        [
            ("accounts/eicar.zip", "THREATS_FOUND"),
            ("accounts/hello", "NO_THREATS_FOUND"),
            ("accounts/large", "UNSUPPORTED"),
        ]
    );
    let threats = |event: &serde_json::Value| event["detail"]["scanResultDetails"]["threats"].clone();
    assert!(events.iter().any(|event| threats(event) == json!([{ "name": SIGNATURE }])));
    // The daemon dies: the next object's scan fails, and does not pass.
    drop(daemon);
    upload(&cloud, "Files", "accounts/later", "hello").await;
    assert_eq!(results(&seen.wait_for(4).await)[3], ("accounts/later", "FAILED"));
    cloud.shutdown().await;
}
