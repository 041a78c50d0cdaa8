//! The two stores, and the plain client.

use std::{collections::BTreeMap, path::PathBuf, sync::Once, time::Duration};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use jiff::{SignedDuration, Timestamp};
use portico_aws::{Bucket, Cloud, Settings};
use portico_domain::files::{Declaration, FileName, MediaType, Part, PresignedRequest, Sha256Hex};
use portico_emulators::{ACCESS_KEY_ID, BucketSpec, Config, Emulators, SECRET_ACCESS_KEY};
use reqwest::Method;
use sha2::{Digest as _, Sha256};

/// How long the plain client waits for an answer.
const PATIENCE: Duration = Duration::from_secs(60);

/// How long links work that are not about their lapsing.
pub const WINDOW: SignedDuration = SignedDuration::from_mins(5);

/// The smallest part that is not the last.
pub const PART: usize = 5 * 1024 * 1024;

/// Which store it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Portico,
    Ministack,
}

/// A store with a bucket that keeps versions, as those of the product do.
pub struct Store {
    pub kind: Kind,
    pub bucket: Bucket,
    pub name: String,
    pub url: String,
    http: reqwest::Client,
    /// Where our own store keeps its bytes.
    files: Option<PathBuf>,
    _emulators: Option<(Emulators, tempfile::TempDir)>,
}

/// What the store answered.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: reqwest::header::HeaderMap,
    pub body: Vec<u8>,
}

impl Answer {
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map(|value| value.to_str().unwrap()).unwrap_or_default()
    }

    /// S3's code for what it refused.
    pub fn code(&self) -> String {
        let text = String::from_utf8_lossy(&self.body);
        let code = text.split_once("<Code>").and_then(|(_, rest)| rest.split_once("</Code>"));
        code.map(|(code, _)| code.to_owned()).unwrap_or_default()
    }

    #[track_caller]
    pub fn refused(&self, status: u16, code: &str, what: &str) {
        assert_eq!((self.status, self.code().as_str()), (status, code), "{what}");
    }
}

impl Store {
    pub async fn portico(case: &str) -> Self {
        Self::portico_with(case, true).await
    }

    async fn portico_with(case: &str, versioned: bool) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let config = Config { data: Some(directory.path().to_owned()), ..Config::ephemeral() };
        let emulators = Emulators::start(config).await.unwrap();
        let name = bucket_name(case);
        emulators.create_bucket(BucketSpec { versioned, ..BucketSpec::plain(&name) }).await.unwrap();
        let url = emulators.aws_url();
        Self {
            kind: Kind::Portico,
            bucket: bucket(&url, &name),
            name,
            url,
            http: http(),
            files: Some(directory.path().join("objects")),
            _emulators: Some((emulators, directory)),
        }
    }

    pub async fn ministack(case: &str) -> Self {
        Self::ministack_with(case, true).await
    }

    async fn ministack_with(case: &str, versioned: bool) -> Self {
        let url = Settings::of_process().text("MINISTACK_URL").unwrap().to_owned();
        let (name, http) = (bucket_name(case), http());
        // It lets those in who do not sign at all.
        let made = http.put(format!("{url}/{name}")).send().await.unwrap();
        assert!(made.status().is_success(), "{}", made.text().await.unwrap());
        if versioned {
            let enabled = "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>";
            let set = http.put(format!("{url}/{name}?versioning")).body(enabled).send().await.unwrap();
            assert!(set.status().is_success(), "{}", set.text().await.unwrap());
        }
        let bucket = bucket(&url, &name);
        Self { kind: Kind::Ministack, bucket, name, url, http, files: None, _emulators: None }
    }

    /// The same kind of store, with a bucket that keeps no versions.
    pub async fn without_versions(&self, case: &str) -> Self {
        match self.kind {
            Kind::Portico => Self::portico_with(case, false).await,
            Kind::Ministack => Self::ministack_with(case, false).await,
        }
    }

    /// How much of everything that was ever written is still kept, versions included.
    pub async fn kept(&self) -> usize {
        match &self.files {
            // The bytes themselves, one file each.
            Some(files) => std::fs::read_dir(files).unwrap().count(),
            None => {
                let listed =
                    self.http.get(format!("{}/{}?versions", self.url, self.name)).send().await.unwrap();
                assert_eq!(listed.status(), 200);
                let text = listed.text().await.unwrap();
                text.matches("<VersionId>").count()
            }
        }
    }

    /// Sends exactly what the link says, with this content. The client itself knows host and length.
    pub async fn send(&self, link: &PresignedRequest, content: impl Into<reqwest::Body>) -> Answer {
        self.send_as(link, link.method.parse().unwrap(), content).await
    }

    /// As [`Store::send`], with another method.
    pub async fn send_as(
        &self,
        link: &PresignedRequest,
        method: Method,
        content: impl Into<reqwest::Body>,
    ) -> Answer {
        let mut request = self.http.request(method, &link.url);
        for (name, value) in &link.headers {
            if name != "content-length" {
                request = request.header(name, value);
            }
        }
        let answer = request.body(content).send().await.unwrap();
        let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
        Answer { status, headers, body: answer.bytes().await.unwrap().to_vec() }
    }

    /// Nothing is there.
    #[track_caller]
    pub fn nothing(&self, key: &str, what: &str) -> impl Future<Output = ()> {
        let (bucket, key, what) = (self.bucket.clone(), key.to_owned(), what.to_owned());
        async move { assert_eq!(bucket.facts(&key).await.unwrap(), None, "{what}") }
    }

    /// All of an object.
    pub async fn content(&self, key: &str) -> Vec<u8> {
        let mut content = self.bucket.read(key).await.unwrap().unwrap();
        let mut all = Vec::new();
        while let Some(piece) = content.next().await.unwrap() {
            all.extend_from_slice(&piece);
        }
        assert_eq!(u64::try_from(all.len()).unwrap(), content.size());
        all
    }
}

pub fn now() -> Timestamp {
    portico_aws::system_clock().now()
}

/// Of at most 63 characters, and another one in every run: ministack lives longer than a test.
fn bucket_name(case: &str) -> String {
    let hash = hex::encode(Sha256::digest(case));
    let number = portico_aws::system_random().secret();
    format!("objects-{}-{}", &hash[..16], hex::encode(&number[..8]))
}

/// As a function has it.
pub fn bucket(url: &str, name: &str) -> Bucket {
    let settings = [
        ("AWS_REGION", "eu-central-1"),
        ("AWS_ACCESS_KEY_ID", ACCESS_KEY_ID),
        ("AWS_SECRET_ACCESS_KEY", SECRET_ACCESS_KEY),
        ("AWS_ENDPOINT_URL_S3", url),
        ("BUCKET", name),
    ];
    let settings: BTreeMap<_, _> =
        settings.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    let cloud =
        Cloud::new(Settings::new(settings), portico_aws::system_clock(), portico_aws::system_random());
    cloud.bucket("BUCKET").unwrap()
}

/// reqwest is built without a provider of its own.
fn http() -> reqwest::Client {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let _ = rustls::crypto::ring::default_provider().install_default();
    });
    reqwest::Client::builder().timeout(PATIENCE).no_proxy().build().unwrap()
}

pub fn sha256(content: &[u8]) -> Sha256Hex {
    Sha256Hex::try_from(hex::encode(Sha256::digest(content))).unwrap()
}

pub fn base64(sha256: &Sha256Hex) -> String {
    BASE64_STANDARD.encode(sha256.bytes())
}

pub fn declared(content: &[u8]) -> Declaration {
    Declaration {
        name: FileName::try_from("printer.log".to_owned()).unwrap(),
        size: content.len().try_into().unwrap(),
        content_type: media_type("text/plain"),
        sha256: sha256(content),
    }
}

pub fn media_type(text: &str) -> MediaType {
    MediaType::try_from(text.to_owned()).unwrap()
}

pub fn part(number: u16, content: &[u8]) -> Part {
    Part { number, size: content.len().try_into().unwrap(), sha256: sha256(content) }
}

/// Bytes that look random and differ by their seed.
pub fn bytes(length: usize, seed: u8) -> Vec<u8> {
    let mut state = u64::from(seed).wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut all = Vec::with_capacity(length + 8);
    while all.len() < length {
        // xorshift64.
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        all.extend_from_slice(&state.to_le_bytes());
    }
    all.truncate(length);
    all
}
