//! A publisher to test on: a real repository, real keys, a store in memory, and a checker that re-verifies everything.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt as _};
use schema::keys::SecretKey;
use schema::pointer::{Cause, Deed};
use schema::{
    App, CommitId, Digest, Epoch, Order, Pointer, Region, RoleKeys, StorePath, Timestamp, TrustRoot, Verified,
};
use store::Store;
use store::faulty::Faulty;

use crate::compile::{BlobId, Compilation, GitObjects, Layout, compile};
use crate::duty::Duty;
use crate::fixture::Repo;
use crate::keys::Keys;
use crate::plan::Freshness;
use crate::proof::{Base, FirstSeen, VerifiedCommit, verify_commits};
use crate::publish::{
    Ancestry, AncestryError, AncestryFault, Before, InForce, Kept, Origin, Relation, Report, publish, read_back,
};
use crate::publisher::{Agreed, Publisher};
use crate::region;
use crate::signers::SignerPolicy;
use crate::trust::Chain;

pub(crate) const HOUR: std::time::Duration = std::time::Duration::from_secs(3600);

/// One app in two regions, one of which has an overlay.
const DOCUMENT: &str = "regions: { eu: { labels: { continent: eu } }, us: { labels: { continent: us } } }\n\
    apps: { web: { path: web, overlays: [ { path: eu, when: { continent: eu } } ] } }\n";

pub(crate) struct Bench {
    pub(crate) repo: Repo,
    pub(crate) objects: Arc<InMemory>,
    pub(crate) publisher: Publisher,
    pub(crate) millis: Arc<AtomicI64>,
    pub(crate) root_key: SecretKey,
    commits: Vec<CommitId>,
}

/// A commit, ready to be published.
#[derive(Clone)]
pub(crate) struct Tip {
    pub(crate) commit: VerifiedCommit,
    pub(crate) compilation: Arc<Compilation>,
    pub(crate) ancestry: Arc<dyn Ancestry>,
}

/// A straight line of commits, the last one the tip.
struct Line {
    commits: Vec<CommitId>,
    repository: PathBuf,
    compilation: Arc<Compilation>,
}

impl Ancestry for Line {
    fn relation(&self, standing: &CommitId) -> Result<Relation, AncestryError> {
        let unheard_of = standing.as_str().chars().all(|digit| digit == 'f');
        Ok(match self.commits.contains(standing) {
            true => Relation::Contained,
            false if unheard_of => Relation::Apart,
            false => Relation::Ahead,
        })
    }

    /// Nothing earlier is compiled anew on this bench; the tests of the daemon do that, on real repositories.
    fn origin(&self, _: &CommitId, _: &App, _: &Digest) -> Result<Option<Origin>, AncestryError> {
        Ok(None)
    }

    fn layout(&self, earlier: &CommitId, app: &App, region: &Region) -> Result<Option<Layout>, AncestryFault> {
        crate::daemon::layout(&self.repository, &self.compilation, earlier, (app, region))
    }

    fn blobs(&self, blobs: &[BlobId]) -> Result<Vec<Vec<u8>>, AncestryFault> {
        crate::daemon::blobs(&self.repository, blobs)
    }
}

impl Bench {
    pub(crate) fn new() -> Bench {
        let objects = Arc::new(InMemory::new());
        let root_key = SecretKey::generate();
        let keys = keys();
        let root = Verified::seal(root(&root_key, &keys), &[&root_key]);
        let freshness = Freshness { valid_for: 24 * HOUR, refresh_every: HOUR };
        let millis = Arc::new(AtomicI64::new(1_800_000_000_000));
        let clock = Arc::clone(&millis);
        let publisher = Publisher::new(Store::over(objects.clone(), "memory"), root, keys, Duty::Everything, freshness)
            .with_clock(Arc::new(move || Timestamp::from_unix_millis(clock.load(Ordering::Relaxed))));
        Bench { repo: Repo::new(), objects, publisher, millis, root_key, commits: Vec::new() }
    }

    /// Commits `web/a.conf` and the overlay's `eu/b.conf`, proves and compiles.
    pub(crate) fn tip(&mut self, web: &str, eu: &str) -> Tip {
        self.tip_of(&[("driftless.yaml", DOCUMENT), ("web/a.conf", web), ("eu/b.conf", eu)])
    }

    /// Commits `files` and nothing else, proves and compiles.
    pub(crate) fn tip_of(&mut self, files: &[(&str, &str)]) -> Tip {
        let tree = self.repo.tree(files);
        let parent = self.commits.last().cloned();
        let id = self.repo.commit(&parent.iter().collect::<Vec<_>>(), &tree, 1_700_000_000 + self.commits.len() as i64);
        self.commits.push(id.clone());
        let policy = SignerPolicy::parse(&self.repo.policy()).expect("Alice's policy");
        let mut seen = FirstSeen::open(&self.repo.folder.path().join("first-seen")).expect("a new record");
        let commit = verify_commits(&self.repo.git, &policy, &mut seen, &Base::Beginning, &id, self.publisher.now());
        let commit = commit.expect("Alice signed all of it");
        let objects = GitObjects::of(&self.repo.git).expect("an object database");
        let compilation = compile(&objects, commit.tree(), &schema::Limits::DEFAULT).expect("it compiles");
        let compilation = Arc::new(compilation);
        let (commits, repository) = (self.commits.clone(), self.repo.path());
        Tip {
            commit,
            ancestry: Arc::new(Line { commits, repository, compilation: Arc::clone(&compilation) }),
            compilation,
        }
    }

    /// Puts the publisher under another root, with nothing known of the one before.
    pub(crate) fn under(&mut self, root: TrustRoot) {
        self.publisher.roots = Arc::new(Chain::of(Verified::seal(root, &[&self.root_key])));
    }

    /// Puts the root after the newest into the store, as a ceremony does, and gives it.
    pub(crate) async fn rotate(&self, change: impl FnOnce(TrustRoot) -> TrustRoot) -> TrustRoot {
        let newest = TrustRoot::clone(self.publisher.root());
        let next = change(TrustRoot { version: newest.version + 1, ..newest });
        let sealed = Verified::seal(next.clone(), &[&self.root_key]);
        self.put(&StorePath::Root { version: next.version }, sealed.bytes().clone()).await;
        next
    }

    /// Another publisher over the same store and by the same clock, with keys and a duty of its own.
    pub(crate) fn beside(&self, keys: Keys, duty: Duty) -> Publisher {
        Publisher {
            keys: Arc::new(keys),
            duty,
            agreed: Agreed::default(),
            kept: Kept::default(),
            ..self.publisher.clone()
        }
    }

    pub(crate) fn pass(&self, time: std::time::Duration) {
        self.millis.fetch_add(i64::try_from(time.as_millis()).expect("a test's time"), Ordering::Relaxed);
    }

    /// The same publisher over a store that fails when told to.
    pub(crate) fn faulty(&self) -> (Arc<Faulty>, Publisher) {
        let faulty = Faulty::over(self.objects.clone());
        let publisher = Publisher { store: Store::over(faulty.clone(), "faulty"), ..self.publisher.clone() };
        (faulty, publisher)
    }

    pub(crate) async fn publish(&self, tip: &Tip) -> Report {
        tip.publish(&self.publisher).await
    }

    /// What the region is at, by its newest pointer.
    pub(crate) async fn pointer(&self, region: &str) -> Verified<Pointer> {
        let state = region::settle(&self.publisher, &app(), &region.parse().expect("a region")).await;
        state.expect("a readable region").newest.expect("something was published")
    }

    /// The order of the newest pointer, in short.
    pub(crate) async fn order(&self, region: &str) -> String {
        self.pointer(region).await.order().to_string()
    }

    pub(crate) async fn put(&self, path: &StorePath, bytes: impl Into<bytes::Bytes>) {
        self.objects.put(&at(path), bytes.into().into()).await.expect("memory takes it");
    }

    pub(crate) async fn remove(&self, path: &StorePath) {
        self.objects.delete(&at(path)).await.expect("it was there");
    }

    /// The archive of a bundle for which a frame stands in the store.
    pub(crate) async fn archive(&self, digest: Digest) -> Vec<u8> {
        let path = StorePath::Bundle { app: app(), digest };
        let frame = self.publisher.store.read(&path, 1 << 20).await.expect("a read").expect("it is there").bytes;
        zstd::stream::decode_all(&frame[..]).expect("a frame")
    }

    /// How many objects there are.
    pub(crate) async fn count(&self) -> usize {
        use futures_util::StreamExt as _;
        self.objects.list(None).count().await
    }

    /// Re-verifies everything: UNIQUE, BEFORE, and that each pointer is the newest record and continues the one before.
    pub(crate) async fn check(&self) {
        let store = &self.publisher.store;
        for app in store.apps().await.expect("a listing") {
            for region in store.regions(&app).await.expect("a listing") {
                self.check_region(&app, &region).await;
            }
        }
    }

    async fn check_region(&self, app: &App, region: &Region) {
        let Publisher { store, roots, .. } = &self.publisher;
        let orders = store.history_after(app, region, None).await.expect("a listing");
        let mut before: Option<Verified<Pointer>> = None;
        for order in orders {
            let record =
                region::record(store, roots, (app, region), order).await.expect("it verifies").expect("listed");
            let record = record.pointer;
            assert_eq!(record.prev, before.as_ref().map(Verified::payload_digest), "{app} {region} {order}");
            if let Some(before) = &before {
                let follows = [before.order().next_generation(), before.order().next_serial()].contains(&Some(order));
                assert!(follows, "{app} {region}: {order} after {}", before.order());
                let same = order.same_generation(before.order());
                assert!(!same || record.stable == before.stable, "{app} {region}: two bundles are {order}");
            }
            let stored = read_back(&self.publisher, app, &record.stable.digest).await.expect("every bundle is there");
            assert_eq!(stored.target(), record.stable);
            before = Some(record);
        }
        let path = StorePath::Pointer { app: app.clone(), region: region.clone() };
        let pointer = store.read(&path, 1 << 20).await.expect("a read").map(|object| object.bytes);
        assert_eq!(pointer.as_ref(), before.as_ref().map(Verified::bytes), "{app} {region}: pointer and history");
    }

    /// What the regions are at, without what differs from one undisturbed run to the next.
    pub(crate) async fn outcome(&self) -> Vec<(Order, Digest, CommitId, Vec<Digest>)> {
        let mut outcome = Vec::new();
        for region in ["eu", "us"] {
            let pointer = self.pointer(region).await;
            outcome.push((pointer.order(), pointer.stable.digest, pointer.commit.clone(), pointer.withdrawn.clone()));
        }
        outcome
    }
}

impl Tip {
    pub(crate) async fn publish(&self, publisher: &Publisher) -> Report {
        self.publish_after(Before::Unknown, publisher).await
    }

    pub(crate) async fn publish_after(&self, before: Before<'_>, publisher: &Publisher) -> Report {
        publish(publisher, &self.commit, &self.compilation, before, &InForce::default(), &self.ancestry).await
    }

    pub(crate) fn digest(&self, region: &str) -> Digest {
        self.compilation.bundles[&(app(), region.parse().expect("a region"))].summary.digest
    }
}

/// What an operator rolls back for.
pub(crate) fn cause(why: &str) -> Cause {
    Cause::new("operator", Deed::Rollback, why)
}

pub(crate) fn app() -> App {
    "web".parse().expect("an app")
}

pub(crate) fn region(name: &str) -> Region {
    name.parse().expect("a region")
}

pub(crate) fn at(path: &StorePath) -> Path {
    Path::from(path.to_string())
}

/// A key for each role.
pub(crate) fn keys() -> Keys {
    Keys { release: vec![SecretKey::generate()], pointer: vec![SecretKey::generate()], ..Keys::default() }
}

/// The same key once more, as another process would read it from its file.
pub(crate) fn copy(key: &SecretKey) -> SecretKey {
    SecretKey::from_file_text(&key.to_file_text()).expect("our own file")
}

/// A role that needs all of `keys`.
pub(crate) fn all_of(keys: &[&SecretKey]) -> RoleKeys {
    RoleKeys::new(keys.len(), keys.iter().map(|key| key.public().clone()).collect()).expect("distinct keys")
}

pub(crate) fn role(key: &SecretKey) -> RoleKeys {
    RoleKeys::new(1, vec![key.public().clone()]).expect("one of one")
}

pub(crate) fn root(root_key: &SecretKey, keys: &Keys) -> TrustRoot {
    TrustRoot {
        version: 1,
        epoch: Epoch::FIRST,
        issued: Timestamp::UNIX_EPOCH,
        expires: Timestamp::from_unix_millis(4_000_000_000_000),
        release_floor: 0,
        revoked: Vec::new(),
        root: role(root_key),
        release: role(&keys.release[0]),
        pointer: role(&keys.pointer[0]),
        pointer_of_region: [].into(),
    }
}
