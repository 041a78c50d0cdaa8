//! Runs `salesforce-sync` on Lambda.

#[tokio::main]
async fn main() -> Result<(), lambda_runtime::Error> {
    portico_aws::run(|cloud| async move { salesforce_sync::function(&cloud).await }).await
}
