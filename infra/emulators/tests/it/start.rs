//! Starting, and what stops it.

use portico_emulators::{Config, Emulators, StartError};

use crate::support::{config, start};

#[tokio::test(flavor = "multi_thread")]
async fn a_port_in_use_is_named_with_its_service() {
    let first = start().await;
    let aws = first.aws_url().trim_start_matches("http://").parse().unwrap();
    let dynamodb = first.dynamodb_url().trim_start_matches("http://").parse().unwrap();
    let refused = Emulators::start(Config { aws, ..config(None) }).await.unwrap_err();
    assert_eq!(refused.to_string(), format!("AWS cannot listen on {aws}: the port is in use"));
    let refused = Emulators::start(Config { dynamodb, ..config(None) }).await.unwrap_err();
    assert!(
        matches!(refused, StartError::PortInUse { service: "DynamoDB", address } if address == dynamodb),
        "{refused}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_data_directory_has_one_owner_and_one_reader() {
    let directory = tempfile::tempdir().unwrap();
    let first = Emulators::start(config(Some(directory.path()))).await.unwrap();
    let refused = Emulators::start(config(Some(directory.path()))).await.unwrap_err();
    assert!(matches!(refused, StartError::DataInUse { .. }), "{refused}");
    first.secrets().put("a", "secret").await.unwrap();
    #[cfg(unix)]
    for file in ["state.sqlite", "state.sqlite-wal", "dynamodb.sqlite", "cognito-signing-key.der"] {
        use std::os::unix::fs::PermissionsExt as _;
        // The signing key belongs to the first emulators of the process.
        if let Ok(metadata) = std::fs::metadata(directory.path().join(file)) {
            assert_eq!(metadata.permissions().mode() & 0o077, 0, "{file}");
        }
    }
    first.shutdown().await;
    Emulators::start(config(Some(directory.path()))).await.unwrap();
}
