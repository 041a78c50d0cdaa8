//! Alarms watch what exists, and nothing that has to be watched is without one.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex},
};

use portico_aws::{Metric, Metrics};
use portico_domain::Clock;
use serde_json::Value;

use crate::{
    stack::now,
    template::{Template, target},
};

const ALARM: &str = "AWS::CloudWatch::Alarm";
/// <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-available-cloudwatch-metrics.html>
const OF_QUEUES: [&str; 2] = ["ApproximateAgeOfOldestMessage", "ApproximateNumberOfMessagesVisible"];

/// Metrics that nobody has to be woken by, with the reason.
const WITHOUT_ALARM: [(&str, &str); 2] = [
    ("Redriven", "somebody did it by hand and saw it"),
    ("SweepNeeded", "the next sweep is at most a quarter of an hour away, and has an alarm of its own"),
];

/// Namespace, names of the dimensions and name of a metric, as it is written.
fn written(metric: Metric) -> (String, Vec<String>, String) {
    let lines = Arc::new(Mutex::new(Vec::new()));
    let kept = Arc::clone(&lines);
    let metrics =
        Metrics::new("any", Clock::fixed(now()), move |line| kept.lock().unwrap().push(line.to_owned()));
    metrics.record(metric, 1);
    let line: Value = serde_json::from_str(&lines.lock().unwrap()[0]).unwrap();
    let about = &line["_aws"]["CloudWatchMetrics"][0];
    let dimensions = about["Dimensions"][0].as_array().unwrap().iter();
    let dimensions: Vec<String> = dimensions.map(|name| name.as_str().unwrap().to_owned()).collect();
    assert!(dimensions.iter().all(|name| line[name].is_string()), "{line}");
    (
        about["Namespace"].as_str().unwrap().to_owned(),
        dimensions,
        about["Metrics"][0]["Name"].as_str().unwrap().to_owned(),
    )
}

#[test]
fn every_alarm_names_a_metric_that_exists() {
    let template = Template::read();
    let own: Vec<_> = Metric::ALL.map(written).into();
    let mut alarmed = BTreeSet::new();
    for (id, alarm) in template.of_type(ALARM) {
        let (namespace, name) = (alarm["Namespace"].as_str().unwrap(), alarm["MetricName"].as_str().unwrap());
        let [dimension] = alarm["Dimensions"].as_array().unwrap().as_slice() else {
            panic!("{id}: one dimension")
        };
        let of = target(&dimension["Value"]).unwrap_or_else(|| panic!("{id}: {dimension}"));
        if namespace == "AWS/SQS" {
            assert!(OF_QUEUES.contains(&name), "{id}: {name}");
            assert_eq!(dimension["Name"], "QueueName", "{id}");
            assert_eq!(
                dimension["Value"]["Fn::GetAtt"],
                format!("{of}.QueueName"),
                "{id}: the URL is no name"
            );
            assert_eq!(template.type_of(of), Some("AWS::SQS::Queue"), "{id}");
        } else {
            let known = own.iter().find(|(_, _, known)| known == name);
            let (written_to, dimensions, _) = known.unwrap_or_else(|| panic!("{id}: nobody writes {name}"));
            assert_eq!(namespace, written_to, "{id}");
            assert_eq!(dimensions.as_slice(), [dimension["Name"].as_str().unwrap()], "{id}");
            assert_eq!(template.type_of(of), Some("AWS::Serverless::Function"), "{id}");
            alarmed.insert(name.to_owned());
        }
    }
    let silent: BTreeSet<&str> =
        Metric::ALL.iter().map(|metric| metric.name()).filter(|name| !alarmed.contains(*name)).collect();
    assert_eq!(silent, WITHOUT_ALARM.into_iter().map(|(name, _)| name).collect());
}

#[test]
fn every_alarm_reaches_the_operators_and_says_what_it_is() {
    let template = Template::read();
    let mut alarms = 0;
    for (id, alarm) in template.of_type(ALARM) {
        for actions in ["AlarmActions", "OKActions"] {
            let topic = target(&alarm[actions][0]).unwrap_or_else(|| panic!("{id}: {actions}"));
            assert_eq!(template.type_of(topic), Some("AWS::SNS::Topic"), "{id}");
        }
        assert!(!alarm["AlarmDescription"].as_str().unwrap().is_empty(), "{id}");
        let missing = alarm["TreatMissingData"].as_str().unwrap();
        // What is to be there every so often is missed; everything else is silent when it is well.
        let heartbeat = alarm["Statistic"] == "SampleCount";
        assert_eq!(missing, if heartbeat { "breaching" } else { "notBreaching" }, "{id}");
        alarms += 1;
    }
    assert!(alarms > 10, "only {alarms}");
}

#[test]
fn every_queue_of_dead_letters_has_an_alarm() {
    let template = Template::read();
    let mut parked = BTreeSet::new();
    for (_, queue) in template.of_type("AWS::SQS::Queue") {
        parked.extend(target(&queue["RedrivePolicy"]["deadLetterTargetArn"]));
    }
    for function in template.functions() {
        let streams = function.events("DynamoDB").map(|event| &event["DestinationConfig"]);
        let configs = streams.chain([&function.property("EventInvokeConfig")["DestinationConfig"]]);
        parked.extend(configs.filter_map(|config| target(&config["OnFailure"]["Destination"])));
        parked.extend(
            function.events("EventBridgeRule").filter_map(|rule| target(&rule["DeadLetterConfig"]["Arn"])),
        );
    }
    let watched: BTreeSet<&str> = template
        .of_type(ALARM)
        .filter(|(_, alarm)| alarm["MetricName"] == "ApproximateNumberOfMessagesVisible")
        .map(|(id, alarm)| {
            assert_eq!((&alarm["Threshold"], &alarm["Statistic"]), (&0.into(), &"Maximum".into()), "{id}");
            assert_eq!(alarm["ComparisonOperator"], "GreaterThanThreshold", "{id}");
            target(&alarm["Dimensions"][0]["Value"]).unwrap()
        })
        .collect();
    assert_eq!(watched, parked);
}
