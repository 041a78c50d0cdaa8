//! Telling open browsers.

use aws_sdk_apigatewaymanagement::{Client, error::DisplayErrorContext, primitives::Blob};

/// The WebSocket API's back channel.
#[derive(Debug, Clone)]
pub struct Push {
    client: Client,
}

/// What became of a push.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pushed {
    /// The gateway has it.
    Sent,
    /// Nobody is there any more.
    Gone,
}

/// The gateway failed.
#[derive(Debug, thiserror::Error)]
#[error("the push failed: {0}")]
pub struct PushError(String);

impl Push {
    pub(crate) fn new(client: Client) -> Self {
        Self { client }
    }

    /// Sends `message` to one connection.
    ///
    /// # Errors
    /// [`PushError`] if the gateway fails; the browser catches up when it reconnects.
    pub async fn send(&self, connection: &str, message: &str) -> Result<Pushed, PushError> {
        let data = Blob::new(message.as_bytes());
        match self.client.post_to_connection().connection_id(connection).data(data).send().await {
            Ok(_) => Ok(Pushed::Sent),
            Err(error) if error.as_service_error().is_some_and(|service| service.is_gone_exception()) => {
                Ok(Pushed::Gone)
            }
            Err(error) => Err(PushError(DisplayErrorContext(error).to_string())),
        }
    }

    /// Ends a connection whose person may listen no longer.
    ///
    /// # Errors
    /// [`PushError`] if the gateway fails.
    pub async fn hang_up(&self, connection: &str) -> Result<(), PushError> {
        match self.client.delete_connection().connection_id(connection).send().await {
            Ok(_) => Ok(()),
            Err(error) if error.as_service_error().is_some_and(|service| service.is_gone_exception()) => {
                Ok(())
            }
            Err(error) => Err(PushError(DisplayErrorContext(error).to_string())),
        }
    }
}
