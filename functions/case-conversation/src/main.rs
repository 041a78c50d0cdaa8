//! Runs `case-conversation` on Lambda.

#[tokio::main]
async fn main() -> Result<(), lambda_runtime::Error> {
    portico_aws::run(|cloud| async move { case_conversation::function(&cloud).await }).await
}
