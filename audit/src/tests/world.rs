//! A store in a folder: two trust roots with different pointer keys, two regions, four records each, two bundles.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use bytes::Bytes;
use schema::archive::Writer;
use schema::keys::SecretKey;
use schema::manifest::{Encoding, Whole};
use schema::pointer::{Cause, Deed, Selector};
use schema::rollout::{
    Budget, Leg, Newer, OnFailure, Place, Policy, Prepare, QuarantineRule, RegionSet, Reverts, Share, Stage, Wave,
};
use schema::time::Length;
use schema::{
    App, Digest, EntryPath, Epoch, Limits, Manifest, Order, Pointer, Region, RoleKeys, Rollout, StorePath, Target,
    Timestamp, TrustRoot, Verified, encoding,
};
use store::{Created, Store, StoreUrl};

use crate::Report;

pub(super) struct World {
    folder: tempfile::TempDir,
    store: Store,
    root_key: SecretKey,
    release_key: SecretKey,
    /// Of the third root, which is not published.
    next_release_key: SecretKey,
    /// Of the first root and of the second.
    pointer_keys: [SecretKey; 2],
}

/// Whose key signs a state of a rollout.
#[derive(Clone, Copy)]
pub(super) enum Signer {
    InForce,
    Stranger,
}

pub(super) fn at(seconds: i64) -> Timestamp {
    Timestamp::from_unix_millis(seconds * 1_000)
}

impl World {
    /// Everything published: `a`, `b`, `b` again under a new serial, and `a` under the second root's keys.
    pub(super) async fn published() -> World {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let store = Store::open(&StoreUrl::directory(folder.path().to_owned())).expect("a store");
        let pointer_keys = [SecretKey::generate(), SecretKey::generate()];
        let (root_key, release_key, next_release_key) =
            (SecretKey::generate(), SecretKey::generate(), SecretKey::generate());
        let world = World { folder, store, root_key, release_key, next_release_key, pointer_keys };
        for version in [1, 2] {
            world.create(&StorePath::Root { version }, world.root(version).bytes()).await;
        }
        let (a, b) = (world.bundle("a").await, world.bundle("b").await);
        for region in ["eu-west", "us-east"] {
            let mut newest: Option<Verified<Pointer>> = None;
            for (target, serial, key) in [(a, false, 0), (b, false, 0), (b, true, 0), (a, false, 1)] {
                let next = world.pointer(region, newest.as_ref(), target, serial, key);
                let order = next.order();
                let app = next.app.clone();
                world.create(&StorePath::History { app, region: next.region.clone(), order }, next.bytes()).await;
                newest = Some(next);
            }
            let newest = newest.expect("four records");
            let path = StorePath::Pointer { app: newest.app.clone(), region: newest.region.clone() };
            world.create(&path, newest.bytes()).await;
        }
        world
    }

    /// The first two are published; the third has another release key.
    pub(super) fn root(&self, version: u64) -> Verified<TrustRoot> {
        let (issued, release) = if version < 3 { (0, &self.release_key) } else { (20, &self.next_release_key) };
        let alone = |key: &SecretKey| RoleKeys::new(1, vec![key.public().clone()]).expect("one of one");
        let root = TrustRoot {
            version,
            epoch: Epoch::FIRST,
            issued: at(issued),
            expires: at(100_000_000),
            release_floor: 0,
            revoked: Vec::new(),
            root: alone(&self.root_key),
            release: alone(release),
            pointer: alone(&self.pointer_keys[usize::from(version > 1)]),
            pointer_of_region: Default::default(),
        };
        Verified::seal(root, &[&self.root_key])
    }

    async fn bundle(&self, content: &str) -> Target {
        let mut writer = Writer::new(Vec::new(), Limits::DEFAULT);
        let path = EntryPath::parse(b"settings", &Limits::DEFAULT).expect("a path");
        writer.file(path, false, content.len() as u64, &mut content.as_bytes()).expect("an archive");
        let (archive, summary) = writer.finish().expect("an archive");
        let frame = encoding::compress(&archive).expect("a frame");
        let whole = Whole { size: frame.len() as u64, window_log: 23, sha256: Digest::of(&frame) };
        let manifest = Manifest {
            app: app(),
            digest: summary.digest,
            size: summary.size,
            entries: summary.entries,
            release_seq: 1,
            commit: "a".repeat(40).parse().expect("a commit"),
            tree: "b".repeat(40).parse().expect("a tree"),
            compiler: 1,
            encodings: vec![Encoding::Whole(whole)],
        };
        let manifest = Verified::seal(manifest, &[&self.release_key]);
        let (app, digest) = (app(), summary.digest);
        self.create(&StorePath::Bundle { app: app.clone(), digest }, &frame.into()).await;
        self.create(&StorePath::Manifest { app, digest }, manifest.bytes()).await;
        Target { digest, manifest: manifest.payload_digest() }
    }

    fn pointer(
        &self,
        region: &str,
        newest: Option<&Verified<Pointer>>,
        target: Target,
        resigned: bool,
        key: usize,
    ) -> Verified<Pointer> {
        let order = match newest.map(|newest| newest.order()) {
            None => Order::FIRST,
            Some(order) if resigned => order.next_serial().expect("a next"),
            Some(order) => order.next_generation().expect("a next"),
        };
        let pointer = Pointer {
            app: app(),
            region: region.parse().expect("a region"),
            epoch: order.epoch,
            generation: order.generation,
            serial: order.serial,
            issued: at(10),
            expires: at(1_000),
            prev: newest.map(Verified::payload_digest),
            trace: None,
            commit: "a".repeat(40).parse().expect("a commit"),
            stable: target,
            candidate: None,
            quarantine: Vec::new(),
            freeze: false,
            withdrawn: Vec::new(),
            cause: None,
        };
        Verified::seal(pointer, &[&self.pointer_keys[key]])
    }

    async fn create(&self, path: &StorePath, bytes: &Bytes) {
        let created = self.store.create(path, bytes.clone()).await.expect("the store is writable");
        assert_eq!(created, Created::New, "{path}");
    }

    pub(super) async fn audit_from(&self, version: u64) -> Report {
        self.audit_at(version, at(50)).await
    }

    pub(super) async fn audit_at(&self, version: u64, now: Timestamp) -> Report {
        crate::verify(&self.store, self.root(version), now, |_| ()).await.expect("the store answers")
    }

    pub(super) async fn audit_from_root(&self, root: Verified<TrustRoot>) -> Report {
        crate::verify(&self.store, root, at(50), |_| ()).await.expect("the store answers")
    }

    /// App, region, and the name of their pointer.
    pub(super) fn place(&self, region: &str) -> (App, Region, String) {
        let region: Region = region.parse().expect("a region");
        let path = StorePath::Pointer { app: app(), region: region.clone() };
        (app(), region, path.to_string())
    }

    /// The path of the newest record, and a record of the same generation that names another bundle, signed by the key in force.
    pub(super) fn contradiction(&self, place: &(App, Region, String)) -> (StorePath, (StorePath, Vec<u8>)) {
        let newest = Bytes::from(self.bytes(&place.2));
        let role = RoleKeys::new(1, vec![self.pointer_keys[1].public().clone()]).expect("one of one");
        let newest = Verified::<Pointer>::open(newest, &role, &Limits::DEFAULT).expect("our own pointer");
        let order = newest.order().next_serial().expect("a next");
        let manifest = self
            .names()
            .into_iter()
            .find(|name| name.ends_with(".manifest") && !name.contains(&newest.stable.digest.to_string()));
        let role = RoleKeys::new(1, vec![self.release_key.public().clone()]).expect("one of one");
        let manifest = Bytes::from(self.bytes(&manifest.expect("the other bundle's")));
        let other = Verified::<Manifest>::open(manifest, &role, &Limits::DEFAULT).expect("our own manifest");
        let target = Target { digest: other.digest, manifest: other.payload_digest() };
        let forged = Pointer {
            serial: order.serial,
            prev: Some(newest.payload_digest()),
            stable: target,
            ..Pointer::clone(&newest)
        };
        let forged = Verified::seal(forged, &[&self.pointer_keys[1]]);
        let at = |order| StorePath::History { app: place.0.clone(), region: place.1.clone(), order };
        (at(newest.order()), (at(order), forged.bytes().to_vec()))
    }

    /// Adds a state of a rollout in eu-west. The name of the record.
    pub(super) fn record_rollout(&self, id: &str, n: u64, signer: Signer) -> String {
        let newest = self.newest("eu-west");
        let wave = Wave {
            regions: RegionSet::All,
            share: Share::FULL,
            when: Selector::default(),
            soak: Length(Duration::ZERO),
        };
        let none = Budget { percent: Share(0), number: 0 };
        let policy = Policy {
            name: "all".into(),
            prepare: Prepare::No,
            waves: vec![wave],
            gate: None,
            on_failure: OnFailure::Rollback,
            windows: Vec::new(),
            freezes: Vec::new(),
            spread: Length(Duration::ZERO),
            confirm_within: None,
            quarantine: QuarantineRule { after: 0, at_most: none },
            reverts: Reverts::AtOnce,
            newer: Newer::Supersede,
            live_within: Length(Duration::from_secs(90)),
        };
        let leg = Leg {
            from: newest.stable,
            from_commit: newest.commit.clone(),
            to: newest.stable,
            based_on: newest.order(),
            place: Place::Untouched,
            fleet: 0,
            shares: Vec::new(),
        };
        let rollout = Rollout {
            app: app(),
            id: id.parse().expect("a number"),
            n,
            at: at(20),
            commit: newest.commit.clone(),
            policy,
            salt: "s".into(),
            stage: Stage::Waiting { since: at(20) },
            paused: None,
            regions: [(newest.region.clone(), leg)].into(),
            cause: Cause::own(Deed::Begin, "a commit"),
        };
        let path = StorePath::Rollout { app: app(), id: rollout.id, n }.to_string();
        let stranger = SecretKey::generate();
        let key = match signer {
            Signer::InForce => &self.pointer_keys[1],
            Signer::Stranger => &stranger,
        };
        self.put(&path, Verified::seal(rollout, &[key]).bytes());
        path
    }

    /// The newest pointer of a region.
    fn newest(&self, region: &str) -> Verified<Pointer> {
        let bytes = Bytes::from(self.bytes(&self.place(region).2));
        let role = RoleKeys::new(1, vec![self.pointer_keys[1].public().clone()]).expect("one of one");
        Verified::open(bytes, &role, &Limits::DEFAULT).expect("our own pointer")
    }

    /// Adds what `change` makes of the newest pointer as the next generation, signed by one of the pointer keys, and moves the
    /// pointer to it. The name of the record.
    pub(super) fn announce(&self, region: &str, key: usize, change: impl FnOnce(&mut Pointer)) -> String {
        let newest = self.newest(region);
        let mut pointer = Pointer::clone(&newest);
        pointer.generation = newest.generation.next().expect("a next");
        pointer.prev = Some(newest.payload_digest());
        change(&mut pointer);
        let pointer = Verified::seal(pointer, &[&self.pointer_keys[key]]);
        let (app, region_name, place) = self.place(region);
        let record = StorePath::History { app, region: region_name, order: pointer.order() }.to_string();
        self.put(&record, pointer.bytes());
        self.put(&place, pointer.bytes());
        record
    }

    /// Publishes the third root.
    pub(super) fn rotate_release_key(&self) {
        self.put(&StorePath::Root { version: 3 }.to_string(), self.root(3).bytes());
    }

    /// Where the manifest of `target` is sealed for the third root.
    pub(super) fn resealed(&self, target: Target) -> String {
        let role = self.root(3).release.fingerprint();
        StorePath::Resealed { app: app(), digest: target.digest, role }.to_string()
    }

    /// Seals the manifest of `target` for the third root.
    pub(super) fn reseal(&self, target: Target) {
        let manifest = Manifest::clone(&self.manifest(target));
        self.put(&self.resealed(target), Verified::seal(manifest, &[&self.next_release_key]).bytes());
    }

    fn manifest(&self, target: Target) -> Verified<Manifest> {
        let path = StorePath::Manifest { app: app(), digest: target.digest }.to_string();
        let role = RoleKeys::new(1, vec![self.release_key.public().clone()]).expect("one of one");
        Verified::open(self.bytes(&path).into(), &role, &Limits::DEFAULT).expect("our own manifest")
    }

    /// What the newest pointers name, and what they do not name any more.
    pub(super) fn targets(&self) -> (Target, Target) {
        let newest = self.newest("eu-west").stable;
        let other = self.names().into_iter().find_map(|name| match name.parse() {
            Ok(StorePath::Manifest { digest, .. }) if digest != newest.digest => Some(digest),
            _ => None,
        });
        let other = Target { digest: other.expect("two bundles"), ..newest };
        (newest, Target { manifest: self.manifest(other).payload_digest(), ..other })
    }

    /// Where the release key's piece of `target` belongs, or a stranger's.
    pub(super) fn piece(&self, target: Target, key: Option<&SecretKey>) -> String {
        let key = key.unwrap_or(&self.release_key).public().fingerprint();
        StorePath::Piece { app: app(), digest: target.digest, key }.to_string()
    }

    pub(super) fn store(&self) -> &Store {
        &self.store
    }

    /// Removes a folder with all that is in it.
    pub(super) fn remove_folder(&self, name: &str) {
        fs::remove_dir_all(self.at(name)).expect("a folder");
    }

    /// Names of all objects.
    pub(super) fn names(&self) -> Vec<String> {
        let (mut names, mut folders) = (Vec::new(), vec![self.folder.path().to_owned()]);
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).expect("a folder") {
                let path = entry.expect("an entry").path();
                if path.is_dir() {
                    folders.push(path);
                } else {
                    let name = path.strip_prefix(self.folder.path()).expect("it is below");
                    names.push(name.to_str().expect("a name").to_owned());
                }
            }
        }
        names.sort_unstable();
        names
    }

    pub(super) fn bytes(&self, name: &str) -> Vec<u8> {
        fs::read(self.at(name)).expect("an object")
    }

    pub(super) fn put(&self, name: &str, bytes: &[u8]) {
        let file = self.at(name);
        fs::create_dir_all(file.parent().expect("it is in the store")).expect("the folder is writable");
        fs::write(file, bytes).expect("the folder is writable");
    }

    pub(super) fn remove(&self, name: &str) -> Vec<u8> {
        let bytes = self.bytes(name);
        fs::remove_file(self.at(name)).expect("an object");
        bytes
    }

    fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}

fn app() -> App {
    "edge-proxy".parse().expect("an app")
}
