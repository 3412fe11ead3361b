//! Golden files pin each format: today's writer makes the same payload lines, today's reader reads yesterday's files.
//!
//! A format changes only together with its number; then the old file stays and a new one joins it. To make a file that does
//! not exist yet, run this test once with `DRIFTLESS_MAKE_GOLDEN=1`; existing files are never rewritten.

use std::fs;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use schema::ack::{Active, Boot, Step};
use schema::keys::SecretKey;
use schema::manifest::{Encoding, Patch, Whole};
use schema::pointer::{Candidate, Phase, Selector};
use schema::seal::Document;
use schema::{
    Ack, AckBatch, Digest, Epoch, Generation, Limits, Manifest, Outcome, Pointer, PublicKey, RoleKeys, Serial,
    SignedAck, Target, TrustRoot, Verified,
};

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("golden").join(name)
}

fn key() -> PublicKey {
    PublicKey::from_file_text(&fs::read_to_string(golden("key.pub")).expect("golden/key.pub")).expect("a key")
}

fn role() -> RoleKeys {
    RoleKeys::new(1, vec![key()]).expect("one of one")
}

fn pointer() -> Pointer {
    Pointer {
        app: "edge-proxy".parse().expect("an app"),
        region: "eu-west".parse().expect("a region"),
        epoch: Epoch::new(1),
        generation: Generation::new(42),
        serial: Serial::new(3),
        issued: "2026-08-01T09:30:00.250Z".parse().expect("a time"),
        expires: "2026-08-02T09:30:00.250Z".parse().expect("a time"),
        prev: Some(Digest::of(b"the pointer before")),
        trace: Some("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01".into()),
        commit: "5b1e000000000000000000000000000000000000".parse().expect("a commit"),
        stable: Target { digest: Digest::of(b"stable"), manifest: Digest::of(b"its manifest") },
        candidate: Some(Candidate {
            target: Target { digest: Digest::of(b"candidate"), manifest: Digest::of(b"its manifest too") },
            phase: Phase::Activate,
            share: 500,
            salt: "r-118".into(),
            when: Selector { labels: [("tier".parse().expect("a label"), "canary".parse().expect("a label"))].into() },
            not_before: Some("2026-08-01T10:00:00.000Z".parse().expect("a time")),
            spread_s: 30,
            confirm_within_s: 0,
        }),
        quarantine: vec!["web-0173".parse().expect("an agent")],
        freeze: false,
        withdrawn: vec![Digest::of(b"taken back")],
    }
}

fn manifest() -> Manifest {
    Manifest {
        app: "edge-proxy".parse().expect("an app"),
        digest: Digest::of(b"stable"),
        size: 409_600,
        entries: 37,
        release_seq: 118,
        commit: "5b1e000000000000000000000000000000000000".parse().expect("a commit"),
        tree: "77aa000000000000000000000000000000000000".parse().expect("a tree"),
        compiler: 1,
        encodings: vec![
            Encoding::Whole(Whole { size: 20_480, window_log: 23, sha256: Digest::of(b"the frame") }),
            Encoding::Patch(Patch {
                from: Digest::of(b"before"),
                size: 211,
                window_log: 27,
                sha256: Digest::of(b"the patch"),
            }),
        ],
    }
}

fn root() -> TrustRoot {
    TrustRoot {
        version: 1,
        epoch: Epoch::new(1),
        issued: "2026-08-01T00:00:00.000Z".parse().expect("a time"),
        expires: "2027-08-01T00:00:00.000Z".parse().expect("a time"),
        release_floor: 7,
        revoked: vec![Digest::of(b"revoked")],
        root: role(),
        release: role(),
        pointer: role(),
        pointer_of_region: [("eu-west".parse().expect("a region"), role())].into(),
    }
}

fn ack() -> SignedAck {
    let ack = Ack {
        agent: "web-0173".parse().expect("an agent"),
        app: "edge-proxy".parse().expect("an app"),
        region: "eu-west".parse().expect("a region"),
        epoch: Epoch::new(1),
        generation: Generation::new(42),
        attempted: Digest::of(b"candidate"),
        outcome: Outcome::Failed,
        active: Some(Active { digest: Digest::of(b"stable"), epoch: Epoch::new(1), generation: Generation::new(41) }),
        previous: Some(Digest::of(b"stable")),
        notified_at: "2026-08-01T09:30:00.300Z".parse().expect("a time"),
        at: "2026-08-01T09:30:01.000Z".parse().expect("a time"),
        bundle_bytes: 20_480,
        step: Some(Step::Reload),
        reason: Some("exit status 1: nginx: configuration file test failed".into()),
    };
    SignedAck { boot: Boot::new(0x0f1e_2d3c_4b5a_6978), n: 3, ack }
}

/// Reads the golden file of `document` with today's reader and compares today's payload with the file's.
fn pinned<T: Document + Clone + PartialEq + std::fmt::Debug>(name: &str, document: T) {
    let file = Bytes::from(fs::read(golden(name)).unwrap_or_else(|error| panic!("golden/{name}: {error}")));
    let read = Verified::<T>::open(file.clone(), &role(), &Limits::DEFAULT).expect("the golden file verifies");
    assert_eq!(*read, document, "golden/{name} reads as another document");
    let written = Verified::seal(document, &[&SecretKey::generate()]);
    assert_eq!(written.payload_digest(), read.payload_digest(), "golden/{name}: the writer makes another payload");
}

#[test]
fn formats_are_pinned() {
    make_missing();
    pinned("pointer", pointer());
    pinned("manifest", manifest());
    pinned("root", root());
    let acks = Bytes::from(fs::read(golden("acks")).expect("golden/acks"));
    let read = AckBatch::open(&acks, &Limits::DEFAULT).expect("the golden acks");
    assert_eq!(*read.acks[0], ack(), "golden/acks reads as other acks");
    let written = AckBatch::open(&AckBatch::seal([ack()], &SecretKey::generate()).into(), &Limits::DEFAULT);
    let written = written.expect("our own acks").acks[0].payload_digest();
    assert_eq!(written, read.acks[0].payload_digest(), "the writer makes other acks");
}

#[test]
fn unknown_fields_are_ignored_and_unknown_majors_refused() {
    let key = SecretKey::generate();
    let role = RoleKeys::new(1, vec![key.public().clone()]).expect("one of one");
    let sealed = Verified::seal(Newer { inner: pointer(), from_the_future: 7 }, &[&key]);
    let read = Verified::<Pointer>::open(sealed.bytes().clone(), &role, &Limits::DEFAULT);
    assert_eq!(*read.expect("a field more is no harm"), pointer());
    let sealed = Verified::seal(NextMajor(pointer()), &[&key]);
    assert!(Verified::<Pointer>::open(sealed.bytes().clone(), &role, &Limits::DEFAULT).is_err());
}

#[derive(serde::Serialize, serde::Deserialize)]
struct Newer {
    #[serde(flatten)]
    inner: Pointer,
    from_the_future: u8,
}

impl Document for Newer {
    const TYPE: &'static str = Pointer::TYPE;

    fn max_bytes(limits: &Limits) -> u64 {
        Pointer::max_bytes(limits)
    }

    fn trusted_comment(&self, payload: Digest) -> String {
        self.inner.trusted_comment(payload)
    }
}

#[derive(serde::Serialize, serde::Deserialize)]
struct NextMajor(Pointer);

impl Document for NextMajor {
    const TYPE: &'static str = "driftless/pointer/2";

    fn max_bytes(limits: &Limits) -> u64 {
        Pointer::max_bytes(limits)
    }

    fn trusted_comment(&self, payload: Digest) -> String {
        self.0.trusted_comment(payload)
    }
}

/// Makes golden files that do not exist yet, all with one key that is then thrown away.
fn make_missing() {
    if std::env::var_os("DRIFTLESS_MAKE_GOLDEN").is_none() {
        return;
    }
    if !golden("acks").exists() {
        fs::write(golden("acks"), AckBatch::seal([ack()], &SecretKey::generate())).expect("golden/acks");
    }
    if golden("key.pub").exists() {
        return;
    }
    let secret = SecretKey::generate();
    fs::write(golden("key.pub"), secret.public().to_file_text()).expect("golden/key.pub");
    fs::write(golden("pointer"), Verified::seal(pointer(), &[&secret]).bytes()).expect("golden/pointer");
    fs::write(golden("manifest"), Verified::seal(manifest(), &[&secret]).bytes()).expect("golden/manifest");
    fs::write(golden("root"), Verified::seal(root(), &[&secret]).bytes()).expect("golden/root");
}
