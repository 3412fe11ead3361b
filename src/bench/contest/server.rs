//! Any server that tells news: the floor, a gateway of ours, a gateway that runs already, a peer.

use std::net::SocketAddr;
use std::time::{Duration, Instant, SystemTime};

use schema::Digest;
use schema::enclosed::{ENCLOSED, HAVE, Part, Split};

use super::foreign::Foreign;
use super::peer::Peer;
use crate::bench::crowd::orders::Trusted;
use crate::bench::floor::Floor;
use crate::bench::script::{Script, http::Poll};
use crate::bench::site::press::{News, Press};
use crate::bench::site::{Own, Runs, Site, pointer_path};
use crate::exit::{Code, Failure};

/// A server that runs.
pub(in crate::bench) enum Server {
    Floor(Box<Floor>, Runs),
    Gateway(Box<Site>, Http, Runs),
    Foreign(Box<Foreign>),
    Peer(Box<Peer>),
}

/// Which HTTP clients speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::bench) enum Http {
    One,
    Two,
}

impl Server {
    /// Starts the floor for so many agents, which tells them the bytes that a gateway does.
    pub(in crate::bench) async fn floor(agents: usize, runs: Runs) -> Result<Server, Failure> {
        Ok(Server::Floor(Box::new(Floor::start(agents).await?), runs))
    }

    /// Starts a gateway of our own.
    pub(in crate::bench) async fn gateway(
        press: &mut Press,
        agents: usize,
        own: &Own,
        http: Http,
    ) -> Result<Server, Failure> {
        let mut site = Site::build(press, agents, own).await?;
        site.start(0).await?;
        Ok(Server::Gateway(Box::new(site), http, own.runs()))
    }

    /// The gateway, if it is one of our own.
    pub(in crate::bench) fn site(&mut self) -> Option<&mut Site> {
        match self {
            Server::Gateway(site, ..) => Some(site),
            _ => None,
        }
    }

    /// Its process, where it is on this host and known.
    pub(super) fn id(&self) -> Option<u32> {
        match self {
            Server::Floor(floor, _) => floor.id(),
            Server::Gateway(site, ..) => site.id(),
            Server::Foreign(_) => None,
            Server::Peer(peer) => peer.id,
        }
    }

    pub(in crate::bench) fn address(&self) -> SocketAddr {
        match self {
            Server::Floor(floor, _) => floor.address,
            Server::Gateway(site, ..) => site.address(),
            Server::Foreign(foreign) => foreign.address,
            Server::Peer(peer) => peer.address,
        }
    }

    pub(in crate::bench) fn trusted(&self) -> Option<Trusted> {
        match self {
            Server::Gateway(site, ..) => site.trusted(),
            Server::Foreign(foreign) => foreign.trusted.clone(),
            Server::Floor(..) | Server::Peer(_) => None,
        }
    }

    /// What its clients say.
    pub(in crate::bench) fn script(&self) -> Script {
        match self {
            // It answers nothing until it is told to, so whoever asks must seem to know something.
            Server::Floor(_, runs) => {
                Script::Http(poll(self.address(), Some(format!("\"{}\"", "0".repeat(32))), *runs))
            }
            Server::Gateway(_, Http::One, runs) => Script::Http(poll(self.address(), None, *runs)),
            Server::Gateway(_, Http::Two, runs) => Script::Http2(poll(self.address(), None, *runs)),
            Server::Foreign(foreign) => foreign.script(),
            Server::Peer(peer) => peer.script(),
        }
    }

    /// Makes everything ready for `news` but the last step. Gives the generation that clients will hear of.
    pub(in crate::bench) async fn prepare(&mut self, news: &News) -> Result<u64, Failure> {
        match self {
            Server::Floor(floor, runs) => floor.prepare(&answer(news, *runs)).await?,
            Server::Gateway(site, ..) => site.stage(news).await?,
            Server::Foreign(foreign) => return foreign.next().await,
            Server::Peer(peer) => peer.prepare(news.pointer.bytes())?,
        }
        Ok(news.generation)
    }

    /// Takes the last step. Gives the moment just before.
    pub(in crate::bench) async fn publish(&mut self) -> Result<SystemTime, Failure> {
        match self {
            Server::Floor(floor, _) => floor.go().await,
            Server::Gateway(site, ..) => site.point(),
            Server::Foreign(foreign) => foreign.publish(),
            Server::Peer(peer) => peer.publish(),
        }
    }

    /// Waits until so many clients wait for news, as far as the server tells.
    pub(in crate::bench) async fn all_wait(&mut self, clients: usize) -> Result<(), Failure> {
        let begun = Instant::now();
        loop {
            let waiting = match self {
                Server::Floor(floor, _) => floor.parked().await?,
                Server::Gateway(site, ..) => usize::try_from(site.status().await?.parked).unwrap_or(usize::MAX),
                Server::Foreign(foreign) => foreign.waiting().await,
                // Its clients were told, each by itself, or ask again at once.
                Server::Peer(peer) => return peer.settle().await,
            };
            if waiting >= clients {
                return Ok(());
            }
            if begun.elapsed() > PARKED_WITHIN {
                let message = format!("{waiting} of {clients} clients wait after {} s", PARKED_WITHIN.as_secs());
                return Err(Failure::new(Code::TimedOut, message));
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
}

/// A long-poll as agents ask it that run `runs`.
fn poll(server: SocketAddr, tag: Option<String>, runs: Runs) -> Poll {
    let mut headers = "User-Agent: driftless\r\nPrefer: wait=55\r\n".to_owned();
    if runs == Runs::Something {
        headers.push_str(&format!("{HAVE}: {}\r\n", Digest::of(b"no bundle of this run")));
    }
    Poll { host: server.to_string(), path: format!("/{}", pointer_path()), headers, tag }
}

/// What a gateway answers agents with that run `runs`, byte for byte but for what tag and date say.
fn answer(news: &News, runs: Runs) -> Vec<u8> {
    let pointer = news.pointer.bytes().clone();
    let (enclosed, body) = match runs {
        Runs::Nothing => (String::new(), pointer),
        Runs::Something => {
            let manifest = (Part::Manifest(news.pointer.stable.digest), news.manifest.1.clone());
            let split = Split { pointer, parts: vec![manifest] };
            let (contents, body) = split.join().expect("one part is there once");
            (format!("{ENCLOSED}: {contents}\r\nvary: {HAVE}\r\n"), body)
        }
    };
    let tag = "0".repeat(32);
    let head = format!(
        "HTTP/1.1 200 OK\r\netag: \"{tag}\"\r\ncache-control: no-store\r\npreference-applied: wait=55\r\n\
         content-type: text/plain; charset=utf-8\r\ncontent-length: {}\r\n{enclosed}date: Sun, 06 Nov 1994 08:49:37 GMT\r\n\r\n",
        body.len()
    );
    [head.as_bytes(), &body].concat()
}

const PARKED_WITHIN: Duration = Duration::from_secs(60);

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use schema::enclosed::Contents;

    use super::*;

    #[test]
    fn the_floor_tells_those_who_run_something_what_a_gateway_encloses() {
        let news = Press::new().print();
        let answer = String::from_utf8(answer(&news, Runs::Something)).expect("signed documents are text");
        let (head, body) = answer.split_once("\r\n\r\n").expect("a head and a body");
        let field = |name: &str| head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
        assert_eq!(field("content-length"), Some(body.len().to_string().as_str()));
        assert_eq!(field("vary"), Some(HAVE));
        let contents: Contents = field(ENCLOSED).and_then(|it| it.parse().ok()).expect("a list of parts");
        let split = contents.split(Bytes::copy_from_slice(body.as_bytes())).expect("these parts and nothing else");
        assert_eq!(split.pointer, news.pointer.bytes());
        assert_eq!(split.parts, [(Part::Manifest(news.pointer.stable.digest), news.manifest.1)]);
    }

    #[test]
    fn who_runs_nothing_says_nothing_and_gets_the_pointer_alone() {
        let news = Press::new().print();
        assert!(answer(&news, Runs::Nothing).ends_with(news.pointer.bytes()));
        let nowhere = SocketAddr::from(([127, 0, 0, 1], 1));
        assert!(!poll(nowhere, None, Runs::Nothing).headers.contains(HAVE));
        assert!(poll(nowhere, None, Runs::Something).headers.contains(HAVE));
    }
}
