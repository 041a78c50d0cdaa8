//! Runs `archive-assembly` on Lambda.

#[tokio::main]
async fn main() -> Result<(), lambda_runtime::Error> {
    portico_aws::run(|cloud| async move { archive_assembly::function(&cloud).await }).await
}
