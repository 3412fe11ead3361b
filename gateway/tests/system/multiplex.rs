//! HTTP/2: many requests on one connection, which counts as many.

use std::time::Duration;

use bytes::Bytes;
use gateway::{Admit, Config};
use http::{Request, Response};
use http_body_util::{BodyExt as _, Empty};
use hyper::body::Incoming;
use hyper::client::conn::http2::{self, SendRequest};
use hyper_util::rt::{TokioExecutor, TokioIo};
use schema::{Digest, StorePath};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::client::PATIENCE;
use crate::publication::{Publication, name};
use crate::running::{Running, of_store, until};

const POINTER: &str = "/v1/apps/edge-proxy/regions/eu-west/pointer";

/// One connection of HTTP/2.
struct Multiplexed {
    sender: SendRequest<Empty<Bytes>>,
    /// Drives it, and ends with it.
    connection: JoinSet<()>,
}

impl Multiplexed {
    async fn connect(gateway: &Running) -> Multiplexed {
        let stream = TcpStream::connect(gateway.address).await.expect("a connection");
        let mut builder = http2::Builder::new(TokioExecutor::new());
        // No more comes ahead of its reader than has to.
        builder.initial_stream_window_size(WINDOW_BYTES).initial_connection_window_size(WINDOW_BYTES * 4);
        let (sender, driver) = builder.handshake(TokioIo::new(stream)).await.expect("a preface");
        let mut connection = JoinSet::new();
        connection.spawn(async move { drop(driver.await) });
        Multiplexed { sender, connection }
    }

    async fn ask(&self, request: Request<Empty<Bytes>>) -> hyper::Result<Response<Incoming>> {
        let mut sender = self.sender.clone();
        timeout(PATIENCE, sender.send_request(request)).await.expect("an answer in time")
    }

    async fn get(&self, target: &str) -> Response<Incoming> {
        self.ask(get(target, &[])).await.expect("an answer")
    }
}

fn get(target: &str, headers: &[(&str, &str)]) -> Request<Empty<Bytes>> {
    let request = Request::get(format!("http://gateway{target}"));
    let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
    request.body(Empty::new()).expect("a request")
}

/// What a window of HTTP/2 is where nobody says anything.
const WINDOW_BYTES: u32 = 65_535;

/// A gateway that has a bundle which is much more than a window, what it is, and where.
pub(crate) async fn with_a_large_bundle(change: impl FnOnce(&mut Config)) -> (Publication, Running, Bytes, String) {
    let publication = Publication::new();
    publication.publish("edge-proxy", "eu-west", 1).await;
    let mut rng = fastrand::Rng::with_seed(7);
    let content: Vec<u8> = std::iter::repeat_with(|| rng.u8(..)).take(8 << 20).collect();
    let bundle = publication.bundle(&name("edge-proxy"), &content).await;
    let path = StorePath::Bundle { app: name("edge-proxy"), digest: bundle.target.digest };
    let mut config = of_store(&publication);
    change(&mut config);
    let gateway = Running::start(config);
    gateway.until_ready().await;
    (publication, gateway, bundle.compressed, format!("/{path}"))
}

#[tokio::test]
async fn a_long_download_outlives_the_deadlines_for_who_asks_nothing() {
    let (idle, header) = (Duration::from_secs(2), Duration::from_millis(200));
    let (_publication, gateway, bundle, target) = with_a_large_bundle(|config| {
        (config.limits.idle_deadline.0, config.limits.header_deadline.0) = (idle, header);
    })
    .await;
    let client = Multiplexed::connect(&gateway).await;
    let mut body = client.get(&target).await.into_body();
    let (mut read, began) = (Vec::new(), tokio::time::Instant::now());
    while let Some(frame) = body.frame().await {
        let piece = frame.expect("all of it").into_data().expect("data");
        read.extend_from_slice(&piece);
        // Most of it is to come after the deadlines, and never so little that it counts as nothing.
        let late = began.elapsed() > (idle + header) * 2;
        if !late {
            sleep(Duration::from_millis(50)).await;
        }
    }
    assert!(read == bundle, "{} of {} bytes", read.len(), bundle.len());
    assert!(began.elapsed() > idle + header, "it was too fast to show anything");
}

#[tokio::test]
async fn a47_answers_that_nobody_reads_take_places() {
    let (_publication, gateway, bundle, target) = with_a_large_bundle(|config| config.limits.connections = 2).await;
    let mut held = None;
    // The connections that were used to see whether it is ready may still count.
    until("two answers that are not read", async || {
        let client = Multiplexed::connect(&gateway).await;
        let (Ok(one), Ok(two)) = (client.ask(get(&target, &[])).await, client.ask(get(&target, &[])).await) else {
            return false;
        };
        let both = one.status() == 200 && two.status() == 200;
        held = both.then_some((client, one, two));
        both
    })
    .await;
    let (client, one, two) = held.expect("two answers");
    assert_eq!(client.get("/healthz").await.status(), 503, "the connection's place, and the other one");
    let mut another = gateway.client().await;
    assert_eq!(another.get("/healthz", &[]).await.status, 503);
    // Who is done makes room.
    let read = one.into_body().collect().await.expect("a body").to_bytes();
    assert!(read == bundle);
    until("room", async || client.get("/healthz").await.status() == 200).await;
    drop(two);
    until("room", async || gateway.get("/healthz", &[]).await.status == 200).await;
}

/// A gateway that lets in who brings the token `right`.
async fn by_token() -> (Publication, Running) {
    let publication = Publication::new();
    publication.publish("edge-proxy", "eu-west", 1).await;
    let list = publication.root_path().with_file_name("agents.yaml");
    let right = Digest::of(b"right");
    std::fs::write(&list, format!("agents: {{ web-1: {{ token_sha256: {right} }} }}\n")).expect("a write");
    let mut config = of_store(&publication);
    config.entrance.admit = Admit::Token;
    config.entrance.agents = Some(list);
    let gateway = Running::start(config);
    let ready = async || gateway.get("/readyz", &[("Authorization", "Bearer right")]).await.status == 200;
    until("ready", ready).await;
    (publication, gateway)
}

#[tokio::test]
async fn a46_who_brings_a_wrong_token_is_hung_up_on() {
    let (_publication, gateway) = by_token().await;
    let mut client = Multiplexed::connect(&gateway).await;
    let right = client.ask(get(POINTER, &[("authorization", "Bearer right")])).await.expect("an answer");
    assert_eq!(right.status(), 200);
    drop(right);
    let refused = client.ask(get(POINTER, &[("authorization", "Bearer wrong")])).await.expect("an answer");
    assert_eq!((refused.status().as_u16(), refused.headers().get("connection")), (401, None));
    drop(refused);
    // Its sender is still there, so the end is the gateway's.
    let ended = timeout(PATIENCE, client.connection.join_next()).await.expect("an end in time");
    ended.expect("one task").expect("no panic");
    let after = client.ask(get(POINTER, &[("authorization", "Bearer right")])).await;
    assert!(after.is_err(), "{after:?}");
}

/// A client that says what it is told to, and never confirms anything.
struct Deaf {
    stream: TcpStream,
    next_stream: u32,
}

impl Deaf {
    async fn connect(gateway: &Running) -> Deaf {
        let mut stream = TcpStream::connect(gateway.address).await.expect("a connection");
        // The preface, and settings that set nothing.
        stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").await.expect("a write");
        Deaf { stream, next_stream: 1 }
    }

    /// Asks for the pointer with a token; gives the answer's body.
    async fn get(&mut self, token: &str) -> String {
        // The static table of HPACK (RFC 7541, appendix A), with literals in full: GET, http, a path, an authority and a token.
        let mut block = vec![0x82, 0x86];
        for (name, value) in [(&[0x04][..], POINTER), (&[0x01], "gateway"), (&[0x0f, 0x08], &format!("Bearer {token}"))]
        {
            block.extend_from_slice(name);
            block.push(u8::try_from(value.len()).expect("a short value"));
            block.extend_from_slice(value.as_bytes());
        }
        let (length, asked) = (u32::try_from(block.len()).expect("a short block").to_be_bytes(), self.next_stream);
        self.next_stream += 2;
        // END_HEADERS and END_STREAM.
        let head = [&length[1..], &[HEADERS, 0x05], &asked.to_be_bytes()].concat();
        self.stream.write_all(&[head, block].concat()).await.expect("a write");
        let mut body = Vec::new();
        loop {
            let mut head = [0; 9];
            self.stream.read_exact(&mut head).await.expect("a frame");
            let [a, b, c, kind, flags, stream @ ..] = head;
            let mut payload = vec![0; u32::from_be_bytes([0, a, b, c]) as usize];
            self.stream.read_exact(&mut payload).await.expect("a frame");
            let is_ours = u32::from_be_bytes(stream) == asked;
            if is_ours && kind == DATA {
                body.extend_from_slice(&payload);
            }
            if is_ours && [DATA, HEADERS].contains(&kind) && flags & 0x01 != 0 {
                return String::from_utf8_lossy(&body).into_owned();
            }
        }
    }
}

const DATA: u8 = 0;
const HEADERS: u8 = 1;

#[tokio::test]
async fn a46_who_ignores_the_goodbye_guesses_no_more() {
    let (_publication, gateway) = by_token().await;
    let mut client = Deaf::connect(&gateway).await;
    let guesses = async {
        let pointer = client.get("right").await;
        assert!(pointer.contains("\"region\":\"eu-west\""), "{pointer}");
        assert!(client.get("wrong").await.contains("token"));
        for token in ["wrong", "right"] {
            let refused = client.get(token).await;
            assert!(refused.contains("this connection is at its end"), "{token}: {refused}");
        }
    };
    timeout(PATIENCE, guesses).await.expect("answers in time");
}

#[tokio::test]
async fn a47_requests_on_one_connection_count_like_connections() {
    let publication = Publication::new();
    publication.publish("edge-proxy", "eu-west", 1).await;
    let mut config = of_store(&publication);
    config.limits.connections = 3;
    let gateway = Running::start(config);
    gateway.until_ready().await;
    let etag = gateway.get(POINTER, &[]).await.etag().to_owned();
    let request = |wait| get(POINTER, &[("if-none-match", &etag), ("prefer", wait)]);
    let mut connected = None;
    // The connections that were used to see whether it is ready may still count.
    until("a connection", async || {
        let client = Multiplexed::connect(&gateway).await;
        let served = client.ask(request("wait=0")).await.is_ok_and(|answer| answer.status() == 304);
        connected = served.then_some(client);
        served
    })
    .await;
    let Multiplexed { sender, connection } = connected.expect("a connection");
    // One has the connection's place, and two more are free.
    until("three held, and no fourth", async || {
        let mut sender = sender.clone();
        let mut asked = JoinSet::new();
        for _ in 0..3 {
            let (mut sender, request) = (sender.clone(), request("wait=2"));
            asked.spawn(async move { sender.send_request(request).await.expect("an answer").status().as_u16() });
        }
        tokio::task::yield_now().await;
        let fourth = sender.send_request(request("wait=2")).await.expect("an answer");
        let retry_after = fourth.headers().get("retry-after").map(|after| after.as_bytes().to_vec());
        let mut codes = vec![fourth.status().as_u16()];
        while let Some(code) = asked.join_next().await {
            codes.push(code.expect("no panic"));
        }
        codes.sort_unstable();
        codes == [304, 304, 304, 503] && retry_after.is_none_or(|after| after == b"5")
    })
    .await;
    drop((sender, connection));
    // Who leaves makes room.
    until("room", async || gateway.get("/healthz", &[]).await.status == 200).await;
}

#[tokio::test]
async fn a47_a_preface_that_nothing_follows_is_cut() {
    let publication = Publication::new();
    publication.publish("edge-proxy", "eu-west", 1).await;
    let mut config = of_store(&publication);
    config.limits.header_deadline.0 = Duration::from_millis(500);
    config.limits.idle_deadline.0 = Duration::from_millis(600);
    let gateway = Running::start(config);
    gateway.until_ready().await;
    // A beginning, a whole preface, and a request whose header never ends.
    let settings = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
    let half = [&settings[..], b"\0\0\x01\x01\0\0\0\0\x01\x82"].concat();
    for beginning in [&b"P"[..], b"PRI", b"PRI * HTTP/2.0\r\n\r\n", settings, &half] {
        let mut client = gateway.client().await;
        client.send_raw(beginning).await;
        client.rest().await;
    }
    gateway.until("only who asks", |status| status.connections == 1).await;
}
