//! Runs `invoice-drafting` on Lambda.

#[tokio::main]
async fn main() -> Result<(), lambda_runtime::Error> {
    portico_aws::run(|cloud| async move { invoice_drafting::function(&cloud).await }).await
}
