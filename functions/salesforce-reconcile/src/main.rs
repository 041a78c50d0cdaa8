//! Runs `salesforce-reconcile` on Lambda.

#[tokio::main]
async fn main() -> Result<(), lambda_runtime::Error> {
    portico_aws::run(|cloud| async move { salesforce_reconcile::function(&cloud).await }).await
}
