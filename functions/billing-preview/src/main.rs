//! Runs `billing-preview` on Lambda.

#[tokio::main]
async fn main() -> Result<(), lambda_runtime::Error> {
    portico_aws::run(|cloud| async move { billing_preview::function(&cloud).await }).await
}
