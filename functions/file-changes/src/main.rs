//! Runs `file-changes` on Lambda.

#[tokio::main]
async fn main() -> Result<(), lambda_runtime::Error> {
    portico_aws::run(|cloud| async move { file_changes::function(&cloud).await }).await
}
