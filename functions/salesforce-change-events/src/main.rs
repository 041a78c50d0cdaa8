//! Runs `salesforce-change-events` on Lambda.

#[tokio::main]
async fn main() -> Result<(), lambda_runtime::Error> {
    portico_aws::run(|cloud| async move { salesforce_change_events::function(&cloud).await }).await
}
