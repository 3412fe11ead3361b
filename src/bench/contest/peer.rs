//! A server of another kind, which somebody else started: nchan, NATS, mosquitto, etcd.
//!
//! Its clients subscribe to one thing, and this publishes to it over a connection of its own, by the server's own protocol.

use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::str::FromStr;
use std::time::{Duration, SystemTime};

use crate::bench::script::{Script, etcd, http, mqtt, nats};
use crate::exit::{Code, Failure};

/// Which kind, where, and the process that it is.
#[derive(Clone, Debug)]
pub(in crate::bench) struct PeerUrl {
    pub(in crate::bench) kind: Kind,
    pub(in crate::bench) address: SocketAddr,
    pub(in crate::bench) id: u32,
}

/// What it speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::bench) enum Kind {
    Nchan,
    Nats,
    Mosquitto,
    Etcd,
}

/// A peer that runs, and the connection over which it is told.
pub(in crate::bench) struct Peer {
    kind: Kind,
    pub(super) address: SocketAddr,
    pub(super) id: Option<u32>,
    publisher: TcpStream,
    next: Vec<u8>,
    published: u32,
}

impl FromStr for PeerUrl {
    type Err = String;

    /// `KIND@ADDRESS:PORT#PROCESS`
    fn from_str(text: &str) -> Result<PeerUrl, String> {
        let parts = || text.split_once('@').and_then(|(kind, rest)| Some((kind, rest.split_once('#')?)));
        let (kind, (address, id)) = parts().ok_or("give KIND@ADDRESS:PORT#PROCESS")?;
        let kind = match kind {
            "nchan" => Kind::Nchan,
            "nats" => Kind::Nats,
            "mosquitto" => Kind::Mosquitto,
            "etcd" => Kind::Etcd,
            _ => return Err(format!("`{kind}` is none of nchan, nats, mosquitto, etcd")),
        };
        let address = address.parse().map_err(|error| format!("`{address}`: {error}"))?;
        let id = id.parse().map_err(|error| format!("`{id}`: {error}"))?;
        Ok(PeerUrl { kind, address, id })
    }
}

impl Kind {
    pub(in crate::bench) fn name(self) -> &'static str {
        match self {
            Kind::Nchan => "nchan",
            Kind::Nats => "nats",
            Kind::Mosquitto => "mosquitto",
            Kind::Etcd => "etcd",
        }
    }
}

impl Peer {
    /// Connects as the one who publishes.
    pub(in crate::bench) fn connect(url: &PeerUrl) -> Result<Peer, Failure> {
        let PeerUrl { kind, address, id } = url;
        let hello = match kind {
            Kind::Nchan => Vec::new(),
            Kind::Nats => nats::hello(),
            Kind::Mosquitto => mqtt::hello("bench-publisher"),
            Kind::Etcd => etcd::greeting(),
        };
        let connected = TcpStream::connect_timeout(address, CONNECT_WITHIN).and_then(|mut publisher| {
            publisher.set_nodelay(true)?;
            publisher.write_all(&hello)?;
            publisher.set_nonblocking(true)?;
            Ok(publisher)
        });
        let unreachable = |error| Failure::new(Code::Unreachable, format!("{} at {address}: {error}", kind.name()));
        let publisher = connected.map_err(unreachable)?;
        Ok(Peer { kind: *kind, address: *address, id: Some(*id), publisher, next: Vec::new(), published: 0 })
    }

    pub(super) fn script(&self) -> Script {
        match self.kind {
            Kind::Nchan => {
                let (host, path) = (self.address.to_string(), format!("/sub/{CHANNEL}"));
                Script::Http(http::Poll { host, path, headers: String::new(), tag: None })
            }
            Kind::Nats => Script::Nats(nats::Subject(CHANNEL.to_owned())),
            Kind::Mosquitto => Script::Mqtt(mqtt::Topic(CHANNEL.to_owned())),
            Kind::Etcd => Script::Etcd(etcd::Key(CHANNEL.to_owned())),
        }
    }

    /// Puts together what publishes `news`, and hears what the server has said meanwhile.
    pub(super) fn prepare(&mut self, news: &[u8]) -> Result<(), Failure> {
        let answer = self.heard().map_err(Failure::unexpected)?;
        self.publisher.write_all(&answer).map_err(Failure::unexpected)?;
        self.next = match self.kind {
            Kind::Nchan => {
                let head =
                    format!("POST /pub/{CHANNEL} HTTP/1.1\r\nHost: bench\r\nContent-Length: {}\r\n\r\n", news.len());
                [head.as_bytes(), news].concat()
            }
            Kind::Nats => nats::publish(&nats::Subject(CHANNEL.to_owned()), news),
            Kind::Mosquitto => mqtt::publish(&mqtt::Topic(CHANNEL.to_owned()), news),
            Kind::Etcd => etcd::put(&etcd::Key(CHANNEL.to_owned()), news, self.published),
        };
        Ok(())
    }

    /// Publishes. Gives the moment just before.
    pub(super) fn publish(&mut self) -> Result<SystemTime, Failure> {
        self.published += 1;
        let now = SystemTime::now();
        self.publisher.write_all(&self.next).map_err(Failure::unexpected)?;
        Ok(now)
    }

    /// Waits a moment, so that a long-poll that was sent is a long-poll that is held.
    pub(super) async fn settle(&mut self) -> Result<(), Failure> {
        tokio::time::sleep(SETTLE).await;
        Ok(())
    }

    /// Reads what has come, and gives what has to be said to it.
    fn heard(&mut self) -> io::Result<Vec<u8>> {
        let mut inbox = Vec::new();
        match self.publisher.read_to_end(&mut inbox) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
            Ok(_) => return Err(io::ErrorKind::ConnectionAborted.into()),
        }
        Ok(match self.kind {
            Kind::Nats if inbox.windows(6).any(|window| window == b"PING\r\n") => b"PONG\r\n".to_vec(),
            Kind::Etcd => etcd::acknowledge(&mut inbox),
            _ => Vec::new(),
        })
    }
}

/// What clients subscribe to, and what is published to.
const CHANNEL: &str = "bench";
const CONNECT_WITHIN: Duration = Duration::from_secs(10);
const SETTLE: Duration = Duration::from_millis(500);
