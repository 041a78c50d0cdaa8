//! One open socket.

use std::sync::Arc;

use axum::extract::ws::{CloseFrame, Message, WebSocket};
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::Live;
use super::connections::{Connection, Outgoing};

/// Normal closure, RFC 6455 section 7.4.1.
const NORMAL: u16 = 1000;
/// The server or the connection's time is over.
const GOING_AWAY: u16 = 1001;
/// Binary messages are not taken, as on AWS.
const UNSUPPORTED: u16 = 1003;
/// The connection broke without a closing frame; never sent.
pub(super) const ABNORMAL: u16 = 1006;
/// The message is larger than may be.
const TOO_LARGE: u16 = 1009;

/// How the connection ended: the code and the reason for `$disconnect`, and whether we close it.
struct End {
    code: u16,
    reason: &'static str,
    ours: bool,
}

impl End {
    fn ours(code: u16, reason: &'static str) -> Self {
        Self { code, reason, ours: true }
    }

    fn theirs(code: u16) -> Self {
        Self { code, reason: "", ours: false }
    }
}

/// Serves the socket until it ends, then tells `$disconnect`.
pub(super) async fn run(
    live: Arc<Live>,
    connection: Connection,
    mut socket: WebSocket,
    outbox: mpsc::Receiver<Outgoing>,
) {
    let end = converse(&live, &connection, &mut socket, outbox).await;
    if end.ours {
        let frame = CloseFrame { code: end.code, reason: end.reason.into() };
        // The peer may be gone already.
        let _ = socket.send(Message::Close(Some(frame))).await;
    }
    live.disconnected(&connection, end.code, end.reason).await;
}

async fn converse(
    live: &Live,
    connection: &Connection,
    socket: &mut WebSocket,
    mut outbox: mpsc::Receiver<Outgoing>,
) -> End {
    let mut stop = live.stop.clone();
    let end_of_life = Instant::now() + live.limits.life;
    let mut idle_until = Instant::now() + live.limits.idle;
    loop {
        tokio::select! {
            incoming = socket.recv() => match incoming {
                None => return End::theirs(ABNORMAL),
                Some(Err(_)) => return End::theirs(ABNORMAL),
                Some(Ok(Message::Close(frame))) => {
                    return End::theirs(frame.map_or(1005, |frame| frame.code));
                }
                Some(Ok(Message::Binary(_))) => return End::ours(UNSUPPORTED, "Binary is not supported"),
                Some(Ok(Message::Text(text))) if text.len() > live.limits.message_bytes => {
                    return End::ours(TOO_LARGE, "Message too long");
                }
                Some(Ok(Message::Text(text))) => {
                    if let Some(answer) = live.received(connection, &text).await
                        && socket.send(Message::Text(answer.into())).await.is_err()
                    {
                        return End::theirs(ABNORMAL);
                    }
                }
                // Answered by the library.
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
            },
            outgoing = outbox.recv() => match outgoing {
                Some(Outgoing::Text(text)) => {
                    if socket.send(Message::Text(text.into())).await.is_err() {
                        return End::theirs(ABNORMAL);
                    }
                }
                Some(Outgoing::Close) | None => return End::ours(NORMAL, "Connection Closed Normally"),
            },
            () = tokio::time::sleep_until(end_of_life) => {
                return End::ours(GOING_AWAY, "Connection duration limit exceeded");
            }
            () = tokio::time::sleep_until(idle_until) => return End::ours(GOING_AWAY, "Going away"),
            () = stop.given() => return End::ours(GOING_AWAY, "Going away"),
        }
        idle_until = Instant::now() + live.limits.idle;
        live.connections.touch(&connection.id, live.clock.now());
    }
}
