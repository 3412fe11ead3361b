//! A small server of store paths: holds long-polls, collects acks, and counts what it is asked.

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use schema::{Ack, AckBatch, Digest, Limits, PublicKey, SignedAck};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::timeout;

/// Everything a test may look at or change; every change wakes whoever waits.
#[derive(Clone, Debug, Default)]
pub(crate) struct Served {
    pub(crate) objects: BTreeMap<String, Bytes>,
    /// How often each path was asked for.
    pub(crate) asked: BTreeMap<String, usize>,
    pub(crate) acks: Vec<Ack>,
    /// The same acks as they came, each with the key that signed it.
    pub(crate) signed: Vec<(PublicKey, SignedAck)>,
    /// What acks are answered with; 200 where nothing is set.
    pub(crate) ack_status: Option<StatusCode>,
    /// A generation whose acks are answered with 400.
    pub(crate) ack_refused: Option<u64>,
    /// All acks that came, also those that were answered with something else than 200.
    pub(crate) posted: Vec<SignedAck>,
    /// Paths whose answers do not come while they are in here.
    pub(crate) stalled: BTreeSet<String>,
    /// Whether everybody who has a pointer is told at once that nothing changed, whatever did.
    pub(crate) frozen: bool,
    /// Whether it is a server of files like any other: it holds nothing, and takes no acks.
    pub(crate) plain: bool,
    /// What goes along with the pointer of each path, for those who say what they have.
    pub(crate) enclosed: BTreeMap<String, Enclosed>,
    /// What was said to be there already, whenever an answer took note of it.
    pub(crate) had: Vec<Option<String>>,
    /// The `If-None-Match` of each long-poll that is held right now.
    pub(crate) parked: Vec<String>,
}

/// What goes along with a pointer: a list of parts, in which `*` stands for the pointer's length, and what follows its bytes.
#[derive(Clone, Debug, Default)]
pub(crate) struct Enclosed {
    pub(crate) list: String,
    pub(crate) rest: Bytes,
    /// Whether it is sent to whoever asks.
    pub(crate) unasked: bool,
}

impl Served {
    pub(crate) fn etag(&self, path: &str) -> Option<String> {
        self.objects.get(path).map(|bytes| format!("\"{}\"", Digest::of(bytes)))
    }

    /// Whether somebody has what is at `path` now, and waits for it to change.
    pub(crate) fn is_awaited(&self, path: &str) -> bool {
        self.etag(path).is_some_and(|etag| self.parked.contains(&etag))
    }
}

pub(crate) struct Server {
    served: Arc<watch::Sender<Served>>,
    address: SocketAddr,
    tasks: JoinSet<()>,
}

impl Server {
    pub(crate) async fn start() -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("bound");
        let served = Arc::new(watch::Sender::new(Served::default()));
        let mut tasks = JoinSet::new();
        tasks.spawn(accept(listener, Arc::clone(&served)));
        Server { served, address, tasks }
    }

    /// Goes, and all connections with it.
    pub(crate) async fn stop(&mut self) {
        self.tasks.shutdown().await;
        self.change(|served| served.parked.clear());
    }

    /// Comes again at the same place.
    pub(crate) async fn start_again(&mut self) {
        let listener = TcpListener::bind(self.address).await.expect("it was ours");
        self.tasks.spawn(accept(listener, Arc::clone(&self.served)));
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/", self.address)
    }

    pub(crate) fn change(&self, change: impl FnOnce(&mut Served)) {
        self.served.send_modify(change);
    }

    pub(crate) fn object(&self, path: &str) -> Bytes {
        self.served.borrow().objects.get(path).cloned().unwrap_or_else(|| panic!("{path} was never published"))
    }

    /// From now on, whoever asks for `path` waits.
    pub(crate) fn stall(&self, path: &str) {
        self.change(|served| _ = served.stalled.insert(path.to_owned()));
    }

    pub(crate) fn served(&self) -> Served {
        self.served.borrow().clone()
    }

    pub(crate) fn asked(&self, path: &str) -> usize {
        self.served.borrow().asked.get(path).copied().unwrap_or_default()
    }

    /// Waits until `condition` holds.
    pub(crate) async fn until(&self, what: &str, condition: impl FnMut(&Served) -> bool) -> Served {
        let mut served = self.served.subscribe();
        let waited = timeout(Duration::from_secs(60), served.wait_for(condition)).await;
        waited.unwrap_or_else(|_| panic!("never: {what}")).expect("the server runs").clone()
    }

    /// Waits until `path` was asked for `times` more times than now.
    pub(crate) async fn until_asked_again(&self, path: &str, times: usize) {
        let before = self.asked(path);
        let enough = |served: &Served| served.asked.get(path).copied().unwrap_or_default() >= before + times;
        self.until(&format!("{path} asked for again"), enough).await;
    }
}

async fn accept(listener: TcpListener, served: Arc<watch::Sender<Served>>) {
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        let served = Arc::clone(&served);
        let service = service_fn(move |request| answer(request, Arc::clone(&served)));
        let connection = http1::Builder::new().timer(TokioTimer::new()).serve_connection(TokioIo::new(stream), service);
        connections.spawn(async move {
            // A client may leave at any time.
            let _ = connection.await;
        });
    }
}

async fn answer(
    request: Request<Incoming>,
    served: Arc<watch::Sender<Served>>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let path = request.uri().path().trim_start_matches('/').to_owned();
    served.send_modify(|served| *served.asked.entry(path.clone()).or_default() += 1);
    if request.method() == Method::POST {
        if served.borrow().plain {
            let refused = Response::builder().status(StatusCode::METHOD_NOT_ALLOWED);
            return Ok(refused.body(Full::default()).expect("no headers"));
        }
        return Ok(collect(request, &served).await);
    }
    let _ = served.subscribe().wait_for(|served| !served.stalled.contains(&path)).await;
    let header = |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let (known, prefer) = (header("if-none-match"), header("prefer"));
    let etag = |served: &Served| served.etag(&path);
    let prefer = prefer.filter(|_| !served.borrow().plain);
    let held = known.is_some() && prefer.is_some() && !served.borrow().frozen;
    if held {
        let parked = Parked::new(&served, known.clone().unwrap_or_default());
        let mut changes = served.subscribe();
        let _ = changes.wait_for(|served| served.frozen || etag(served) != known).await;
        drop(parked);
    }
    if known.is_some() && served.borrow().frozen {
        let answer = Response::builder().status(StatusCode::NOT_MODIFIED).header("preference-applied", "wait=55");
        return Ok(answer.body(Full::default()).expect("plain headers"));
    }
    let now = served.borrow().clone();
    let have = header("driftless-have");
    let enclosed = now.enclosed.get(&path).filter(|enclosed| have.is_some() || enclosed.unasked);
    if let (Some(bytes), Some(enclosed)) = (now.objects.get(&path).filter(|_| etag(&now) != known), enclosed) {
        served.send_modify(|served| served.had.push(have));
        let answer = Response::builder()
            .header("etag", etag(&now).unwrap_or_default())
            .header("preference-applied", if prefer.is_some() { "wait=55" } else { "" })
            .header("driftless-enclosed", enclosed.list.replace('*', &bytes.len().to_string()));
        let body = Bytes::from([&bytes[..], &enclosed.rest[..]].concat());
        return Ok(answer.body(Full::new(body)).expect("plain headers"));
    }
    let answer = match (now.objects.get(&path), etag(&now)) {
        (None, _) => Response::builder().status(StatusCode::NOT_FOUND).body(Full::default()),
        (_, etag) if etag == known => Response::builder().status(StatusCode::NOT_MODIFIED).body(Full::default()),
        (Some(bytes), etag) => Response::builder()
            .header("etag", etag.unwrap_or_default())
            .header("preference-applied", if prefer.is_some() { "wait=55" } else { "" })
            .body(Full::new(bytes.clone())),
    };
    Ok(answer.expect("plain headers"))
}

async fn collect(request: Request<Incoming>, served: &watch::Sender<Served>) -> Response<Full<Bytes>> {
    let body = request.into_body().collect().await.map(|body| body.to_bytes()).unwrap_or_default();
    let batch = AckBatch::open(&body, &Limits::DEFAULT).expect("a batch of acks that holds");
    let acks: Vec<SignedAck> = batch.acks.iter().map(|signed| (**signed).clone()).collect();
    let mut status = served.borrow().ack_status.unwrap_or(StatusCode::OK);
    let refused = served.borrow().ack_refused;
    if acks.iter().any(|signed| Some(signed.ack.generation.number()) == refused) {
        status = StatusCode::BAD_REQUEST;
    }
    served.send_modify(|served| {
        served.posted.extend(acks.iter().cloned());
        if status.is_success() {
            served.acks.extend(acks.iter().map(|signed| signed.ack.clone()));
            served.signed.extend(acks.iter().map(|signed| (batch.key.clone(), signed.clone())));
        }
    });
    Response::builder().status(status).body(Full::default()).expect("no headers")
}

/// A long-poll that is held.
struct Parked<'a> {
    served: &'a watch::Sender<Served>,
    etag: String,
}

impl<'a> Parked<'a> {
    fn new(served: &'a watch::Sender<Served>, etag: String) -> Parked<'a> {
        served.send_modify(|served| served.parked.push(etag.clone()));
        Parked { served, etag }
    }
}

impl Drop for Parked<'_> {
    fn drop(&mut self) {
        self.served.send_modify(|served| {
            if let Some(place) = served.parked.iter().position(|etag| *etag == self.etag) {
                served.parked.swap_remove(place);
            }
        });
    }
}
