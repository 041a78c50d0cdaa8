//! The JSON protocol of SQS, as the SDKs speak it.
//! <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/Welcome.html>

use std::collections::{BTreeMap, HashSet};
use std::time::Duration;

use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, StatusCode};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::attributes::{md5_of, md5_of_attributes};
use super::{
    AttributeValue, Message, MessageAttribute, MessageAttributes, NewMessage, QueueError, QueueSpec, Queues,
    Sent, limits,
};
use crate::json_protocol::{self, Refusal};

/// What precedes the operation in the target header.
pub(crate) const TARGET_PREFIX: &str = "AmazonSQS.";

const CONTENT_TYPE: &str = "application/x-amz-json-1.0";

/// SQS on the wire.
#[derive(Clone, Debug)]
pub(crate) struct Api {
    pub(crate) queues: Queues,
    /// Where queue URLs begin: `http://127.0.0.1:4566`.
    pub(crate) url: String,
    pub(crate) region: String,
    pub(crate) account: String,
}

impl Api {
    pub(crate) async fn call(&self, operation: &str, headers: &HeaderMap, body: &[u8]) -> Response {
        let answer = match json_protocol::check_access_key(headers) {
            Ok(()) => self.dispatch(operation, body).await,
            Err(refusal) => Err(refusal),
        };
        match answer {
            Ok(body) => json_protocol::response(StatusCode::OK, CONTENT_TYPE, body),
            Err(refusal) => refusal.into_response(CONTENT_TYPE),
        }
    }

    async fn dispatch(&self, operation: &str, body: &[u8]) -> Result<String, Refusal> {
        let parse = json_protocol::parse::<Value>;
        match operation {
            "SendMessage" => json_protocol::print(&self.send(json_protocol::parse(body)?).await?),
            "SendMessageBatch" => json_protocol::print(&self.send_batch(json_protocol::parse(body)?).await?),
            "ReceiveMessage" => json_protocol::print(&self.receive(json_protocol::parse(body)?).await?),
            "DeleteMessage" => self.delete(json_protocol::parse(body)?).await,
            "DeleteMessageBatch" => {
                json_protocol::print(&self.delete_batch(json_protocol::parse(body)?).await?)
            }
            "ChangeMessageVisibility" => self.change_visibility(json_protocol::parse(body)?).await,
            "GetQueueUrl" => self.url_of(&parse(body)?).await,
            "GetQueueAttributes" => self.attributes(json_protocol::parse(body)?).await,
            "ListQueues" => self.list(&parse(body)?).await,
            "PurgeQueue" => self.purge(json_protocol::parse(body)?).await,
            _ => Err(Refusal::new(
                "com.amazonaws.sqs#UnsupportedOperation",
                format!("this emulator has no {operation}"),
            )),
        }
    }

    async fn send(&self, input: SendMessage) -> Result<SendMessageResult, Refusal> {
        let queue = self.queue(&input.queue_url)?;
        let (message, digest) = input.message.into_new()?;
        let sent = self.queues.send(&queue, message).await?;
        Ok(digest.result(sent))
    }

    async fn send_batch(
        &self,
        input: Batch<SendEntry>,
    ) -> Result<BatchResult<Tagged<SendMessageResult>>, Refusal> {
        let queue = self.queue(&input.queue_url)?;
        self.queues.describe(&queue).await?;
        check_batch(input.entries.iter().map(|entry| entry.id.as_str()))?;
        let bytes: usize = input.entries.iter().map(|entry| entry.message.bytes()).sum();
        if bytes > limits::MESSAGE_BYTES {
            return Err(batch_refusal(
                "BatchRequestTooLong",
                "AWS.SimpleQueueService.BatchRequestTooLong;Sender",
                format!("a batch is at most {} bytes long", limits::MESSAGE_BYTES),
            ));
        }
        let mut result = BatchResult::default();
        for entry in input.entries {
            let outcome = match entry.message.into_new() {
                Ok((message, digest)) => self
                    .queues
                    .send(&queue, message)
                    .await
                    .map(|sent| digest.result(sent))
                    .map_err(Refusal::from),
                Err(refusal) => Err(refusal),
            };
            result.push(entry.id, outcome, |id, sent| Tagged { id, content: sent });
        }
        Ok(result)
    }

    async fn receive(&self, input: ReceiveMessage) -> Result<Map<String, Value>, Refusal> {
        let queue = self.queue(&input.queue_url)?;
        let max = input.max_number_of_messages.unwrap_or(1);
        if !(1..=limits::BATCH).contains(&max) {
            return Err(invalid("MaxNumberOfMessages must be between 1 and 10"));
        }
        let wait = match input.wait_time_seconds {
            Some(seconds) => Duration::from_secs(seconds),
            None => self.queues.describe(&queue).await?.receive_wait,
        };
        if wait > limits::RECEIVE_WAIT {
            return Err(invalid("WaitTimeSeconds must be between 0 and 20"));
        }
        let visibility = input.visibility_timeout.map(Duration::from_secs);
        let messages = self.queues.receive_hidden_for(&queue, max, wait, visibility).await?;
        let arn = self.arn(&queue);
        let mut answer = Map::new();
        if !messages.is_empty() {
            let wanted = Wanted {
                system: input
                    .attribute_names
                    .into_iter()
                    .chain(input.message_system_attribute_names)
                    .collect(),
                attributes: input.message_attribute_names,
            };
            let messages = messages.iter().map(|message| wanted.describe(message, &arn)).collect();
            answer.insert("Messages".into(), Value::Array(messages));
        }
        Ok(answer)
    }

    async fn delete(&self, input: DeleteMessage) -> Result<String, Refusal> {
        let queue = self.queue(&input.queue_url)?;
        self.queues.delete(&queue, &input.receipt_handle).await?;
        Ok(String::from("{}"))
    }

    async fn delete_batch(&self, input: Batch<DeleteEntry>) -> Result<BatchResult<Deleted>, Refusal> {
        let queue = self.queue(&input.queue_url)?;
        self.queues.describe(&queue).await?;
        check_batch(input.entries.iter().map(|entry| entry.id.as_str()))?;
        let mut result = BatchResult::default();
        for entry in input.entries {
            let outcome = self.queues.delete(&queue, &entry.receipt_handle).await.map_err(Refusal::from);
            result.push(entry.id, outcome, |id, ()| Deleted { id });
        }
        Ok(result)
    }

    async fn change_visibility(&self, input: ChangeVisibility) -> Result<String, Refusal> {
        let queue = self.queue(&input.queue_url)?;
        let visibility = Duration::from_secs(input.visibility_timeout);
        self.queues.change_visibility(&queue, &input.receipt_handle, visibility).await?;
        Ok(String::from("{}"))
    }

    async fn url_of(&self, input: &Value) -> Result<String, Refusal> {
        let name = input.get("QueueName").and_then(Value::as_str).unwrap_or_default();
        if QueueSpec::is_internal(name) {
            return Err(QueueError::NoSuchQueue(name.to_owned()).into());
        }
        self.queues.describe(name).await?;
        json_protocol::print(&json!({ "QueueUrl": self.queue_url(name) }))
    }

    async fn list(&self, input: &Value) -> Result<String, Refusal> {
        let prefix = input.get("QueueNamePrefix").and_then(Value::as_str).unwrap_or_default();
        let names = self.queues.list().await?;
        let urls: Vec<_> =
            names.iter().filter(|name| name.starts_with(prefix)).map(|name| self.queue_url(name)).collect();
        json_protocol::print(&json!({ "QueueUrls": urls }))
    }

    async fn purge(&self, input: OneQueue) -> Result<String, Refusal> {
        self.queues.purge(&self.queue(&input.queue_url)?).await?;
        Ok(String::from("{}"))
    }

    async fn attributes(&self, input: GetAttributes) -> Result<String, Refusal> {
        let queue = self.queue(&input.queue_url)?;
        let spec = self.queues.describe(&queue).await?;
        let depth = self.queues.depth(&queue).await?;
        let seconds = |duration: Duration| duration.as_secs().to_string();
        let mut all = BTreeMap::from([
            ("QueueArn", self.arn(&queue)),
            ("ApproximateNumberOfMessages", depth.visible.to_string()),
            ("ApproximateNumberOfMessagesNotVisible", depth.in_flight.to_string()),
            ("ApproximateNumberOfMessagesDelayed", depth.delayed.to_string()),
            ("VisibilityTimeout", seconds(spec.visibility)),
            ("DelaySeconds", seconds(spec.delay)),
            ("MessageRetentionPeriod", seconds(spec.retention)),
            ("ReceiveMessageWaitTimeSeconds", seconds(spec.receive_wait)),
            ("MaximumMessageSize", limits::MESSAGE_BYTES.to_string()),
        ]);
        if spec.fifo {
            all.insert("FifoQueue", true.to_string());
            all.insert("ContentBasedDeduplication", spec.content_based_deduplication.to_string());
        }
        if let Some(redrive) = &spec.redrive {
            let policy = json!({
                "deadLetterTargetArn": self.arn(&redrive.queue), "maxReceiveCount": redrive.max_receives,
            });
            all.insert("RedrivePolicy", policy.to_string());
        }
        let wanted = |name: &str| input.attribute_names.iter().any(|asked| asked == "All" || asked == name);
        all.retain(|name, _| wanted(name));
        json_protocol::print(&json!({ "Attributes": all }))
    }

    fn queue_url(&self, name: &str) -> String {
        format!("{}/{}/{name}", self.url, self.account)
    }

    fn arn(&self, name: &str) -> String {
        format!("arn:aws:sqs:{}:{}:{name}", self.region, self.account)
    }

    /// The queue that a URL names. The host is not compared: the same emulator may be reached by several names.
    fn queue(&self, url: &str) -> Result<String, Refusal> {
        let mut segments = url.rsplit('/');
        match (segments.next(), segments.next()) {
            (Some(name), Some(account)) if account == self.account && !QueueSpec::is_internal(name) => {
                Ok(name.to_owned())
            }
            _ => Err(QueueError::NoSuchQueue(url.to_owned()).into()),
        }
    }
}

impl From<QueueError> for Refusal {
    fn from(error: QueueError) -> Self {
        let (code, query_error) = match &error {
            QueueError::NoSuchQueue(_) => {
                ("QueueDoesNotExist", "AWS.SimpleQueueService.NonExistentQueue;Sender")
            }
            QueueError::Invalid(_) | QueueError::TooLong | QueueError::KindChanged(_) => {
                ("InvalidParameterValue", "InvalidParameterValue;Sender")
            }
            QueueError::Missing(_) => ("MissingParameter", "MissingParameter;Sender"),
            QueueError::InvalidReceipt => ("ReceiptHandleIsInvalid", "ReceiptHandleIsInvalid;Sender"),
            QueueError::NotInFlight => {
                ("MessageNotInflight", "AWS.SimpleQueueService.MessageNotInflight;Sender")
            }
            QueueError::Store(error) => return Self::internal(error),
        };
        Self {
            query_error: Some(query_error),
            ..Self::new(format!("com.amazonaws.sqs#{code}"), error.to_string())
        }
    }
}

fn invalid(message: &str) -> Refusal {
    QueueError::Invalid(message.to_owned()).into()
}

fn batch_refusal(code: &str, query_error: &'static str, message: String) -> Refusal {
    Refusal { query_error: Some(query_error), ..Refusal::new(format!("com.amazonaws.sqs#{code}"), message) }
}

/// The rules for the ids of a batch.
fn check_batch<'a>(ids: impl ExactSizeIterator<Item = &'a str>) -> Result<(), Refusal> {
    let count = ids.len();
    if count == 0 {
        return Err(batch_refusal(
            "EmptyBatchRequest",
            "AWS.SimpleQueueService.EmptyBatchRequest;Sender",
            "a batch has at least one entry".into(),
        ));
    }
    if count > limits::BATCH {
        return Err(batch_refusal(
            "TooManyEntriesInBatchRequest",
            "AWS.SimpleQueueService.TooManyEntriesInBatchRequest;Sender",
            format!("a batch has at most {} entries, this one has {count}", limits::BATCH),
        ));
    }
    if ids.collect::<HashSet<_>>().len() < count {
        return Err(batch_refusal(
            "BatchEntryIdsNotDistinct",
            "AWS.SimpleQueueService.BatchEntryIdsNotDistinct;Sender",
            "two entries of the batch have the same id".into(),
        ));
    }
    Ok(())
}

/// What a receive asked to see beside the body.
struct Wanted {
    system: Vec<String>,
    attributes: Vec<String>,
}

impl Wanted {
    fn describe(&self, message: &Message, queue_arn: &str) -> Value {
        let mut system = message.system_attributes(queue_arn);
        system.retain(|name, _| self.system.iter().any(|asked| asked == "All" || asked == name));
        let attributes: BTreeMap<_, _> =
            message.attributes.iter().filter(|(name, _)| self.attribute(name)).collect();
        let mut answer = json!({
            "MessageId": message.id,
            "ReceiptHandle": message.receipt,
            "Body": message.body,
            "MD5OfBody": md5_of(&message.body),
        });
        if let Some(answer) = answer.as_object_mut() {
            if !system.is_empty() {
                answer.insert("Attributes".into(), Value::Object(system));
            }
            if let Some(digest) = md5_of_attributes(attributes.iter().map(|(name, value)| (*name, *value))) {
                let values = attributes
                    .iter()
                    .map(|(name, value)| ((*name).clone(), print_attribute(value)))
                    .collect::<Map<_, _>>();
                answer.insert("MessageAttributes".into(), Value::Object(values));
                answer.insert("MD5OfMessageAttributes".into(), Value::String(digest));
            }
        }
        answer
    }

    /// `All`, `.*`, a name, or a prefix with `.*`.
    fn attribute(&self, name: &str) -> bool {
        self.attributes.iter().any(|asked| match asked.strip_suffix(".*") {
            Some(prefix) => name.starts_with(prefix),
            None => asked == "All" || asked == name,
        })
    }
}

fn print_attribute(attribute: &MessageAttribute) -> Value {
    match &attribute.value {
        AttributeValue::Text(text) => json!({ "DataType": attribute.data_type, "StringValue": text }),
        AttributeValue::Binary(bytes) => {
            json!({ "DataType": attribute.data_type, "BinaryValue": STANDARD.encode(bytes) })
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct SendMessage {
    queue_url: String,
    #[serde(flatten)]
    message: WireMessage,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct SendEntry {
    id: String,
    #[serde(flatten)]
    message: WireMessage,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct WireMessage {
    message_body: String,
    delay_seconds: Option<u64>,
    message_group_id: Option<String>,
    message_deduplication_id: Option<String>,
    #[serde(default)]
    message_attributes: BTreeMap<String, WireAttribute>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct WireAttribute {
    data_type: String,
    string_value: Option<String>,
    binary_value: Option<String>,
}

impl WireMessage {
    fn bytes(&self) -> usize {
        self.message_body.len()
    }

    fn into_new(self) -> Result<(NewMessage, Digest), Refusal> {
        let mut attributes = MessageAttributes::new();
        for (name, given) in self.message_attributes {
            let value = match (given.string_value, given.binary_value) {
                (Some(text), None) => AttributeValue::Text(text),
                (None, Some(encoded)) => AttributeValue::Binary(
                    STANDARD.decode(encoded).map_err(|_| invalid("a binary attribute is not base64"))?,
                ),
                _ => return Err(invalid("a message attribute has one value")),
            };
            attributes.insert(name, MessageAttribute { data_type: given.data_type, value });
        }
        let digest =
            Digest { body: md5_of(&self.message_body), attributes: md5_of_attributes(attributes.iter()) };
        let message = NewMessage {
            body: self.message_body,
            attributes,
            delay: self.delay_seconds.map(Duration::from_secs),
            group: self.message_group_id,
            deduplication: self.message_deduplication_id,
        };
        Ok((message, digest))
    }
}

/// What the sender compares with its own computation.
struct Digest {
    body: String,
    attributes: Option<String>,
}

impl Digest {
    fn result(self, sent: Sent) -> SendMessageResult {
        SendMessageResult {
            message_id: sent.id,
            md5_of_message_body: self.body,
            md5_of_message_attributes: self.attributes,
            sequence_number: sent.sequence,
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct SendMessageResult {
    message_id: String,
    #[serde(rename = "MD5OfMessageBody")]
    md5_of_message_body: String,
    #[serde(rename = "MD5OfMessageAttributes", skip_serializing_if = "Option::is_none")]
    md5_of_message_attributes: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sequence_number: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ReceiveMessage {
    queue_url: String,
    max_number_of_messages: Option<usize>,
    wait_time_seconds: Option<u64>,
    visibility_timeout: Option<u64>,
    #[serde(default)]
    attribute_names: Vec<String>,
    #[serde(default)]
    message_system_attribute_names: Vec<String>,
    #[serde(default)]
    message_attribute_names: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct DeleteMessage {
    queue_url: String,
    receipt_handle: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct DeleteEntry {
    id: String,
    receipt_handle: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ChangeVisibility {
    queue_url: String,
    receipt_handle: String,
    visibility_timeout: u64,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct OneQueue {
    queue_url: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct GetAttributes {
    queue_url: String,
    #[serde(default)]
    attribute_names: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Batch<E> {
    queue_url: String,
    entries: Vec<E>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct BatchResult<T> {
    successful: Vec<T>,
    failed: Vec<Failed>,
}

impl<T> Default for BatchResult<T> {
    fn default() -> Self {
        Self { successful: Vec::new(), failed: Vec::new() }
    }
}

impl<T> BatchResult<T> {
    fn push<O>(&mut self, id: String, outcome: Result<O, Refusal>, success: impl FnOnce(String, O) -> T) {
        match outcome {
            Ok(done) => self.successful.push(success(id, done)),
            Err(refusal) => self.failed.push(Failed {
                id,
                sender_fault: refusal.status.is_client_error(),
                code: refusal.code.rsplit('#').next().unwrap_or_default().to_owned(),
                message: refusal.message,
            }),
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Tagged<T> {
    id: String,
    #[serde(flatten)]
    content: T,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Deleted {
    id: String,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Failed {
    id: String,
    sender_fault: bool,
    code: String,
    message: String,
}
