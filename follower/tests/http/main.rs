//! The follower against real servers on port 0: honest ones, broken ones and hostile ones.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on should stop where it is")]

mod ask;
mod call;
mod certificates;
mod child;
mod credentials;
mod download;
mod enclosed;
mod failover;
mod fetch;
mod follow;
mod gateway;
mod hostile;
mod matrix;
mod post;
mod raw;
mod redirects;
mod reload;
mod search;
mod server;

use std::time::Duration;

use bytes::Bytes;
use follower::{BaseUrl, Mirrors, Settings, Throughput};

/// Mirrors with short deadlines; long enough for an honest server on a busy machine.
fn mirrors(bases: &[&BaseUrl]) -> Mirrors {
    Mirrors::new(bases.iter().map(|base| (*base).clone()).collect(), Settings::default()).unwrap()
}

/// Mirrors that give up on silence soon. One byte in each window is enough for them, so nobody honest is too slow.
fn impatient_mirrors(bases: &[&BaseUrl]) -> Mirrors {
    let settings = Settings {
        answer_within: Duration::from_secs(1),
        throughput: Throughput { min_bytes_per_second: 0, window: Duration::from_millis(200) },
        ..Settings::default()
    };
    Mirrors::new(bases.iter().map(|base| (*base).clone()).collect(), settings).unwrap()
}

/// Mirrors that give up on silence and on slowness soon. Honest bodies in these tests end within their first window.
fn strict_mirrors(bases: &[&BaseUrl]) -> Mirrors {
    let settings = Settings {
        answer_within: Duration::from_secs(2),
        throughput: Throughput { min_bytes_per_second: 1024, window: Duration::from_millis(500) },
        ..Settings::default()
    };
    Mirrors::new(bases.iter().map(|base| (*base).clone()).collect(), settings).unwrap()
}

/// A check that believes one text only.
fn only(expected: &'static [u8]) -> impl FnMut(Bytes) -> Result<Bytes, Forged> {
    move |bytes| if bytes == expected { Ok(bytes) } else { Err(Forged) }
}

#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("forged")]
struct Forged;
