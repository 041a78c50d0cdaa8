//! Policies allow what the functions do, and nothing else. That they are sufficient shows in [`crate::samples`],
//! where every function runs behind a guard that enforces them.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::{
    samples,
    template::{Template, target},
};

/// What a policy may allow at all, by what the resource is.
fn known_actions(kind: &str) -> &'static [&'static str] {
    match kind {
        "AWS::DynamoDB::Table" => &[
            "dynamodb:GetItem",
            "dynamodb:PutItem",
            "dynamodb:UpdateItem",
            "dynamodb:DeleteItem",
            "dynamodb:ConditionCheckItem",
            "dynamodb:Query",
        ],
        "AWS::S3::Bucket" => &[
            "s3:GetObject",
            "s3:PutObject",
            "s3:AbortMultipartUpload",
            "s3:DeleteObject",
            "s3:DeleteObjectVersion",
            "s3:ListMultipartUploadParts",
            "s3:ListBucket",
            "s3:ListBucketVersions",
        ],
        "AWS::SQS::Queue" => {
            &["sqs:SendMessage", "sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:ChangeMessageVisibility"]
        }
        "AWS::KMS::Key" => &["kms:Decrypt", "kms:GenerateDataKey"],
        "AWS::SecretsManager::Secret" => &["secretsmanager:GetSecretValue"],
        "AWS::Serverless::WebSocketApi" => &["execute-api:ManageConnections"],
        _ => &[],
    }
}

/// The resource behind a policy's resource.
fn resource(value: &Value) -> &str {
    // The ARN of a WebSocket API is put together around its id.
    if value["Fn::Sub"]
        .as_str()
        .is_some_and(|text| text.contains(":execute-api:") && text.contains("${LiveApi}"))
    {
        return "LiveApi";
    }
    target(value).unwrap_or_else(|| panic!("{value} names no resource of the template"))
}

#[test]
fn policies_name_single_actions_on_resources_of_the_template() {
    let template = Template::read();
    for function in template.functions() {
        for statement in function.statements() {
            for value in &statement.resources {
                let name = resource(value);
                let kind = template.type_of(name).unwrap_or_else(|| panic!("{name} does not exist"));
                for action in &statement.actions {
                    assert!(
                        known_actions(kind).contains(&action.as_str()),
                        "{}: {action} on {name}",
                        function.id
                    );
                }
                if let Some(text) = value["Fn::Sub"].as_str() {
                    let narrow = match kind {
                        "AWS::DynamoDB::Table" => text.ends_with("/index/*"),
                        "AWS::S3::Bucket" => text.ends_with("/accounts/*") || text.ends_with("/brands/*"),
                        "AWS::Serverless::WebSocketApi" => text.ends_with("/@connections/*"),
                        _ => false,
                    };
                    assert!(narrow, "{}: {text} is wider than it has to be", function.id);
                }
            }
        }
    }
}

/// What a function is told the name of, it may use; and it may use nothing of which it does not know the name.
#[test]
fn a_function_may_use_exactly_what_it_is_told_of() {
    let template = Template::read();
    for function in template.functions() {
        let told: BTreeSet<&str> = function
            .variables()
            .values()
            .filter_map(|value| match value["Fn::Sub"].as_str() {
                Some(url) if url.contains("${LiveApi}") => Some("LiveApi"),
                _ => target(value),
            })
            .filter(|name| template.type_of(name).is_some())
            .collect();
        let statements = function.statements();
        let dead_letters = dead_letters(&template, function.binary);
        let allowed: BTreeSet<&str> = statements
            .iter()
            .flat_map(|statement| statement.resources.iter().map(resource))
            .filter(|name| !dead_letters.contains(name) && !is_key(&template, name))
            .collect();
        assert_eq!(told, allowed, "{}", function.id);
    }
}

/// A key is named by its bucket only: nobody is told of it.
fn is_key(template: &Template, name: &str) -> bool {
    template.type_of(name) == Some("AWS::KMS::Key")
}

/// What S3 asks of a bucket's key in the name of whoever uses its objects. Parts are read again when they are joined.
/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingKMSEncryption.html>
#[test]
fn the_key_of_a_bucket_goes_with_its_objects_and_with_nothing_else() {
    let template = Template::read();
    let mut keys = 0;
    for function in template.functions() {
        let mut needed: BTreeSet<(&str, &str)> = BTreeSet::new();
        let mut granted: BTreeSet<(&str, String)> = BTreeSet::new();
        let statements = function.statements();
        for statement in &statements {
            for name in statement.resources.iter().map(resource) {
                if is_key(&template, name) {
                    granted.extend(statement.actions.iter().map(|action| (name, action.clone())));
                    continue;
                }
                let bucket = template.of_type("AWS::S3::Bucket").find(|(id, _)| *id == name);
                let rules = bucket
                    .map(|(_, bucket)| &bucket["BucketEncryption"]["ServerSideEncryptionConfiguration"]);
                let Some(key) = rules
                    .and_then(|rules| target(&rules[0]["ServerSideEncryptionByDefault"]["KMSMasterKeyID"]))
                else {
                    continue;
                };
                for action in &statement.actions {
                    match action.as_str() {
                        "s3:GetObject" => needed.extend([(key, "kms:Decrypt")]),
                        "s3:PutObject" => needed.extend([(key, "kms:Decrypt"), (key, "kms:GenerateDataKey")]),
                        _ => {}
                    }
                }
            }
        }
        keys += needed.len();
        let needed: BTreeSet<(&str, String)> =
            needed.into_iter().map(|(key, action)| (key, action.to_owned())).collect();
        assert_eq!(granted, needed, "{}", function.id);
    }
    assert!(keys > 6, "{keys}");
}

/// Queues to which Lambda itself sends, in the name of a function, what the function could not do.
fn dead_letters<'t>(template: &'t Template, binary: &str) -> BTreeSet<&'t str> {
    let function = template.function(binary);
    let streams = function.events("DynamoDB").map(|event| &event["DestinationConfig"]);
    let asynchronous = [&function.property("EventInvokeConfig")["DestinationConfig"]];
    streams.chain(asynchronous).filter_map(|config| target(&config["OnFailure"]["Destination"])).collect()
}

#[test]
fn lambda_and_eventbridge_may_park_what_failed() {
    let template = Template::read();
    let mut rules = 0;
    for function in template.functions() {
        for queue in dead_letters(&template, function.binary) {
            let granted = function.statements().into_iter().any(|statement| {
                statement.actions == ["sqs:SendMessage"]
                    && statement.resources.iter().any(|value| resource(value) == queue)
            });
            assert!(granted, "{}: its role cannot send to {queue}", function.id);
        }
        for rule in function.events("EventBridgeRule") {
            let queue = target(&rule["DeadLetterConfig"]["Arn"]).unwrap();
            let granted = template.of_type("AWS::SQS::QueuePolicy").any(|(_, policy)| {
                let statement = &policy["PolicyDocument"]["Statement"][0];
                target(&policy["Queues"][0]) == Some(queue)
                    && target(&statement["Resource"]) == Some(queue)
                    && statement["Principal"]["Service"] == "events.amazonaws.com"
                    && statement["Action"] == "sqs:SendMessage"
            });
            assert!(granted, "{}: the rule cannot send to {queue}", function.id);
            rules += 1;
        }
    }
    assert_eq!(rules, 3);
}

/// An index can be queried only by who may query its table, and only tables that have one need the right.
#[test]
fn indexes_are_granted_where_there_are_some() {
    let template = Template::read();
    let with_index: BTreeSet<&str> = template
        .of_type("AWS::DynamoDB::Table")
        .filter(|(_, properties)| properties.get("GlobalSecondaryIndexes").is_some())
        .map(|(id, _)| id)
        .collect();
    for function in template.functions() {
        for statement in function.statements() {
            for value in statement
                .resources
                .iter()
                .filter(|value| value["Fn::Sub"].as_str().is_some_and(|text| text.contains("/index/")))
            {
                assert!(with_index.contains(resource(value)), "{}: {value}", function.id);
                assert_eq!(statement.actions, ["dynamodb:Query"], "{}: {value}", function.id);
            }
        }
    }
}

/// Rights that no sample event uses, with the reason why they are needed all the same.
const UNUSED_BY_SAMPLES: [(&str, &str, &str, &str); 16] = [
    (
        "billing-preview",
        "dynamodb:Query",
        "InvoicePositionsTable",
        "what is on earlier bills of a case or a contract: as the invoice, in `late_hours`",
    ),
    (
        "archive-assembly",
        "s3:GetObject",
        "ArchivesBucket",
        "an archive whose joining was not answered is looked at: it may be there",
    ),
    (
        "archive-assembly",
        "s3:ListBucket",
        "ArchivesBucket",
        "an archive whose joining was not answered is looked at: it may not be there",
    ),
    (
        "case-conversation",
        "dynamodb:GetItem",
        "CaseActivityTable",
        "a repetition answers from the comment that the first attempt left behind",
    ),
    (
        "case-submission",
        "dynamodb:GetItem",
        "CasesTable",
        "a repetition answers from the case that the first attempt left behind",
    ),
    (
        "case-listing",
        "dynamodb:GetItem",
        "FilesTable",
        "a timeline that names files is asked for in the tests of who sees them",
    ),
    (
        "case-submission",
        "s3:AbortMultipartUpload",
        "FilesBucket",
        "a large file that comes with a case that there is already is given up",
    ),
    (
        "event-relay",
        "sqs:SendMessage",
        "ArchivesQueue",
        "an archive that was asked for is put together; the journey asks for one",
    ),
    (
        "presigned-uploads",
        "dynamodb:GetItem",
        "AccountsTable",
        "people of the consultancy name the account to whose case they add a file",
    ),
    (
        "invoice-generation",
        "dynamodb:Query",
        "InvoicePositionsTable",
        "what is on earlier bills of a case or a contract: in `late_hours`",
    ),
    (
        "invoice-rendering",
        "s3:GetObject",
        "InvoicesBucket",
        "a brand is read where there is one, and what an earlier attempt kept stands: the function's own tests do both",
    ),
    (
        "invoice-rendering",
        "s3:ListBucket",
        "InvoicesBucket",
        "without it a brand that is missing would be a refusal, as if the store had failed",
    ),
    ("presigned-uploads", "s3:AbortMultipartUpload", "FilesBucket", "an upload in parts is given up"),
    (
        "presigned-uploads",
        "s3:GetObject",
        "FilesBucket",
        "parts whose joining was not answered: the object may be there",
    ),
    (
        "presigned-uploads",
        "s3:ListBucket",
        "FilesBucket",
        "parts whose joining was not answered: the object may not be there",
    ),
    (
        "presigned-uploads",
        "s3:ListMultipartUploadParts",
        "FilesBucket",
        "which parts are there is asked by the journey, after a break",
    ),
];

/// The samples' snapshots list every call that a function made. What is allowed and never done is too much.
#[test]
fn every_right_is_used_by_a_sample() {
    let template = Template::read();
    let used = samples::calls();
    let mut unused = BTreeSet::new();
    for function in template.functions() {
        let dead_letters = dead_letters(&template, function.binary);
        let calls = used.get(function.binary).cloned().unwrap_or_default();
        for statement in function.statements() {
            let names = statement.resources.iter().map(resource);
            // Keys are used by S3 in the function's name.
            for name in names.filter(|name| !dead_letters.contains(name) && !is_key(&template, name)) {
                for action in &statement.actions {
                    if !calls.contains(&(action.clone(), name.to_owned())) {
                        unused.insert((function.binary, action.clone(), name.to_owned()));
                    }
                }
            }
        }
    }
    let explained: BTreeMap<_, _> = UNUSED_BY_SAMPLES
        .into_iter()
        .map(|(binary, action, name, reason)| ((binary, action.to_owned(), name.to_owned()), reason))
        .collect();
    assert_eq!(unused, explained.into_keys().collect(), "left: rights without use; right: those explained");
}

/// A message must not come back while the function that took it may still be at work.
#[test]
fn queues_wait_for_their_functions() {
    let template = Template::read();
    let queues: BTreeMap<&str, &Value> = template.of_type("AWS::SQS::Queue").collect();
    let mut mappings = 0;
    for function in template.functions() {
        let timeout =
            function.property("Timeout").as_u64().or_else(|| template.globals()["Timeout"].as_u64()).unwrap();
        for event in function.events("SQS") {
            let queue = queues[target(&event["Queue"]).unwrap()];
            assert!(queue["VisibilityTimeout"].as_u64().unwrap() >= timeout, "{}", function.id);
            assert_ne!(queue["RedrivePolicy"]["deadLetterTargetArn"], Value::Null, "{}", function.id);
            mappings += 1;
        }
    }
    assert_eq!(mappings, 7);
}
