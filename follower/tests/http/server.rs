//! A server on port 0 that does what a test says, and remembers what it was asked.

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use follower::BaseUrl;
use http::{HeaderMap, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

pub(crate) type Answer = Response<Full<Bytes>>;

/// Serves until it is dropped.
pub(crate) struct Server {
    pub(crate) base: BaseUrl,
    asked: Arc<Mutex<Vec<Asked>>>,
    _task: JoinSet<()>,
}

/// What a server was asked.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) method: Method,
    /// Path, and query where there is one.
    pub(crate) target: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
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
        let asked = Arc::new(Mutex::new(Vec::new()));
        let record = asked.clone();
        let (base, task) = accept(move |stream| {
            let (record, answer) = (record.clone(), answer.clone());
            async move {
                let service = service_fn(|request: Request<Incoming>| async {
                    let (head, body) = request.into_parts();
                    let body = body.collect().await?.to_bytes();
                    let asked =
                        Asked { method: head.method, target: head.uri.to_string(), headers: head.headers, body };
                    record.lock().unwrap().push(asked.clone());
                    Ok::<_, hyper::Error>(answer(asked).await)
                });
                // A client that goes away in the middle is what many tests are about.
                let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
            }
        })
        .await;
        Server { base, asked, _task: task }
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

/// Speaks without having been taught HTTP: sends `opening`, and then `more` again and again, or falls silent where there is
/// no more.
pub(crate) struct Raw {
    pub(crate) base: BaseUrl,
    hung_up: watch::Receiver<usize>,
    _task: JoinSet<()>,
}

impl Raw {
    pub(crate) async fn start(opening: &'static str, more: &'static [u8]) -> Raw {
        let (count, hung_up) = watch::channel(0);
        let (base, task) = accept(move |mut stream| {
            let count = count.clone();
            async move {
                let mut request = [0; 4096];
                let _ = stream.read(&mut request).await;
                let _ = stream.write_all(opening.as_bytes()).await;
                if more.is_empty() {
                    while stream.read(&mut request).await.is_ok_and(|read| read > 0) {}
                } else {
                    while stream.write_all(more).await.is_ok() {}
                }
                count.send_modify(|count| *count += 1);
            }
        })
        .await;
        Raw { base, hung_up, _task: task }
    }

    /// Waits until some client has given up.
    pub(crate) async fn was_hung_up_on(&self) {
        self.hung_up.clone().wait_for(|count| *count > 0).await.unwrap();
    }
}

async fn accept<F>(serve: impl Fn(TcpStream) -> F + Send + 'static) -> (BaseUrl, JoinSet<()>)
where
    F: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}/store", listener.local_addr().unwrap()).parse().unwrap();
    let mut task = JoinSet::new();
    task.spawn(async move {
        // Dropped with this task, and all connections with it.
        let mut connections = JoinSet::new();
        while let Ok((stream, _)) = listener.accept().await {
            connections.spawn(serve(stream));
        }
    });
    (base, task)
}
