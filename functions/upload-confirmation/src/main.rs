//! Runs `upload-confirmation` on Lambda.

#[tokio::main]
async fn main() -> Result<(), lambda_runtime::Error> {
    portico_aws::run(|cloud| async move { upload_confirmation::function(&cloud).await }).await
}
