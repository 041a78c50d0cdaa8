//! Message attributes and their checksum.

use std::collections::BTreeMap;

use md5::{Digest, Md5};
use serde::{Deserialize, Serialize};

use super::{QueueError, limits};

/// Attributes by name, in the order that the checksum needs.
pub type MessageAttributes = BTreeMap<String, MessageAttribute>;

/// One typed value beside the body.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MessageAttribute {
    /// `String`, `Number` or `Binary`, optionally with a label: `Number.int`.
    pub data_type: String,
    /// The value.
    pub value: AttributeValue,
}

/// The value of a message attribute.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AttributeValue {
    /// For `String` and `Number`.
    Text(String),
    /// For `Binary`, in base64.
    Binary(#[serde(with = "base64_bytes")] Vec<u8>),
}

impl MessageAttribute {
    /// A `String` attribute.
    pub fn string(value: impl Into<String>) -> Self {
        Self { data_type: "String".into(), value: AttributeValue::Text(value.into()) }
    }

    /// Bytes that count towards the size of the message.
    pub(super) fn bytes(&self) -> usize {
        self.data_type.len()
            + match &self.value {
                AttributeValue::Text(text) => text.len(),
                AttributeValue::Binary(bytes) => bytes.len(),
            }
    }
}

pub(super) fn check(attributes: &MessageAttributes) -> Result<(), QueueError> {
    if attributes.len() > limits::ATTRIBUTES {
        return Err(QueueError::Invalid(format!("a message has at most {} attributes", limits::ATTRIBUTES)));
    }
    for (name, attribute) in attributes {
        let kind = attribute.data_type.split('.').next().unwrap_or_default();
        let fits = match &attribute.value {
            AttributeValue::Text(text) => {
                !text.is_empty()
                    && (kind == "String"
                        || (kind == "Number" && text.parse::<f64>().is_ok_and(f64::is_finite)))
            }
            AttributeValue::Binary(bytes) => kind == "Binary" && !bytes.is_empty(),
        };
        if name.is_empty() || !fits {
            return Err(QueueError::Invalid(format!("the message attribute '{name}' does not fit its type")));
        }
    }
    Ok(())
}

/// The checksum that clients compare: each name, type and value with its length in four bytes, one byte for the
/// transport type between type and value, sorted by name.
/// <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-message-metadata.html>
pub(super) fn md5_of_attributes<'a>(
    attributes: impl Iterator<Item = (&'a String, &'a MessageAttribute)>,
) -> Option<String> {
    let mut hash = Md5::new();
    let mut any = false;
    for (name, attribute) in attributes {
        any = true;
        let (transport, value) = match &attribute.value {
            AttributeValue::Text(text) => (1, text.as_bytes()),
            AttributeValue::Binary(bytes) => (2, bytes.as_slice()),
        };
        update_with_length(&mut hash, name.as_bytes());
        update_with_length(&mut hash, attribute.data_type.as_bytes());
        hash.update([transport]);
        update_with_length(&mut hash, value);
    }
    any.then(|| hex::encode(hash.finalize()))
}

fn update_with_length(hash: &mut Md5, bytes: &[u8]) {
    let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
    hash.update(length.to_be_bytes());
    hash.update(bytes);
}

pub(super) fn md5_of(text: &str) -> String {
    hex::encode(Md5::digest(text))
}

mod base64_bytes {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    use serde::{Deserialize as _, Deserializer, Serializer, de::Error as _};

    pub fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&STANDARD.encode(bytes))
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
        STANDARD.decode(String::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}
