//! Delivers the queue: at once after a commit, again after a failure.

use std::{sync::Arc, time::Duration};

use reqwest::header::{CONTENT_TYPE, HeaderName};
use tokio::{sync::watch, task::JoinSet, time::sleep};
use url::Url;

use super::{
    OutboundConfig, ack,
    envelope::{self, Sender},
    queue::{self, Message, Schedule},
};
use crate::{error::ApiError, org::Org, random, store::Outcome};

/// Longest sleep between two looks at the queue: the clock may be moved by hand.
const LOOK_AGAIN: Duration = Duration::from_secs(1);
/// Most of an answer that is read.
const ANSWER_MAX: usize = 64 * 1024;
const SOAP_ACTION: HeaderName = HeaderName::from_static("soapaction");

/// The sender of one org.
pub(crate) struct Deliveries {
    org: Arc<Org>,
    client: reqwest::Client,
    endpoint: Url,
    schedule: Schedule,
    parallel: usize,
    identity: Sender,
}

impl Deliveries {
    /// # Errors
    /// When the HTTP client cannot be built.
    pub(crate) fn new(org: Arc<Org>, config: &OutboundConfig) -> Result<Deliveries, reqwest::Error> {
        let client = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .timeout(config.timeout)
            .build()?;
        let identity = Sender {
            organization_id: org.organization_id.clone(),
            address: org.address.as_str().trim_end_matches('/').to_owned(),
        };
        Ok(Deliveries {
            org,
            client,
            endpoint: config.endpoint.clone(),
            schedule: Schedule::new(config.retry_divisor),
            parallel: config.parallel.max(1),
            identity,
        })
    }

    /// Runs until `stop` changes. Deliveries on their way are abandoned then; the queue has them.
    pub(crate) async fn run(self, mut stop: watch::Receiver<bool>) {
        let this = Arc::new(self);
        if let Err(error) = this.in_store(|unit, _| Ok(queue::recover(unit.connection)?)).await {
            tracing::error!(%error, "the outbound queue could not be recovered");
        }
        let mut on_their_way = JoinSet::new();
        loop {
            let free = this.parallel.saturating_sub(on_their_way.len());
            if free > 0 && !this.org.outbound_faults().paused {
                for message in this.claim(free).await {
                    on_their_way.spawn(Arc::clone(&this).deliver(message));
                }
            }
            let nap = this.nap(on_their_way.len()).await;
            tokio::select! {
                _ = stop.changed() => return,
                () = this.org.outbound_wake.notified() => {}
                Some(_) = on_their_way.join_next() => {}
                () = sleep(nap) => {}
            }
        }
    }

    async fn claim(&self, messages: usize) -> Vec<Message> {
        let faults = self.org.outbound_faults();
        let schedule = self.schedule;
        self.in_store(move |unit, _| queue::claim(unit, schedule, faults, messages)).await.unwrap_or_else(
            |error| {
                tracing::error!(%error, "the outbound queue could not be read");
                Vec::new()
            },
        )
    }

    /// How long nothing needs to be done, unless something is committed meanwhile.
    async fn nap(&self, on_their_way: usize) -> Duration {
        let faults = self.org.outbound_faults();
        if on_their_way >= self.parallel || faults.paused {
            return LOOK_AGAIN;
        }
        let wait = self.in_store(move |unit, now| {
            let due = queue::next_due(unit.connection, faults)?;
            Ok(due.map(|due| due.saturating_sub(now).max(1)))
        });
        match wait.await {
            Ok(Some(wait)) => Duration::from_millis(wait.unsigned_abs()).min(LOOK_AGAIN),
            Ok(None) | Err(_) => LOOK_AGAIN,
        }
    }

    async fn deliver(self: Arc<Self>, message: Message) {
        let body = envelope::message(&self.identity, message.object, &message.notifications);
        let failure = self.send(body.clone()).await.err();
        if failure.is_none() && random::percent(self.org.outbound_faults().duplicate_percent) {
            // Delivered once more although it was acknowledged; what the receiver says now does not matter.
            let _ = self.send(body).await;
        }
        if let Some(failure) = &failure {
            tracing::debug!(object = message.object.name, failure, "an outbound message failed");
        }
        let schedule = self.schedule;
        let settled = self.in_store(move |unit, now| {
            queue::settle(unit.connection, schedule, now, &message.sequences, failure.as_deref())
        });
        if let Err(error) = settled.await {
            tracing::error!(%error, "the end of a delivery could not be recorded");
        }
    }

    /// One attempt. The error never shows the endpoint, whose path is a secret.
    async fn send(&self, body: String) -> Result<(), String> {
        let answer = self
            .client
            .post(self.endpoint.clone())
            .header(CONTENT_TYPE, "text/xml; charset=UTF-8")
            .header(SOAP_ACTION, "\"\"")
            .body(body)
            .send()
            .await
            .map_err(|error| error.without_url().to_string())?;
        let status = answer.status().as_u16();
        let content_type =
            answer.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).map(str::to_owned);
        let body = read(answer).await?;
        ack::check(status, content_type.as_deref(), &body).map_err(|error| error.to_string())
    }

    async fn in_store<T: Send + 'static>(
        &self,
        work: impl FnOnce(&crate::records::Unit<'_>, i64) -> Result<T, ApiError> + Send + 'static,
    ) -> Result<T, ApiError> {
        let (now, actor) = (self.org.clock.now(), self.org.system_actor());
        self.org
            .store
            .run(move |transaction| {
                let unit = crate::records::Unit::new(transaction, now, actor);
                match work(&unit, now.as_millisecond()) {
                    Ok(value) => (Ok(value), Outcome::Commit),
                    Err(error) => (Err(error), Outcome::Rollback),
                }
            })
            .await?
    }
}

async fn read(mut answer: reqwest::Response) -> Result<String, String> {
    let mut body = Vec::new();
    while let Some(chunk) = answer.chunk().await.map_err(|error| error.without_url().to_string())? {
        if body.len().saturating_add(chunk.len()) > ANSWER_MAX {
            return Err(format!("the answer is longer than {ANSWER_MAX} bytes"));
        }
        body.extend_from_slice(&chunk);
    }
    String::from_utf8(body).map_err(|_| "the answer is not UTF-8".to_owned())
}
