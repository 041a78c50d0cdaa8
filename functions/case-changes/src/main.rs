//! Runs `case-changes` on Lambda.

#[tokio::main]
async fn main() -> Result<(), lambda_runtime::Error> {
    portico_aws::run(|cloud| async move { case_changes::function(&cloud).await }).await
}
