//! Three mirrors of which two are bad, in every way and in every place.

use bytes::Bytes;
use follower::{BaseUrl, Expected, Mirrors};
use http::StatusCode;
use schema::{Digest, StorePath};

use crate::follow::{changed, follow};
use crate::raw::{Raw, Then};
use crate::server::Server;
use crate::{only, strict_mirrors};

const GOOD: &[u8] = b"the signed bytes";
const MAX: u64 = 64;

/// One base URL for each way to be bad, and one that is good.
struct World {
    bad: [BaseUrl; 3],
    good: Server,
    _servers: (Server, Server, Raw),
}

impl World {
    async fn new() -> World {
        let forged = Server::serving(b"another's bytes.").await;
        let empty = Server::refusing(StatusCode::NOT_FOUND).await;
        let slow = Raw::answering("HTTP/1.1 200 OK\r\ncontent-length: 16\r\n\r\n", Then::Dribble(b"t")).await;
        let bad = [forged.base.clone(), empty.base.clone(), slow.base.clone()];
        World { bad, good: Server::serving(GOOD).await, _servers: (forged, empty, slow) }
    }

    /// All nine pairs of bad ones, with the good one at the end, where it is asked last; nothing is remembered of any.
    fn mirrors(&self) -> impl Iterator<Item = (String, Mirrors)> {
        let pairs = self.bad.iter().flat_map(|first| self.bad.iter().map(move |second| (first, second)));
        pairs
            .map(|(first, second)| (format!("{first} and {second}"), strict_mirrors(&[first, second, &self.good.base])))
    }
}

#[tokio::test]
async fn a07_a_document_is_fetched_and_found_in_spite_of_two_bad_mirrors_of_three() {
    let world = World::new().await;
    let root = StorePath::Root { version: 2 };
    for (bad, mirrors) in world.mirrors() {
        assert_eq!(mirrors.fetch(&root, MAX, only(GOOD)).await.unwrap(), GOOD, "{bad}");
    }
    for (bad, mirrors) in world.mirrors() {
        let within = std::time::Duration::from_secs(60);
        assert_eq!(mirrors.search(&root, MAX, within, only(GOOD)).await.unwrap(), GOOD, "{bad}");
    }
    assert_eq!(world.good.asked().len(), 18);
}

#[tokio::test]
async fn a07_an_object_is_downloaded_in_spite_of_two_bad_mirrors_of_three() {
    let world = World::new().await;
    let path = StorePath::Bundle { app: "edge-proxy".parse().unwrap(), digest: Digest::of(GOOD) };
    let expected = Expected { size: GOOD.len() as u64, sha256: Digest::of(GOOD) };
    for (bad, mirrors) in world.mirrors() {
        let downloaded = mirrors.download(&path, expected, Vec::new()).await.unwrap();
        assert_eq!(downloaded.sink, GOOD, "{bad}");
        assert!(downloaded.moved_bytes <= 3 * expected.size, "{bad}");
    }
}

#[tokio::test]
async fn a07_a_pointer_is_followed_in_spite_of_two_bad_mirrors_of_three() {
    let world = World::new().await;
    for (bad, mirrors) in world.mirrors() {
        let mut follower = follow(&mirrors);
        loop {
            let (bytes, from) = changed(&mut follower).await;
            if bytes == GOOD {
                assert_eq!(from, world.good.base, "{bad}");
                break follower.accepted();
            }
            follower.refused();
        }
    }
}

#[tokio::test]
async fn a07_an_ack_arrives_in_spite_of_two_bad_mirrors_of_three() {
    let world = World::new().await;
    for (bad, mirrors) in world.mirrors() {
        // Whoever answers 200 has taken it, as far as anybody can tell.
        let answer = mirrors.post("v1/acks", Bytes::from_static(b"{}"), MAX).await.unwrap();
        assert!(answer == GOOD || answer == "another's bytes.", "{bad}");
    }
}
