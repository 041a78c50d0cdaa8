//! Runs `audit-recording` on Lambda.

#[tokio::main]
async fn main() -> Result<(), lambda_runtime::Error> {
    portico_aws::run(|cloud| async move { audit_recording::function(&cloud).await }).await
}
