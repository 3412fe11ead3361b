//! A gateway of our own to measure: a child of this process, over a store in a temporary folder.

mod own;
pub(super) mod press;

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::{Duration, SystemTime};

use follower::{BaseUrl, Credentials, Mirrors};
use schema::StorePath;
use schema::status::Status;
use store::{Store, StoreUrl};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, ChildStderr, Command};
use tokio::task::JoinSet;
use tokio::time::timeout;

pub(super) use self::own::{Own, Runs, Transport};
use self::press::{News, Press};
use super::crowd::orders::Trusted;
use super::files;
use crate::exit::{Code, Failure};

/// A folder with a store and a trust root, and the gateway that serves it.
pub(super) struct Site {
    /// Before the folder, so that it ends first.
    gateway: Option<Running>,
    folder: TempDir,
    store: Store,
    transport: Transport,
    program: PathBuf,
    agents: usize,
    staged: Option<PathBuf>,
}

struct Running {
    process: Child,
    address: SocketAddr,
    mirrors: Mirrors,
    /// What it says goes on being read, so that it never has to wait for a reader.
    _words: JoinSet<()>,
}

impl Site {
    /// Makes the folder, with a first pointer in the store, for a gateway that so many agents will come to.
    pub(super) async fn build(press: &mut Press, agents: usize, own: &Own) -> Result<Site, Failure> {
        files::suffice(agents)?;
        let transport = own.transport();
        let program = own.program()?;
        let folder = tempfile::Builder::new().prefix("driftless-bench-").tempdir().map_err(Failure::unexpected)?;
        let store = Store::open(&StoreUrl::directory(folder.path().join("store"))).map_err(Failure::unexpected)?;
        std::fs::write(folder.path().join("root.json"), press.root()).map_err(Failure::unexpected)?;
        if transport == Transport::Tls {
            certify(&folder).map_err(Failure::unexpected)?;
        }
        let mut site = Site { gateway: None, folder, store, transport, program, agents, staged: None };
        site.stage(&press.print()).await?;
        site.point()?;
        Ok(site)
    }

    /// Starts the gateway on `port`; with 0 on one that is free.
    pub(super) async fn start(&mut self, port: u16) -> Result<(), Failure> {
        let config = self.folder.path().join("gateway.yaml");
        std::fs::write(&config, self.gateway_yaml(port)).map_err(Failure::unexpected)?;
        let mut command = Command::new(&self.program);
        command.args(["gateway", "--log", "warn", "--config"]).arg(config);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).kill_on_drop(true).process_group(0);
        let mut process = command.spawn().map_err(Failure::unexpected)?;
        let mut words = BufReader::new(process.stderr.take().expect("it is piped"));
        let url = timeout(START_WITHIN, serving(&mut words)).await;
        let url = url.map_err(|_| Failure::new(Code::TimedOut, "the gateway does not say where it serves"))??;
        let address = url.rsplit('/').next().and_then(|address| address.parse().ok());
        let address =
            address.ok_or_else(|| Failure::unexpected(format!("the gateway says that it serves on {url}")))?;
        let ca = (self.transport == Transport::Tls).then(|| self.certificate());
        let settings = follower::Settings {
            credentials: Credentials { ca, ..Credentials::default() },
            answer_within: Duration::from_secs(60),
            ..follower::Settings::default()
        };
        let url: BaseUrl = url.parse().map_err(Failure::unexpected)?;
        let mirrors = Mirrors::new(vec![url], settings).map_err(Failure::unexpected)?;
        let mut reading = JoinSet::new();
        reading.spawn(async move {
            let mut line = String::new();
            while words.read_line(&mut line).await.is_ok_and(|read| read > 0) {
                tracing::warn!("the gateway: {}", line.trim_end());
                line.clear();
            }
        });
        self.gateway = Some(Running { process, address, mirrors, _words: reading });
        self.first_answer().await
    }

    /// Kills the gateway, as `kill -9` does.
    pub(super) async fn kill(&mut self) -> Result<(), Failure> {
        let Some(mut gateway) = self.gateway.take() else { return Ok(()) };
        gateway.process.kill().await.map_err(Failure::unexpected)
    }

    /// The id of the gateway's process, while it runs.
    pub(super) fn id(&self) -> Option<u32> {
        self.gateway.as_ref()?.process.id()
    }

    /// Where the gateway listens.
    pub(super) fn address(&self) -> SocketAddr {
        self.gateway.as_ref().map(|gateway| gateway.address).expect("the gateway is started")
    }

    /// How the gateway proves that it is ours; nothing where nothing is encrypted.
    pub(super) fn trusted(&self) -> Option<Trusted> {
        let trusted = Trusted { authorities: self.certificate(), name: "localhost".to_owned() };
        (self.transport == Transport::Tls).then_some(trusted)
    }

    /// What the gateway says of itself.
    pub(super) async fn status(&self) -> Result<Status, Failure> {
        let gateway = self.gateway.as_ref().expect("the gateway is started");
        let answer = gateway.mirrors.ask("v1/status", STATUS_MAX_BYTES).await;
        let answer = answer.map_err(|error| Failure::new(Code::Unreachable, error))?;
        serde_json::from_slice(&answer).map_err(Failure::unexpected)
    }

    /// Puts everything into the store that `news` names, and the pointer beside it.
    pub(super) async fn stage(&mut self, news: &News) -> Result<(), Failure> {
        for (path, bytes) in [(&news.bundle.0, &news.bundle.1), (&news.manifest.0, &news.manifest.1)] {
            let created = self.store.create(path, bytes.clone()).await.map_err(Failure::unexpected)?;
            drop(created);
        }
        let staged = self.folder.path().join("pointer.next");
        std::fs::write(&staged, news.pointer.bytes()).map_err(Failure::unexpected)?;
        self.staged = Some(staged);
        Ok(())
    }

    /// Puts the pointer in its place, by one rename as a store does. Gives the moment just before.
    pub(super) fn point(&mut self) -> Result<SystemTime, Failure> {
        let staged = self.staged.take().expect("something is staged");
        let place = self.folder.path().join("store").join(pointer_path().to_string());
        std::fs::create_dir_all(place.parent().expect("a pointer is in a folder")).map_err(Failure::unexpected)?;
        let now = SystemTime::now();
        std::fs::rename(staged, place).map_err(Failure::unexpected)?;
        Ok(now)
    }

    async fn first_answer(&self) -> Result<(), Failure> {
        let path = pointer_path().to_string();
        let gateway = self.gateway.as_ref().expect("the gateway is started");
        let asking = async {
            while gateway.mirrors.ask(&path, STATUS_MAX_BYTES).await.is_err() {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        let late = |_| Failure::new(Code::TimedOut, "the gateway does not serve its first pointer");
        timeout(START_WITHIN, asking).await.map_err(late)
    }

    fn certificate(&self) -> PathBuf {
        self.folder.path().join("gateway.pem")
    }

    fn gateway_yaml(&self, port: u16) -> String {
        let connections = self.agents + files::OTHERS;
        let tls = match self.transport {
            Transport::Plain => "",
            Transport::Tls => "tls: { certificate: gateway.pem, key: gateway.key }\n",
        };
        format!(
            "name: bench\nlisten: 127.0.0.1:{port}\nstore: store\nroot: root.json\n{tls}\
             limits: {{ connections: {connections}, connections_per_address: {connections} }}\n"
        )
    }
}

/// Where the one pointer of a bench stands.
pub(super) fn pointer_path() -> StorePath {
    StorePath::Pointer { app: press::app(), region: press::region() }
}

/// Reads what a gateway says until it says where it serves.
async fn serving(words: &mut BufReader<ChildStderr>) -> Result<String, Failure> {
    let mut said = String::new();
    let mut begun = 0;
    while words.read_line(&mut said).await.map_err(Failure::unexpected)? > 0 {
        if let Some(url) = said[begun..].trim_end().strip_prefix("serving on ") {
            return Ok(url.to_owned());
        }
        begun = said.len();
    }
    Err(Failure::unexpected(format!("the gateway ended; it said: {}", said.trim_end())))
}

/// A certificate for this host that vouches for itself.
fn certify(folder: &TempDir) -> io::Result<()> {
    let names = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
    let made = rcgen::generate_simple_self_signed(names).map_err(io::Error::other)?;
    std::fs::write(folder.path().join("gateway.pem"), made.cert.pem())?;
    std::fs::write(folder.path().join("gateway.key"), made.signing_key.serialize_pem())
}

const START_WITHIN: Duration = Duration::from_secs(30);
const STATUS_MAX_BYTES: u64 = 1 << 20;
