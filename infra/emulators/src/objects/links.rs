//! Links by the emulators' clock.
//!
//! `s3s` holds the date of a presigned request against the machine's time. Where the emulators' time is another, a link
//! is signed anew as if both were the same: what was signed an hour ago by their clock was signed an hour ago by the
//! machine's. Only one whose own signature is right; every other one goes on as it is and is refused there.

use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{
    PayloadChecksumKind, PercentEncodingMode, SignableBody, SignableRequest, SignatureLocation,
    SigningSettings, UriPathNormalizationMode, sign,
};
use aws_sigv4::sign::v4;
use http::{Request, Uri};
use jiff::{SignedDuration, Timestamp, civil::DateTime, tz::TimeZone};
use portico_domain::Clock;
use url::Url;

use crate::{ACCESS_KEY_ID, SECRET_ACCESS_KEY};

/// Clocks that are no further apart than this count as one: a request takes that long.
const SAME: SignedDuration = SignedDuration::from_secs(2);
/// What signing adds to an address.
const SIGNING: [&str; 6] = [
    "X-Amz-Algorithm",
    "X-Amz-Credential",
    "X-Amz-Date",
    "X-Amz-Expires",
    "X-Amz-SignedHeaders",
    "X-Amz-Signature",
];

/// Brings the dates of links from the emulators' time to the machine's.
#[derive(Clone, Debug)]
pub(crate) struct Redating {
    clock: Clock,
    machine: Clock,
    region: String,
}

impl Redating {
    pub(crate) fn new(clock: Clock, machine: Clock, region: String) -> Self {
        Self { clock, machine, region }
    }

    /// The request with the machine's date, if it is a link and the clocks differ.
    pub(crate) fn redate<B>(&self, mut request: Request<B>) -> Request<B> {
        let ahead = self.machine.now().duration_since(self.clock.now());
        if ahead.abs() > SAME
            && let Some(uri) = self.signed_anew(&request, ahead)
        {
            *request.uri_mut() = uri;
        }
        request
    }

    fn signed_anew<B>(&self, request: &Request<B>, ahead: SignedDuration) -> Option<Uri> {
        let host = request.headers().get(http::header::HOST)?.to_str().ok()?;
        let given: Url = format!("http://{host}{}", request.uri().path_and_query()?).parse().ok()?;
        let said = |name: &str| {
            let found = given.query_pairs().find(|(found, _)| found == name);
            found.map(|(_, value)| value.into_owned())
        };
        let date = DateTime::strptime("%Y%m%dT%H%M%SZ", said("X-Amz-Date")?).ok()?;
        let date = date.to_zoned(TimeZone::UTC).ok()?.timestamp();
        let link = Link {
            method: request.method().as_str(),
            expires: Duration::from_secs(said("X-Amz-Expires")?.parse().ok()?),
            headers: said("X-Amz-SignedHeaders")?
                .split(';')
                .map(|name| Some((name.to_owned(), request.headers().get(name)?.to_str().ok()?.to_owned())))
                .collect::<Option<Vec<_>>>()?,
            address: unsigned(&given),
            region: &self.region,
        };
        let as_given = link.sign(date)?;
        let signature = |url: &Url| {
            let found = url.query_pairs().find(|(name, _)| name == "X-Amz-Signature");
            found.map(|(_, value)| value.into_owned())
        };
        if signature(&as_given) != signature(&given) {
            return None;
        }
        let anew = link.sign(date.checked_add(ahead).ok()?)?;
        format!("{}?{}", anew.path(), anew.query()?).parse().ok()
    }
}

/// The address without what signing adds to it, every other byte as it was.
fn unsigned(given: &Url) -> Url {
    let mut bare = given.clone();
    let query = given.query().unwrap_or_default().split('&');
    let own = query.filter(|pair| !SIGNING.contains(&pair.split('=').next().unwrap_or_default()));
    let own = own.collect::<Vec<_>>().join("&");
    bare.set_query((!own.is_empty()).then_some(&own));
    bare
}

/// What a link says, without its date.
struct Link<'a> {
    method: &'a str,
    expires: Duration,
    headers: Vec<(String, String)>,
    address: Url,
    region: &'a str,
}

impl Link<'_> {
    /// As the official SDK signs for S3.
    fn sign(&self, date: Timestamp) -> Option<Url> {
        let mut settings = SigningSettings::default();
        settings.signature_location = SignatureLocation::QueryParams;
        settings.expires_in = Some(self.expires);
        settings.percent_encoding_mode = PercentEncodingMode::Single;
        settings.uri_path_normalization_mode = UriPathNormalizationMode::Disabled;
        settings.payload_checksum_kind = PayloadChecksumKind::NoHeader;
        settings.excluded_headers = None;
        let identity = Credentials::new(ACCESS_KEY_ID, SECRET_ACCESS_KEY, None, None, "emulators").into();
        let params = v4::SigningParams::builder()
            .identity(&identity)
            .region(self.region)
            .name("s3")
            .time(SystemTime::from(date))
            .settings(settings)
            .build()
            .ok()?
            .into();
        let headers = self.headers.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let request =
            SignableRequest::new(self.method, self.address.as_str(), headers, SignableBody::UnsignedPayload)
                .ok()?;
        let (instructions, _) = sign(request, &params).ok()?.into_parts();
        let mut signed = self.address.clone();
        for (name, value) in instructions.params() {
            signed.query_pairs_mut().append_pair(name, value);
        }
        Some(signed)
    }
}
