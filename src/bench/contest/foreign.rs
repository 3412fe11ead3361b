//! A gateway that runs already, wherever that is, and a command that publishes to it.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, SystemTime};

use follower::{BaseUrl, Credentials, Mirrors};
use schema::status::Status;
use schema::{App, Region, StorePath};
use tokio::net::{TcpStream, lookup_host};
use tokio::process::Child;
use tokio::time::timeout;

use crate::bench::crowd::orders::Trusted;
use crate::bench::script::{Script, generation, http::Poll};
use crate::exit::{Code, Failure};

/// A gateway that somebody else started.
pub(in crate::bench) struct Foreign {
    pub(super) address: SocketAddr,
    pub(super) trusted: Option<Trusted>,
    host: String,
    path: StorePath,
    prefix: String,
    mirrors: Mirrors,
    command: String,
    publishing: Option<Child>,
}

impl Foreign {
    /// Finds out where the gateway is, and that somebody is there.
    pub(in crate::bench) async fn find(
        url: &BaseUrl,
        app: App,
        region: Region,
        command: String,
        ca: Option<PathBuf>,
    ) -> Result<Foreign, Failure> {
        let text = url.to_string();
        let (scheme, rest) = text.split_once("://").ok_or_else(|| Failure::usage("the URL names no scheme"))?;
        let (host, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        let name = host.rsplit_once(':').filter(|(_, port)| port.parse::<u16>().is_ok()).map_or(host, |(name, _)| name);
        let with_port =
            if name == host { format!("{host}:{}", if scheme == "https" { 443 } else { 80 }) } else { host.to_owned() };
        let unreachable = |why: String| Failure::new(Code::Unreachable, format!("the gateway at {with_port}: {why}"));
        let mut addresses = lookup_host(&with_port).await.map_err(|error| unreachable(error.to_string()))?;
        let address = addresses.next().ok_or_else(|| unreachable("the name has no address".to_owned()))?;
        let connected = timeout(CONNECT_WITHIN, TcpStream::connect(address)).await;
        connected
            .map_err(|_| unreachable(format!("no connection within {} s", CONNECT_WITHIN.as_secs())))?
            .map_err(|error| unreachable(error.to_string()))?;
        let trusted = match (scheme, &ca) {
            ("https", Some(ca)) => Some(Trusted { authorities: ca.clone(), name: name.to_owned() }),
            ("https", None) => return Err(Failure::usage("name the authorities of an https gateway with --ca")),
            _ => None,
        };
        let settings =
            follower::Settings { credentials: Credentials { ca, ..Credentials::default() }, ..Default::default() };
        let mirrors = Mirrors::new(vec![url.clone()], settings).map_err(Failure::usage)?;
        let (host, prefix) = (host.to_owned(), prefix.to_owned());
        let path = StorePath::Pointer { app, region };
        Ok(Foreign { address, trusted, host, path, prefix, mirrors, command, publishing: None })
    }

    pub(super) fn script(&self) -> Script {
        let headers = "User-Agent: driftless\r\nPrefer: wait=55\r\n".to_owned();
        Script::Http(Poll {
            host: self.host.clone(),
            path: format!("/{}{}", self.prefix, self.path),
            headers,
            tag: None,
        })
    }

    /// The generation after the one that is there.
    pub(super) async fn next(&mut self) -> Result<u64, Failure> {
        if let Some(mut publishing) = self.publishing.take() {
            let ended = timeout(COMMAND_WITHIN, publishing.wait()).await;
            let ended = ended.map_err(|_| Failure::new(Code::TimedOut, "the command that publishes does not end"))?;
            if !ended.map_err(Failure::unexpected)?.success() {
                return Err(Failure::unexpected("the command that publishes failed"));
            }
        }
        let pointer = self.mirrors.ask(&self.path.to_string(), MAX_BYTES).await;
        let pointer = pointer.map_err(|error| Failure::new(Code::Unreachable, error))?;
        let now = generation(&pointer).ok_or_else(|| Failure::unexpected("what the gateway serves is no pointer"))?;
        Ok(now + 1)
    }

    /// Starts the command. Gives the moment just before.
    pub(super) fn publish(&mut self) -> Result<SystemTime, Failure> {
        let mut command = Command::new("sh");
        command.args(["-c", &self.command]).stdin(Stdio::null()).stdout(Stdio::null());
        let mut command = tokio::process::Command::from(command);
        command.kill_on_drop(true);
        let now = SystemTime::now();
        self.publishing = Some(command.spawn().map_err(Failure::unexpected)?);
        Ok(now)
    }

    /// Clients that wait there, by its own word; where it gives none, everybody after a while.
    pub(super) async fn waiting(&mut self) -> usize {
        let status = self.mirrors.ask("v1/status", MAX_BYTES).await.ok();
        match status.and_then(|status| serde_json::from_slice::<Status>(&status).ok()) {
            Some(status) => usize::try_from(status.parked).unwrap_or(usize::MAX),
            None => {
                tokio::time::sleep(SETTLE).await;
                usize::MAX
            }
        }
    }
}

const CONNECT_WITHIN: Duration = Duration::from_secs(10);
const COMMAND_WITHIN: Duration = Duration::from_secs(60);
const SETTLE: Duration = Duration::from_secs(3);
const MAX_BYTES: u64 = 1 << 20;
