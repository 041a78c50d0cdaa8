//! Runs `invoice-listing` on Lambda.

#[tokio::main]
async fn main() -> Result<(), lambda_runtime::Error> {
    portico_aws::run(|cloud| async move { invoice_listing::function(&cloud).await }).await
}
