//! Functions and what invokes them.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Deserialize;
use serde_json::Value as Json;

use super::yaml::{Node, Value, join};
use super::{Scope, Template, TemplateError, at, from_json, typed};

/// Lambda's default time-out, 3 s.
const DEFAULT_TIMEOUT_SECONDS: u64 = 3;

/// Lambda's upper bound for a time-out, 15 minutes.
const MAX_TIMEOUT_SECONDS: u64 = 900;

/// Lambda's default memory.
const DEFAULT_MEMORY_MB: u32 = 128;

/// An `AWS::Serverless::Function`, with `Globals.Function` applied.
#[derive(Clone, Debug)]
pub struct Function {
    /// Its key under `Resources`.
    pub logical_id: String,
    /// `Metadata.BuildProperties.Binary`: which crate of the workspace it is.
    pub binary: String,
    /// After this long the invocation fails.
    pub timeout: Duration,
    /// In MB; only told to the function, not enforced.
    pub memory_mb: u32,
    /// How many invocations may run at once; no limit of its own if absent.
    pub reserved_concurrency: Option<u32>,
    /// `Environment.Variables`.
    pub environment: BTreeMap<String, String>,
    /// What invokes it.
    pub events: Vec<EventSource>,
    /// Present if it has a URL.
    pub url: Option<FunctionUrl>,
    /// What happens to asynchronous invocations that fail.
    pub event_invoke: EventInvoke,
}

/// `EventInvokeConfig`: asynchronous invocations of a function.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub struct EventInvoke {
    /// 0 to 2.
    #[serde(default = "default_event_retries")]
    pub maximum_retry_attempts: u32,
    /// Where an event goes after the last attempt.
    #[serde(default)]
    pub destination_config: DestinationConfig,
}

impl Default for EventInvoke {
    fn default() -> Self {
        Self {
            maximum_retry_attempts: default_event_retries(),
            destination_config: DestinationConfig::default(),
        }
    }
}

/// <https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-configuring.html>
fn default_event_retries() -> u32 {
    2
}

/// `FunctionUrlConfig` with the authorization and the mode that the local cloud serves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FunctionUrl;

/// One entry of a function's `Events`.
#[derive(Clone, Debug)]
pub enum EventSource {
    /// `Type: Api`
    Api(ApiEvent),
    /// `Type: SQS`
    Queue(QueueEvent),
    /// `Type: DynamoDB`
    Stream(StreamEvent),
    /// `Type: EventBridgeRule`
    Rule(RuleEvent),
    /// `Type: Schedule`
    Schedule(ScheduleEvent),
}

/// A method of a REST API.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub struct ApiEvent {
    /// The API's id.
    pub rest_api_id: String,
    /// With `{parameters}`.
    pub path: String,
    /// In upper case, or `ANY`.
    #[serde(deserialize_with = "upper_case")]
    pub method: String,
    /// Differs from the API's if present.
    #[serde(default)]
    pub auth: ApiEventAuth,
}

/// `Auth` of one method.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub struct ApiEventAuth {
    /// An authorizer's name, or `NONE`.
    pub authorizer: Option<String>,
}

/// An SQS event source mapping.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub struct QueueEvent {
    /// The queue's ARN.
    pub queue: String,
    /// Messages for one invocation.
    #[serde(default = "default_queue_batch")]
    pub batch_size: u32,
    /// Seconds to wait for a full batch.
    #[serde(default)]
    pub maximum_batching_window_in_seconds: u32,
    /// `ReportBatchItemFailures` lets the function name the messages that failed.
    #[serde(default)]
    pub function_response_types: Vec<ResponseType>,
    /// Bounds the invocations at once.
    #[serde(default)]
    pub scaling_config: Option<ScalingConfig>,
}

/// `ScalingConfig` of an SQS mapping.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub struct ScalingConfig {
    /// 2 to 1,000.
    pub maximum_concurrency: u32,
}

/// How a function answers to an event source mapping.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
pub enum ResponseType {
    /// `{"batchItemFailures": [{"itemIdentifier": ...}]}`
    ReportBatchItemFailures,
}

/// <https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-parameters.html>
fn default_queue_batch() -> u32 {
    10
}

/// A DynamoDB event source mapping.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub struct StreamEvent {
    /// The stream's ARN.
    pub stream: String,
    /// Where a mapping without a checkpoint starts.
    pub starting_position: StartingPosition,
    /// Records for one invocation.
    #[serde(default = "default_stream_batch")]
    pub batch_size: u32,
    /// Seconds to wait for a full batch.
    #[serde(default)]
    pub maximum_batching_window_in_seconds: u32,
    /// -1 retries until the record leaves the stream.
    #[serde(default = "retry_for_ever")]
    pub maximum_retry_attempts: i32,
    /// Seconds; -1 sets no bound.
    #[serde(default = "retry_for_ever")]
    pub maximum_record_age_in_seconds: i32,
    /// Halves a failed batch.
    #[serde(default)]
    pub bisect_batch_on_function_error: bool,
    /// `ReportBatchItemFailures` lets the function name the first record that failed.
    #[serde(default)]
    pub function_response_types: Vec<ResponseType>,
    /// Records that match none of the patterns are skipped.
    #[serde(default)]
    pub filter_criteria: FilterCriteria,
    /// Where the position of records goes that were given up.
    #[serde(default)]
    pub destination_config: DestinationConfig,
}

/// <https://docs.aws.amazon.com/lambda/latest/dg/services-ddb-params.html>
fn default_stream_batch() -> u32 {
    100
}

fn retry_for_ever() -> i32 {
    -1
}

/// `StartingPosition`.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum StartingPosition {
    /// The oldest record that is left.
    TrimHorizon,
    /// Only what comes from now on.
    Latest,
}

/// `FilterCriteria`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub struct FilterCriteria {
    /// One match is enough; none lets everything through.
    pub filters: Vec<FilterPattern>,
}

/// One filter: an event pattern as JSON text.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub struct FilterPattern {
    /// The pattern.
    #[serde(deserialize_with = "json_text")]
    pub pattern: Json,
}

/// `DestinationConfig`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub struct DestinationConfig {
    /// After the last attempt.
    pub on_failure: Option<OnFailure>,
}

/// `OnFailure`; SAM's `Type` says what the destination is.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub struct OnFailure {
    /// Only queues are known.
    pub r#type: DestinationKind,
    /// The queue's ARN.
    pub destination: String,
}

/// Kinds of destination.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
pub enum DestinationKind {
    /// A queue.
    #[serde(rename = "SQS")]
    Queue,
}

/// An EventBridge rule.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub struct RuleEvent {
    /// On another bus than the default one.
    pub event_bus_name: Option<String>,
    /// What events it takes.
    pub pattern: Json,
    /// Where an event goes that the function could not take.
    pub dead_letter_config: Option<DeadLetterConfig>,
}

/// `DeadLetterConfig` of a rule or a schedule.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub struct DeadLetterConfig {
    /// The queue's ARN.
    pub arn: String,
}

/// A schedule on the default bus.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub struct ScheduleEvent {
    /// `rate(...)` or `cron(...)`.
    pub schedule: String,
    /// The function's event, as JSON text; the scheduled event if absent.
    pub input: Option<String>,
    /// Off never fires.
    #[serde(default = "enabled")]
    pub enabled: bool,
    /// Where an event goes that the function could not take.
    pub dead_letter_config: Option<DeadLetterConfig>,
}

fn enabled() -> bool {
    true
}

fn upper_case<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    Ok(String::deserialize(deserializer)?.to_ascii_uppercase())
}

fn json_text<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Json, D::Error> {
    let text = String::deserialize(deserializer)?;
    serde_json::from_str(&text).map_err(serde::de::Error::custom)
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Properties {
    timeout: Option<u64>,
    memory_size: Option<u32>,
    reserved_concurrent_executions: Option<u32>,
    #[serde(default)]
    environment: Environment,
    function_url_config: Option<FunctionUrlConfig>,
    event_invoke_config: Option<EventInvoke>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Environment {
    #[serde(default)]
    variables: BTreeMap<String, Json>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct FunctionUrlConfig {
    auth_type: String,
    invoke_mode: Option<String>,
}

/// How the code is built, watched and permitted: nothing of it changes what the code does here.
const WITHOUT_EFFECT: &[&str] = &[
    "Architectures",
    "CodeUri",
    "Description",
    "Handler",
    "LoggingConfig",
    "PermissionsBoundary",
    "Policies",
    "PropagateTags",
    "Role",
    "Runtime",
    "Tags",
    "Tracing",
];

impl Template {
    /// A function with everything that invokes it.
    ///
    /// # Errors
    /// A property or an event source is not known or does not fit; the binary's name is missing.
    pub fn function(&self, logical_id: &str, scope: &Scope) -> Result<Function, TemplateError> {
        let resource = self.resource(logical_id)?;
        let place = format!("Resources.{logical_id}");
        let binary = resource
            .get("Metadata")
            .and_then(|node| node.get("BuildProperties"))
            .and_then(|node| node.get("Binary"))
            .and_then(Node::text)
            .ok_or_else(|| at(resource, &place, "Metadata.BuildProperties.Binary must name the crate"))?;

        let empty = Node { line: resource.line, value: Value::Mapping(Vec::new()) };
        let own = resource.get("Properties").unwrap_or(&empty);
        let place = join(&place, "Properties");
        let skipped: Vec<&str> = WITHOUT_EFFECT.iter().copied().chain(["Events"]).collect();
        let properties: Properties = typed(own, &place, scope, &skipped)?;
        let globals: Properties = match self.section("Globals").iter().find(|(kind, _)| kind == "Function") {
            Some((_, node)) => typed(node, "Globals.Function", scope, WITHOUT_EFFECT)?,
            None => from_json(Json::Object(serde_json::Map::new()), &empty, "Globals.Function")?,
        };

        let timeout = properties.timeout.or(globals.timeout).unwrap_or(DEFAULT_TIMEOUT_SECONDS);
        if timeout == 0 || timeout > MAX_TIMEOUT_SECONDS {
            return Err(at(own, &join(&place, "Timeout"), "Lambda takes 1 to 900 seconds"));
        }
        let mut environment = BTreeMap::new();
        for (name, value) in globals.environment.variables.into_iter().chain(properties.environment.variables)
        {
            let value = match value {
                Json::String(text) => text,
                Json::Number(number) => number.to_string(),
                Json::Bool(value) => value.to_string(),
                _ => {
                    let place = format!("{place}.Environment.Variables.{name}");
                    return Err(at(own, &place, "a string expected"));
                }
            };
            environment.insert(name, value);
        }
        let url = properties.function_url_config.or(globals.function_url_config);
        let url = url.map(|url| function_url(&url, own, &place)).transpose()?;

        let mut events = Vec::new();
        let place = join(&place, "Events");
        for (name, node) in own.get("Events").and_then(Node::entries).unwrap_or_default() {
            events.push(event_source(node, &join(&place, name), scope)?);
        }
        Ok(Function {
            logical_id: logical_id.to_owned(),
            binary: binary.to_owned(),
            timeout: Duration::from_secs(timeout),
            memory_mb: properties.memory_size.or(globals.memory_size).unwrap_or(DEFAULT_MEMORY_MB),
            reserved_concurrency: properties
                .reserved_concurrent_executions
                .or(globals.reserved_concurrent_executions),
            environment,
            events,
            url,
            event_invoke: properties.event_invoke_config.or(globals.event_invoke_config).unwrap_or_default(),
        })
    }
}

fn function_url(url: &FunctionUrlConfig, node: &Node, place: &str) -> Result<FunctionUrl, TemplateError> {
    let place = join(place, "FunctionUrlConfig");
    if url.auth_type != "NONE" {
        return Err(at(
            node,
            &place,
            "only AuthType NONE runs locally: signatures of callers are not checked",
        ));
    }
    if url.invoke_mode.as_deref().is_some_and(|mode| mode != "BUFFERED") {
        return Err(at(node, &place, "only InvokeMode BUFFERED runs locally"));
    }
    Ok(FunctionUrl)
}

fn event_source(node: &Node, place: &str, scope: &Scope) -> Result<EventSource, TemplateError> {
    for (key, value) in node.entries().unwrap_or_default() {
        if key != "Type" && key != "Properties" {
            return Err(at(value, &join(place, key), "the local cloud does not know this key"));
        }
    }
    let kind = node
        .get("Type")
        .and_then(Node::text)
        .ok_or_else(|| at(node, place, "an event source needs a Type"))?;
    let properties =
        node.get("Properties").ok_or_else(|| at(node, place, "an event source needs Properties"))?;
    let place = join(place, "Properties");
    match kind {
        "Api" => typed(properties, &place, scope, &[]).map(EventSource::Api),
        "SQS" => typed(properties, &place, scope, &[]).map(EventSource::Queue),
        "DynamoDB" => typed(properties, &place, scope, &[]).map(EventSource::Stream),
        "EventBridgeRule" => typed(properties, &place, scope, &[]).map(EventSource::Rule),
        "Schedule" => typed(properties, &place, scope, &["Description", "Name"]).map(EventSource::Schedule),
        _ => Err(at(node, &place, &format!("the local cloud does not know the event source {kind}"))),
    }
}
