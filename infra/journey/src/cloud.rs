//! The cloud that the journey runs against.

use std::{
    net::TcpListener,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use serde::Deserialize;
use tempfile::TempDir;
use tokio::process::{Child, Command};

use crate::{
    http,
    report::{Broken, expect},
};

/// How long a cloud may take to be ready.
const START_LONGEST: Duration = Duration::from_secs(60);
/// How often it is asked.
const ASK_EVERY: Duration = Duration::from_millis(50);
/// How long a cloud may take to stop.
const STOP_LONGEST: Duration = Duration::from_secs(10);
/// The doors of a cloud, by their flags.
const DOORS: [&str; 7] = ["web", "api", "live", "webhook", "salesforce", "aws", "dynamodb"];

/// Where everything is, by the cloud's own word.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Addresses {
    pub(crate) api: String,
    pub(crate) live: String,
    pub(crate) salesforce: String,
    pub(crate) aws: String,
}

#[derive(Deserialize)]
struct Health {
    status: String,
    addresses: Addresses,
    data: PathBuf,
    sign_in: SignIn,
}

/// What it takes to sign in.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct SignIn {
    pub(crate) user_pool_id: String,
    pub(crate) client_id: String,
}

pub(crate) struct Cloud {
    pub(crate) addresses: Addresses,
    pub(crate) sign_in: SignIn,
    /// Where it keeps its data; the key to the fake org lies there.
    pub(crate) data: PathBuf,
    own: Option<Own>,
}

/// A cloud that the journey started.
struct Own {
    child: Child,
    ports: Vec<u16>,
    directory: TempDir,
}

impl Cloud {
    /// The cloud that runs there, if one does.
    pub(crate) async fn running(api: &str) -> Option<Self> {
        let answer = http::client().ok()?.get(format!("{api}/_local/health")).send().await.ok()?;
        let Health { status, addresses, data, sign_in } = answer.json().await.ok()?;
        (status == "ok").then_some(Self { addresses, sign_in, data, own: None })
    }

    /// A new cloud with empty data on free ports.
    pub(crate) async fn start() -> Result<Self, Broken> {
        let directory = TempDir::new()?;
        let ports = free_ports()?;
        let child = spawn(directory.path(), &ports)?;
        Self::ready(Own { child, ports, directory }).await
    }

    async fn ready(mut own: Own) -> Result<Self, Broken> {
        let api = own.ports.get(1).copied().unwrap_or_default();
        let api = format!("http://127.0.0.1:{api}");
        let ready = async {
            loop {
                if let Some(status) = own.child.try_wait()? {
                    return Err(Broken::new(format!("the cloud ended while it started: {status}")));
                }
                if let Some(cloud) = Self::running(&api).await {
                    return Ok(cloud);
                }
                tokio::time::sleep(ASK_EVERY).await;
            }
        };
        let cloud = tokio::time::timeout(START_LONGEST, ready).await??;
        Ok(Self { own: Some(own), ..cloud })
    }

    pub(crate) fn is_own(&self) -> bool {
        self.own.is_some()
    }

    /// Ends it as a power cut would: SIGKILL, nothing is written any more.
    pub(crate) async fn kill(&mut self) -> Result<(), Broken> {
        let own = self.own.as_mut().ok_or_else(|| Broken::new("not our cloud"))?;
        own.child.kill().await?;
        Ok(())
    }

    /// Starts it again on the same data and the same ports.
    pub(crate) async fn restart(&mut self) -> Result<(), Broken> {
        let Own { ports, directory, .. } = self.own.take().ok_or_else(|| Broken::new("not our cloud"))?;
        let child = spawn(directory.path(), &ports)?;
        *self = Self::ready(Own { child, ports, directory }).await?;
        Ok(())
    }

    /// Stops it as Ctrl-C does.
    pub(crate) async fn stop(self) -> Result<(), Broken> {
        let Some(mut own) = self.own else { return Ok(()) };
        let id = own.child.id().ok_or_else(|| Broken::new("the cloud has ended by itself"))?;
        let sent = Command::new("kill").args(["-INT", &id.to_string()]).status().await?;
        expect(sent.success(), "kill -INT failed")?;
        let status = tokio::time::timeout(STOP_LONGEST, own.child.wait()).await??;
        expect(status.success(), format!("the cloud ended with {status}"))
    }

    /// Resident memory of the whole process.
    pub(crate) fn memory_megabytes(&self) -> Result<u64, Broken> {
        let id = self.own.as_ref().and_then(|own| own.child.id()).unwrap_or_default();
        let status = std::fs::read_to_string(format!("/proc/{id}/status"))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kilobytes: Option<u64> =
            line.and_then(|line| line.trim().trim_end_matches("kB").trim().parse().ok());
        Ok(kilobytes.ok_or_else(|| Broken::new("no VmRSS"))? / 1024)
    }
}

/// Ports that nobody uses at this moment, all different.
fn free_ports() -> Result<Vec<u16>, Broken> {
    let listeners: Vec<TcpListener> =
        DOORS.iter().map(|_| TcpListener::bind("127.0.0.1:0")).collect::<Result<_, _>>()?;
    Ok(listeners
        .iter()
        .map(|listener| listener.local_addr().map(|address| address.port()))
        .collect::<Result<_, _>>()?)
}

fn spawn(data: &Path, ports: &[u16]) -> Result<Child, Broken> {
    let program = std::env::current_exe()?.with_file_name("portico-local");
    expect(program.exists(), "portico-local is not built: cargo build -p portico-local")?;
    let mut command = Command::new(program);
    command.arg("--data").arg(data).args(["--log", "warn"]);
    for (door, port) in DOORS.iter().zip(ports) {
        command.arg(format!("--{door}-port")).arg(port.to_string());
    }
    Ok(command.stdout(Stdio::null()).kill_on_drop(true).spawn()?)
}
