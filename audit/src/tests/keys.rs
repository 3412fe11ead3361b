//! Roots, seals and pieces: what was signed, by keys that are known, replaced or made up.

use schema::StorePath;
use schema::keys::SecretKey;

use super::world::World;
use crate::{Severity, Verdict};

#[tokio::test]
async fn a22_a_root_of_a_huge_version_makes_no_endless_list() {
    let world = World::published().await;
    for version in [1_000_000, u64::MAX] {
        let planted = StorePath::Root { version }.to_string();
        world.put(&planted, b"a root of nobody");
        let report = world.audit_from(1).await;
        let told: Vec<&str> = report.findings.iter().map(|finding| finding.object.as_str()).collect();
        assert_eq!((report.verdict(), told), (Verdict::Broken, vec!["v1/trust/0000000003.root"]));
        world.remove(&planted);
    }
}

#[tokio::test]
async fn what_release_keys_of_before_the_root_signed_is_held_by_digests() {
    let world = World::published().await;
    let (newest, _) = world.targets();
    world.rotate_release_key();
    for version in [1, 3] {
        let report = world.audit_from(version).await;
        let broken = report.findings.iter().filter(|finding| finding.severity() == Severity::Broken);
        let broken: Vec<&str> = broken.map(|finding| finding.flaw.name()).collect();
        assert_eq!(broken, ["not-vouched"], "agents of today refuse it, whatever holds it");
    }
    world.reseal(newest);
    assert_eq!(world.audit_from(1).await.findings.len(), 0);
    let report = world.audit_from(3).await;
    let told = report.findings.iter().map(|finding| (finding.severity(), finding.in_one_line()));
    assert_eq!(report.verdict(), Verdict::Sound, "{:?}", told.collect::<Vec<_>>());
}

#[tokio::test]
async fn a27_a_seal_that_takes_the_place_of_the_next_keys_is_told() {
    let world = World::published().await;
    let (newest, other) = world.targets();
    world.rotate_release_key();
    world.reseal(newest);
    let manifest = StorePath::Manifest { app: world.place("eu-west").0, digest: other.digest };
    world.put(&world.resealed(other), &world.bytes(&manifest.to_string()));
    let report = world.audit_from(1).await;
    assert_eq!((report.verdict(), report.findings[0].flaw.name()), (Verdict::Broken, "seal"));
    assert_eq!(report.findings[0].object, world.resealed(other));
}

#[tokio::test]
async fn a_piece_counts_in_its_own_place_alone() {
    let world = World::published().await;
    let (newest, other) = world.targets();
    let manifest = |target: schema::Target| {
        let path = StorePath::Manifest { app: world.place("eu-west").0, digest: target.digest };
        world.bytes(&path.to_string())
    };
    let piece = world.piece(newest, None);
    world.put(&piece, &manifest(newest));
    assert_eq!(world.audit_from(1).await.findings.len(), 0, "one of one is a piece as well");
    world.put(&piece, &manifest(other));
    let report = world.audit_from(1).await;
    assert_eq!((report.verdict(), report.findings[0].flaw.name()), (Verdict::Broken, "not-vouched"));
    world.put(&piece, b"nothing that anybody signed\n");
    let report = world.audit_from(1).await;
    assert_eq!((report.verdict(), report.findings[0].flaw.name()), (Verdict::Broken, "piece"));
    world.remove(&piece);
    world.put(&world.piece(newest, Some(&SecretKey::generate())), &manifest(newest));
    let report = world.audit_from(1).await;
    assert_eq!((report.verdict(), report.findings[0].flaw.name()), (Verdict::Sound, "stranger"));
}

#[tokio::test]
async fn a05_a_patch_that_no_manifest_promises_is_not_even_read() {
    let world = World::published().await;
    let bytes = world.audit_from(1).await.counts.bytes;
    let (newest, other) = world.targets();
    let app = world.place("eu-west").0;
    let patch = StorePath::Patch { app, digest: newest.digest, base: other.digest }.to_string();
    world.put(&patch, &[0; 100_000]);
    let report = world.audit_from(1).await;
    assert_eq!((report.verdict(), report.findings[0].flaw.name()), (Verdict::Sound, "unreferenced"));
    assert_eq!(report.counts.bytes, bytes);
}
