use std::collections::BTreeMap;

use object_store::memory::InMemory;
use schema::keys::SecretKey;
use schema::pointer::Target;
use schema::{Digest, Epoch, Generation, Pointer, RoleKeys, Serial, StorePath};
use store::Store;
use store::faulty::{Fault, Faulty};

use super::*;

/// A view of a store whose pointer key can be replaced.
struct World {
    root_key: SecretKey,
    pointer_key: SecretKey,
    root: TrustRoot,
    store: Store,
    faulty: Arc<Faulty>,
    view: View,
}

fn alone(key: &SecretKey) -> RoleKeys {
    RoleKeys::new(1, vec![key.public().clone()]).expect("one of one")
}

fn pair(app: &str) -> Pair {
    Pair { app: app.parse().expect("an app"), region: "eu-west".parse().expect("a region") }
}

impl World {
    fn new() -> World {
        let (root_key, pointer_key) = (SecretKey::generate(), SecretKey::generate());
        let root = TrustRoot {
            version: 1,
            epoch: Epoch::FIRST,
            issued: clock::now(),
            expires: clock::now().after(Duration::from_secs(3600)),
            release_floor: 0,
            revoked: Vec::new(),
            root: alone(&root_key),
            release: alone(&root_key),
            pointer: alone(&pointer_key),
            pointer_of_region: BTreeMap::new(),
        };
        let file = tempfile::NamedTempFile::new().expect("a file");
        std::fs::write(file.path(), Verified::seal(root.clone(), &[&root_key]).bytes()).expect("a write");
        let faulty = Faulty::over(Arc::new(InMemory::new()));
        let store = Store::over(faulty.clone(), "memory");
        let view = View::new(Source::Store(store.clone()), Trust::pin(file.path()).expect("a root"));
        World { root_key, pointer_key, root, store, faulty, view }
    }

    /// Puts the next root into the store, signed by `key`.
    async fn put_next_root(&mut self, key: &SecretKey) -> Bytes {
        self.root.version += 1;
        let sealed = Verified::seal(self.root.clone(), &[key]).bytes().clone();
        let path = StorePath::Root { version: self.root.version };
        self.store.create(&path, sealed.clone()).await.map(drop).expect("a write");
        sealed
    }

    fn pointer(&self, app: &str) -> Bytes {
        let Pair { app, region } = pair(app);
        let digest = Digest::of(b"bundle");
        let pointer = Pointer {
            app,
            region,
            epoch: Epoch::FIRST,
            generation: Generation::FIRST,
            serial: Serial::FIRST,
            issued: clock::now(),
            expires: clock::now().after(Duration::from_secs(3600)),
            prev: None,
            trace: None,
            commit: "5b1e".repeat(10).parse().expect("a commit"),
            stable: Target { digest, manifest: digest },
            candidate: None,
            quarantine: Vec::new(),
            freeze: false,
            withdrawn: Vec::new(),
            cause: None,
        };
        Verified::seal(pointer, &[&self.pointer_key]).bytes().clone()
    }
}

#[tokio::test]
async fn f36_two_pointers_that_need_one_new_root_are_both_taken() {
    let mut world = World::new();
    let root_key = SecretKey::from_file_text(&world.root_key.to_file_text()).expect("our own key");
    world.pointer_key = SecretKey::generate();
    world.root.pointer = alone(&world.pointer_key);
    world.put_next_root(&root_key).await;
    let (proxy, flags) = (pair("edge-proxy"), pair("feature-flags"));
    // Both find out that they need it before either has looked.
    let walking = world.view.walking.lock().await;
    let taken = tokio::join!(
        world.view.take(&proxy, world.pointer("edge-proxy")),
        world.view.take(&flags, world.pointer("feature-flags")),
        async { drop(walking) },
    );
    assert!(matches!(taken, (Ok(Succession::Newer), Ok(Succession::Newer), ())), "{taken:?}");
    assert_eq!(world.view.health.errors(), 0);
}

#[tokio::test(start_paused = true)]
async fn however_many_ask_for_the_next_root_the_store_is_asked_once_a_second() {
    let mut world = World::new();
    for _ in 0..1000 {
        assert!(world.view.root(2).await.expect("an answer").is_none());
    }
    assert_eq!(world.faulty.reads_seen(), 1);
    let root_key = SecretKey::from_file_text(&world.root_key.to_file_text()).expect("our own key");
    let next = world.put_next_root(&root_key).await;
    tokio::time::advance(WALK_EVERY).await;
    let found = world.view.root(2).await.expect("an answer").expect("the next root");
    assert_eq!(found.bytes(), &next);
    let reads = world.faulty.reads_seen();
    assert!(world.view.root(1).await.expect("an answer").is_some());
    assert_eq!(world.faulty.reads_seen(), reads, "what is on the chain is known");
}

#[tokio::test(start_paused = true)]
async fn a21_a_root_that_the_chain_does_not_vouch_for_is_no_root() {
    let mut world = World::new();
    let thief = SecretKey::generate();
    world.root.root = alone(&thief);
    world.put_next_root(&thief).await;
    let refused = world.view.root(2).await.expect_err("signed by itself alone");
    assert!(refused.contains("not signed by the root in force"), "{refused}");
}

#[tokio::test(start_paused = true)]
async fn an_error_never_means_that_there_is_no_next_root() {
    let world = World::new();
    world.faulty.fail_reads([Some(Fault::RequestLost)]);
    assert!(world.view.root(2).await.is_err());
    assert!(world.view.root(2).await.is_err(), "that was known a moment ago, and is not made up");
    tokio::time::advance(WALK_EVERY).await;
    assert!(world.view.root(2).await.expect("an answer").is_none());
}
