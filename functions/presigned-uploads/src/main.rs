//! Runs `presigned-uploads` on Lambda.

#[tokio::main]
async fn main() -> Result<(), lambda_runtime::Error> {
    portico_aws::run(|cloud| async move { presigned_uploads::function(&cloud).await }).await
}
