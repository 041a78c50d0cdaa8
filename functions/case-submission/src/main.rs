//! Runs `case-submission` on Lambda.

#[tokio::main]
async fn main() -> Result<(), lambda_runtime::Error> {
    portico_aws::run(|cloud| async move { case_submission::function(&cloud).await }).await
}
