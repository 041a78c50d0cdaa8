//! Runs `salesforce-writer` on Lambda.

#[tokio::main]
async fn main() -> Result<(), lambda_runtime::Error> {
    portico_aws::run(|cloud| async move { salesforce_writer::function(&cloud).await }).await
}
