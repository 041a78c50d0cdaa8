//! Callouts: JSON that a flow or Apex posts, signed over time stamp and body.
//!
//! An outbound message cannot be signed, a callout can. So nothing else than the signature says who it is from:
//! `HMAC-SHA256(signing key, time stamp "." body)`, over the bytes as they came. How Salesforce makes it stands in
//! `docs/webhooks.md`. As with outbound messages only ids are taken.

use hmac::{Hmac, KeyInit, Mac};
use jiff::{SignedDuration, Timestamp};
use portico_domain::SalesforceId;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use sha2::Sha256;
use subtle::Choice;

/// Most bytes of a body: 200 records of some 60 bytes each are 12 KB.
pub const BYTES_MAX: usize = 256 * 1024;
/// Most records of a callout: as many as Apex hands to a trigger at once.
pub const RECORDS_MAX: usize = 200;
/// Holds the seconds since 1970 at which the callout was signed.
pub const TIMESTAMP_HEADER: &str = "x-portico-timestamp";
/// Holds `v1=` and the signature in lower-case hexadecimal digits.
pub const SIGNATURE_HEADER: &str = "x-portico-signature";
/// How far the time stamp may be from our time, either way: a slow callout (Salesforce waits 120 s at most) and clocks
/// that differ. After that, a recorded callout is worth nothing.
pub const TOLERANCE: SignedDuration = SignedDuration::from_secs(300);
/// Fewest bytes of a signing key: as many as the hash has. A shorter one, or an empty one, could be guessed.
pub const KEY_BYTES_MIN: usize = 32;

/// What the signature begins with; another way of signing gets another one.
const VERSION: &str = "v1=";
/// Longest time stamp: seconds until the year 5138.
const TIMESTAMP_DIGITS_MAX: usize = 11;

/// A key that callouts are signed with. Its bytes are those of its text.
#[derive(Debug, Clone, Deserialize)]
#[serde(try_from = "SecretString")]
pub struct SigningKey(SecretString);

/// A signing key is shorter than [`KEY_BYTES_MIN`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a signing key has at least {KEY_BYTES_MIN} characters")]
pub struct WeakKey;

/// Why a callout is not taken for Salesforce's. Says what is wrong, never what was in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// A header is missing or not of its form.
    #[error(
        "{TIMESTAMP_HEADER} takes seconds since 1970, {SIGNATURE_HEADER} takes v1= and 64 hexadecimal digits"
    )]
    Form,
    /// The time stamp is not of now.
    #[error("the time stamp is more than {} seconds from now", TOLERANCE.as_secs())]
    Time,
    /// The signature is made with none of the keys, or over other bytes.
    #[error("the signature does not fit time stamp and body")]
    Signature,
}

impl TryFrom<SecretString> for SigningKey {
    type Error = WeakKey;

    fn try_from(text: SecretString) -> Result<Self, WeakKey> {
        if text.expose_secret().len() < KEY_BYTES_MIN { Err(WeakKey) } else { Ok(Self(text)) }
    }
}

impl SigningKey {
    /// What a sender with this key puts into [`SIGNATURE_HEADER`].
    pub fn sign(&self, timestamp: &str, body: &[u8]) -> String {
        let digits: String = self
            .mac(timestamp, body)
            .finalize()
            .into_bytes()
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        format!("{VERSION}{digits}")
    }

    fn mac(&self, timestamp: &str, body: &[u8]) -> Hmac<Sha256> {
        // HMAC takes keys of every length, so there is no error to report; an empty key is never made.
        let mut mac = Hmac::<Sha256>::new_from_slice(self.0.expose_secret().as_bytes())
            .unwrap_or_else(|_| Hmac::<Sha256>::new(&Default::default()));
        mac.update(timestamp.as_bytes());
        mac.update(b".");
        mac.update(body);
        mac
    }

    fn made(&self, signature: &[u8; 32], timestamp: &str, body: &[u8]) -> Choice {
        // Compares in constant time.
        Choice::from(u8::from(self.mac(timestamp, body).verify_slice(signature).is_ok()))
    }
}

/// Checks that a callout was signed with one of the keys, just now. All keys are tried, whichever fits.
///
/// # Errors
/// [`SignatureError`].
pub fn verify(
    keys: &[SigningKey],
    timestamp: &str,
    signature: &str,
    body: &[u8],
    now: Timestamp,
) -> Result<(), SignatureError> {
    let digits = !timestamp.is_empty()
        && timestamp.len() <= TIMESTAMP_DIGITS_MAX
        && timestamp.bytes().all(|byte| byte.is_ascii_digit());
    let signed_at = timestamp.parse().ok().filter(|_| digits).and_then(|at| Timestamp::from_second(at).ok());
    let signature = signature.strip_prefix(VERSION).and_then(bytes_of);
    let (Some(signed_at), Some(signature)) = (signed_at, signature) else { return Err(SignatureError::Form) };
    let made = |any: Choice, key: &SigningKey| any | key.made(&signature, timestamp, body);
    if !bool::from(keys.iter().fold(Choice::from(0), made)) {
        return Err(SignatureError::Signature);
    }
    // After the signature: nobody else finds out how our clock goes.
    if now.duration_since(signed_at).abs() > TOLERANCE { Err(SignatureError::Time) } else { Ok(()) }
}

/// 64 lower-case hexadecimal digits, as both `EncodingUtil.convertToHex` and `HEX` write them.
fn bytes_of(digits: &str) -> Option<[u8; 32]> {
    let nibble = |digit: u8| match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    };
    let (pairs, rest) = digits.as_bytes().as_chunks::<2>();
    if pairs.len() != 32 || !rest.is_empty() {
        return None;
    }
    let mut bytes = [0; 32];
    for (byte, [high, low]) in bytes.iter_mut().zip(pairs) {
        *byte = nibble(*high)? << 4 | nibble(*low)?;
    }
    Some(bytes)
}

/// The body of a callout. Its limits, [`RECORDS_MAX`] and the form of the names, are checked by who reads it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Callout {
    /// The org that sent it: a sandbox that was copied from the org has its keys, too.
    pub organization_id: SalesforceId,
    /// What may have changed.
    pub records: Vec<CalloutRecord>,
}

/// One record that may have changed.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CalloutRecord {
    /// API name of its object.
    pub object: String,
    /// Its id.
    pub id: SalesforceId,
}

#[cfg(test)]
mod tests {
    use super::*;

    const AT: &str = "1795339800";
    const BODY: &[u8] = br#"{"organization_id":"00DFk0000000001MAA","records":[{"object":"Case","id":"500Fk0000000001IAA"}]}"#;

    fn key(text: &str) -> SigningKey {
        SecretString::from(text).try_into().unwrap()
    }

    fn keys() -> [SigningKey; 2] {
        [key("synthetic-signing-key-of-this-year"), key("synthetic-signing-key-of-last-year")]
    }

    fn now(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_795_339_800 + seconds).unwrap()
    }

    /// The example of `docs/webhooks.md`, whose signature was made by OpenSSL.
    #[test]
    fn the_signature_is_the_documented_one() {
        let signature = "v1=d84953e19b1048df97d423ccbf40f58508e04a7f75b3813bf13e83ded560d953";
        assert_eq!(keys()[0].sign(AT, BODY), signature);
        assert_eq!(verify(&keys(), AT, signature, BODY, now(0)), Ok(()));
    }

    #[test]
    fn both_keys_are_taken_while_they_rotate_and_no_other() {
        let [new, old] = keys();
        for key in [&new, &old] {
            assert_eq!(verify(&keys(), AT, &key.sign(AT, BODY), BODY, now(0)), Ok(()));
        }
        let signature = old.sign(AT, BODY);
        assert_eq!(verify(&[new], AT, &signature, BODY, now(0)), Err(SignatureError::Signature));
        assert_eq!(verify(&[], AT, &signature, BODY, now(0)), Err(SignatureError::Signature));
    }

    #[test]
    fn every_byte_is_signed() {
        let signature = keys()[0].sign(AT, BODY);
        for place in 0..BODY.len() {
            let mut other = BODY.to_vec();
            other[place] ^= 1;
            assert_eq!(verify(&keys(), AT, &signature, &other, now(0)), Err(SignatureError::Signature));
        }
        assert_eq!(verify(&keys(), "1795339801", &signature, BODY, now(0)), Err(SignatureError::Signature));
        // The dot keeps the parts apart.
        let moved = [b"0", BODY].concat();
        assert_eq!(verify(&keys(), "179533980", &signature, &moved, now(0)), Err(SignatureError::Signature));
    }

    #[test]
    fn a_recorded_callout_expires() {
        let signature = keys()[0].sign(AT, BODY);
        for (seconds, expected) in [
            (-301, Err(SignatureError::Time)),
            (-300, Ok(())),
            (300, Ok(())),
            (301, Err(SignatureError::Time)),
            (86_400, Err(SignatureError::Time)),
        ] {
            assert_eq!(verify(&keys(), AT, &signature, BODY, now(seconds)), expected, "{seconds}");
        }
    }

    #[test]
    fn headers_have_one_form() {
        let signature = keys()[0].sign(AT, BODY);
        for timestamp in
            ["", "-1795339800", "+1795339800", " 1795339800", "1795339800.0", "179533980000", "1e9"]
        {
            let signature = keys()[0].sign(timestamp, BODY);
            assert_eq!(
                verify(&keys(), timestamp, &signature, BODY, now(0)),
                Err(SignatureError::Form),
                "{timestamp}"
            );
        }
        let bare = signature.trim_start_matches(VERSION);
        for form in
            ["", bare, &signature.to_uppercase(), &format!("{signature}00"), &signature[..65], "v1=", "v2=00"]
        {
            assert_eq!(verify(&keys(), AT, form, BODY, now(0)), Err(SignatureError::Form), "{form}");
        }
    }

    #[test]
    fn weak_keys_are_none() {
        for text in ["", "short", &"x".repeat(KEY_BYTES_MIN - 1)] {
            assert_eq!(SigningKey::try_from(SecretString::from(text)).err(), Some(WeakKey));
        }
        assert!(serde_json::from_str::<SigningKey>(r#""""#).is_err());
        assert!(!format!("{:?}", keys()).contains("synthetic"));
    }
}
