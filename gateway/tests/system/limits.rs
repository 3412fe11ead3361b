//! Slow, hostile and too many clients; and the end.

use std::time::Duration;

use schema::time::Length;
use tokio::time::sleep;

use crate::client::Client;
use crate::publication::Publication;
use crate::running::{Running, of_store};

const POINTER: &str = "/v1/apps/edge-proxy/regions/eu-west/pointer";

async fn limited(change: impl FnOnce(&mut gateway::Limits)) -> (Publication, Running) {
    let publication = Publication::new();
    publication.publish("edge-proxy", "eu-west", 1).await;
    let mut config = of_store(&publication);
    change(&mut config.limits);
    let gateway = Running::start(config);
    gateway.until_ready().await;
    (publication, gateway)
}

#[tokio::test]
async fn a47_a_slow_header_is_cut() {
    let (_publication, gateway) = limited(|limits| {
        limits.header_deadline = Length(Duration::from_millis(300));
        limits.idle_deadline = Length(Duration::from_millis(600));
    })
    .await;
    let mut slow = gateway.client().await;
    let silent = gateway.client().await;
    let mut idle = gateway.client().await;
    assert_eq!(idle.get("/healthz", &[]).await.status, 200);
    // A byte now and then, so that there is always something new, but never a header.
    let dribble = async {
        for byte in format!("GET {POINTER} HTTP/1.1\r\nHost: ").bytes().chain(std::iter::repeat_n(b'a', 10_000)) {
            slow.send_raw(&[byte]).await;
            sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::select! {
        () = dribble => panic!("ten thousand bytes of header were waited for"),
        status = gateway.until("only this one connection", |status| status.connections == 1) => drop(status),
    }
    assert!(!String::from_utf8_lossy(&silent.rest().await).contains("200 OK"));
    assert!(idle.rest().await.is_empty());
}

#[tokio::test]
async fn a47_a_thousand_who_dribble_keep_nobody_out() {
    let files = rustix::process::getrlimit(rustix::process::Resource::Nofile);
    let raised = rustix::process::Rlimit { current: files.maximum, ..files };
    rustix::process::setrlimit(rustix::process::Resource::Nofile, raised).expect("as many files as there may be");
    let (publication, gateway) = limited(|limits| limits.header_deadline = Length(Duration::from_secs(5))).await;
    let mut watcher = gateway.client().await;
    let etag = watcher.get(POINTER, &[]).await.etag().to_owned();
    watcher.send("GET", POINTER, &[("If-None-Match", &etag), ("Prefer", "wait=100")]).await;
    let mut slow = Vec::new();
    for number in 0..1000 {
        let mut client = gateway.client().await;
        client.send_raw(&b"GET /"[..number % 5 + 1]).await;
        slow.push(client);
    }
    let dribble = async {
        loop {
            for client in &mut slow {
                client.send_raw(b"a").await;
            }
            sleep(Duration::from_millis(50)).await;
        }
    };
    let honest = async {
        gateway.until("all of them", |status| status.connections >= 1000).await;
        let second = publication.publish("edge-proxy", "eu-west", 2).await;
        assert_eq!(watcher.reply_to("GET").await.body, *second.bytes());
        assert_eq!(gateway.get(POINTER, &[]).await.body, *second.bytes());
        // However much there is always something new: they are cut.
        gateway.until("none of them", |status| status.connections <= 2).await;
    };
    tokio::select! {
        () = dribble => unreachable!("it goes on for ever"),
        () = honest => {}
    }
}

#[tokio::test]
async fn an_idle_connection_outlives_the_header_deadline_and_a_later_header_does_not() {
    let (_publication, gateway) = limited(|limits| limits.header_deadline = Length(Duration::from_millis(300))).await;
    let mut kept = gateway.client().await;
    for _ in 0..2 {
        assert_eq!(kept.get("/healthz", &[]).await.status, 200);
        sleep(Duration::from_millis(600)).await;
    }
    assert_eq!(kept.get("/healthz", &[]).await.status, 200);
    kept.send_raw(b"GET /hea").await;
    assert!(kept.rest().await.is_empty(), "half a header is not waited for, long before the connection counts as idle");
}

#[tokio::test]
async fn a_held_poll_outlives_the_header_deadline() {
    let (publication, gateway) = limited(|limits| {
        limits.header_deadline = Length(Duration::from_millis(100));
        limits.idle_deadline = Length(Duration::from_millis(100));
    })
    .await;
    let mut client = gateway.client().await;
    let etag = client.get(POINTER, &[]).await.etag().to_owned();
    client.send("GET", POINTER, &[("If-None-Match", &etag), ("Prefer", "wait=100")]).await;
    gateway.until_parked(1).await;
    sleep(Duration::from_millis(300)).await;
    publication.publish("edge-proxy", "eu-west", 2).await;
    assert_eq!(client.reply_to("GET").await.status, 200);
}

#[tokio::test]
async fn a47_beyond_the_caps_there_is_503_and_a_time_to_come_back() {
    for per_address in [true, false] {
        let (_publication, gateway) = limited(|limits| {
            let cap = if per_address { &mut limits.connections_per_address } else { &mut limits.connections };
            *cap = 3;
        })
        .await;
        let mut held = Vec::new();
        while held.len() < 3 {
            let mut client = gateway.client().await;
            client.send("GET", "/healthz", &[]).await;
            // The connection that was used to see whether it is ready may still count.
            if client.reply_to("GET").await.status == 200 {
                held.push(client);
            }
        }
        let mut fourth = gateway.client().await;
        fourth.send("GET", "/healthz", &[]).await;
        let refused = fourth.reply_to("GET").await;
        assert_eq!((refused.status, refused.header("retry-after")), (503, Some("5")));
        assert!(refused.json()["error"].is_string());
        assert!(fourth.rest().await.is_empty());
        // Those who are in are served on, and who leaves makes room.
        assert_eq!(held[0].get("/healthz", &[]).await.status, 200);
        held.pop();
        let again = async {
            loop {
                let mut client = gateway.client().await;
                client.send("GET", "/healthz", &[]).await;
                if client.reply_to("GET").await.status == 200 {
                    break;
                }
            }
        };
        tokio::time::timeout(crate::client::PATIENCE, again).await.expect("room in time");
    }
}

#[tokio::test]
async fn a47_a_header_without_end_is_refused() {
    let (_publication, gateway) = limited(|_| {}).await;
    let mut client = gateway.client().await;
    client.send_raw(format!("GET / HTTP/1.1\r\nHost: {}", "a".repeat(100_000)).as_bytes()).await;
    let reply = client.reply_to("GET").await;
    assert_eq!(reply.status, 431);
}

#[tokio::test]
async fn f29_a_shutdown_answers_who_is_held_and_lets_the_rest_go() {
    let (_publication, gateway) = limited(|_| {}).await;
    let mut held: Vec<Client> = Vec::new();
    let etag = gateway.get(POINTER, &[]).await.etag().to_owned();
    for _ in 0..20 {
        let mut client = gateway.client().await;
        client.send("GET", POINTER, &[("If-None-Match", &etag), ("Prefer", "wait=100")]).await;
        held.push(client);
    }
    let mut idle = gateway.client().await;
    assert_eq!(idle.get("/healthz", &[]).await.status, 200);
    gateway.until_parked(20).await;
    // One that never finishes its request does not hold up the end.
    let mut unfinished = gateway.client().await;
    unfinished.send_raw(b"POST /v1/acks HTTP/1.1\r\nHost: gateway\r\nContent-Length: 100\r\n\r\n{").await;
    let address = gateway.address;
    gateway.stop().await;
    for mut client in held {
        let reply = client.reply_to("GET").await;
        assert_eq!((reply.status, reply.etag()), (304, etag.as_str()));
        assert_eq!(reply.header("connection"), Some("close"));
        assert!(client.rest().await.is_empty());
    }
    assert!(idle.rest().await.is_empty());
    assert!(tokio::net::TcpStream::connect(address).await.is_err(), "nobody listens any more");
}
