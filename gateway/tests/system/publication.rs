//! Publishes into a directory, as a publisher would, and, where a test wants it, as none should.

use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use schema::keys::SecretKey;
use schema::manifest::{Encoding, Patch, Whole};
use schema::pointer::Target;
use schema::{
    App, Digest, Epoch, Generation, Manifest, Order, Pointer, Region, RoleKeys, Serial, StorePath, Timestamp,
    TrustRoot, Verified, encoding,
};
use store::{Store, StoreUrl};
use tempfile::TempDir;

/// A trust root, its keys, and a directory store.
pub(crate) struct Publication {
    folder: TempDir,
    store: Store,
    root: TrustRoot,
    root_key: SecretKey,
    release_key: SecretKey,
    pointer_key: SecretKey,
}

/// A bundle that stands in the store.
#[derive(Clone)]
pub(crate) struct Published {
    pub(crate) target: Target,
    pub(crate) compressed: Bytes,
    pub(crate) manifest: Bytes,
}

impl Publication {
    pub(crate) fn new() -> Publication {
        let folder = tempfile::tempdir().expect("a folder");
        let store = Store::open(&StoreUrl::directory(folder.path().join("store"))).expect("a store");
        let [root_key, release_key, pointer_key] = std::array::from_fn(|_| SecretKey::generate());
        let alone = |key: &SecretKey| RoleKeys::new(1, vec![key.public().clone()]).expect("one of one");
        let root = TrustRoot {
            version: 1,
            epoch: Epoch::FIRST,
            issued: now(),
            expires: now().after(DAY),
            release_floor: 0,
            revoked: Vec::new(),
            root: alone(&root_key),
            release: alone(&release_key),
            pointer: alone(&pointer_key),
            pointer_of_region: Default::default(),
        };
        let sealed = Verified::seal(root.clone(), &[&root_key]);
        std::fs::write(folder.path().join("root"), sealed.bytes()).expect("a root");
        Publication { folder, store, root, root_key, release_key, pointer_key }
    }

    pub(crate) fn store_path(&self) -> PathBuf {
        self.folder.path().join("store")
    }

    pub(crate) fn root_path(&self) -> PathBuf {
        self.folder.path().join("root")
    }

    /// Where an object's file is.
    pub(crate) fn file(&self, path: &StorePath) -> PathBuf {
        self.store_path().join(path.to_string())
    }

    /// Puts a bundle with that content into the store.
    pub(crate) async fn bundle(&self, app: &App, content: &[u8]) -> Published {
        let digest = Digest::of(content);
        let compressed = Bytes::from(encoding::compress(content).expect("memory"));
        let size = compressed.len() as u64;
        let whole = Whole { size, window_log: 23, sha256: Digest::of(&compressed) };
        // To a gateway a patch is bytes like any other.
        let patch = Patch { from: Digest::of(b"base"), size, window_log: 27, sha256: Digest::of(&compressed) };
        let manifest = Manifest {
            app: app.clone(),
            digest,
            size: content.len() as u64,
            entries: 1,
            release_seq: 1,
            commit: "5b1e".repeat(10).parse().expect("a commit"),
            tree: "77aa".repeat(10).parse().expect("a tree"),
            compiler: 1,
            encodings: vec![Encoding::Whole(whole), Encoding::Patch(patch)],
        };
        let manifest = Verified::seal(manifest, &[&self.release_key]);
        let target = Target { digest, manifest: manifest.payload_digest() };
        let published = Published { target, compressed: compressed.clone(), manifest: manifest.bytes().clone() };
        self.create(&StorePath::Bundle { app: app.clone(), digest }, compressed.clone()).await;
        self.create(&StorePath::Patch { app: app.clone(), digest, base: Digest::of(b"base") }, compressed).await;
        self.create(&StorePath::Manifest { app: app.clone(), digest }, manifest.bytes().clone()).await;
        published
    }

    /// Publishes a bundle and points to it.
    pub(crate) async fn publish(&self, app: &str, region: &str, generation: u64) -> Verified<Pointer> {
        let bundle = self.bundle(&name(app), format!("{app} {region} {generation}").as_bytes()).await;
        let pointer = self.pointer(app, region, generation, bundle.target);
        self.point(&pointer).await;
        pointer
    }

    /// Signs a pointer, and writes it nowhere.
    pub(crate) fn pointer(&self, app: &str, region: &str, generation: u64, stable: Target) -> Verified<Pointer> {
        let pointer = Pointer {
            app: name(app),
            region: name(region),
            epoch: self.root.epoch,
            generation: Generation::new(generation),
            serial: Serial::FIRST,
            issued: now(),
            expires: now().after(DAY),
            prev: None,
            trace: None,
            commit: "5b1e".repeat(10).parse().expect("a commit"),
            stable,
            candidate: None,
            quarantine: Vec::new(),
            freeze: false,
            withdrawn: Vec::new(),
            cause: None,
        };
        self.sign(pointer)
    }

    /// Signs any pointer.
    pub(crate) fn sign(&self, pointer: Pointer) -> Verified<Pointer> {
        Verified::seal(pointer, &[&self.pointer_key])
    }

    /// Writes a history record and the pointer, in that order.
    pub(crate) async fn point(&self, pointer: &Verified<Pointer>) {
        let (app, region) = (pointer.app.clone(), pointer.region.clone());
        self.create(
            &StorePath::History { app: app.clone(), region: region.clone(), order: pointer.order() },
            pointer.bytes().clone(),
        )
        .await;
        let path = StorePath::Pointer { app: app.clone(), region: region.clone() };
        let seen = self.store.read(&path, 1 << 20).await.expect("a read");
        let written = self.store.write_pointer(&app, &region, pointer.bytes().clone(), seen.as_ref()).await;
        assert_eq!(written.expect("a write"), store::PointerWrite::Written);
    }

    /// Puts bytes where the pointer is, past everything that keeps a store sound.
    pub(crate) fn overwrite(&self, path: &StorePath, bytes: &[u8]) {
        let file = self.file(path);
        let aside = file.with_extension("aside");
        std::fs::write(&aside, bytes).expect("a write");
        std::fs::rename(&aside, &file).expect("a rename");
    }

    /// Writes an object that no publisher would.
    pub(crate) fn overwrite_new(&self, path: &StorePath, bytes: &[u8]) {
        assert!(!self.file(path).exists(), "{path} is new");
        std::fs::write(self.file(path), bytes).expect("a write");
    }

    /// Puts the trust root that gateways start with into the store.
    pub(crate) async fn create_root_copy(&self) {
        let bytes = std::fs::read(self.root_path()).expect("a root");
        self.create(&StorePath::Root { version: 1 }, bytes.into()).await;
    }

    /// Replaces the pointer key by a new one, in a second trust root.
    pub(crate) async fn rotate_pointer_key(&mut self) {
        self.pointer_key = SecretKey::generate();
        self.root.version += 1;
        self.root.pointer = RoleKeys::new(1, vec![self.pointer_key.public().clone()]).expect("one of one");
        let sealed = Verified::seal(self.root.clone(), &[&self.root_key]);
        self.create(&StorePath::Root { version: self.root.version }, sealed.bytes().clone()).await;
    }

    /// Replaces the release key by a new one, in the next trust root. What the old one sealed stays as it is.
    pub(crate) async fn rotate_release_key(&mut self) {
        self.release_key = SecretKey::generate();
        self.root.version += 1;
        self.root.release = RoleKeys::new(1, vec![self.release_key.public().clone()]).expect("one of one");
        let sealed = Verified::seal(self.root.clone(), &[&self.root_key]);
        self.create(&StorePath::Root { version: self.root.version }, sealed.bytes().clone()).await;
    }

    /// Seals a manifest again for the release key in force, beside what the key before it sealed.
    pub(crate) async fn reseal(&self, app: &App, digest: Digest) -> Bytes {
        let before = std::fs::read(self.file(&StorePath::Manifest { app: app.clone(), digest })).expect("a manifest");
        let line = before.split_inclusive(|byte| *byte == b'\n').next().expect("a payload line");
        let manifest: Manifest = serde_json::from_slice(line).expect("a manifest");
        let sealed = Verified::seal(manifest, &[&self.release_key]).bytes().clone();
        let role = self.root.release.fingerprint();
        self.create(&StorePath::Resealed { app: app.clone(), digest, role }, sealed.clone()).await;
        sealed
    }

    async fn create(&self, path: &StorePath, bytes: Bytes) {
        let created = self.store.create(path, bytes).await.expect("a write");
        assert!(!matches!(created, store::Created::Taken(_)), "{path} holds something else");
    }
}

pub(crate) fn name<T: std::str::FromStr<Err: std::fmt::Debug>>(text: &str) -> T {
    text.parse().expect("a name")
}

pub(crate) fn pointer_path(app: &str, region: &str) -> StorePath {
    StorePath::Pointer { app: name::<App>(app), region: name::<Region>(region) }
}

pub(crate) fn first_order() -> Order {
    Order::FIRST
}

pub(crate) fn now() -> Timestamp {
    SystemTime::now().into()
}

/// More than a pointer may have: to a gateway a file that cannot be read.
pub(crate) const ENDLESS: &[u8] = &[b'x'; 17 * 1024];

const DAY: Duration = Duration::from_secs(24 * 3600);
