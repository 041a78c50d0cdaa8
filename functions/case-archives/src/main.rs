//! Runs `case-archives` on Lambda.

#[tokio::main]
async fn main() -> Result<(), lambda_runtime::Error> {
    portico_aws::run(|cloud| async move { case_archives::function(&cloud).await }).await
}
