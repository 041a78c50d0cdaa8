//! Runs `file-disposal` on Lambda.

#[tokio::main]
async fn main() -> Result<(), lambda_runtime::Error> {
    portico_aws::run(|cloud| async move { file_disposal::function(&cloud).await }).await
}
