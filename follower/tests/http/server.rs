//! A server on port 0 that does what a test says, and remembers what it was asked.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use follower::BaseUrl;
use http::{HeaderMap, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

pub(crate) type Answer = Response<Full<Bytes>>;

/// Serves until it is dropped.
pub(crate) struct Server {
    pub(crate) base: BaseUrl,
    asked: Record,
    connections: Arc<AtomicUsize>,
    _task: JoinSet<()>,
}

type Record = Arc<Mutex<Vec<Asked>>>;

/// What a server was asked.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) method: Method,
    /// Path, and query where there is one.
    pub(crate) target: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    /// The certificate that the client showed, in DER form.
    pub(crate) certificate: Option<Vec<u8>>,
}

impl Asked {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }
}

impl Server {
    /// Answers each request by `answer`.
    pub(crate) async fn start<A>(answer: impl Fn(Asked) -> A + Clone + Send + Sync + 'static) -> Server
    where
        A: Future<Output = Answer> + Send + 'static,
    {
        let (asked, connections) = (Record::default(), Arc::new(AtomicUsize::new(0)));
        let (record, count) = (asked.clone(), connections.clone());
        let (address, task) = accept(move |stream| {
            count.fetch_add(1, Ordering::Relaxed);
            serve(stream, None, record.clone(), answer.clone())
        })
        .await;
        Server { base: format!("http://{address}/store").parse().unwrap(), asked, connections, _task: task }
    }

    /// The same over TLS.
    pub(crate) async fn start_tls<A>(
        tls: ServerConfig,
        answer: impl Fn(Asked) -> A + Clone + Send + Sync + 'static,
    ) -> Server
    where
        A: Future<Output = Answer> + Send + 'static,
    {
        let (asked, connections) = (Record::default(), Arc::new(AtomicUsize::new(0)));
        let (record, count) = (asked.clone(), connections.clone());
        let tls = TlsAcceptor::from(Arc::new(tls));
        let (address, task) = accept(move |stream| {
            count.fetch_add(1, Ordering::Relaxed);
            let (tls, record, answer) = (tls.clone(), record.clone(), answer.clone());
            async move {
                let Ok(stream) = tls.accept(stream).await else { return };
                let certificates = stream.get_ref().1.peer_certificates();
                let certificate = certificates.map(|certificates| certificates[0].to_vec());
                serve(stream, certificate, record, answer).await;
            }
        })
        .await;
        Server { base: format!("https://{address}/store").parse().unwrap(), asked, connections, _task: task }
    }

    /// Answers everything by 200 and `body`.
    pub(crate) async fn serving(body: &'static [u8]) -> Server {
        Server::start(move |_| async move { ok(body) }).await
    }

    /// Answers everything by `status`, without a word.
    pub(crate) async fn refusing(status: StatusCode) -> Server {
        Server::start(move |_| async move { status_only(status) }).await
    }

    /// What was asked so far.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }

    /// How often somebody connected so far, whether to ask or not.
    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }

    /// The paths that were asked for so far.
    pub(crate) fn targets(&self) -> Vec<String> {
        self.asked().into_iter().map(|asked| asked.target).collect()
    }
}

pub(crate) fn ok(body: impl Into<Bytes>) -> Answer {
    Response::new(Full::new(body.into()))
}

pub(crate) fn status_only(status: StatusCode) -> Answer {
    let mut answer = ok("");
    *answer.status_mut() = status;
    answer
}

/// A base URL at which nobody listens.
pub(crate) async fn dead() -> BaseUrl {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    format!("http://{}", listener.local_addr().unwrap()).parse().unwrap()
}

async fn serve<A: Future<Output = Answer>>(
    stream: impl AsyncRead + AsyncWrite + Unpin,
    certificate: Option<Vec<u8>>,
    record: Record,
    answer: impl Fn(Asked) -> A,
) {
    let service = service_fn(|request: Request<Incoming>| async {
        let (head, body) = request.into_parts();
        let body = body.collect().await?.to_bytes();
        let (target, certificate) = (head.uri.to_string(), certificate.clone());
        let asked = Asked { method: head.method, target, headers: head.headers, body, certificate };
        record.lock().unwrap().push(asked.clone());
        Ok::<_, hyper::Error>(answer(asked).await)
    });
    // A client that goes away in the middle is what many tests are about.
    let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
}

/// Listens on port 0; returns where. Ends with the returned task, and all connections with it.
pub(crate) async fn accept<F>(serve: impl Fn(TcpStream) -> F + Send + 'static) -> (SocketAddr, JoinSet<()>)
where
    F: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let mut task = JoinSet::new();
    task.spawn(async move {
        let mut connections = JoinSet::new();
        while let Ok((stream, _)) = listener.accept().await {
            connections.spawn(serve(stream));
        }
    });
    (address, task)
}
