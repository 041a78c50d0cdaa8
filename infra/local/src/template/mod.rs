//! `template.yaml`: the one source of what exists.
//!
//! The template is read with CloudFormation's tags and checked strictly: a resource type, a property or an intrinsic
//! function that this crate does not know is an error that names its place. Properties that are known and have no
//! meaning on one machine (encryption at rest, tracing, IAM policies) are listed where they are skipped.

mod api;
mod functions;
mod resources;
mod scope;
mod yaml;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use serde_json::Value as Json;

pub use api::{
    Authorizer, Cors, GatewayResponse, MethodSetting, RestApi, RestApiAuth, WebSocketApi, WebSocketRoute,
};
pub use functions::{
    ApiEvent, EventSource, FilterPattern, Function, FunctionUrl, QueueEvent, RuleEvent, ScheduleEvent,
    StartingPosition, StreamEvent,
};
pub use resources::{
    Bucket, Client, CorsRule, MalwareProtectionPlan, Pool, ProtectedBucket, ProtectedResource, Queue,
    RedrivePolicy, Secret, Table, TimeToLive,
};
pub use scope::Scope;

use yaml::{Node, join};

/// CloudFormation's own limit for a template body in S3, 1 MB.
/// <https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-limits.html>
const MAX_TEMPLATE_BYTES: u64 = 1024 * 1024;

/// Why a template cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TemplateError {
    /// The file cannot be read.
    #[error("{}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The file is larger than CloudFormation takes.
    #[error("{}: larger than {MAX_TEMPLATE_BYTES} bytes", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
    },
    /// The text is not YAML.
    #[error("line {line}: {problem}")]
    Yaml {
        /// Counted from 1.
        line: usize,
        /// What the parser said.
        problem: String,
    },
    /// Something in the template is wrong, or is not known to the local cloud.
    #[error("line {line}, {place}: {problem}")]
    At {
        /// The way from the root, for example `Resources.Api.Properties.Cors`.
        place: String,
        /// Counted from 1.
        line: usize,
        /// What is wrong.
        problem: String,
    },
}

/// A parsed template; its parts are read against a [`Scope`].
#[derive(Clone, Debug)]
pub struct Template {
    root: Node,
}

/// The kinds of resource that the local cloud gives life to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// `AWS::S3::Bucket`
    Bucket,
    /// `AWS::Serverless::Function`
    Function,
    /// `AWS::GuardDuty::MalwareProtectionPlan`
    MalwareProtectionPlan,
    /// `AWS::Cognito::UserPool`
    Pool,
    /// `AWS::Cognito::UserPoolClient`
    PoolClient,
    /// `AWS::SQS::Queue`
    Queue,
    /// `AWS::Serverless::Api`
    RestApi,
    /// `AWS::SecretsManager::Secret`
    Secret,
    /// `AWS::DynamoDB::Table`
    Table,
    /// `AWS::Serverless::WebSocketApi`
    WebSocketApi,
}

impl Kind {
    fn parse(name: &str) -> Option<Self> {
        Some(match name {
            "AWS::S3::Bucket" => Self::Bucket,
            "AWS::Serverless::Function" => Self::Function,
            "AWS::GuardDuty::MalwareProtectionPlan" => Self::MalwareProtectionPlan,
            "AWS::Cognito::UserPool" => Self::Pool,
            "AWS::Cognito::UserPoolClient" => Self::PoolClient,
            "AWS::SQS::Queue" => Self::Queue,
            "AWS::Serverless::Api" => Self::RestApi,
            "AWS::SecretsManager::Secret" => Self::Secret,
            "AWS::DynamoDB::Table" => Self::Table,
            "AWS::Serverless::WebSocketApi" => Self::WebSocketApi,
            _ => return None,
        })
    }
}

/// Resource types that govern or watch what exists, without being a part of what runs: IAM is not enforced on one
/// machine, and nobody is paged by a laptop.
const WITHOUT_LOCAL_LIFE: &[&str] = &[
    "AWS::Amplify::App",
    "AWS::Amplify::Branch",
    "AWS::Amplify::Domain",
    "AWS::Budgets::Budget",
    "AWS::CloudWatch::Alarm",
    "AWS::CloudWatch::CompositeAlarm",
    "AWS::CloudWatch::Dashboard",
    "AWS::IAM::ManagedPolicy",
    "AWS::IAM::Role",
    "AWS::KMS::Key",
    "AWS::Logs::LogGroup",
    "AWS::Logs::MetricFilter",
    "AWS::S3::BucketPolicy",
    "AWS::SNS::Subscription",
    "AWS::SNS::Topic",
    "AWS::SNS::TopicPolicy",
    "AWS::SQS::QueuePolicy",
    "AWS::WAFv2::WebACL",
    "AWS::WAFv2::WebACLAssociation",
];

/// The name of a resource in the template and what kind it is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct LogicalResource {
    /// The key under `Resources`.
    pub logical_id: String,
    /// What it is.
    pub kind: Kind,
}

impl Template {
    /// Reads and parses the file at `path`.
    ///
    /// # Errors
    /// The file cannot be read, is too large, is not YAML, or has sections or resource types that are not known.
    pub fn read(path: &Path) -> Result<Self, TemplateError> {
        let failed = |source| TemplateError::Read { path: path.to_owned(), source };
        if std::fs::metadata(path).map_err(failed)?.len() > MAX_TEMPLATE_BYTES {
            return Err(TemplateError::TooLarge { path: path.to_owned() });
        }
        Self::parse(&std::fs::read_to_string(path).map_err(failed)?)
    }

    /// Parses the text of a template.
    ///
    /// # Errors
    /// The text is not YAML, or has sections or resource types that are not known.
    pub fn parse(text: &str) -> Result<Self, TemplateError> {
        let template = Self { root: yaml::parse(text)? };
        template.check_sections()?;
        template.resources()?;
        Ok(template)
    }

    fn check_sections(&self) -> Result<(), TemplateError> {
        let sections = self.root.entries().ok_or_else(|| at(&self.root, "", "a mapping expected"))?;
        for (name, node) in sections {
            match name.as_str() {
                "AWSTemplateFormatVersion"
                | "Conditions"
                | "Description"
                | "Metadata"
                | "Outputs"
                | "Parameters"
                | "Resources"
                | "Transform" => {}
                "Globals" => {
                    for (kind, node) in node.entries().unwrap_or_default() {
                        if kind != "Function" {
                            return Err(at(node, &join("Globals", kind), "only Globals.Function is known"));
                        }
                    }
                }
                _ => return Err(at(node, name, "the local cloud does not know this section")),
            }
        }
        Ok(())
    }

    /// Every resource that lives locally, in the order of the template.
    ///
    /// # Errors
    /// A resource has no type, or one that is not known.
    pub fn resources(&self) -> Result<Vec<LogicalResource>, TemplateError> {
        let mut resources = Vec::new();
        for (logical_id, node) in self.section("Resources") {
            let place = format!("Resources.{logical_id}");
            let kind = node
                .get("Type")
                .and_then(Node::text)
                .ok_or_else(|| at(node, &place, "a resource needs a Type"))?;
            for (key, value) in node.entries().unwrap_or_default() {
                if !matches!(
                    key.as_str(),
                    "Type"
                        | "Condition"
                        | "Properties"
                        | "Metadata"
                        | "DependsOn"
                        | "DeletionPolicy"
                        | "UpdateReplacePolicy"
                ) {
                    return Err(at(value, &join(&place, key), "the local cloud does not know this key"));
                }
                if key == "Condition" {
                    self.condition(value, &join(&place, key))?;
                }
            }
            match Kind::parse(kind) {
                Some(kind) => resources.push(LogicalResource { logical_id: logical_id.clone(), kind }),
                None if WITHOUT_LOCAL_LIFE.contains(&kind) => {}
                None => {
                    return Err(at(
                        node,
                        &place,
                        &format!("the local cloud does not know the resource type {kind}"),
                    ));
                }
            }
        }
        Ok(resources)
    }

    /// The template as it is deployed with the parameters of `scope`: without the resources whose condition does not
    /// hold.
    ///
    /// # Errors
    /// A resource names no condition of the template, or the condition is not understood.
    pub fn settled(&self, scope: &Scope) -> Result<Self, TemplateError> {
        let mut absent = Vec::new();
        for (id, node) in self.section("Resources") {
            let Some(name) = node.get("Condition") else { continue };
            let (name, condition) = self.condition(name, &format!("Resources.{id}.Condition"))?;
            if !scope.holds(condition, &format!("Conditions.{name}"))? {
                absent.push(id.clone());
            }
        }
        let mut settled = self.clone();
        if let yaml::Value::Mapping(sections) = &mut settled.root.value {
            for (name, section) in sections {
                if let ("Resources", yaml::Value::Mapping(resources)) = (name.as_str(), &mut section.value) {
                    resources.retain(|(id, _)| !absent.contains(id));
                }
            }
        }
        Ok(settled)
    }

    /// The logical ids of every resource of one kind.
    ///
    /// # Errors
    /// See [`Template::resources`].
    pub fn of_kind(&self, kind: Kind) -> Result<Vec<String>, TemplateError> {
        let resources = self.resources()?.into_iter();
        Ok(resources.filter(|resource| resource.kind == kind).map(|resource| resource.logical_id).collect())
    }

    /// A scope that knows the template's parameters: `given` where it names one, the default otherwise.
    ///
    /// # Errors
    /// A parameter has neither a value nor a default, or `given` names none of the template's parameters.
    pub fn scope(&self, given: &BTreeMap<String, String>) -> Result<Scope, TemplateError> {
        let mut scope = Scope::default();
        let parameters = self.section("Parameters");
        if let Some(unknown) = given.keys().find(|name| !parameters.iter().any(|(known, _)| known == *name)) {
            return Err(at(&self.root, "Parameters", &format!("there is no parameter {unknown}")));
        }
        for (name, node) in parameters {
            let place = format!("Parameters.{name}");
            let default = node.get("Default").map(|node| scope.evaluate(node, &place)).transpose()?;
            let value = match (given.get(name), default) {
                (Some(value), _) => value.clone(),
                (None, Some(Json::String(value))) => value,
                (None, Some(Json::Number(value))) => value.to_string(),
                _ => return Err(at(node, &place, "the parameter has neither a value nor a default")),
            };
            scope.refer(name, value);
        }
        Ok(scope)
    }

    /// Whether the template has a parameter of this name.
    #[must_use]
    pub fn has_parameter(&self, name: &str) -> bool {
        self.section("Parameters").iter().any(|(known, _)| known == name)
    }

    /// The logical ids of the functions that have a URL; their addresses are needed before their variables.
    #[must_use]
    pub fn functions_with_url(&self) -> Vec<String> {
        let has_url =
            |node: &Node| node.get("Properties").and_then(|node| node.get("FunctionUrlConfig")).is_some();
        let functions = self.section("Resources").iter().filter(|(_, node)| {
            node.get("Type").and_then(Node::text) == Some("AWS::Serverless::Function") && has_url(node)
        });
        functions.map(|(id, _)| id.clone()).collect()
    }

    /// The condition that a resource names.
    fn condition(&self, name: &Node, place: &str) -> Result<&(String, Node), TemplateError> {
        let known = self.section("Conditions").iter().find(|(known, _)| name.text() == Some(known));
        known.ok_or_else(|| at(name, place, "there is no such condition"))
    }

    fn section(&self, name: &str) -> &[(String, Node)] {
        self.root.get(name).and_then(Node::entries).unwrap_or_default()
    }

    /// The resource's node; `at` errors need its place and line.
    fn resource(&self, logical_id: &str) -> Result<&Node, TemplateError> {
        self.root
            .get("Resources")
            .and_then(|resources| resources.get(logical_id))
            .ok_or_else(|| at(&self.root, &format!("Resources.{logical_id}"), "there is no such resource"))
    }

    /// The properties of a resource as `T`; those in `without_effect` are dropped, any other that `T` does not know
    /// is an error.
    fn properties<T: DeserializeOwned>(
        &self,
        logical_id: &str,
        scope: &Scope,
        without_effect: &[&str],
    ) -> Result<T, TemplateError> {
        let resource = self.resource(logical_id)?;
        let place = format!("Resources.{logical_id}.Properties");
        let empty = Node { line: resource.line, value: yaml::Value::Mapping(Vec::new()) };
        typed(resource.get("Properties").unwrap_or(&empty), &place, scope, without_effect)
    }
}

/// `node` as `T`; entries in `without_effect` are dropped unread.
fn typed<T: DeserializeOwned>(
    node: &Node,
    place: &str,
    scope: &Scope,
    without_effect: &[&str],
) -> Result<T, TemplateError> {
    let mut object = serde_json::Map::new();
    for (name, value) in node.entries().ok_or_else(|| at(node, place, "a mapping expected"))? {
        if !without_effect.contains(&name.as_str()) {
            object.insert(name.clone(), scope.evaluate(value, &join(place, name))?);
        }
    }
    from_json(Json::Object(object), node, place)
}

/// `json`, which came from `node`, as `T`, with the way to what does not fit.
fn from_json<T: DeserializeOwned>(json: Json, node: &Node, place: &str) -> Result<T, TemplateError> {
    serde_path_to_error::deserialize(json).map_err(|error| {
        let path = error.path().to_string();
        // The way stops at an enum's or a flattened value's border and is then only a dot.
        let line =
            path.split(['.', '[']).next().and_then(|key| node.get(key)).map_or(node.line, |node| node.line);
        let place = if path == "." { place.to_owned() } else { join(place, &path) };
        TemplateError::At { place, line, problem: error.into_inner().to_string() }
    })
}

/// An error at `node`.
fn at(node: &Node, place: &str, problem: &str) -> TemplateError {
    TemplateError::At { place: place.to_owned(), line: node.line, problem: problem.to_owned() }
}
