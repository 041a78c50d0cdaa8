//! Runs `invoice-rendering` on Lambda.

#[tokio::main]
async fn main() -> Result<(), lambda_runtime::Error> {
    portico_aws::run(|cloud| async move { invoice_rendering::function(&cloud).await }).await
}
