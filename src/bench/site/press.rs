//! Makes news: signed pointers of one app and region, each with a generation of its own and a bundle that it names.
//!
//! The keys are made on the spot and gone with the run. The same news go to every server that is measured.

use std::time::{Duration, SystemTime};

use bytes::Bytes;
use schema::keys::SecretKey;
use schema::manifest::{Encoding, Whole};
use schema::pointer::Target;
use schema::{
    App, Digest, Epoch, Generation, Manifest, Pointer, Region, RoleKeys, Serial, StorePath, Timestamp, TrustRoot,
    Verified, encoding,
};

/// Keys, and the newest generation.
pub(crate) struct Press {
    root: Verified<TrustRoot>,
    release: SecretKey,
    pointer: SecretKey,
    generation: u64,
    before: Option<Digest>,
}

/// A pointer, and what it names.
#[derive(Clone, Debug)]
pub(crate) struct News {
    pub(crate) generation: u64,
    pub(crate) pointer: Verified<Pointer>,
    pub(crate) manifest: (StorePath, Bytes),
    pub(crate) bundle: (StorePath, Bytes),
}

impl Press {
    pub(crate) fn new() -> Press {
        let [root, release, pointer] = std::array::from_fn(|_| SecretKey::generate());
        let alone = |key: &SecretKey| RoleKeys::new(1, vec![key.public().clone()]).expect("one key meets one");
        let now = Timestamp::from(SystemTime::now());
        let document = TrustRoot {
            version: 1,
            epoch: Epoch::FIRST,
            issued: now,
            expires: now.after(VALID_FOR),
            release_floor: 0,
            revoked: Vec::new(),
            root: alone(&root),
            release: alone(&release),
            pointer: alone(&pointer),
            pointer_of_region: Default::default(),
        };
        Press { root: Verified::seal(document, &[&root]), release, pointer, generation: 0, before: None }
    }

    /// The trust root that vouches for all of it.
    pub(crate) fn root(&self) -> &Bytes {
        self.root.bytes()
    }

    /// The next generation.
    pub(crate) fn print(&mut self) -> News {
        self.generation += 1;
        let app = app();
        let content = format!("generation {}", self.generation);
        let digest = Digest::of(content.as_bytes());
        let compressed = Bytes::from(encoding::compress(content.as_bytes()).expect("memory takes what is written"));
        let size = compressed.len() as u64;
        let manifest = Manifest {
            app: app.clone(),
            digest,
            size: content.len() as u64,
            entries: 1,
            release_seq: self.generation,
            commit: COMMIT.repeat(10).parse().expect("forty hex digits"),
            tree: COMMIT.repeat(10).parse().expect("forty hex digits"),
            compiler: 1,
            encodings: vec![Encoding::Whole(Whole { size, window_log: 23, sha256: Digest::of(&compressed) })],
        };
        let manifest = Verified::seal(manifest, &[&self.release]);
        let now = Timestamp::from(SystemTime::now());
        let pointer = Pointer {
            app: app.clone(),
            region: region(),
            epoch: Epoch::FIRST,
            generation: Generation::new(self.generation),
            serial: Serial::FIRST,
            issued: now,
            expires: now.after(VALID_FOR),
            prev: self.before,
            trace: None,
            commit: COMMIT.repeat(10).parse().expect("forty hex digits"),
            stable: Target { digest, manifest: manifest.payload_digest() },
            candidate: None,
            quarantine: Vec::new(),
            freeze: false,
            withdrawn: Vec::new(),
            cause: None,
        };
        let pointer = Verified::seal(pointer, &[&self.pointer]);
        self.before = Some(pointer.payload_digest());
        News {
            generation: self.generation,
            pointer,
            manifest: (StorePath::Manifest { app: app.clone(), digest }, manifest.bytes().clone()),
            bundle: (StorePath::Bundle { app, digest }, compressed),
        }
    }
}

/// The app that is published.
pub(crate) fn app() -> App {
    "bench".parse().expect("a valid name")
}

/// The region that its agents are in.
pub(crate) fn region() -> Region {
    "eu-west".parse().expect("a valid name")
}

const VALID_FOR: Duration = Duration::from_secs(24 * 3600);
const COMMIT: &str = "5b1e";
