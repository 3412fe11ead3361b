//! Trust roots that somebody keeps back.

use std::time::Duration;

use follower::{BaseUrl, Fault, Mirrors, Reason, Settings};
use http::StatusCode;
use schema::StorePath;
use tokio::time::timeout;

use crate::raw::Raw;
use crate::server::{Server, dead, ok, status_only};
use crate::{Forged, mirrors, only};

const ROOT: StorePath = StorePath::Root { version: 2 };
const GOOD: &[u8] = b"the signed bytes";
const MAX: u64 = 64;
/// Longer than any test may take.
const FOR_EVER: Duration = Duration::from_secs(24 * 3600);

/// Mirrors that nothing but an answer keeps from waiting.
fn patient_mirrors(bases: &[&BaseUrl]) -> Mirrors {
    let settings = Settings { connect_within: FOR_EVER, answer_within: FOR_EVER, ..Settings::default() };
    Mirrors::new(bases.iter().map(|base| (*base).clone()).collect(), settings).unwrap()
}

/// A server of the roots of some versions.
async fn roots(versions: &'static [u64]) -> Server {
    Server::start(move |asked| async move {
        let has = versions.iter().any(|version| asked.target.ends_with(&format!("/{version:010}.root")));
        if has { ok(GOOD) } else { status_only(StatusCode::NOT_FOUND) }
    })
    .await
}

#[tokio::test]
async fn a07_a_tarpit_in_front_keeps_no_root_back() {
    let mute = Raw::start("", b"").await;
    let stuck = Raw::start("HTTP/1.1 200 OK\r\ncontent-length: 16\r\n\r\nthe", b"").await;
    let good = Server::serving(GOOD).await;
    let mirrors = patient_mirrors(&[&mute.base, &stuck.base, &good.base]);
    let found = timeout(Duration::from_secs(60), mirrors.search(&ROOT, MAX, FOR_EVER, only(GOOD))).await;
    assert_eq!(found.expect("nobody is waited for who stalls").unwrap(), GOOD);
    mute.was_hung_up_on().await;
    stuck.was_hung_up_on().await;
}

#[tokio::test]
async fn a07_a_chain_of_which_each_mirror_has_every_other_link_is_walked_to_its_end() {
    let (even, odd) = (roots(&[2, 4]).await, roots(&[3, 5]).await);
    let mirrors = mirrors(&[&even.base, &odd.base]);
    for version in 2..=5 {
        mirrors.search(&StorePath::Root { version }, MAX, FOR_EVER, only(GOOD)).await.unwrap();
    }
    let end = mirrors.search(&StorePath::Root { version: 6 }, MAX, FOR_EVER, only(GOOD)).await.unwrap_err();
    assert!(end.is_absent(), "{end}");
    assert_eq!(end.failures.iter().map(|failure| &failure.base).collect::<Vec<_>>(), [&even.base, &odd.base]);
    assert_eq!((even.asked().len(), odd.asked().len()), (5, 5), "each is asked for each link once");
}

#[tokio::test]
async fn a21_whoever_forges_or_hides_a_root_does_not_end_the_search() {
    let forged = Server::serving(b"other bytes").await;
    let empty = Server::refusing(StatusCode::NOT_FOUND).await;
    let endless = Raw::start("HTTP/1.1 200 OK\r\n\r\n", &[b'x'; 1024]).await;
    let good = Server::start(|_| async {
        // After all the others have had their say.
        tokio::time::sleep(Duration::from_millis(200)).await;
        ok(GOOD)
    })
    .await;
    let mirrors = mirrors(&[&forged.base, &empty.base, &endless.base, &good.base]);
    assert_eq!(mirrors.search(&ROOT, MAX, FOR_EVER, only(GOOD)).await.unwrap(), GOOD);
    endless.was_hung_up_on().await;
}

#[tokio::test]
async fn a_search_in_vain_is_over_when_each_has_had_its_time_and_names_all_of_them() {
    let mute = Raw::start("", b"").await;
    let empty = Server::refusing(StatusCode::NOT_FOUND).await;
    let nobody = dead().await;
    let forged = Server::serving(b"other bytes").await;
    let within = Duration::from_millis(300);
    let mirrors = patient_mirrors(&[&mute.base, &empty.base, &nobody, &forged.base]);
    let failed = mirrors.search(&ROOT, MAX, within, only(GOOD)).await.unwrap_err();
    assert!(!failed.is_absent());
    let reasons: Vec<_> = failed.failures.iter().map(|failure| (&failure.base, &failure.reason)).collect();
    assert!(
        matches!(
            reasons[..],
            [
                (first, Reason::Fault(Fault::Late { within: waited })),
                (second, Reason::Fault(Fault::Absent)),
                (third, Reason::Fault(Fault::Connect(_))),
                (fourth, Reason::Refused(Forged)),
            ] if (first, second, third, fourth) == (&mute.base, &empty.base, &nobody, &forged.base) && *waited == within
        ),
        "{reasons:?}"
    );
    mute.was_hung_up_on().await;
}

#[tokio::test]
async fn whoever_stalls_a_search_is_asked_last_for_other_things_too() {
    let mute = Raw::start("", b"").await;
    let good = Server::serving(GOOD).await;
    let mirrors = patient_mirrors(&[&mute.base, &good.base]);
    mirrors.search(&ROOT, MAX, Duration::from_millis(300), |_| Err::<(), _>(Forged)).await.unwrap_err();
    // Both have failed now, the good one first, and the one that failed last is asked last.
    let fetched = timeout(Duration::from_secs(60), mirrors.fetch(&ROOT, MAX, only(GOOD))).await;
    assert_eq!(fetched.expect("the good one is asked first").unwrap(), GOOD);
}
