//! Reading `template.yaml`: what is understood, and that nothing else slips through.

use std::collections::BTreeMap;
use std::path::Path;

use portico_local::template::{EventSource, Kind, Scope, StartingPosition, Template};

/// The template that goes to AWS.
fn real() -> Template {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../template.yaml");
    Template::read(&path).unwrap()
}

/// A scope in which every resource of the template has some name.
fn everything(template: &Template) -> Scope {
    let mut scope = template.scope(&BTreeMap::new()).unwrap();
    for name in ["Region", "URLSuffix", "Partition", "AccountId"] {
        scope.refer(format!("AWS::{name}"), "local");
    }
    for resource in template.resources().unwrap() {
        let id = &resource.logical_id;
        scope.refer(id, format!("ref-{id}"));
        for attribute in ["Arn", "StreamArn"] {
            scope.attribute(id, attribute, format!("{attribute}-{id}"));
        }
    }
    scope
}

#[test]
fn the_deployed_template_is_understood_to_the_last_property() {
    let template = real();
    let scope = everything(&template);
    for resource in template.resources().unwrap() {
        let id = &resource.logical_id;
        match resource.kind {
            Kind::Bucket => drop(template.bucket(id, &scope).unwrap()),
            Kind::Function => drop(template.function(id, &scope).unwrap()),
            Kind::MalwareProtectionPlan => drop(template.malware_protection_plan(id, &scope).unwrap()),
            Kind::Pool => drop(template.pool(id, &scope).unwrap()),
            Kind::PoolClient => drop(template.pool_client(id, &scope).unwrap()),
            Kind::Queue => drop(template.queue(id, &scope).unwrap()),
            Kind::RestApi => drop(template.rest_api(id, &scope).unwrap()),
            Kind::Secret => drop(template.secret(id, &scope).unwrap()),
            Kind::Table => drop(template.table(id, &scope).unwrap()),
            Kind::WebSocketApi => drop(template.web_socket_api(id, &scope).unwrap()),
        }
    }
}

#[test]
fn buckets_keep_and_remove_what_the_template_says() {
    let template = Template::parse(
        r#"
Resources:
  Quiet: { Type: AWS::S3::Bucket }
  Files:
    Type: AWS::S3::Bucket
    Properties:
      VersioningConfiguration: { Status: Enabled }
      LifecycleConfiguration:
        Rules:
          - { Id: uploads, Status: Enabled, AbortIncompleteMultipartUpload: { DaysAfterInitiation: 1 } }
          - { Status: Disabled, ExpirationInDays: 1 }
          - { Status: Enabled, Prefix: a/, ExpirationInDays: 7, NoncurrentVersionExpiration: { NoncurrentDays: 30 } }
  Cold:
    Type: AWS::S3::Bucket
    Properties:
      LifecycleConfiguration: { Rules: [{ Status: Enabled, Transitions: [] }] }
"#,
    )
    .unwrap();
    let scope = template.scope(&BTreeMap::new()).unwrap();
    let quiet = template.bucket("Quiet", &scope).unwrap();
    assert!(!quiet.is_versioned() && quiet.rules().next().is_none());
    let files = template.bucket("Files", &scope).unwrap();
    assert!(files.is_versioned());
    let rules: Vec<_> = files
        .rules()
        .map(|rule| {
            let days = (rule.abort_uploads_after(), rule.expiration_in_days, rule.expire_noncurrent_after());
            (rule.prefix.as_str(), days)
        })
        .collect();
    assert_eq!(rules, [("", (Some(1), None, None)), ("a/", (None, Some(7), Some(30)))]);
    // What the local store could not do is not passed over.
    let unknown = template.bucket("Cold", &scope).unwrap_err().to_string();
    assert!(unknown.contains("Transitions"), "{unknown}");
}

#[test]
fn values_arrive_resolved() {
    let template = Template::parse(
        r#"
Parameters:
  Origin: { Type: String, Default: "http://example" }
Globals:
  Function: { Timeout: 15, MemorySize: 512 }
Resources:
  Table:
    Type: AWS::DynamoDB::Table
    Properties: { AttributeDefinitions: [], KeySchema: [] }
  Worker:
    Type: AWS::Serverless::Function
    Metadata: { BuildProperties: { Binary: worker } }
    Properties:
      Timeout: 60
      Environment:
        Variables:
          TABLE: !Ref Table
          LONG: { "Fn::Sub": "${Table.Arn}/index/*" }
          OWN: !Sub ["${Origin}/${Path}", { Path: cases }]
          LITERAL: !Sub "${!Origin}"
          JOINED: !Join [":", [a, !Ref Table]]
          NUMBER: 7
      Events:
        Rows:
          Type: DynamoDB
          Properties: { Stream: !GetAtt Table.StreamArn, StartingPosition: TRIM_HORIZON }
"#,
    )
    .unwrap();
    let mut scope = template.scope(&BTreeMap::from([("Origin".into(), "http://given".into())])).unwrap();
    scope.refer("Table", "the-table");
    scope.attribute("Table", "Arn", "arn:table");
    scope.attribute("Table", "StreamArn", "arn:stream");

    let worker = template.function("Worker", &scope).unwrap();
    let variable = |name: &str| worker.environment[name].as_str();
    assert_eq!(variable("TABLE"), "the-table");
    assert_eq!(variable("LONG"), "arn:table/index/*");
    assert_eq!(variable("OWN"), "http://given/cases");
    assert_eq!(variable("LITERAL"), "${Origin}");
    assert_eq!(variable("JOINED"), "a:the-table");
    assert_eq!(variable("NUMBER"), "7");
    assert_eq!((worker.timeout.as_secs(), worker.memory_mb), (60, 512));
    let [EventSource::Stream(stream)] = worker.events.as_slice() else { panic!("one stream expected") };
    assert_eq!(stream.stream, "arn:stream");
    assert_eq!(stream.starting_position, StartingPosition::TrimHorizon);
    assert_eq!((stream.batch_size, stream.maximum_retry_attempts), (100, -1));
}

#[test]
fn resources_whose_condition_does_not_hold_are_not_there() {
    let text = r#"
Transform: AWS::Serverless-2016-10-31
Parameters:
  Bus: { Type: String, Default: "" }
Conditions:
  HasBus: !Not [!Equals [!Ref Bus, ""]]
  HasNone: !Equals [!Ref Bus, ""]
Resources:
  Always: { Type: AWS::SQS::Queue }
  With: { Type: AWS::SQS::Queue, Condition: HasBus }
  Without: { Type: AWS::SQS::Queue, Condition: HasNone }
"#;
    let template = Template::parse(text).unwrap();
    for (bus, expected) in [("", ["Always", "Without"]), ("partner", ["Always", "With"])] {
        let scope = template.scope(&BTreeMap::from([("Bus".to_owned(), bus.to_owned())])).unwrap();
        assert_eq!(template.settled(&scope).unwrap().of_kind(Kind::Queue).unwrap(), expected, "{bus}");
    }
    let unknown = Template::parse(&text.replace("Condition: HasBus", "Condition: HasBuses"));
    assert!(unknown.unwrap_err().to_string().contains("there is no such condition"));
    let elsewhere = Template::parse(&text.replace("\"\" }", "!Not [!Equals [a, b]] }")).unwrap();
    let refused = elsewhere.scope(&BTreeMap::new()).unwrap_err().to_string();
    assert!(refused.contains("a condition stands under Conditions"), "{refused}");
}

/// Nobody has an event relay by default, and with one the function is there, on the partner's bus.
#[test]
fn the_relay_of_change_events_is_there_with_its_bus_only() {
    let template = real();
    let deployed = |bus: &str| {
        let parameters = BTreeMap::from([("SalesforceEventBus".to_owned(), bus.to_owned())]);
        template.settled(&template.scope(&parameters).unwrap()).unwrap()
    };
    let id = "SalesforceChangeEvents";
    assert!(!deployed("").of_kind(Kind::Function).unwrap().iter().any(|known| known == id));
    let bus = "aws.partner/salesforce.com/00DFk0000000001MAA/0YLFk0000000001AAA";
    let template = deployed(bus);
    let mut scope = everything(&template);
    scope.refer("SalesforceEventBus", bus);
    let function = template.function(id, &scope).unwrap();
    let [EventSource::Rule(rule)] = function.events.as_slice() else { panic!("one rule expected") };
    assert_eq!(rule.event_bus_name.as_deref(), Some(bus));
    assert!(rule.dead_letter_config.is_some());
}

/// The message of the error that reading `text` ends with, resources included.
fn refusal(text: &str) -> String {
    let read = || -> Result<(), portico_local::template::TemplateError> {
        let template = Template::parse(text)?;
        let scope = template.scope(&BTreeMap::new())?;
        for resource in template.resources()? {
            match resource.kind {
                Kind::Function => drop(template.function(&resource.logical_id, &scope)?),
                Kind::RestApi => drop(template.rest_api(&resource.logical_id, &scope)?),
                _ => drop(template.table(&resource.logical_id, &scope)?),
            }
        }
        Ok(())
    };
    read().unwrap_err().to_string()
}

#[test]
fn errors_name_the_line_and_the_place() {
    let function = |properties: &str| {
        format!(
            "Resources:\n  F:\n    Type: AWS::Serverless::Function\n    Metadata: {{ BuildProperties: {{ Binary: f }} }}\n    Properties:\n{properties}"
        )
    };
    for (text, expected) in [
        ("Resources: {", "line"),
        ("", "the file is empty"),
        ("Resources: {}\n---\nResources: {}", "exactly one document"),
        ("Mappings: {}\nResources: {}", "line 1, Mappings: the local cloud does not know this section"),
        (
            "Resources:\n  T: { Type: AWS::Nowhere::Thing }",
            "Resources.T: the local cloud does not know the resource type AWS::Nowhere::Thing",
        ),
        (
            "Resources:\n  T: { Type: AWS::DynamoDB::Table, Properties: { Streams: 1, AttributeDefinitions: [], KeySchema: [] } }",
            "Resources.T.Properties.Streams: unknown field `Streams`",
        ),
        ("Resources:\n  T: {}\n  T: {}", "the key `T` appears twice"),
        (
            "Resources:\n  T: { Type: AWS::DynamoDB::Table, Condition: Sometimes }",
            "Resources.T.Condition: there is no such condition",
        ),
        (
            "Resources:\n  A: !Nope X",
            "line 2, Resources.A: the local cloud does not know the intrinsic function !Nope",
        ),
        ("Resources:\n  A: &a {}\n  B: *a", "aliases"),
        (
            "Parameters:\n  P: { Type: String }\nResources: {}",
            "Parameters.P: the parameter has neither a value nor a default",
        ),
        (
            &function("      Environment: { Variables: { A: !Ref Nothing } }\n"),
            "line 6, Resources.F.Properties.Environment.Variables.A: !Ref Nothing",
        ),
        (&function("      Environment: { Variables: { A: !GetAtt Nothing.Arn } }\n"), "!GetAtt Nothing.Arn"),
        (
            &function("      Environment: { Variables: { A: !Sub '${Nothing}' } }\n"),
            "nothing is named `Nothing`",
        ),
        (&function("      Timeout: 901\n"), "Resources.F.Properties.Timeout: Lambda takes 1 to 900 seconds"),
        (&function("      Layers: []\n"), "unknown field `Layers`"),
        (
            &function("      FunctionUrlConfig: { AuthType: AWS_IAM }\n"),
            "Resources.F.Properties.FunctionUrlConfig: only AuthType NONE",
        ),
        (
            &function("      Events: { E: { Type: Kinesis, Properties: {} } }\n"),
            "Resources.F.Properties.Events.E.Properties: the local cloud does not know the event source Kinesis",
        ),
        (
            &function("      Events: { E: { Type: SQS, Properties: { Queue: q, FilterCriteria: {} } } }\n"),
            "Resources.F.Properties.Events.E.Properties.FilterCriteria: unknown field",
        ),
        (
            "Resources:\n  A: { Type: AWS::Serverless::Api, Properties: { StageName: v1, Cors: { AllowOrigin: unquoted } } }",
            "Resources.A.Properties.Cors.AllowOrigin: a static value needs single quotes",
        ),
    ] {
        let message = refusal(text);
        assert!(message.contains(expected), "`{message}` does not contain `{expected}`");
    }
}

#[test]
fn depth_is_bounded() {
    let deep = format!("Resources: {}{}", "[".repeat(200), "]".repeat(200));
    assert!(refusal(&deep).contains("nested deeper"));
}

#[test]
fn an_unknown_parameter_is_refused() {
    let template = Template::parse("Parameters: {}\nResources: {}").unwrap();
    let given = BTreeMap::from([("Nowhere".to_owned(), "x".to_owned())]);
    assert!(template.scope(&given).unwrap_err().to_string().contains("there is no parameter Nowhere"));
}
