//! Somebody between two gateways, who may answer whatever he likes.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex};

use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

use crate::authority::Issued;
use crate::client::{Client, Reply};

/// What becomes of an answer to a request for that path.
type Lie = Box<dyn FnMut(&str, Reply) -> Reply + Send>;

/// With which status a post to that path is refused, if it is.
type Refusal = Box<dyn Fn(&str) -> Option<u16> + Send>;

/// A proxy in front of an honest gateway.
pub(crate) struct Proxy {
    pub(crate) address: SocketAddr,
    said: Arc<Said>,
    _task: JoinSet<()>,
}

struct Said {
    honest: SocketAddr,
    lie: Mutex<Lie>,
    heads: Mutex<Vec<String>>,
    refusal: Mutex<Refusal>,
}

impl Proxy {
    /// Starts one that is honest, on plain HTTP or with a certificate.
    pub(crate) async fn start(honest: SocketAddr, certificate: Option<&Issued>) -> Proxy {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let said = Said {
            honest,
            lie: Mutex::new(Box::new(|_, reply| reply)),
            heads: Mutex::default(),
            refusal: Mutex::new(Box::new(|_| Some(503))),
        };
        let (said, acceptor) = (Arc::new(said), certificate.map(acceptor));
        let mut task = JoinSet::new();
        let serving = Arc::clone(&said);
        task.spawn(async move {
            let mut connections = JoinSet::new();
            loop {
                let (stream, _) = listener.accept().await.expect("a connection");
                let (said, acceptor) = (Arc::clone(&serving), acceptor.clone());
                connections.spawn(async move {
                    match acceptor {
                        None => said.serve(stream).await,
                        Some(acceptor) => {
                            if let Ok(stream) = acceptor.accept(stream).await {
                                said.serve(stream).await;
                            }
                        }
                    }
                });
            }
        });
        Proxy { address, said, _task: task }
    }

    /// From now on answers go through `lie`.
    pub(crate) fn lies(&self, lie: impl FnMut(&str, Reply) -> Reply + Send + 'static) {
        *self.said.lie.lock().expect("no panic") = Box::new(lie);
    }

    /// From now on what is posted to a path reaches the gateway, unless `refusal` has a status for it. Before, nothing does.
    pub(crate) fn posts(&self, refusal: impl Fn(&str) -> Option<u16> + Send + 'static) {
        *self.said.refusal.lock().expect("no panic") = Box::new(refusal);
    }

    /// Every head of a request that came.
    pub(crate) fn heads(&self) -> Vec<String> {
        self.said.heads.lock().expect("no panic").clone()
    }
}

fn acceptor(issued: &Issued) -> TlsAcceptor {
    let chain = |path: &Path| vec![CertificateDer::from_pem_file(path).expect("a certificate")];
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let key = PrivateKeyDer::from_pem_file(&issued.key).expect("a key");
    let config = builder.expect("versions").with_no_client_auth().with_single_cert(chain(&issued.certificate), key);
    TlsAcceptor::from(Arc::new(config.expect("a pair")))
}

impl Said {
    async fn serve(&self, mut stream: impl AsyncRead + AsyncWrite + Unpin) {
        let mut unread = Vec::new();
        loop {
            let head = loop {
                if let Some(at) = unread.windows(4).position(|window| window == b"\r\n\r\n") {
                    break String::from_utf8(unread.drain(..at + 4).collect()).expect("ASCII");
                }
                // Hung up, in whatever way.
                if !stream.read_buf(&mut unread).await.is_ok_and(|read| read > 0) {
                    return;
                }
            };
            self.heads.lock().expect("no panic").push(head.clone());
            let mut words = head.split(' ');
            let (method, target) = (words.next().expect("a method"), words.next().expect("a path"));
            let refused = (self.refusal.lock().expect("no panic"))(target);
            let reply = if method == "POST" && refused.is_none() {
                let length = |line: &str| line.to_lowercase().strip_prefix("content-length: ")?.trim().parse().ok();
                let length: usize = head.lines().find_map(length).unwrap_or(0);
                while unread.len() < length {
                    if !stream.read_buf(&mut unread).await.is_ok_and(|read| read > 0) {
                        return;
                    }
                }
                let body: Vec<u8> = unread.drain(..length).collect();
                let reply = Client::connect(self.honest).await.post(target, &body).await;
                (self.lie.lock().expect("no panic"))(target, reply)
            } else if method == "GET" {
                let held = head
                    .lines()
                    .find_map(|line| line.to_lowercase().strip_prefix("if-none-match: ").map(str::to_owned));
                // What the client prefers is not passed on, so answers come at once, as from a CDN.
                let headers: Vec<(&str, &str)> = held.iter().map(|held| ("If-None-Match", held.as_str())).collect();
                let reply = Client::connect(self.honest).await.get(target, &headers).await;
                (self.lie.lock().expect("no panic"))(target, reply)
            } else {
                Reply { status: refused.unwrap_or(503), headers: Vec::new(), body: Default::default() }
            };
            // A body that is not read stays in the way.
            let close = refused.is_some() && method == "POST";
            let mut bytes = format!("HTTP/1.1 {} Whatever\r\n", reply.status);
            for (name, value) in reply.headers.iter().filter(|(name, _)| name != "content-length") {
                bytes.push_str(&format!("{name}: {value}\r\n"));
            }
            if reply.status != 304 {
                bytes.push_str(&format!("content-length: {}\r\n", reply.body.len()));
            }
            bytes.push_str(if close { "connection: close\r\n\r\n" } else { "\r\n" });
            let mut bytes = bytes.into_bytes();
            bytes.extend_from_slice(&reply.body);
            if stream.write_all(&bytes).await.is_err() || stream.flush().await.is_err() || close {
                return;
            }
        }
    }
}
