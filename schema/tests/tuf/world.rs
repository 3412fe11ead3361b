//! Keys by number, the documents that they sign, and a client that refreshes.

use std::sync::LazyLock;

use schema::cycle::{Admitted, Offer, Refusal, Trusted, admit};
use schema::keys::SecretKey;
use schema::manifest::{Encoding, Whole};
use schema::seal::Document;
use schema::{
    App, Digest, Epoch, Generation, Limits, Manifest, Pointer, Region, RoleKeys, Serial, Target, Timestamp, TrustRoot,
    Verified,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The root role's key in a [`root`] that nobody changed.
pub(crate) const ROOT: usize = 1;
/// The release role's.
pub(crate) const RELEASE: usize = 10;
/// The pointer role's.
pub(crate) const POINTER: usize = 11;

static KEYS: LazyLock<Vec<SecretKey>> = LazyLock::new(|| (0..12).map(|_| SecretKey::generate()).collect());

/// The key with this number.
pub(crate) fn key(number: usize) -> &'static SecretKey {
    &KEYS[number]
}

pub(crate) fn role(threshold: usize, keys: &[usize]) -> RoleKeys {
    let keys = keys.iter().map(|number| key(*number).public().clone()).collect();
    RoleKeys::new(threshold, keys).expect("a threshold that the keys can meet")
}

pub(crate) fn seal<T: Document>(document: T, signers: &[usize]) -> Verified<T> {
    Verified::seal(document, &signers.iter().map(|number| key(*number)).collect::<Vec<_>>())
}

pub(crate) fn app() -> App {
    "edge-proxy".parse().expect("an app")
}

pub(crate) fn region() -> Region {
    "eu-west".parse().expect("a region")
}

/// So many seconds after the beginning.
pub(crate) fn at(seconds: i64) -> Timestamp {
    Timestamp::from_unix_millis(seconds * 1_000)
}

/// When tests happen, unless they say otherwise: roots and pointers are good then.
pub(crate) const NOW: i64 = 50;

/// A root of one key a role, good from 0 to 1000.
pub(crate) fn root(version: u64) -> TrustRoot {
    TrustRoot {
        version,
        epoch: Epoch::FIRST,
        issued: at(0),
        expires: at(1_000),
        release_floor: 0,
        revoked: Vec::new(),
        root: role(1, &[ROOT]),
        release: role(1, &[RELEASE]),
        pointer: role(1, &[POINTER]),
        pointer_of_region: Default::default(),
    }
}

/// The manifest of the bundle with this name.
pub(crate) fn manifest(bundle: &str) -> Manifest {
    Manifest {
        app: app(),
        digest: Digest::of(bundle.as_bytes()),
        size: 100,
        entries: 1,
        release_seq: 7,
        commit: "a".repeat(40).parse().expect("a commit"),
        tree: "b".repeat(40).parse().expect("a tree"),
        compiler: 1,
        encodings: vec![Encoding::Whole(Whole { size: 10, window_log: 23, sha256: Digest::of(b"frame") })],
    }
}

/// A pointer to what `manifest` vouches for, good from 10 to 100.
pub(crate) fn pointer(generation: u64, manifest: &Verified<Manifest>) -> Pointer {
    Pointer {
        app: app(),
        region: region(),
        epoch: Epoch::FIRST,
        generation: Generation::new(generation),
        serial: Serial::FIRST,
        issued: at(10),
        expires: at(100),
        prev: None,
        trace: None,
        commit: manifest.commit.clone(),
        stable: Target { digest: manifest.digest, manifest: manifest.payload_digest() },
        candidate: None,
        quarantine: Vec::new(),
        freeze: false,
        withdrawn: Vec::new(),
        cause: None,
    }
}

/// What an honest repository offers at `generation`: no new root.
pub(crate) fn honest(generation: u64) -> Offer {
    let manifest = seal(manifest("bundle"), &[RELEASE]);
    offer(&pointer(generation, &manifest), &manifest)
}

/// `pointer` sealed by its role, and `manifest` as it is.
pub(crate) fn offer(pointer: &Pointer, manifest: &Verified<Manifest>) -> Offer {
    let pointer = seal(pointer.clone(), &[POINTER]).bytes().clone();
    Offer { roots: Vec::new(), pointer, manifest: manifest.bytes().clone() }
}

/// The same offer after these roots.
pub(crate) fn after_roots<'r>(roots: impl IntoIterator<Item = &'r Verified<TrustRoot>>, offer: Offer) -> Offer {
    Offer { roots: roots.into_iter().map(|root| root.bytes().clone()).collect(), ..offer }
}

/// Somebody who was handed a first root and refreshes.
pub(crate) struct Client(pub(crate) Trusted);

impl Client {
    /// A client that was handed [`root`] version 1.
    pub(crate) fn new() -> Client {
        Client::with(seal(root(1), &[ROOT]))
    }

    pub(crate) fn with(root: Verified<TrustRoot>) -> Client {
        let root = Verified::pin(root.bytes().clone(), &Limits::DEFAULT).expect("signed by its own threshold");
        Client(Trusted { root, seen: None, floor: None })
    }

    pub(crate) fn refresh(&mut self, offer: Offer) -> Result<Admitted, Refusal> {
        self.refresh_at(offer, NOW)
    }

    pub(crate) fn refresh_at(&mut self, offer: Offer, seconds: i64) -> Result<Admitted, Refusal> {
        admit(&mut self.0, offer, (&app(), &region()), at(seconds), &Limits::DEFAULT)
    }

    /// Refreshes with an offer that breaks `rule` and no rule before it. Up to rule 5 that leaves what was seen as it was.
    #[track_caller]
    pub(crate) fn refuses(&mut self, offer: Offer, rule: u8) -> Refusal {
        let before = self.0.seen;
        let refusal = self.refresh(offer).expect_err("refused");
        assert_eq!(refusal.rule(), rule, "{refusal:?}");
        if rule < 6 {
            assert_eq!(self.0.seen, before, "what was seen stays");
        }
        refusal
    }
}

/// A root of whatever content, for what our own type cannot say.
#[derive(Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct OddRoot(pub(crate) Value);

/// The same for a manifest.
#[derive(Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct OddManifest(pub(crate) Value);

impl Document for OddRoot {
    const TYPE: &'static str = TrustRoot::TYPE;

    fn max_bytes(limits: &Limits) -> u64 {
        TrustRoot::max_bytes(limits)
    }

    fn trusted_comment(&self, payload: Digest) -> String {
        format!("root v{} e{} {payload}", self.0["version"], self.0["epoch"])
    }
}

impl Document for OddManifest {
    const TYPE: &'static str = Manifest::TYPE;

    fn max_bytes(limits: &Limits) -> u64 {
        Manifest::max_bytes(limits)
    }

    fn trusted_comment(&self, payload: Digest) -> String {
        let text = |field: &str| self.0[field].as_str().unwrap_or_default().to_owned();
        format!("manifest {} {} r{} {payload}", text("app"), text("digest"), self.0["release_seq"])
    }
}

/// `document` as JSON, with `field` set to `value`.
pub(crate) fn with_field(document: impl Serialize, field: &str, value: Value) -> Value {
    let mut json = serde_json::to_value(document).expect("our documents are JSON");
    json[field] = value;
    json
}
