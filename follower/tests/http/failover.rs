//! Pointers from several servers, of which some are broken, behind, or hostile.

use follower::{Fault, Observation, Reason};
use http::header::{ETAG, LOCATION};
use http::{HeaderValue, StatusCode};

use crate::follow::{FIRST, SECOND, accept, changed, follow, unchanged};
use crate::gateway::{Gateway, etag};
use crate::raw::Raw;
use crate::server::{Server, dead, ok, status_only};
use crate::{impatient_mirrors, mirrors};

#[tokio::test]
async fn a07_the_first_who_serves_a_good_pointer_is_kept() {
    let nobody = dead().await;
    let broken = Server::refusing(StatusCode::INTERNAL_SERVER_ERROR).await;
    let empty = Server::refusing(StatusCode::NOT_FOUND).await;
    let elsewhere = Server::serving(FIRST).await;
    let location = HeaderValue::try_from(elsewhere.base.to_string()).unwrap();
    let moved = Server::start(move |_| {
        let mut answer = status_only(StatusCode::FOUND);
        answer.headers_mut().insert(LOCATION, location.clone());
        async { answer }
    })
    .await;
    let endless = Raw::start("HTTP/1.1 200 OK\r\n\r\n", &[b'x'; 1024]).await;
    let forged = Server::serving(b"forged").await;
    let gateway = Gateway::serving(FIRST).await;
    let bases = [&nobody, &broken.base, &empty.base, &moved.base, &endless.base, &forged.base, &gateway.server.base];
    let mut follower = follow(&mirrors(&bases));

    let (bytes, from) = changed(&mut follower).await;
    assert_eq!((&bytes[..], &from), (&b"forged"[..], &forged.base));
    follower.refused();
    assert_eq!(accept(&mut follower, FIRST).await, gateway.server.base);
    let publish = async {
        gateway.has_parked(1).await;
        gateway.publish(SECOND);
    };
    let ((_, from), ()) = tokio::join!(changed(&mut follower), publish);
    assert_eq!(from, gateway.server.base);
    assert_eq!((broken.asked().len(), forged.asked().len(), elsewhere.asked().len()), (1, 1, 0));
}

#[tokio::test]
async fn a_pointer_that_is_not_judged_is_refused() {
    let forged = Server::serving(b"forged").await;
    let honest = Server::serving(FIRST).await;
    let mut follower = follow(&mirrors(&[&forged.base, &honest.base]));
    changed(&mut follower).await;
    accept(&mut follower, FIRST).await;
}

#[tokio::test]
async fn a_round_in_vain_tells_of_everybody_once() {
    let nobody = dead().await;
    let silent = Raw::start("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\npoint", b"").await;
    let forged = Server::serving(b"forged").await;
    let mut follower = follow(&impatient_mirrors(&[&nobody, &silent.base, &forged.base]));
    for _ in 0..2 {
        changed(&mut follower).await;
        follower.refused();
        let Observation::Unreachable { failures } = follower.next().await else {
            panic!("nobody served anything good")
        };
        let reasons: Vec<_> = failures.iter().map(|failure| (&failure.base, &failure.reason)).collect();
        assert!(
            matches!(
                reasons[..],
                [
                    (first, Reason::Fault(Fault::Connect(_))),
                    (second, Reason::Fault(Fault::TooSlow(_))),
                    (third, Reason::Refused(_)),
                ] if (first, second, third) == (&nobody, &silent.base, &forged.base)
            ),
            "{reasons:?}"
        );
    }
}

#[tokio::test]
async fn absent_is_seen_only_where_nobody_has_it() {
    let empty = Server::refusing(StatusCode::NOT_FOUND).await;
    let nobody = dead().await;
    let mut follower = follow(&mirrors(&[&empty.base, &nobody]));
    for _ in 0..2 {
        let seen = follower.next().await;
        assert!(matches!(&seen, Observation::Absent { from, .. } if *from == empty.base), "{seen:?}");
    }
}

#[tokio::test]
async fn another_server_with_the_same_pointer_has_nothing_new() {
    let first = Gateway::serving(FIRST).await;
    let second = Gateway::serving(FIRST).await;
    let mut follower = follow(&mirrors(&[&first.server.base, &second.server.base]));
    accept(&mut follower, FIRST).await;
    let Gateway { server, .. } = first;
    let asked_before = second.server.asked().len();
    drop(server);
    assert_eq!(unchanged(&mut follower).await, (second.server.base.clone(), false));
    let publish = async {
        second.has_parked(1).await;
        second.publish(SECOND);
    };
    let ((bytes, _), ()) = tokio::join!(changed(&mut follower), publish);
    assert_eq!(bytes, SECOND);
    let asked = &second.server.asked()[asked_before..];
    assert_eq!(asked[0].header("if-none-match"), None, "the validator of another server means nothing here");
}

#[tokio::test]
async fn a11_an_unasked_304_is_a_failure() {
    let server = Server::refusing(StatusCode::NOT_MODIFIED).await;
    let mut follower = follow(&mirrors(&[&server.base]));
    let seen = follower.next().await;
    assert!(matches!(seen, Observation::Unreachable { .. }), "{seen:?}");
}

#[tokio::test]
async fn a12_doubt_gets_past_whoever_answers_304_to_everything() {
    let frozen = Server::start(|asked| async move {
        let known = asked.header("if-none-match").is_some();
        let cached = !asked.target.contains('?');
        let mut answer = match (known, cached) {
            (true, _) => status_only(StatusCode::NOT_MODIFIED),
            (false, true) => ok(FIRST),
            (false, false) => ok(SECOND),
        };
        let served = if cached { FIRST } else { SECOND };
        answer.headers_mut().insert(ETAG, HeaderValue::try_from(etag(served)).unwrap());
        answer.headers_mut().insert("preference-applied", HeaderValue::from_static("wait=55"));
        answer
    })
    .await;
    let mut follower = follow(&mirrors(&[&frozen.base]));
    accept(&mut follower, FIRST).await;
    unchanged(&mut follower).await;
    follower.doubt();
    accept(&mut follower, SECOND).await;
    unchanged(&mut follower).await;
    follower.doubt();
    unchanged(&mut follower).await;
    let fresh: Vec<String> = frozen.targets().into_iter().filter(|target| target.contains('?')).collect();
    assert_eq!(fresh.len(), 2);
    assert_ne!(fresh[0], fresh[1]);
    assert_eq!(frozen.targets().last(), fresh.last());
}

#[tokio::test]
async fn a12_doubt_asks_somebody_else() {
    let frozen = Server::serving(FIRST).await;
    let current = Server::serving(SECOND).await;
    let mut follower = follow(&mirrors(&[&frozen.base, &current.base]));
    accept(&mut follower, FIRST).await;
    unchanged(&mut follower).await;
    follower.doubt();
    assert_eq!(accept(&mut follower, SECOND).await, current.base);
}
