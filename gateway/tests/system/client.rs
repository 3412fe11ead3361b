//! A client that sends exactly what it is told to, and reads what comes.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::net::tcp::OwnedReadHalf;
use tokio::time::{Duration, timeout};
use tokio_rustls::TlsConnector;

use crate::authority::Issued;

/// One connection, plain or not.
pub(crate) struct Client {
    stream: Box<dyn Stream>,
    unread: Vec<u8>,
    /// What the server showed, where it is TLS.
    pub(crate) certificate: Option<CertificateDer<'static>>,
}

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

/// An answer.
#[derive(Clone, Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Bytes,
}

impl Reply {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    pub(crate) fn etag(&self) -> &str {
        self.header("etag").expect("an ETag")
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).expect("JSON")
    }
}

impl Client {
    pub(crate) async fn connect(address: SocketAddr) -> Client {
        let stream = TcpStream::connect(address).await.expect("a connection");
        Client { stream: Box::new(stream), unread: Vec::new(), certificate: None }
    }

    /// One that only reads; whoever has the other half asks.
    pub(crate) fn reading(half: OwnedReadHalf) -> Client {
        Client { stream: Box::new(tokio::io::join(half, tokio::io::sink())), unread: Vec::new(), certificate: None }
    }

    /// Connects with TLS, trusting the authority in the file `ca`.
    pub(crate) async fn connect_tls(address: SocketAddr, ca: &Path, own: Option<&Issued>) -> Client {
        let mut authorities = RootCertStore::empty();
        authorities.add(CertificateDer::from_pem_file(ca).expect("a certificate")).expect("an authority");
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        let builder = builder.expect("versions").with_root_certificates(authorities);
        let config = match own {
            None => builder.with_no_client_auth(),
            Some(own) => {
                let chain = vec![CertificateDer::from_pem_file(&own.certificate).expect("a certificate")];
                let key = PrivateKeyDer::from_pem_file(&own.key).expect("a key");
                builder.with_client_auth_cert(chain, key).expect("a pair")
            }
        };
        let stream = TcpStream::connect(address).await.expect("a connection");
        let name = ServerName::try_from("localhost").expect("a name");
        let stream = TlsConnector::from(Arc::new(config)).connect(name, stream).await.expect("a handshake");
        let shown = stream.get_ref().1.peer_certificates().and_then(<[_]>::first);
        let certificate = shown.map(|certificate| certificate.clone().into_owned());
        Client { stream: Box::new(stream), unread: Vec::new(), certificate }
    }

    /// Sends a request without a body, and does not wait for the answer.
    pub(crate) async fn send(&mut self, method: &str, target: &str, headers: &[(&str, &str)]) {
        self.send_with_body(method, target, headers, b"").await;
    }

    pub(crate) async fn send_with_body(&mut self, method: &str, target: &str, headers: &[(&str, &str)], body: &[u8]) {
        let mut request = format!("{method} {target} HTTP/1.1\r\nHost: gateway\r\n");
        for (name, value) in headers {
            request.push_str(&format!("{name}: {value}\r\n"));
        }
        if !body.is_empty() {
            request.push_str(&format!("Content-Length: {}\r\n", body.len()));
        }
        request.push_str("\r\n");
        // In one piece, so that who answers without reading the body has it.
        self.send_raw(&[request.as_bytes(), body].concat()).await;
    }

    /// Sends bytes; a server that has hung up is no error of the client.
    pub(crate) async fn send_raw(&mut self, bytes: &[u8]) {
        let _ = self.stream.write_all(bytes).await;
        let _ = self.stream.flush().await;
    }

    /// Reads the answer to a request by `method`.
    pub(crate) async fn reply_to(&mut self, method: &str) -> Reply {
        timeout(PATIENCE, self.read_reply(method)).await.expect("an answer in time")
    }

    /// Reads until the server closes; gives what came.
    pub(crate) async fn rest(mut self) -> Vec<u8> {
        let mut rest = std::mem::take(&mut self.unread);
        // A reset is a way to close.
        let _ = timeout(PATIENCE, self.stream.read_to_end(&mut rest)).await.expect("a close in time");
        rest
    }

    pub(crate) async fn get(&mut self, target: &str, headers: &[(&str, &str)]) -> Reply {
        self.send("GET", target, headers).await;
        self.reply_to("GET").await
    }

    pub(crate) async fn post(&mut self, target: &str, body: &[u8]) -> Reply {
        self.send_with_body("POST", target, &[("Content-Type", "application/json")], body).await;
        self.reply_to("POST").await
    }

    async fn read_reply(&mut self, method: &str) -> Reply {
        let head_len = loop {
            if let Some(at) = self.unread.windows(4).position(|window| window == b"\r\n\r\n") {
                break at + 4;
            }
            self.read_more().await;
        };
        let head: Vec<u8> = self.unread.drain(..head_len).collect();
        let head = String::from_utf8(head).expect("a head in ASCII");
        let mut lines = head.trim_end().split("\r\n");
        let status = lines.next().and_then(|line| line.split(' ').nth(1)).expect("a status line");
        let status = status.parse().expect("a status");
        let header = |line: &str| line.split_once(": ").map(|(name, value)| (name.to_lowercase(), value.to_owned()));
        let headers = lines.map(|line| header(line).expect("a header")).collect();
        let mut reply = Reply { status, headers, body: Bytes::new() };
        let length = reply.header("content-length").map_or(0, |length| length.parse().expect("a length"));
        let length: usize = if method == "HEAD" || status == 304 { 0 } else { length };
        while self.unread.len() < length {
            self.read_more().await;
        }
        reply.body = self.unread.drain(..length).collect();
        reply
    }

    async fn read_more(&mut self) {
        let read = self.stream.read_buf(&mut self.unread).await.expect("bytes");
        assert!(read > 0, "closed after {:?}", String::from_utf8_lossy(&self.unread));
    }
}

/// Longer than anything here takes, on a machine that has better things to do.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);
