//! Asks a gateway again and again whether it is alive, each time over a new connection.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use follower::{BaseUrl, Credentials, Mirrors, Settings};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::bench::crowd::orders::Trusted;
use crate::exit::Failure;

/// Health checks that go on.
pub(super) struct Heartbeat {
    asking: JoinSet<Probes>,
    stop: CancellationToken,
}

/// What came of them.
#[derive(Debug, Default)]
pub(super) struct Probes {
    /// How long each took that was answered.
    pub(super) answered: Vec<Duration>,
    pub(super) failed: u64,
}

impl Heartbeat {
    /// Begins to ask the gateway at `address`.
    pub(super) fn start(address: SocketAddr, trusted: Option<Trusted>) -> Result<Heartbeat, Failure> {
        let scheme = if trusted.is_some() { "https" } else { "http" };
        let url: BaseUrl = format!("{scheme}://{address}").parse().map_err(Failure::unexpected)?;
        let ca = trusted.map(|trusted| trusted.authorities);
        let settings = Settings { credentials: Credentials { ca, ..Credentials::default() }, ..Settings::default() };
        let stop = CancellationToken::new();
        let mut asking = JoinSet::new();
        asking.spawn(ask(url, settings, stop.clone()));
        Ok(Heartbeat { asking, stop })
    }

    pub(super) async fn stop(mut self) -> Probes {
        self.stop.cancel();
        self.asking.join_next().await.and_then(Result::ok).unwrap_or_default()
    }
}

async fn ask(url: BaseUrl, settings: Settings, stop: CancellationToken) -> Probes {
    let mut probes = Probes::default();
    while !stop.is_cancelled() {
        let begun = Instant::now();
        // A client of its own has no connection yet.
        let answer = match Mirrors::new(vec![url.clone()], settings.clone()) {
            Ok(mirrors) => mirrors.ask("healthz", MAX_BYTES).await.is_ok(),
            Err(_) => false,
        };
        match answer {
            true => probes.answered.push(begun.elapsed()),
            false => probes.failed += 1,
        }
        tokio::time::sleep(EVERY).await;
    }
    probes
}

const EVERY: Duration = Duration::from_millis(20);
const MAX_BYTES: u64 = 64 * 1024;
