//! Runs `live-tickets` on Lambda.

#[tokio::main]
async fn main() -> Result<(), lambda_runtime::Error> {
    portico_aws::run(|cloud| async move { live_tickets::function(&cloud).await }).await
}
