//! Pointers that come with more: for those who say what they have, and from servers that can be believed in nothing.

use bytes::Bytes;
use follower::{Mirrors, Observation, PointerFollower};
use http::HeaderValue;
use http::header::ETAG;
use schema::enclosed::{Part, Split};
use schema::{Digest, Limits};

use crate::follow::{FIRST, SECOND, accept, follow};
use crate::gateway::etag;
use crate::raw::{Raw, Then};
use crate::server::{Answer, Server, ok};
use crate::strict_mirrors;

/// Longer than a pointer may be here.
const MANIFEST: &[u8] = &[b'm'; 500];

fn have() -> Digest {
    Digest::of(b"have")
}

fn manifest() -> Part {
    Part::Manifest(Digest::of(b"new"))
}

fn saying(mirrors: &Mirrors) -> PointerFollower {
    let mut follower = follow(mirrors);
    follower.has(Some(have()));
    follower
}

/// An answer of `pointer` and what comes with it, as a gateway makes it.
fn enclosing(pointer: &'static [u8], parts: Vec<(Part, Bytes)>) -> Answer {
    let (contents, body) = Split { pointer: Bytes::from_static(pointer), parts }.join().unwrap();
    let mut answer = ok(body);
    for (name, value) in [
        (ETAG.as_str(), etag(pointer)),
        ("driftless-enclosed", contents.to_string()),
        ("preference-applied", "wait=55".to_owned()),
    ] {
        answer.headers_mut().insert(http::HeaderName::try_from(name).unwrap(), HeaderValue::try_from(value).unwrap());
    }
    answer
}

async fn changed(follower: &mut PointerFollower) -> (Bytes, Vec<(Part, Bytes)>) {
    match follower.next().await {
        Observation::Changed { bytes, enclosed, .. } => (bytes, enclosed),
        other => panic!("expected a pointer, got {other:?}"),
    }
}

#[tokio::test]
async fn what_comes_with_a_pointer_is_given_beside_it_and_its_tag_is_the_pointers() {
    let patch = Part::Patch { digest: Digest::of(b"new"), base: have() };
    let parts = vec![(manifest(), Bytes::from_static(MANIFEST)), (patch, Bytes::from_static(b"patch"))];
    let served = parts.clone();
    let server = Server::start(move |asked| {
        let (known, parts) = (asked.header("if-none-match").is_some(), served.clone());
        async move { if known { enclosing(SECOND, Vec::new()) } else { enclosing(FIRST, parts) } }
    })
    .await;
    let mut follower = saying(&strict_mirrors(&[&server.base]));
    assert_eq!(changed(&mut follower).await, (Bytes::from_static(FIRST), parts));
    follower.accepted();
    assert_eq!(changed(&mut follower).await, (Bytes::from_static(SECOND), Vec::new()));
    let asked = server.asked();
    assert!(asked.iter().all(|asked| asked.header("driftless-have") == Some(&have().to_string())));
    assert_eq!(asked[1].header("if-none-match"), Some(etag(FIRST).as_str()));
}

#[tokio::test]
async fn as_much_comes_with_a_pointer_as_fits_into_the_limit_of_both() {
    let most = Limits::DEFAULT.enclosed_max_bytes as usize - FIRST.len();
    let parts = vec![(manifest(), Bytes::from(vec![b'm'; most]))];
    let served = parts.clone();
    let server = Server::start(move |_| std::future::ready(enclosing(FIRST, served.clone()))).await;
    let mut follower = saying(&strict_mirrors(&[&server.base]));
    assert_eq!(changed(&mut follower).await, (Bytes::from_static(FIRST), parts));
}

#[tokio::test]
async fn against_a_server_of_files_nothing_changes() {
    let server = Server::serving(FIRST).await;
    let mut follower = saying(&strict_mirrors(&[&server.base]));
    assert_eq!(changed(&mut follower).await, (Bytes::from_static(FIRST), Vec::new()));
    follower.accepted();
    assert!(matches!(follower.next().await, Observation::Unchanged { held: false, .. }));
}

#[tokio::test]
async fn who_says_nothing_is_given_the_bytes_as_they_came() {
    let parts = vec![(manifest(), Bytes::from_static(b"m"))];
    let server = Server::start(move |_| std::future::ready(enclosing(FIRST, parts.clone()))).await;
    let mut follower = follow(&strict_mirrors(&[&server.base]));
    let (bytes, enclosed) = changed(&mut follower).await;
    assert_eq!((bytes, enclosed), (Bytes::from([FIRST, b"m"].concat()), Vec::new()), "no such thing was asked for");
    follower.refused();
    assert!(server.asked()[0].header("driftless-have").is_none());
}

#[tokio::test]
async fn a05_more_than_was_asked_for_is_given_up_at_the_limit_of_a_pointer() {
    let parts = vec![(manifest(), Bytes::from_static(MANIFEST))];
    let server = Server::start(move |_| std::future::ready(enclosing(FIRST, parts.clone()))).await;
    let honest = Server::serving(FIRST).await;
    let mut follower = follow(&strict_mirrors(&[&server.base, &honest.base]));
    assert_eq!(accept(&mut follower, FIRST).await, honest.base);
}

/// Answers to who says what it has, each with the fault that it is.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a05_a11_answers_that_do_not_add_up_are_a_failed_mirrors() {
    let digest = Digest::of(b"new");
    let listed = |list: &str, rest: &str| format!("HTTP/1.1 200 OK\r\ndriftless-enclosed: {list}\r\n{rest}");
    // One byte too many, with that of the pointer.
    let large = Limits::DEFAULT.enclosed_max_bytes;
    let attacks = [
        ("a list of nothing", listed("", "content-length: 9\r\n\r\npointer 1"), "Enclosed"),
        ("no pointer", listed(&format!("manifest/{digest}=9"), "content-length: 9\r\n\r\npointer 1"), "Enclosed"),
        ("letters for lengths", listed("pointer=nine", "content-length: 9\r\n\r\npointer 1"), "Enclosed"),
        ("bytes beyond ASCII", listed("pointer=9, \u{fc}", "content-length: 9\r\n\r\npointer 1"), "Enclosed"),
        (
            "two lists",
            listed("pointer=9\r\ndriftless-enclosed: pointer=9", "content-length: 9\r\n\r\npointer 1"),
            "Enclosed",
        ),
        ("a body too short", listed("pointer=10", "content-length: 9\r\n\r\npointer 1"), "Enclosed"),
        ("a body too long", listed("pointer=8", "content-length: 9\r\n\r\npointer 1"), "TooLarge"),
        ("a pointer too long", listed("pointer=65", "content-length: 65\r\n\r\n"), "TooLarge"),
        ("a part too long", listed(&format!("pointer=1, manifest/{digest}={large}"), "\r\n"), "TooLarge"),
        ("a part beyond numbers", listed(&format!("pointer=1, manifest/{digest}={}", u64::MAX), "\r\n"), "Enclosed"),
        (
            "an endless list",
            listed(&format!("pointer=1{}", format!(", manifest/{digest}=1").repeat(40)), "\r\n"),
            "Enclosed",
        ),
    ];
    for (name, opening, fault) in attacks {
        let raw = Raw::answering(opening.into_bytes(), Then::Endless(b"more")).await;
        let honest = Server::serving(FIRST).await;
        let Observation::Unreachable { failures } = saying(&strict_mirrors(&[&raw.base])).next().await else {
            panic!("{name}: nobody else was asked");
        };
        let seen = format!("{:?}", failures.iter().next().expect("a failure").reason);
        assert!(seen.starts_with(&format!("Fault({fault}")), "{name}: {seen}");
        assert_eq!(
            accept(&mut saying(&strict_mirrors(&[&raw.base, &honest.base])), FIRST).await,
            honest.base,
            "{name}"
        );
        raw.was_hung_up_on().await;
        assert!(raw.sent() < 64 << 20, "{name}: {} bytes", raw.sent());
    }
}

#[tokio::test]
async fn a06_parts_that_come_slowly_are_given_up() {
    let opening =
        format!("HTTP/1.1 200 OK\r\ndriftless-enclosed: pointer=9, manifest/{}=60000\r\n\r\npointer 1", have());
    let slow = Raw::answering(opening.into_bytes(), Then::Dribble(b"x")).await;
    let honest = Server::serving(FIRST).await;
    let mut follower = saying(&strict_mirrors(&[&slow.base, &honest.base]));
    assert_eq!(accept(&mut follower, FIRST).await, honest.base);
}
