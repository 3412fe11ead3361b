//! What every store must do, as one suite for all of them: memory, directory, and real servers that speak S3.
//!
//! In: a store, which may hold anything; the suite works on an app of its own and leaves it there. Out: nothing, or a panic
//! that says what was expected. A store that passes keeps the two promises everything else rests on: create-only, and
//! replacing only what was seen.

mod races;

use bytes::{Bytes, BytesMut};
use futures_util::TryStreamExt as _;
use object_store::ObjectStoreExt as _;
use schema::{App, Digest, Generation, Order, Region};

use crate::{Created, Failure, Object, PointerWrite, Read, Store, StorePath};

/// Checks `store`.
///
/// # Panics
///
/// If it is not fit to be a store of ours.
pub async fn check(store: Store) {
    let ground = Ground::new(store);
    ground.absence_is_told().await;
    ground.what_is_created_stays().await;
    ground.reads_are_bounded().await;
    ground.an_unchanged_object_is_not_read_again().await;
    ground.streams_carry_what_was_asked_for().await;
    ground.only_the_pointer_that_was_seen_is_replaced().await;
    ground.listings_are_sorted_and_whole().await;
    races::check(&ground).await;
}

/// A place in a store where nobody else writes.
struct Ground {
    store: Store,
    app: App,
    region: Region,
}

impl Ground {
    fn new(store: Store) -> Ground {
        let app = format!("conformance-{:08x}", fastrand::u32(..)).parse().expect("an app's name");
        Ground { store, app, region: "region".parse().expect("a region's name") }
    }

    fn bundle(&self, seed: &str) -> StorePath {
        StorePath::Bundle { app: self.app.clone(), digest: Digest::of(seed.as_bytes()) }
    }

    fn pointer(&self) -> StorePath {
        StorePath::Pointer { app: self.app.clone(), region: self.region.clone() }
    }

    fn history(&self, generation: u64) -> StorePath {
        StorePath::History { app: self.app.clone(), region: self.region.clone(), order: order(generation) }
    }

    async fn create(&self, path: &StorePath, bytes: &'static [u8]) -> Created {
        self.store.create(path, Bytes::from_static(bytes)).await.expect("a create that is answered")
    }

    async fn read(&self, path: &StorePath) -> Option<Object> {
        self.store.read(path, 1 << 20).await.expect("a read that is answered")
    }

    async fn point(&self, bytes: &'static [u8], seen: Option<&Object>) -> PointerWrite {
        let bytes = Bytes::from_static(bytes);
        self.store.write_pointer(&self.app, &self.region, bytes, seen).await.expect("a write that is answered")
    }

    async fn absence_is_told(&self) {
        let path = self.bundle("absent");
        assert_eq!(self.read(&path).await, None);
        let read = self.store.read_if_changed(&path, 9, Some("\"etag\"")).await.expect("an answer");
        assert_eq!(read, Read::Absent);
        assert!(self.store.stream(&path, None).await.expect("an answer").is_none());
        assert!(self.store.stream(&path, Some(0..9)).await.expect("an answer").is_none());
        assert_eq!(self.store.history_after(&self.app, &self.region, None).await.expect("a listing"), []);
    }

    async fn what_is_created_stays(&self) {
        let path = self.bundle("created");
        assert_eq!(self.create(&path, b"first").await, Created::New);
        assert_eq!(self.create(&path, b"first").await, Created::Same);
        assert_eq!(self.create(&path, b"second").await, Created::Taken(Bytes::from_static(b"first")));
        assert_eq!(self.read(&path).await.expect("it was created").bytes, "first");
        let empty = self.bundle("empty");
        assert_eq!(self.create(&empty, b"").await, Created::New);
        assert_eq!(self.read(&empty).await.expect("it was created").bytes, "");
    }

    async fn reads_are_bounded(&self) {
        let path = self.bundle("bounded");
        assert_eq!(self.create(&path, b"123456789").await, Created::New);
        assert_eq!(self.store.read(&path, 9).await.expect("nine are allowed").expect("it is there").bytes, "123456789");
        let refused = self.store.read(&path, 8).await.expect_err("eight are too few");
        assert!(matches!(refused.kind, Failure::TooLarge { size: 9, max_bytes: 8 }), "{refused:?}");
        assert!(!refused.is_retryable());
    }

    async fn an_unchanged_object_is_not_read_again(&self) {
        let path = self.bundle("unchanged");
        assert_eq!(self.create(&path, b"bytes").await, Created::New);
        let etag = self.read(&path).await.expect("it is there").etag.expect("an ETag");
        let again = self.store.read_if_changed(&path, 9, Some(&etag)).await.expect("an answer");
        assert_eq!(again, Read::Unchanged);
        let Read::Object(object) = self.store.read_if_changed(&path, 9, Some("\"other\"")).await.expect("an answer")
        else {
            panic!("it never had that ETag");
        };
        assert_eq!(object.etag.as_deref(), Some(&*etag));
    }

    async fn streams_carry_what_was_asked_for(&self) {
        let path = self.bundle("streamed");
        let bytes: Bytes = (0..1_000_000u32).map(|index| (index % 251) as u8).collect::<Vec<u8>>().into();
        assert_eq!(self.store.create(&path, bytes.clone()).await.expect("an answer"), Created::New);
        for (asked, given) in [
            (None, 0..1_000_000),
            (Some(0..1), 0..1),
            (Some(999_999..1_000_000), 999_999..1_000_000),
            (Some(300_000..900_000), 300_000..900_000),
            (Some(999_990..2_000_000), 999_990..1_000_000),
        ] {
            let streamed = self.store.stream(&path, asked.clone()).await.expect("an answer").expect("it is there");
            assert_eq!((streamed.size, &streamed.range), (1_000_000, &given), "{asked:?}");
            let carried: BytesMut = streamed.stream.try_collect().await.expect("a whole stream");
            assert_eq!(carried, bytes[given.start as usize..given.end as usize], "{asked:?}");
        }
        for behind in [1_000_000..1_000_001, 5_000_000..6_000_000, 7..7] {
            let refused = self.store.stream(&path, Some(behind.clone())).await.expect_err("no such range");
            assert!(matches!(refused.kind, Failure::OutOfRange { size: 1_000_000, .. }), "{behind:?}: {refused:?}");
        }
    }

    async fn only_the_pointer_that_was_seen_is_replaced(&self) {
        let path = self.pointer();
        assert_eq!(self.point(b"one", None).await, PointerWrite::Written);
        assert_eq!(self.point(b"one", None).await, PointerWrite::Written, "an earlier try of ours won");
        let one = self.read(&path).await.expect("a pointer");
        assert_eq!(self.point(b"two", None).await, PointerWrite::LostRace(Some(one.clone())), "nothing was seen");

        assert_eq!(self.point(b"two", Some(&one)).await, PointerWrite::Written);
        let two = self.read(&path).await.expect("a pointer");
        assert_eq!(two.bytes, "two");
        assert_ne!(two.etag, one.etag);
        assert_eq!(self.point(b"two", Some(&one)).await, PointerWrite::Written, "an earlier try of ours won");
        assert_eq!(self.point(b"three", Some(&one)).await, PointerWrite::LostRace(Some(two.clone())));
        let changed = self.store.read_if_changed(&path, 9, one.etag.as_deref()).await.expect("an answer");
        assert_eq!(changed, Read::Object(two.clone()));
        let unchanged = self.store.read_if_changed(&path, 9, two.etag.as_deref()).await.expect("an answer");
        assert_eq!(unchanged, Read::Unchanged);

        let elsewhere =
            Ground { region: "never-pointed".parse().expect("a region's name"), ..Ground::new(self.store.clone()) };
        assert_eq!(elsewhere.point(b"two", Some(&one)).await, PointerWrite::LostRace(None), "it vanished");
        assert_eq!(self.read(&elsewhere.pointer()).await, None, "what vanished is not made anew");
    }

    async fn listings_are_sorted_and_whole(&self) {
        let listed = async |after| {
            let orders = self.store.history_after(&self.app, &self.region, after).await.expect("a listing");
            orders.into_iter().map(|order| order.generation.number()).collect::<Vec<u64>>()
        };
        for generation in [10, 2, 9, 1, 100] {
            assert_eq!(self.create(&self.history(generation), b"record").await, Created::New);
        }
        let stray = StorePath::history_of(&self.app, &self.region) + "/notes.txt";
        self.store.objects.put(&stray.into(), "not ours".into()).await.expect("a write");
        assert_eq!(listed(None).await, [1, 2, 9, 10, 100]);
        assert_eq!(listed(Some(order(2))).await, [9, 10, 100]);
        assert_eq!(listed(Some(order(5))).await, [9, 10, 100]);
        assert!(listed(Some(order(100))).await.is_empty());

        assert!(self.store.apps().await.expect("a listing").contains(&self.app));
        assert_eq!(self.store.regions(&self.app).await.expect("a listing"), std::slice::from_ref(&self.region));
        let version = u64::from(fastrand::u32(1_000..));
        assert_eq!(self.create(&StorePath::Root { version }, b"root").await, Created::New);
        assert!(self.store.root_versions().await.expect("a listing").contains(&version));
    }
}

fn order(generation: u64) -> Order {
    Order { generation: Generation::new(generation), ..Order::FIRST }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use object_store::memory::InMemory;

    use super::*;
    use crate::StoreUrl;

    #[tokio::test]
    async fn memory_is_a_store() {
        check(Store::over(Arc::new(InMemory::new()), "memory")).await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn a_directory_is_a_store() {
        let root = tempfile::tempdir().expect("a temporary directory");
        check(Store::open(&StoreUrl::directory(root.path().join("deep/down"))).expect("a store")).await;
    }
}
