//! Runs one fake Salesforce org: `fake-salesforce --port 4100 --data .portico --public-key key.pem`.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    process::ExitCode,
};

use fake_salesforce::{Config, FakeSalesforce, OutboundConfig, StartError};
use tracing_subscriber::EnvFilter;
use url::Url;

const USAGE: &str =
    "usage: fake-salesforce --public-key FILE [--port PORT] [--data DIRECTORY] [--outbound URL] [--login-url URL]
                       [--empty]

  --public-key FILE   PEM of the RSA key that verifies JWT bearer assertions
  --port PORT         port on 127.0.0.1 (4100)
  --data DIRECTORY    where salesforce.sqlite is kept (in memory)
  --outbound URL      receiver of outbound messages (none)
  --login-url URL     audience of assertions (its own address)
  --empty             no demo data";

/// Why the program ends early.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error("{0}\n\n{USAGE}")]
    Usage(String),
    #[error("cannot use {0}")]
    File(PathBuf, #[source] std::io::Error),
    #[error(transparent)]
    Start(#[from] StartError),
}

#[tokio::main]
async fn main() -> ExitCode {
    tracing_subscriber::fmt().with_env_filter(EnvFilter::new("info")).init();
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            let cause = std::error::Error::source(&failure).map(|cause| format!(": {cause}"));
            tracing::error!("{failure}{}", cause.unwrap_or_default());
            ExitCode::FAILURE
        }
    }
}

async fn run() -> Result<(), Failure> {
    let org = FakeSalesforce::start(config(std::env::args().skip(1))?).await?;
    tracing::info!(address = %org.address(), console = %format!("{}console", org.address()), "listening");
    if let Err(error) = tokio::signal::ctrl_c().await {
        tracing::error!(%error, "cannot wait for Ctrl-C");
    }
    org.shutdown().await;
    Ok(())
}

fn config(mut arguments: impl Iterator<Item = String>) -> Result<Config, Failure> {
    let mut config = Config { demo_data: true, ..Config::local("") };
    let mut port = 4_100;
    while let Some(flag) = arguments.next() {
        let mut value = || arguments.next().ok_or_else(|| Failure::Usage(format!("{flag} needs a value")));
        match flag.as_str() {
            "--public-key" => {
                let file = PathBuf::from(value()?);
                config.public_key_pem =
                    std::fs::read_to_string(&file).map_err(|error| Failure::File(file, error))?;
            }
            "--port" => {
                port = value()?.parse().map_err(|_| Failure::Usage("--port: no port number".to_owned()))?;
            }
            "--data" => config.data = Some(database(Path::new(&value()?))?),
            "--outbound" => {
                let endpoint =
                    Url::parse(&value()?).map_err(|_| Failure::Usage("--outbound: no URL".to_owned()))?;
                config.outbound = Some(OutboundConfig::to(endpoint));
            }
            "--login-url" => config.login_url = Some(value()?),
            "--empty" => config.demo_data = false,
            _ => return Err(Failure::Usage(format!("unknown argument {flag}"))),
        }
    }
    if config.public_key_pem.is_empty() {
        return Err(Failure::Usage("--public-key is required".to_owned()));
    }
    config.listen = SocketAddr::from(([127, 0, 0, 1], port));
    Ok(config)
}

fn database(directory: &Path) -> Result<PathBuf, Failure> {
    std::fs::create_dir_all(directory).map_err(|error| Failure::File(directory.to_owned(), error))?;
    Ok(directory.join("salesforce.sqlite"))
}
