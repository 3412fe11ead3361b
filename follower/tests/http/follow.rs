//! Pointers from servers that hold requests, and from those that do not.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use follower::{BaseUrl, Mirrors, Observation, PointerFollower, Rhythm};
use http::header::ETAG;
use http::{HeaderValue, StatusCode};

use crate::gateway::{Gateway, etag};
use crate::mirrors;
use crate::server::{Server, ok, status_only};

pub(crate) const FIRST: &[u8] = b"pointer 1";
pub(crate) const SECOND: &[u8] = b"pointer 2";
const MAX: u64 = 64;

/// No wait that a test would notice, but for the one that a server is asked to hold.
const BRISK: Rhythm = Rhythm {
    wait: Duration::from_secs(55),
    poll: Duration::from_millis(1),
    backoff_min: Duration::from_millis(1),
    backoff_max: Duration::from_millis(1),
    rest: Duration::from_secs(600),
};

pub(crate) fn follow(mirrors: &Mirrors) -> PointerFollower {
    mirrors.pointer_follower("edge-proxy".parse().unwrap(), "eu-west".parse().unwrap(), MAX, BRISK)
}

/// The next pointer that differs; anything else is a mistake.
pub(crate) async fn changed(follower: &mut PointerFollower) -> (Bytes, BaseUrl) {
    match follower.next().await {
        Observation::Changed { bytes, from, .. } => (bytes, from),
        other => panic!("expected a pointer, got {other:?}"),
    }
}

/// Who says next that nothing changed, and whether it held the request; anything else is a mistake.
pub(crate) async fn unchanged(follower: &mut PointerFollower) -> (BaseUrl, bool) {
    match follower.next().await {
        Observation::Unchanged { from, held } => (from, held),
        other => panic!("expected nothing new, got {other:?}"),
    }
}

pub(crate) async fn accept(follower: &mut PointerFollower, expected: &[u8]) -> BaseUrl {
    let (bytes, from) = changed(follower).await;
    assert_eq!(bytes, expected);
    follower.accepted();
    from
}

#[tokio::test]
async fn a_gateway_holds_the_request_and_answers_when_the_pointer_moves() {
    let gateway = Gateway::serving(FIRST).await;
    let mut follower = follow(&mirrors(&[&gateway.server.base]));
    accept(&mut follower, FIRST).await;
    let publish = async {
        gateway.has_parked(1).await;
        gateway.publish(SECOND);
    };
    let ((bytes, _), ()) = tokio::join!(changed(&mut follower), publish);
    assert_eq!(bytes, SECOND);
    follower.accepted();

    let let_go = async {
        gateway.has_parked(2).await;
        gateway.let_go();
    };
    let ((_, held), ()) = tokio::join!(unchanged(&mut follower), let_go);
    assert!(held);

    let asked = gateway.server.asked();
    assert_eq!(asked.len(), 3, "one request for each answer");
    assert_eq!(asked[0].target, "/store/v1/apps/edge-proxy/regions/eu-west/pointer");
    assert_eq!((asked[0].header("if-none-match"), asked[0].header("prefer")), (None, Some("wait=55")));
    assert_eq!(asked[1].header("prefer"), Some("wait=55"));
    assert_ne!(asked[1].header("if-none-match"), asked[2].header("if-none-match"));
}

#[tokio::test]
async fn a_wait_that_is_dropped_goes_on_with_the_next_call() {
    let gateway = Gateway::serving(FIRST).await;
    let mut follower = follow(&mirrors(&[&gateway.server.base]));
    accept(&mut follower, FIRST).await;
    tokio::select! {
        seen = follower.next() => panic!("nothing was published, but {seen:?}"),
        () = gateway.has_parked(1) => {}
    }
    gateway.publish(SECOND);
    accept(&mut follower, SECOND).await;
}

/// A file server's tag is a time in seconds and a size: two pointers within a second have the same.
#[tokio::test]
async fn a_tag_of_a_server_that_holds_nothing_is_not_relied_on() {
    let requests = Arc::new(AtomicUsize::new(0));
    let server = Server::start(move |asked| {
        let served = if requests.fetch_add(1, Ordering::Relaxed) < 2 { FIRST } else { SECOND };
        async move {
            let known = asked.header("if-none-match").is_some();
            let mut answer = if known { status_only(StatusCode::NOT_MODIFIED) } else { ok(served) };
            answer.headers_mut().insert(ETAG, HeaderValue::from_static("\"66f0a1b2-2c1\""));
            answer
        }
    })
    .await;
    let mut follower = follow(&mirrors(&[&server.base]));
    accept(&mut follower, FIRST).await;
    assert_eq!(unchanged(&mut follower).await, (server.base.clone(), false));
    accept(&mut follower, SECOND).await;
    assert!(server.asked().iter().all(|asked| asked.header("if-none-match").is_none()));
}

#[tokio::test]
async fn without_validators_bodies_are_compared() {
    let server = Server::serving(FIRST).await;
    let mut follower = follow(&mirrors(&[&server.base]));
    accept(&mut follower, FIRST).await;
    for _ in 0..3 {
        assert_eq!(unchanged(&mut follower).await, (server.base.clone(), false));
    }
    assert!(server.asked().iter().all(|asked| asked.header("if-none-match").is_none()));
}

#[tokio::test]
async fn a_validator_that_never_stays_changes_nothing() {
    let server = Server::start(|asked| async move {
        let mut answer = ok(FIRST);
        let other = format!("\"{}.\"", asked.header("if-none-match").unwrap_or_default().trim_matches('"'));
        answer.headers_mut().insert(ETAG, HeaderValue::try_from(other).unwrap());
        answer
    })
    .await;
    let mut follower = follow(&mirrors(&[&server.base]));
    accept(&mut follower, FIRST).await;
    for _ in 0..3 {
        unchanged(&mut follower).await;
    }
}

/// Of bodies that differ, a tag that does not says nothing, whoever made it and however weak it is.
#[tokio::test]
async fn a11_a_tag_that_stays_hides_no_pointer() {
    for tag in [None, Some("\"1\""), Some("W/\"1\""), Some("1"), Some("")] {
        let requests = Arc::new(AtomicUsize::new(0));
        let server = Server::start(move |_| {
            let mut answer = ok(if requests.fetch_add(1, Ordering::Relaxed) == 0 { FIRST } else { SECOND });
            if let Some(tag) = tag {
                answer.headers_mut().insert(ETAG, HeaderValue::from_static(tag));
            }
            answer.headers_mut().insert("preference-applied", HeaderValue::from_static("wait=55"));
            async { answer }
        })
        .await;
        let mut follower = follow(&mirrors(&[&server.base]));
        accept(&mut follower, FIRST).await;
        accept(&mut follower, SECOND).await;
    }
}

/// Somebody on the way gives our pointer a tag that any honest server agrees to, and then lets go of us.
#[tokio::test]
async fn a11_a_tag_that_was_made_to_match_what_we_do_not_have_is_never_sent() {
    for trap in ["*".to_owned(), etag(SECOND), format!("{}, *", etag(FIRST))] {
        let requests = Arc::new(AtomicUsize::new(0));
        let server = Server::start(move |asked| {
            let is_trap = requests.fetch_add(1, Ordering::Relaxed) == 0;
            let known = asked.header("if-none-match").is_some();
            let mut answer = match (known, is_trap) {
                (true, _) => status_only(StatusCode::NOT_MODIFIED),
                (false, true) => ok(FIRST),
                (false, false) => ok(SECOND),
            };
            if is_trap {
                answer.headers_mut().insert(ETAG, HeaderValue::try_from(&trap).unwrap());
            }
            answer.headers_mut().insert("preference-applied", HeaderValue::from_static("wait=55"));
            async { answer }
        })
        .await;
        let mut follower = follow(&mirrors(&[&server.base]));
        accept(&mut follower, FIRST).await;
        accept(&mut follower, SECOND).await;
    }
}

#[tokio::test]
async fn a_server_that_never_waits_is_believed_all_the_same() {
    let server = Server::start(|asked| async move {
        let known = asked.header("if-none-match").is_some();
        let mut answer = if known { status_only(StatusCode::NOT_MODIFIED) } else { ok(FIRST) };
        answer.headers_mut().insert(ETAG, HeaderValue::try_from(etag(FIRST)).unwrap());
        answer.headers_mut().insert("preference-applied", HeaderValue::from_static("respond-async, Wait=55"));
        answer
    })
    .await;
    let mut follower = follow(&mirrors(&[&server.base]));
    accept(&mut follower, FIRST).await;
    for _ in 0..5 {
        assert_eq!(unchanged(&mut follower).await, (server.base.clone(), true));
    }
}

#[tokio::test]
async fn a_follower_can_be_a_task_of_its_own() {
    let server = Server::serving(FIRST).await;
    let mut follower = follow(&mirrors(&[&server.base]));
    let mut tasks = tokio::task::JoinSet::new();
    tasks.spawn(async move { accept(&mut follower, FIRST).await });
    assert_eq!(tasks.join_next().await.unwrap().unwrap(), server.base);
}
