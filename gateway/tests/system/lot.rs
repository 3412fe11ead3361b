//! Polls that leave hyper: nobody outside can tell, but for what it costs.

use std::process::{Output, Stdio};
use std::time::Duration;

use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpSocket;
use tokio::process::{Child, Command};
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::authority::Authority;
use crate::client::{Client, PATIENCE, Reply};
use crate::publication::Publication;
use crate::running::{Running, of_store, until};
use crate::tls::{path, tls};

const POINTER: &str = "/v1/apps/edge-proxy/regions/eu-west/pointer";

async fn world() -> (Publication, Running) {
    let publication = Publication::new();
    publication.publish("edge-proxy", "eu-west", 1).await;
    let gateway = Running::of(&publication).await;
    (publication, gateway)
}

fn poll(etag: &str, wait: &str) -> String {
    format!("GET {POINTER} HTTP/1.1\r\nHost: gateway\r\nIf-None-Match: {etag}\r\nPrefer: {wait}\r\n\r\n")
}

/// All that a reply says, but for the moment at which it says so.
fn timeless(reply: &Reply) -> (u16, Vec<(String, String)>, &[u8]) {
    let mut headers: Vec<_> = reply.headers.iter().filter(|(name, _)| name != "date").cloned().collect();
    headers.sort();
    (reply.status, headers, &reply.body)
}

#[tokio::test]
async fn who_leaves_hyper_is_answered_as_who_stays() {
    let (publication, gateway) = world().await;
    let (mut leaves, mut stays) = (gateway.client().await, gateway.client().await);
    let mut etag = leaves.get(POINTER, &[]).await.etag().to_owned();
    // With two tags there is more to compare than the lot knows of.
    let stay = |etag: &str| format!("\"another\", {etag}");
    for change in [false, true, false] {
        let wait = if change { "wait=100" } else { "wait=1" };
        leaves.send_raw(poll(&etag, wait).as_bytes()).await;
        stays.send_raw(poll(&stay(&etag), wait).as_bytes()).await;
        if change {
            gateway.until_parked(2).await;
            publication.publish("edge-proxy", "eu-west", 2).await;
        }
        let (left, stayed) = (leaves.reply_to("GET").await, stays.reply_to("GET").await);
        assert_eq!(timeless(&left), timeless(&stayed));
        assert_eq!(left.status, if change { 200 } else { 304 });
        let date = left.header("date").expect("a date");
        assert!(date.ends_with(" GMT") && date.len() == stayed.header("date").map_or(0, str::len), "{date}");
        etag = left.etag().to_owned();
    }
}

#[tokio::test]
async fn what_is_asked_before_an_answer_is_answered_after_it() {
    let (publication, gateway) = world().await;
    let authority = Authority::new("authority");
    let mut config = of_store(&publication);
    config.entrance.tls = tls(&authority.server(), None);
    let encrypted = Running::start(config);
    let connect = async || Client::connect_tls(encrypted.address, &authority.certificate(), None).await;
    let mut other = connect().await;
    until("ready", async || other.get("/readyz", &[]).await.status == 200).await;
    let mut clients = Vec::new();
    for number in 0..4 {
        let mut client = if number < 2 { gateway.client().await } else { connect().await };
        let etag = client.get(POINTER, &[]).await.etag().to_owned();
        let poll = poll(&etag, "wait=100");
        let early = "GET /healthz HTTP/1.1\r\nHost: gateway\r\n\r\n";
        if number % 2 == 0 {
            // In one piece with the poll, so that hyper reads it with that.
            client.send_raw(format!("{poll}{early}{early}").as_bytes()).await;
        } else {
            client.send_raw(poll.as_bytes()).await;
            match number {
                1 => gateway.until_parked(2).await,
                _ => until("parked", async || other.get("/v1/status", &[]).await.json()["parked"] == 2).await,
            }
            client.send_raw(format!("{early}{early}").as_bytes()).await;
        }
        clients.push(client);
    }
    let second = publication.publish("edge-proxy", "eu-west", 2).await;
    for client in &mut clients {
        assert_eq!(client.reply_to("GET").await.body, *second.bytes());
        for _ in 0..2 {
            let health = client.reply_to("GET").await;
            assert_eq!((health.status, health.header("etag")), (200, None));
        }
        // And it goes on.
        assert_eq!(client.get(POINTER, &[]).await.body, *second.bytes());
    }
    gateway.until_parked(0).await;
    drop((clients, other));
    gateway.until("only who asks", |status| status.connections == 1).await;
}

#[tokio::test]
async fn a_client_that_reads_late_gets_all_its_answers_in_order() {
    let (publication, gateway) = world().await;
    let etag = gateway.get(POINTER, &[]).await.etag().to_owned();
    // Answers that hyper gives itself, more than fit between the two, and then one for which the connection leaves it.
    let (early, rounds) = (["wait=0", "handling=lenient"].map(|prefer| poll(&etag, prefer)), 10_000);
    let asking = [early.concat().repeat(rounds), poll(&etag, "wait=100")].concat();
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.set_recv_buffer_size(4096).expect("a small buffer");
    let (reading, mut writing) = socket.connect(gateway.address).await.expect("a connection").into_split();
    let mut sending = JoinSet::new();
    sending.spawn(async move {
        writing.write_all(asking.as_bytes()).await.expect("a write");
        writing
    });
    // Nothing is read until all is asked, or no more is taken; either way nothing is lost.
    let mut asked = timeout(Duration::from_secs(2), sending.join_next()).await.ok();
    let mut client = Client::reading(reading);
    for round in 0..rounds {
        for applied in [Some("wait=0"), None] {
            let reply = client.reply_to("GET").await;
            let said = (reply.status, reply.etag(), reply.header("preference-applied"));
            assert_eq!(said, (304, etag.as_str(), applied), "round {round}");
        }
    }
    gateway.until_parked(1).await;
    let second = publication.publish("edge-proxy", "eu-west", 2).await;
    let last = client.reply_to("GET").await;
    assert_eq!((last.status, &last.body[..]), (200, &second.bytes()[..]));
    // It goes on as any other.
    if asked.is_none() {
        asked = Some(sending.join_next().await);
    }
    let mut writing = asked.flatten().expect("one task").expect("no panic");
    writing.write_all(b"GET /healthz HTTP/1.1\r\nHost: gateway\r\n\r\n").await.expect("a write");
    assert_eq!(client.reply_to("GET").await.status, 200);
}

#[tokio::test]
async fn a47_a_body_that_nobody_wants_ends_the_connection() {
    let (_publication, gateway) = world().await;
    let etag = gateway.get(POINTER, &[]).await.etag().to_owned();
    for method in ["GET", "HEAD"] {
        let mut client = gateway.client().await;
        client.send_with_body(method, POINTER, &[("If-None-Match", &etag)], b"x").await;
        client.send("GET", "/healthz", &[]).await;
        let reply = client.reply_to("HEAD").await;
        assert_eq!((reply.status, reply.header("connection")), (304, Some("close")), "{method}");
        assert!(client.rest().await.is_empty(), "what follows is not answered");
    }
}

/// Starts the stock `curl`; its output is the body and, on a last line, protocol and status.
fn curl(gateway: &Running, scheme: &str, target: &str, more: &[&str]) -> Child {
    let mut curl = Command::new("curl");
    curl.args(["-4", "-sS", "--max-time", "60", "-w", "\n%{http_version} %{http_code}"]).args(more);
    curl.arg(format!("{scheme}://localhost:{}{target}", gateway.address.port()));
    curl.stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true).spawn().expect("curl is installed")
}

async fn said(curl: Child) -> (Vec<u8>, String) {
    let Output { stdout, stderr, .. } =
        timeout(PATIENCE, curl.wait_with_output()).await.expect("an end in time").expect("an output");
    let at = stdout.iter().rposition(|byte| *byte == b'\n').expect("a last line");
    let last = String::from_utf8_lossy(&stdout[at + 1..]).into_owned();
    (stdout[..at].to_vec(), last + &String::from_utf8_lossy(&stderr))
}

#[tokio::test]
async fn the_stock_client_is_held_and_told_over_http2() {
    let (publication, plain) = world().await;
    let authority = Authority::new("authority");
    let mut config = of_store(&publication);
    config.entrance.tls = tls(&authority.server(), None);
    let encrypted = Running::start(config);
    let ca = authority.certificate();
    let known = ["--http2-prior-knowledge"];
    let agreed = ["--http2", "--cacert", path(&ca)];
    let ways: [(&Running, &str, &[&str], &str); 3] = [
        (&plain, "http", &known, "2"),
        (&encrypted, "https", &agreed, "2"),
        (&encrypted, "https", &["--http1.1", "--cacert", path(&ca)], "1.1"),
    ];
    let parked = async |gateway: &Running, scheme: &str, more: &[&str]| {
        let (status, _) = said(curl(gateway, scheme, "/v1/status", more)).await;
        serde_json::from_slice::<serde_json::Value>(&status).expect("JSON")["parked"].clone()
    };
    for (generation, (gateway, scheme, more, version)) in (2..).zip(ways) {
        let ready = async || said(curl(gateway, scheme, "/readyz", more)).await.1 == format!("{version} 200");
        until("ready", ready).await;
        let before = plain.get(POINTER, &[]).await;
        let shown = async || said(curl(gateway, scheme, POINTER, more)).await.0 == before.body;
        until("the newest", shown).await;
        let tag = format!("If-None-Match: {}", before.etag());
        let asks = [more, &["-H", &tag, "-H", "Prefer: wait=1"]].concat();
        assert_eq!(said(curl(gateway, scheme, POINTER, &asks)).await.1, format!("{version} 304"));
        let waits = [more, &["-H", &tag, "-H", "Prefer: wait=100"]].concat();
        let waiting = curl(gateway, scheme, POINTER, &waits);
        until("parked", async || parked(gateway, scheme, more).await == 1).await;
        let next = publication.publish("edge-proxy", "eu-west", generation).await;
        assert_eq!(said(waiting).await, (next.bytes().to_vec(), format!("{version} 200")));
        plain.until_generation("edge-proxy", generation).await;
    }
    // And of the end.
    let now = plain.get(POINTER, &[]).await;
    let tag = format!("If-None-Match: {}", now.etag());
    let last = curl(&plain, "http", POINTER, &[&known[..], &["-H", &tag, "-H", "Prefer: wait=100"]].concat());
    plain.until_parked(1).await;
    plain.stop().await;
    assert_eq!(said(last).await.1, "2 304");
}
