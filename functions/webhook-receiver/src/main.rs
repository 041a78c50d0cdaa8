//! Runs `webhook-receiver` on Lambda.

#[tokio::main]
async fn main() -> Result<(), lambda_runtime::Error> {
    portico_aws::run(|cloud| async move { webhook_receiver::function(&cloud).await }).await
}
