//! Runs `audit-trail` on Lambda.

#[tokio::main]
async fn main() -> Result<(), lambda_runtime::Error> {
    portico_aws::run(|cloud| async move { audit_trail::function(&cloud).await }).await
}
