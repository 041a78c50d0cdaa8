//! A client's open live connection.

use std::time::Duration;

use futures::StreamExt;
use reqwest::StatusCode;
use serde_json::{Value as Json, json};
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream, connect_async,
    tungstenite::{Error, Message},
};

use crate::{
    cloud::Cloud,
    person::Person,
    report::{Broken, expect},
};

/// How long a push may take.
const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) struct Live {
    socket: WebSocketStream<MaybeTlsStream<tokio::net::TcpStream>>,
}

impl Live {
    /// Gets a ticket and opens the connection with it. The ticket works once.
    pub(crate) async fn open(cloud: &Cloud, person: &Person) -> Result<Self, Broken> {
        let answer =
            person.post("/live/tickets", "unused", &json!({})).await?.must_be(StatusCode::CREATED)?;
        let ticket = answer.text("ticket")?;
        let url = format!("{}?ticket={ticket}", cloud.addresses.live);
        let (socket, _) = connect_async(&url).await?;
        match connect_async(&url).await {
            Err(Error::Http(refused)) => expect(refused.status() == 401, format!("{}", refused.status()))?,
            other => return Err(Broken::new(format!("a used ticket opened a connection: {other:?}"))),
        }
        Ok(Self { socket })
    }

    /// The next message of this kind about this record.
    pub(crate) async fn news(&mut self, kind: &str, field: &str, id: &str) -> Result<Json, Broken> {
        self.news_within(PATIENCE, kind, field, id).await
    }

    /// The same, where it may take longer.
    pub(crate) async fn news_within(
        &mut self,
        patience: Duration,
        kind: &str,
        field: &str,
        id: &str,
    ) -> Result<Json, Broken> {
        let listen = async {
            while let Some(message) = self.socket.next().await {
                let Message::Text(text) = message? else { continue };
                let news: Json = serde_json::from_str(&text)?;
                let told = |name: &str| news.get(name).and_then(Json::as_str);
                if told("type") == Some(kind) && (id.is_empty() || told(field) == Some(id)) {
                    return Ok(news);
                }
            }
            Err(Broken::new("the connection was closed"))
        };
        tokio::time::timeout(patience, listen)
            .await
            .map_err(|_| Broken::new(format!("no {kind} about {id}")))?
    }

    /// Listens until it has heard all of these (kind, field, id), in whatever order.
    pub(crate) async fn hear(&mut self, wanted: &[(&str, &str, &str)]) -> Result<(), Broken> {
        self.hear_within(PATIENCE, wanted).await
    }

    /// The same, where it may take longer.
    pub(crate) async fn hear_within(
        &mut self,
        patience: Duration,
        wanted: &[(&str, &str, &str)],
    ) -> Result<(), Broken> {
        let mut open = wanted.to_vec();
        let listen = async {
            while !open.is_empty() {
                let Some(message) = self.socket.next().await else {
                    return Err(Broken::new("the connection was closed"));
                };
                let Message::Text(text) = message? else { continue };
                let news: Json = serde_json::from_str(&text)?;
                let told = |name: &str| news.get(name).and_then(Json::as_str);
                open.retain(|(kind, field, id)| told("type") != Some(kind) || told(field) != Some(id));
            }
            Ok(())
        };
        match tokio::time::timeout(patience, listen).await {
            Ok(heard) => heard,
            Err(_) => Err(Broken::new(format!("not heard: {open:?}"))),
        }
    }

    /// Everything that has arrived and was not listened to; ends after a quiet moment.
    pub(crate) async fn drain(&mut self, quiet: Duration) -> Result<Vec<String>, Broken> {
        let mut heard = Vec::new();
        while let Ok(Some(message)) = tokio::time::timeout(quiet, self.socket.next()).await {
            if let Message::Text(text) = message? {
                heard.push(text.to_string());
            }
        }
        Ok(heard)
    }
}
