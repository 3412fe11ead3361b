//! Everything that a server can do to HTTP. Each is met by every kind of request, and none keeps it from the next base URL.

use bytes::Bytes;
use follower::{BaseUrl, Expected, Reason};
use schema::{Digest, StorePath};
use tokio::task::JoinSet;

use crate::follow::{accept, follow};
use crate::raw::{Raw, Then};
use crate::server::Server;
use crate::{Forged, only, strict_mirrors};

const ROOT: StorePath = StorePath::Root { version: 2 };
const GOOD: &[u8] = b"the signed bytes";
const MAX: u64 = 64;

/// What kernels on both ends may have taken that nobody here has read, and one look at the connection.
const UNREAD_MAX: usize = 16 << 20;

struct Attack {
    name: &'static str,
    opening: Vec<u8>,
    then: Then,
    /// The reasons with which fetching fails, one of them.
    seen_as: &'static [&'static str],
}

fn attack(name: &'static str, opening: impl Into<Vec<u8>>, then: Then, seen_as: &'static [&'static str]) -> Attack {
    Attack { name, opening: opening.into(), then, seen_as }
}

/// The head of an answer with status 200, and these headers.
fn ok(headers: &str) -> String {
    format!("HTTP/1.1 200 OK\r\n{headers}\r\n")
}

const TOO_LARGE: &[&str] = &["Fault(TooLarge"];
const TOO_SLOW: &[&str] = &["Fault(TooSlow"];
const NO_ANSWER: &[&str] = &["Fault(NoAnswer"];
const UNREADABLE: &[&str] = &["Fault(Exchange"];
const BROKEN: &[&str] = &["Fault(Broken"];
const STATUS: &[&str] = &["Fault(Status"];
const FORGED: &[&str] = &["Refused("];

fn a05_endless_data() -> Vec<Attack> {
    vec![
        attack("no length", ok(""), Then::Endless(&[b'x'; 4096]), TOO_LARGE),
        attack("a huge length", ok("content-length: 9223372036854775807\r\n"), Then::Endless(&[b'x'; 4096]), TOO_LARGE),
        attack("a length one too long", ok("content-length: 65\r\n"), Then::Endless(&[b'x'; 4096]), TOO_LARGE),
        attack("a length beyond numbers", ok("content-length: 99999999999999999999\r\n"), Then::Close, UNREADABLE),
        attack("a negative length", ok("content-length: -1\r\n"), Then::Close, UNREADABLE),
        attack("two lengths", ok("content-length: 16\r\ncontent-length: 17\r\n"), Then::Close, UNREADABLE),
        attack("chunks", ok("transfer-encoding: chunked\r\n"), Then::Endless(b"4\r\nmore\r\n"), TOO_LARGE),
        attack("empty-handed chunks", ok("transfer-encoding: chunked\r\n") + "1;", Then::Endless(b"extension"), BROKEN),
        attack(
            "a chunk beyond numbers",
            ok("transfer-encoding: chunked\r\n") + "fffffffffffffffff\r\n",
            Then::Close,
            BROKEN,
        ),
        attack("trailers", ok("transfer-encoding: chunked\r\n") + "0\r\n", Then::Endless(b"x-more: more\r\n"), BROKEN),
        attack("a head of short lines", "HTTP/1.1 200 OK\r\n", Then::Endless(b"x-more: more\r\n"), UNREADABLE),
        attack("a head of one line", "HTTP/1.1 200 OK\r\nx-more: ", Then::Endless(&[b'x'; 4096]), UNREADABLE),
        attack("ten thousand headers", ok(&"x: y\r\n".repeat(10_000)), Then::Silence, UNREADABLE),
        attack("a header of a mebibyte", ok(&format!("x: {}\r\n", "y".repeat(1 << 20))), Then::Silence, UNREADABLE),
        attack(
            "interim answers",
            "",
            Then::Endless(b"HTTP/1.1 103 Early Hints\r\nlink: <x>\r\n\r\n"),
            &["Fault(Chatter"],
        ),
        attack("continuations", "", Then::Endless(b"HTTP/1.1 100 Continue\r\n\r\n"), &["Fault(Chatter"]),
    ]
}

fn a06_slow_retrieval() -> Vec<Attack> {
    vec![
        attack("a slow body", ok("content-length: 60\r\n"), Then::Dribble(b"x"), TOO_SLOW),
        attack("slow chunks", ok("transfer-encoding: chunked\r\n"), Then::Dribble(b"1\r\nx\r\n"), TOO_SLOW),
        attack("a slow head", "HTTP/1.1 200 OK\r\nx-more: ", Then::Dribble(b"x"), NO_ANSWER),
        attack(
            "slow interim answers",
            "",
            Then::Dribble(b"HTTP/1.1 100 Continue\r\n\r\n"),
            &["Fault(NoAnswer", "Fault(Chatter"],
        ),
        attack("no head", "", Then::Silence, NO_ANSWER),
        attack("half a head", "HTTP/1.1 200 OK\r\n", Then::Silence, NO_ANSWER),
        attack("half a body", ok("content-length: 16\r\n") + "the signed", Then::Silence, TOO_SLOW),
    ]
}

fn a11_other_answers() -> Vec<Attack> {
    let good = "the signed bytes";
    let sized = ok("content-length: 16\r\n");
    vec![
        attack(
            "a part unasked",
            format!("HTTP/1.1 206 Partial Content\r\ncontent-range: bytes 0-15/16\r\ncontent-length: 16\r\n\r\n{good}"),
            Then::Close,
            STATUS,
        ),
        attack("not modified unasked", "HTTP/1.1 304 Not Modified\r\n\r\n", Then::Close, STATUS),
        attack(
            "other protocols",
            "HTTP/1.1 101 Switching Protocols\r\nupgrade: h2c\r\nconnection: upgrade\r\n\r\n",
            Then::Silence,
            STATUS,
        ),
        attack("a status that is none", "HTTP/1.1 999 What\r\ncontent-length: 0\r\n\r\n", Then::Close, STATUS),
        attack("a status too short", "HTTP/1.1 20 OK\r\n\r\n", Then::Close, UNREADABLE),
        attack("a short body that is cut", ok("content-length: 17\r\n") + good, Then::Close, BROKEN),
        attack("a body that is reset", ok("content-length: 17\r\n") + good, Then::Reset, BROKEN),
        attack("chunks that are reset", ok("transfer-encoding: chunked\r\n") + "10\r\n" + good, Then::Reset, BROKEN),
        attack("a head that is reset", "HTTP/1.1 200", Then::Reset, UNREADABLE),
        attack("nothing at all", "", Then::Close, UNREADABLE),
        attack("a length too short", ok("content-length: 10\r\n") + good, Then::Close, FORGED),
        attack(
            "a second answer unasked",
            format!("{}other and wrong{}{good}", ok("content-length: 15\r\n"), sized),
            Then::Close,
            FORGED,
        ),
        attack("a wrapped body", [ok("content-encoding: gzip\r\n").as_bytes(), GZIPPED].concat(), Then::Close, FORGED),
        attack("an error page", ok("content-type: text/html\r\n") + "<html>503</html>", Then::Close, FORGED),
        attack("a line end within a header", ok("x-more: a\rb\r\n") + good, Then::Close, UNREADABLE),
        attack("a zero byte within a header", ok("x-more: \0\r\n") + good, Then::Close, UNREADABLE),
        attack("another protocol's opening", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", Then::Silence, UNREADABLE),
        attack("an alert of TLS", &b"\x15\x03\x01\x00\x02\x02\x46"[..], Then::Close, UNREADABLE),
        attack("no head, as in 1991", good, Then::Close, UNREADABLE),
    ]
}

/// Asks in every way with the attacker in front, and an honest mirror behind it.
async fn survive(attack: Attack) {
    let Attack { name, opening, then, seen_as } = attack;
    let raw = Raw::answering(opening, then).await;
    let honest = Server::serving(GOOD).await;
    let alone: &[&BaseUrl] = &[&raw.base];
    let before: &[&BaseUrl] = &[&raw.base, &honest.base];

    let failed = strict_mirrors(alone).fetch(&ROOT, MAX, only(GOOD)).await.expect_err(name);
    let reason: Reason<Forged> = failed.failures.into_iter().next().expect(name).reason;
    let seen = format!("{reason:?}");
    assert!(seen_as.iter().any(|expected| seen.starts_with(expected)), "{name}: {seen}");

    assert_eq!(strict_mirrors(before).fetch(&ROOT, MAX, only(GOOD)).await.expect(name), GOOD);
    let within = std::time::Duration::from_secs(60);
    assert_eq!(strict_mirrors(before).search(&ROOT, MAX, within, only(GOOD)).await.expect(name), GOOD);
    let path = StorePath::Bundle { app: "edge-proxy".parse().unwrap(), digest: Digest::of(GOOD) };
    let expected = Expected { size: GOOD.len() as u64, sha256: Digest::of(GOOD) };
    let downloaded = strict_mirrors(before).download(&path, expected, Vec::new()).await.expect(name);
    assert_eq!(downloaded.sink, GOOD, "{name}");
    // An acknowledgement has no right answer: it is taken as soon as anybody says so.
    strict_mirrors(before).post("v1/acks", Bytes::from_static(b"{}"), MAX).await.expect(name);
    let mut follower = follow(&strict_mirrors(before));
    if seen_as == FORGED {
        let (bytes, from) = crate::follow::changed(&mut follower).await;
        assert!(bytes != GOOD && from == raw.base, "{name}");
        follower.refused();
    }
    assert_eq!(accept(&mut follower, GOOD).await, honest.base, "{name}");

    raw.was_hung_up_on().await;
    assert!(raw.sent() < 6 * UNREAD_MAX, "{name}: {} bytes", raw.sent());
}

async fn survive_all(attacks: Vec<Attack>) {
    let mut running: JoinSet<()> = attacks.into_iter().map(survive).collect();
    while let Some(ended) = running.join_next().await {
        ended.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a05_endless_data_of_every_kind_is_given_up() {
    survive_all(a05_endless_data()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a06_slow_retrieval_of_every_kind_is_given_up() {
    survive_all(a06_slow_retrieval()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a11_whatever_else_is_served_is_refused() {
    survive_all(a11_other_answers()).await;
}

/// The signed bytes, as `gzip -n` wraps them.
const GZIPPED: &[u8] =
    b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03+\xc9HU(\xceL\xcfKMQH\xaa,I-\x06\x00T^i\x99\x10\x00\x00\x00";
