use std::time::Duration;

use object_store::memory::InMemory;
use schema::keys::SecretKey;
use schema::manifest::{Patch, Whole};
use schema::{Epoch, RoleKeys, Timestamp, TrustRoot};

use super::*;
use crate::source::Source;
use crate::trust::Trust;

const START: Timestamp = Timestamp::UNIX_EPOCH;

/// A bucket with one bundle in it, and a patch to it from `base`, both as `bytes`, whatever was signed.
pub(crate) async fn bucket_with(bytes: &'static [u8], signed: &[u8]) -> (Objects, StorePath) {
    let key = SecretKey::generate();
    let role = RoleKeys::new(1, vec![key.public().clone()]).expect("one of one");
    let root = TrustRoot {
        version: 1,
        epoch: Epoch::FIRST,
        issued: START,
        expires: START.after(Duration::from_secs(60)),
        release_floor: 0,
        revoked: Vec::new(),
        root: role.clone(),
        release: role.clone(),
        pointer: role,
        pointer_of_region: Default::default(),
    };
    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(file.path(), Verified::seal(root, &[&key]).bytes()).expect("a write");
    let trust = Trust::pin(file.path()).expect("a root");

    let (app, digest): (App, _) = ("edge-proxy".parse().expect("an app"), Digest::of(b"archive"));
    let whole = Whole { size: signed.len() as u64, window_log: 23, sha256: Digest::of(signed) };
    let base = Digest::of(b"base");
    let patch = Patch { from: base, size: whole.size, window_log: 23, sha256: whole.sha256 };
    let manifest = Manifest {
        app: app.clone(),
        digest,
        size: 7,
        entries: 1,
        release_seq: 1,
        commit: "5b1e".repeat(10).parse().expect("a commit"),
        tree: "77aa".repeat(10).parse().expect("a tree"),
        compiler: 1,
        encodings: vec![Encoding::Whole(whole), Encoding::Patch(patch)],
    };
    let manifest = Verified::seal(manifest, &[&key]);
    let store = Store::over(Arc::new(InMemory::new()), "memory");
    let bundle = StorePath::Bundle { app: app.clone(), digest };
    for (path, bytes) in [
        (bundle.clone(), Bytes::from_static(bytes)),
        (StorePath::Patch { app: app.clone(), digest, base }, Bytes::from_static(bytes)),
        (StorePath::Manifest { app, digest }, manifest.bytes().clone()),
    ] {
        store.create(&path, bytes).await.map(drop).expect("a write");
    }
    let view = Arc::new(View::new(Source::Store(store), trust));
    (Objects::new(view, 1 << 20, 1), bundle)
}

#[tokio::test]
async fn a_bundle_from_a_bucket_is_verified_and_kept() {
    let (objects, path) = bucket_with(b"compressed", b"compressed").await;
    let found = objects.find(&path).await.expect("the bundle");
    assert!(matches!(&found, Found::Kept(kept) if kept.bytes == "compressed"), "{found:?}");
    assert_eq!(found.etag(), &ETag::of(b"compressed"));
    assert!(objects.cache.get(&path).is_some());
}

#[tokio::test]
async fn a11_a_bundle_that_is_not_as_signed_is_neither_served_nor_kept() {
    for (bytes, signed) in [(&b"compressed"[..], &b"Compressed"[..]), (b"short", b"longer"), (b"longer", b"short")] {
        let (objects, path) = bucket_with(bytes, signed).await;
        let missed = objects.find(&path).await.expect_err("not the bundle");
        assert!(matches!(missed, Miss::Bad(_)), "{missed:?}");
        assert!(objects.cache.get(&path).is_none());
    }
}

#[tokio::test]
async fn without_a_manifest_there_is_no_bundle() {
    let (objects, path) = bucket_with(b"compressed", b"compressed").await;
    let StorePath::Bundle { app, .. } = path else { panic!("a bundle") };
    let unknown = StorePath::Bundle { app, digest: Digest::of(b"unknown") };
    assert!(matches!(objects.find(&unknown).await, Err(Miss::Absent)));
}

#[test]
fn a_state_of_a_rollout_is_relayed_in_its_form_whoever_signed_it() {
    let role = RoleKeys::new(1, vec![SecretKey::generate().public().clone()]).expect("one of one");
    let root = TrustRoot {
        version: 1,
        epoch: Epoch::FIRST,
        issued: START,
        expires: START.after(Duration::from_secs(60)),
        release_floor: 0,
        revoked: Vec::new(),
        root: role.clone(),
        release: role.clone(),
        pointer: role,
        pointer_of_region: Default::default(),
    };
    let path: StorePath = "v1/apps/edge-proxy/rollouts/0000000001/0000000001".parse().expect("a path");
    let sealed = Bytes::from_static(include_bytes!("../../../schema/golden/wave/rollout"));
    assert_eq!(check::check(&path, sealed.clone(), &root).expect("a sealed file"), sealed);
    let unsealed = sealed.slice(..sealed.len() / 2);
    let too_long = Bytes::from([&sealed[..], &vec![b'x'; 1 << 20]].concat());
    for bad in [Bytes::new(), unsealed, too_long] {
        assert!(check::check(&path, bad, &root).is_err());
    }
}
