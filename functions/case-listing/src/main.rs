//! Runs `case-listing` on Lambda.

#[tokio::main]
async fn main() -> Result<(), lambda_runtime::Error> {
    portico_aws::run(|cloud| async move { case_listing::function(&cloud).await }).await
}
