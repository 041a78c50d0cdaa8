//! Runs `event-relay` on Lambda.

#[tokio::main]
async fn main() -> Result<(), lambda_runtime::Error> {
    portico_aws::run(|cloud| async move { event_relay::function(&cloud).await }).await
}
