//! Runs `live-connections` on Lambda.

#[tokio::main]
async fn main() -> Result<(), lambda_runtime::Error> {
    portico_aws::run(|cloud| async move { live_connections::function(&cloud).await }).await
}
