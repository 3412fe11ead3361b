//! Races that only one may win.

use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::Barrier;
use tokio::task::JoinSet;

use super::Ground;
use crate::{Created, PointerWrite};

const RACERS: usize = 20;

/// Few, because one round takes some servers seconds.
const ROUNDS: u64 = 3;

pub(super) async fn check(ground: &Ground) {
    for round in 0..ROUNDS {
        of_all_creators_one_wins(ground, round).await;
        of_all_who_replace_one_pointer_one_wins(ground, round).await;
    }
}

async fn of_all_creators_one_wins(ground: &Ground, round: u64) {
    let path = Arc::new(ground.bundle(&format!("raced for in round {round}")));
    let results = race(|racer| {
        let (store, path) = (ground.store.clone(), Arc::clone(&path));
        async move { store.create(&path, say(round, racer)).await.expect("a create that is answered") }
    })
    .await;
    let standing = ground.read(&path).await.expect("someone won").bytes;
    let mut winners = 0;
    for (racer, created) in results {
        match created {
            // A winner whose answer was lost learns by reading that it won.
            Created::New | Created::Same => {
                winners += 1;
                assert_eq!(standing, say(round, racer), "racer {racer} did not win");
            }
            Created::Taken(theirs) => assert_eq!(standing, theirs, "racer {racer} was told of another winner"),
        }
    }
    assert_eq!(winners, 1);
}

async fn of_all_who_replace_one_pointer_one_wins(ground: &Ground, round: u64) {
    let path = ground.pointer();
    let seen = Arc::new(ground.read(&path).await.expect("a pointer from before"));
    let results = race(|racer| {
        let (store, app, region) = (ground.store.clone(), ground.app.clone(), ground.region.clone());
        let seen = Arc::clone(&seen);
        async move {
            let write = store.write_pointer(&app, &region, say(round, racer), Some(&seen)).await;
            write.expect("a write that is answered")
        }
    })
    .await;
    let standing = ground.read(&path).await.expect("someone won");
    assert_ne!(standing.bytes, seen.bytes, "someone won");
    let mut winners = 0;
    for (racer, write) in results {
        match write {
            PointerWrite::Written => {
                winners += 1;
                assert_eq!(standing.bytes, say(round, racer), "racer {racer} did not win");
            }
            PointerWrite::LostRace(theirs) => {
                assert_eq!(theirs.as_ref(), Some(&standing), "racer {racer} was told of another winner");
            }
        }
    }
    assert_eq!(winners, 1);
}

fn say(round: u64, racer: usize) -> Bytes {
    format!("racer {racer} in round {round}").into()
}

/// Runs all racers at once, and gives what came of each.
async fn race<T, F>(run: impl Fn(usize) -> F) -> Vec<(usize, T)>
where
    T: Send + 'static,
    F: Future<Output = T> + Send + 'static,
{
    let start = Arc::new(Barrier::new(RACERS));
    let mut racers = JoinSet::new();
    for racer in 0..RACERS {
        let (start, running) = (Arc::clone(&start), run(racer));
        racers.spawn(async move {
            start.wait().await;
            (racer, running.await)
        });
    }
    racers.join_all().await
}
