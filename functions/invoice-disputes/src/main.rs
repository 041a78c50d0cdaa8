//! Runs `invoice-disputes` on Lambda.

#[tokio::main]
async fn main() -> Result<(), lambda_runtime::Error> {
    portico_aws::run(|cloud| async move { invoice_disputes::function(&cloud).await }).await
}
