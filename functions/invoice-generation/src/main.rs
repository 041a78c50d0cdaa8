//! Runs `invoice-generation` on Lambda.

#[tokio::main]
async fn main() -> Result<(), lambda_runtime::Error> {
    portico_aws::run(|cloud| async move { invoice_generation::function(&cloud).await }).await
}
