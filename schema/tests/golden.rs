//! Golden files pin each format: today's writer makes the same payload lines, today's reader reads yesterday's files.
//!
//! A format changes only together with its number; then the old file stays and a new one joins it. To make a file that does
//! not exist yet, run this test once with `DRIFTLESS_MAKE_GOLDEN=1`; existing files are never rewritten.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::Bytes;
use schema::ack::{Active, Boot, Step};
use schema::keys::SecretKey;
use schema::manifest::{Encoding, Patch, Whole};
use schema::pointer::{Candidate, Cause, Deed, Phase, Selector, Slice};
use schema::rollout::{
    Budget, Gate, Leg, Newer, OnFailure, Place, Policy, Prepare, QuarantineRule, RegionSet, Reverts, Share, Stage,
    Wave, Window,
};
use schema::seal::Document;
use schema::time::Length;
use schema::{
    Ack, AckBatch, Digest, Epoch, Generation, Limits, Manifest, Outcome, Pointer, PublicKey, Region, RoleKeys, Rollout,
    Serial, SignedAck, Target, TrustRoot, Verified,
};

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("golden").join(name)
}

/// The key that signed a golden file lies beside it.
fn role(name: &str) -> RoleKeys {
    let file = golden(name).with_file_name("key.pub");
    let key = PublicKey::from_file_text(&fs::read_to_string(file).expect("there is a key.pub")).expect("a key");
    RoleKeys::new(1, vec![key]).expect("one of one")
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
            salt: "r-118".into(),
            slice: Slice {
                share: 500,
                when: Selector {
                    labels: [("tier".parse().expect("a label"), "canary".parse().expect("a label"))].into(),
                },
                not_before: Some("2026-08-01T10:00:00.000Z".parse().expect("a time")),
                confirmed: false,
            },
            also: Vec::new(),
            spread_s: 30,
            confirm_within_s: 0,
        }),
        quarantine: vec!["web-0173".parse().expect("an agent")],
        freeze: false,
        withdrawn: vec![Digest::of(b"taken back")],
        cause: None,
    }
}

/// A pointer in the middle of a rollout.
fn pointer_of_a_wave() -> Pointer {
    let mut pointer = pointer();
    let candidate = pointer.candidate.as_mut().expect("it has one");
    candidate.confirm_within_s = 600;
    candidate.also = vec![Slice {
        share: 100,
        when: Selector::default(),
        not_before: Some("2026-08-01T09:30:00.000Z".parse().expect("a time")),
        confirmed: true,
    }];
    Pointer { cause: Some(Cause::new("alice", Deed::Promote, "looks well")), ..pointer }
}

fn rollout() -> Rollout {
    let share = |percent: u16| Share(percent * 100);
    let wave = |regions, percent, soak| Wave {
        regions,
        share: share(percent),
        when: Selector::default(),
        soak: Length(Duration::from_secs(soak)),
    };
    let budget = Budget { percent: share(1), number: 3 };
    let eu: Region = "eu-west".parse().expect("a region");
    let candidate = pointer().candidate.expect("it has one");
    Rollout {
        app: "edge-proxy".parse().expect("an app"),
        id: "7".parse().expect("a number"),
        n: 4,
        at: "2026-08-01T09:31:00.000Z".parse().expect("a time"),
        commit: "5b1e000000000000000000000000000000000000".parse().expect("a commit"),
        policy: Policy {
            name: "careful".into(),
            prepare: Prepare::Yes,
            waves: vec![wave(RegionSet::Named(vec![eu.clone()]), 5, 120), wave(RegionSet::All, 100, 0)],
            gate: Some(Gate {
                applied: share(99),
                failed_at_most: budget,
                within: Length(Duration::from_secs(600)),
                checks: vec!["errors".into()],
            }),
            on_failure: OnFailure::Rollback,
            windows: vec![Window {
                cron: "0 0 9 * * Mon-Fri".into(),
                length: Length(Duration::from_secs(8 * 3600)),
                tz: "Europe/Berlin".into(),
            }],
            freezes: Vec::new(),
            spread: Length(Duration::from_secs(30)),
            confirm_within: None,
            quarantine: QuarantineRule { after: 3, at_most: Budget { percent: share(5), number: 2 } },
            reverts: Reverts::AtOnce,
            newer: Newer::Supersede,
            live_within: Length(Duration::from_secs(90)),
        },
        salt: candidate.salt,
        stage: Stage::Wave { index: 0, since: "2026-08-01T09:31:00.000Z".parse().expect("a time") },
        paused: None,
        regions: [(
            eu,
            Leg {
                from: pointer().stable,
                from_commit: "4a1e000000000000000000000000000000000000".parse().expect("a commit"),
                to: candidate.target,
                based_on: pointer().order(),
                place: Place::Candidate { expected: 4, begun: None, confirmed: false, met: None },
                fleet: 67,
                shares: Vec::new(),
            },
        )]
        .into(),
        cause: Cause::own(Deed::Advance, "67 of 67 agents are ready"),
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
        root: role("root"),
        release: role("root"),
        pointer: role("root"),
        pointer_of_region: [("eu-west".parse().expect("a region"), role("root"))].into(),
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
        labels: BTreeMap::new(),
        failures: 0,
    };
    SignedAck { boot: Boot::new(0x0f1e_2d3c_4b5a_6978), n: 3, ack }
}

/// An ack of an agent with labels that cannot get a candidate ready.
fn ack_of_a_candidate() -> SignedAck {
    let SignedAck { boot, n, ack } = ack();
    let labels = [("tier".parse().expect("a label"), "canary".parse().expect("a label"))].into();
    let ack = Ack { outcome: Outcome::Unprepared, step: Some(Step::Check), labels, failures: 2, ..ack };
    SignedAck { boot, n: n + 1, ack }
}

/// Reads the golden file of `document` with today's reader.
fn reads<T: Document + PartialEq + std::fmt::Debug>(name: &str, document: &T) -> Verified<T> {
    let file = Bytes::from(fs::read(golden(name)).unwrap_or_else(|error| panic!("golden/{name}: {error}")));
    let read = Verified::<T>::open(file, &role(name), &Limits::DEFAULT).expect("the golden file verifies");
    assert_eq!(*read, *document, "golden/{name} reads as another document");
    read
}

/// Reads the golden file of `document` with today's reader and compares today's payload with the file's.
fn pinned<T: Document + Clone + PartialEq + std::fmt::Debug>(name: &str, document: T) {
    let read = reads(name, &document);
    let written = Verified::seal(document, &[&SecretKey::generate()]);
    assert_eq!(written.payload_digest(), read.payload_digest(), "golden/{name}: the writer makes another payload");
}

#[test]
fn formats_are_pinned() {
    make_missing();
    // Written before slices: the same fields in another order.
    reads("pointer", &pointer());
    pinned("wave/pointer", pointer_of_a_wave());
    pinned("wave/rollout", rollout());
    pinned("manifest", manifest());
    pinned("root", root());
    for (name, ack) in [("acks", ack()), ("wave/acks", ack_of_a_candidate())] {
        let acks = Bytes::from(fs::read(golden(name)).unwrap_or_else(|error| panic!("golden/{name}: {error}")));
        let read = AckBatch::open(&acks, &Limits::DEFAULT).expect("the golden acks");
        assert_eq!(*read.acks[0], ack, "golden/{name} reads as other acks");
        let written = AckBatch::open(&AckBatch::seal([ack], &SecretKey::generate()).into(), &Limits::DEFAULT);
        let written = written.expect("our own acks").acks[0].payload_digest();
        assert_eq!(written, read.acks[0].payload_digest(), "{name}: the writer makes other acks");
    }
}

#[test]
fn unknown_fields_are_ignored_and_unknown_majors_refused() {
    let key = SecretKey::generate();
    let role = RoleKeys::new(1, vec![key.public().clone()]).expect("one of one");
    let sealed = Verified::seal(WithOneFieldMore { inner: pointer(), from_the_future: 7 }, &[&key]);
    let read = Verified::<Pointer>::open(sealed.bytes().clone(), &role, &Limits::DEFAULT);
    assert_eq!(*read.expect("a field more is no harm"), pointer());
    let sealed = Verified::seal(NextMajor(pointer()), &[&key]);
    assert!(Verified::<Pointer>::open(sealed.bytes().clone(), &role, &Limits::DEFAULT).is_err());
}

#[derive(serde::Serialize, serde::Deserialize)]
struct WithOneFieldMore {
    #[serde(flatten)]
    inner: Pointer,
    from_the_future: u8,
}

impl Document for WithOneFieldMore {
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

/// Makes golden files that do not exist yet, those of one folder with one key that is then thrown away.
fn make_missing() {
    if std::env::var_os("DRIFTLESS_MAKE_GOLDEN").is_none() || golden("wave").exists() {
        return;
    }
    fs::create_dir(golden("wave")).expect("golden/wave");
    let write = |name: &str, bytes: &[u8]| fs::write(golden("wave").join(name), bytes).expect("golden/wave");
    let secret = SecretKey::generate();
    write("key.pub", secret.public().to_file_text().as_bytes());
    write("pointer", Verified::seal(pointer_of_a_wave(), &[&secret]).bytes());
    write("rollout", Verified::seal(rollout(), &[&secret]).bytes());
    write("acks", &AckBatch::seal([ack_of_a_candidate()], &SecretKey::generate()));
}
