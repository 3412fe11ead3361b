//! Every write fails once in every way there is, and what is reported agrees with what stands.

use std::sync::Arc;
use std::time::Duration;

use object_store::memory::InMemory;
use object_store::{ObjectStore, ObjectStoreExt as _};
use schema::{App, Region};
use tempfile::TempDir;
use tokio::time::Instant;

use super::*;
use crate::directory::Directory;
use crate::faulty::{Fault, Faulty};
use crate::read::at;
use crate::{Created, PointerWrite, RESOLVE_WITHIN};

const HARMLESS: [Fault; 5] = [Fault::RequestLost, Fault::ReplyLost, Fault::Hang, Fault::HangAfter, Fault::Conflict];

/// A store that fails when told to, over a good one.
struct World {
    good: Store,
    faulty: Arc<Faulty>,
    store: Store,
    app: App,
    region: Region,
    _directory: Option<TempDir>,
}

impl World {
    fn over(objects: Arc<dyn ObjectStore>, directory: Option<TempDir>) -> World {
        let faulty = Faulty::over(Arc::clone(&objects));
        World {
            good: Store::over(objects, "good"),
            store: Store::over(faulty.clone(), "faulty"),
            faulty,
            app: "app".parse().expect("an app"),
            region: "region".parse().expect("a region"),
            _directory: directory,
        }
    }

    fn in_memory() -> World {
        World::over(Arc::new(InMemory::new()), None)
    }

    fn in_a_directory() -> World {
        let root = tempfile::tempdir().expect("a temporary directory");
        World::over(Arc::new(Directory::open(root.path()).expect("a directory")), Some(root))
    }

    fn record(&self) -> StorePath {
        StorePath::History { app: self.app.clone(), region: self.region.clone(), order: schema::Order::FIRST }
    }

    fn pointer(&self) -> StorePath {
        StorePath::Pointer { app: self.app.clone(), region: self.region.clone() }
    }

    async fn standing(&self, path: &StorePath) -> Option<Object> {
        self.good.read(path, 99).await.expect("a good store answers")
    }

    async fn point(&self, store: &Store, bytes: &'static [u8], seen: Option<&Object>) -> Result<PointerWrite, Failure> {
        let write = store.write_pointer(&self.app, &self.region, Bytes::from_static(bytes), seen).await;
        write.map_err(|error| error.kind)
    }

    /// Points, without a fault, and gives what stands then.
    async fn pointed(&self, bytes: &'static [u8], seen: Option<&Object>) -> Object {
        let written = self.point(&self.good, bytes, seen).await.expect("a good store answers");
        assert_eq!(written, PointerWrite::Written);
        self.standing(&self.pointer()).await.expect("it was written")
    }
}

#[tokio::test(start_paused = true)]
async fn a_create_that_fails_once_is_known_to_have_won() {
    for world in [World::in_memory, World::in_a_directory] {
        for fault in HARMLESS {
            let world = world();
            world.faulty.fail_writes([Some(fault)]);
            let created = world.store.create(&world.record(), Bytes::from_static(b"ours")).await.expect("an outcome");
            let took_effect = matches!(fault, Fault::ReplyLost | Fault::HangAfter);
            assert_eq!(created, if took_effect { Created::Same } else { Created::New }, "{fault:?}");
            assert_eq!(world.faulty.writes_seen(), if took_effect { 1 } else { 2 }, "{fault:?}");
            assert_eq!(world.standing(&world.record()).await.expect("it was created").bytes, "ours");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_pointer_write_that_fails_once_is_known_to_have_won() {
    for world in [World::in_memory, World::in_a_directory] {
        for fault in HARMLESS {
            for is_first in [true, false] {
                let world = world();
                let seen = if is_first { None } else { Some(world.pointed(b"old", None).await) };
                world.faulty.fail_writes([Some(fault)]);
                let written = world.point(&world.store, b"ours", seen.as_ref()).await.expect("an outcome");
                assert_eq!(written, PointerWrite::Written, "{fault:?}");
                assert_eq!(world.standing(&world.pointer()).await.expect("it was written").bytes, "ours");
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_write_that_fails_is_not_mistaken_for_the_winner() {
    for world in [World::in_memory, World::in_a_directory] {
        for fault in [Fault::RequestLost, Fault::Hang, Fault::Conflict] {
            let world = world();
            let theirs = world.good.create(&world.record(), Bytes::from_static(b"theirs")).await;
            assert_eq!(theirs.expect("a good store answers"), Created::New);
            world.faulty.fail_writes([Some(fault)]);
            let created = world.store.create(&world.record(), Bytes::from_static(b"ours")).await.expect("an outcome");
            assert_eq!(created, Created::Taken(Bytes::from_static(b"theirs")), "{fault:?}");

            let seen = world.pointed(b"old", None).await;
            let theirs = world.pointed(b"theirs", Some(&seen)).await;
            world.faulty.fail_writes([Some(fault)]);
            let written = world.point(&world.store, b"ours", Some(&seen)).await.expect("an outcome");
            assert_eq!(written, PointerWrite::LostRace(Some(theirs)), "{fault:?}");
            assert_eq!(world.faulty.writes_seen(), 2, "what was beaten is not written again");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn nothing_is_written_until_a_read_is_answered() {
    let world = World::in_memory();
    world.faulty.fail_writes([Some(Fault::RequestLost)]);
    world.faulty.fail_reads([Some(Fault::RequestLost), Some(Fault::Hang), Some(Fault::ReplyLost), Some(Fault::Denied)]);
    let denied = world.store.create(&world.record(), Bytes::from_static(b"ours")).await.expect_err("reads are denied");
    assert!(matches!(denied.kind, Failure::Denied(_)), "{denied:?}");
    assert_eq!(world.faulty.writes_seen(), 1);
}

#[tokio::test(start_paused = true)]
async fn an_outcome_that_cannot_be_learnt_is_reported_as_unknown() {
    let world = World::in_memory();
    let seen = world.pointed(b"old", None).await;
    world.faulty.fail_writes([Some(Fault::ReplyLost)]);
    world.faulty.fail_reads([Some(Fault::RequestLost)].into_iter().cycle().take(10_000));
    let began = Instant::now();
    let pointer = world.store.write_pointer(&world.app, &world.region, Bytes::from_static(b"ours"), Some(&seen)).await;
    let unknown = pointer.expect_err("nothing is known");
    assert!(matches!(unknown.kind, Failure::Unknown { .. }) && unknown.is_retryable(), "{unknown:?}");
    assert_eq!(unknown.to_string(), "could not write `v1/apps/app/regions/region/pointer` in store `faulty`");
    assert!((RESOLVE_WITHIN..RESOLVE_WITHIN + Duration::from_secs(6)).contains(&began.elapsed()));
    assert_eq!(world.faulty.writes_seen(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_store_that_always_turns_down_is_given_up() {
    let world = World::in_memory();
    world.faulty.fail_writes([Some(Fault::Conflict)].into_iter().cycle().take(10_000));
    let given_up = world.store.create(&world.record(), Bytes::from_static(b"ours")).await.expect_err("no verdict");
    let Failure::Unknown { last, .. } = given_up.kind else { panic!("{given_up:?}") };
    assert!(matches!(*last, Failure::Contested(_)), "{last:?}");
    assert!(world.faulty.writes_seen() < 1_000, "a few tries, not a flood");
}

#[tokio::test(start_paused = true)]
async fn what_is_denied_is_not_tried_again() {
    let world = World::in_memory();
    world.faulty.fail_writes([Some(Fault::Denied)]);
    let began = Instant::now();
    let denied = world.store.create(&world.record(), Bytes::from_static(b"ours")).await.expect_err("it is denied");
    assert!(matches!(denied.kind, Failure::Denied(_)) && !denied.is_retryable(), "{denied:?}");
    assert_eq!((world.faulty.writes_seen(), began.elapsed()), (1, Duration::ZERO));
}

#[tokio::test(start_paused = true)]
async fn a_pointer_that_vanished_is_left_to_the_caller() {
    let world = World::in_memory();
    let seen = world.pointed(b"old", None).await;
    world.good.objects.delete(&at(&world.pointer())).await.expect("it can be deleted");
    let written = world.point(&world.store, b"ours", Some(&seen)).await.expect("an outcome");
    assert_eq!(written, PointerWrite::LostRace(None));
    assert_eq!(world.standing(&world.pointer()).await, None);
}

#[tokio::test(start_paused = true)]
async fn the_same_bytes_under_another_etag_are_still_what_was_seen() {
    let world = World::in_memory();
    let seen = world.pointed(b"old", None).await;
    world.good.objects.put(&at(&world.pointer()), "old".into()).await.expect("it can be overwritten");
    assert_ne!(world.standing(&world.pointer()).await.expect("a pointer").etag, seen.etag);
    let written = world.point(&world.store, b"ours", Some(&seen)).await.expect("an outcome");
    assert_eq!(written, PointerWrite::Written);
}

#[tokio::test(start_paused = true)]
async fn an_error_never_means_empty() {
    let world = World::in_memory();
    let record = world.good.create(&world.record(), Bytes::from_static(b"record")).await.expect("a good store answers");
    assert_eq!(record, Created::New);
    for fault in [Fault::RequestLost, Fault::Denied, Fault::Hang] {
        world.faulty.fail_reads([Some(fault); 6]);
        assert!(world.store.read(&world.record(), 99).await.is_err(), "{fault:?}");
        assert!(world.store.read_if_changed(&world.record(), 99, Some("x")).await.is_err(), "{fault:?}");
        assert!(world.store.stream(&world.record(), None).await.is_err(), "{fault:?}");
        assert!(world.store.apps().await.is_err(), "{fault:?}");
        assert!(world.store.regions(&world.app).await.is_err(), "{fault:?}");
        assert!(world.store.history_after(&world.app, &world.region, None).await.is_err(), "{fault:?}");
    }
}
