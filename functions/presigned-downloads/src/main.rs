//! Runs `presigned-downloads` on Lambda.

#[tokio::main]
async fn main() -> Result<(), lambda_runtime::Error> {
    portico_aws::run(|cloud| async move { presigned_downloads::function(&cloud).await }).await
}
