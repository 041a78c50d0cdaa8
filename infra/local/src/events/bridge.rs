//! EventBridge's default bus: events of S3, rules, and schedules.

use std::sync::Arc;
use std::time::Duration;

use portico_domain::{Clock, Random};
use portico_emulators::{ObjectCreated, ObjectEvents, QueueError};
use serde_json::{Value as Json, json};

use super::asynchronous::Inbox;
use super::pattern::Pattern;
use super::schedule::Schedule;
use super::{LOOK, TROUBLE_PAUSE};
use crate::identity;
use crate::malware::ScanRequests;
use crate::stop::Stop;

/// How many events of S3 are taken at once.
const BATCH: usize = 10;

/// Longest sleep of a schedule, so that a laptop that slept is late by a minute at most.
const SCHEDULE_NAP: Duration = Duration::from_secs(60);

/// A rule and the function that it invokes.
#[derive(Clone, Debug)]
pub struct Rule {
    /// Which events.
    pub pattern: Pattern,
    /// Where they go.
    pub inbox: Inbox,
}

/// The default bus. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Bus(Arc<[Rule]>);

impl Bus {
    /// A bus with these rules.
    #[must_use]
    pub fn new(rules: Vec<Rule>) -> Self {
        Self(rules.into())
    }

    /// Hands an event to every function with a rule that it matches; it is durable when this returns. After an error
    /// some may have it.
    ///
    /// # Errors
    /// [`QueueError`].
    pub async fn put(&self, event: &Json) -> Result<(), QueueError> {
        for rule in self.0.iter().filter(|rule| rule.pattern.matches(event)) {
            rule.inbox.put(event).await?;
        }
        Ok(())
    }
}

/// What S3 tells EventBridge of a new object.
/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/ev-events.html>
#[must_use]
pub fn object_created(object: &ObjectCreated, id: &str) -> Json {
    let reason = match object.event_name {
        "ObjectCreated:Copy" => "CopyObject",
        "ObjectCreated:CompleteMultipartUpload" => "CompleteMultipartUpload",
        _ => "PutObject",
    };
    let mut told = json!({
        "key": object.key,
        "size": object.size,
        "etag": object.e_tag,
        "sequencer": object.sequencer,
    });
    if let (Some(version), Some(told)) = (&object.version, told.as_object_mut()) {
        told.insert("version-id".to_owned(), json!(version));
    }
    json!({
        "version": "0",
        "id": id,
        "detail-type": "Object Created",
        "source": "aws.s3",
        "account": identity::ACCOUNT,
        "time": object.time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
        "region": identity::REGION,
        "resources": [format!("arn:aws:s3:::{}", object.bucket)],
        "detail": {
            "version": "0",
            "bucket": { "name": object.bucket },
            "object": told,
            "request-id": id,
            "requester": identity::ACCOUNT,
            "source-ip-address": "127.0.0.1",
            "reason": reason,
        },
    })
}

/// Puts the events of the buckets in `notifying` on the bus, and announces new objects to be scanned, until `stop` is
/// given.
pub async fn run_rules(
    bus: Bus,
    notifying: Vec<String>,
    scans: ScanRequests,
    events: ObjectEvents,
    random: Random,
    mut stop: Stop,
) {
    while !stop.is_given() {
        let round = async {
            for object in events.receive(BATCH, LOOK).await? {
                // Whether the bucket notifies does not matter: GuardDuty has a rule of its own, and turns that on.
                scans.announce(&object).await?;
                if notifying.contains(&object.bucket) {
                    bus.put(&object_created(&object, &identity::request_id(&random))).await?;
                }
                // Only now: an event that is lost on the way to an inbox comes again.
                events.delete(&object).await?;
            }
            Ok::<(), QueueError>(())
        };
        if let Err(error) = round.await {
            tracing::error!(%error, "events of S3 wait");
            tokio::select! {
                () = tokio::time::sleep(TROUBLE_PAUSE) => {}
                () = stop.given() => {}
            }
        }
    }
}

/// A schedule and the function that it invokes.
#[derive(Clone, Debug)]
pub struct Timer {
    /// When.
    pub schedule: Schedule,
    /// The event; the scheduled event of EventBridge if absent.
    pub input: Option<Json>,
    /// The function's logical id, for the rule's ARN.
    pub function: String,
    /// Where it goes.
    pub inbox: Inbox,
}

impl Timer {
    /// Fires until `stop` is given. What was missed while the process was down is not made up for.
    pub async fn run(self, clock: Clock, random: Random, mut stop: Stop) {
        let mut next = self.schedule.next_after(clock.now());
        while let Some(at) = next {
            let now = clock.now();
            if now < at {
                let nap =
                    Duration::try_from(at.duration_since(now)).unwrap_or(SCHEDULE_NAP).min(SCHEDULE_NAP);
                tokio::select! {
                    () = tokio::time::sleep(nap) => continue,
                    () = stop.given() => return,
                }
            }
            let event = self.input.clone().unwrap_or_else(|| {
                json!({
                    "version": "0",
                    "id": identity::request_id(&random),
                    "detail-type": "Scheduled Event",
                    "source": "aws.events",
                    "account": identity::ACCOUNT,
                    "time": at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
                    "region": identity::REGION,
                    "resources": [format!(
                        "arn:aws:events:{}:{}:rule/{}", identity::REGION, identity::ACCOUNT, self.function
                    )],
                    "detail": {},
                })
            });
            if let Err(error) = self.inbox.put(&event).await {
                tracing::error!(function = self.function, %error, "a scheduled event is lost");
            }
            next = self.schedule.next_after(at.max(now));
        }
    }
}
