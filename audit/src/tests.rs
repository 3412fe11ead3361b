mod keys;
mod records;
mod rollouts;
mod world;

use std::collections::BTreeSet;

use schema::{Digest, StorePath};
use world::World;

use crate::{Severity, Verdict};

#[tokio::test]
async fn a_sound_store_is_called_sound_from_any_root_of_its_chain() {
    let world = World::published().await;
    for version in [1, 2] {
        let report = world.audit_from(version).await;
        let broken: Vec<String> = report.findings.iter().map(|finding| finding.in_one_line()).collect();
        assert_ne!(report.verdict(), Verdict::Broken, "{broken:?}");
        assert_eq!((report.root, report.counts.records, report.standing.len()), (2, 8, 2));
    }
    assert_eq!(world.audit_from(1).await.findings.len(), 0);
    let notes = world.audit_from(2).await;
    assert!(
        notes.findings.iter().all(|finding| finding.severity() == Severity::Note),
        "older records are held by digests"
    );
}

#[tokio::test]
async fn a27_a_flipped_byte_in_any_object_is_found() {
    let world = World::published().await;
    for name in world.names() {
        let bytes = world.bytes(&name);
        for at in [0, bytes.len() / 2, bytes.len() - 1] {
            let mut flipped = bytes.clone();
            flipped[at] ^= 1;
            world.put(&name, &flipped);
            for version in [1, 2] {
                let report = world.audit_from(version).await;
                let told: BTreeSet<&str> = report.findings.iter().map(|finding| finding.object.as_str()).collect();
                assert_eq!(report.verdict(), Verdict::Broken, "byte {at} of {name}, from root {version}");
                assert!(told.contains(name.as_str()), "byte {at} of {name}, from root {version}: {told:?}");
            }
        }
        world.put(&name, &bytes);
    }
    assert_eq!(world.audit_from(1).await.verdict(), Verdict::Sound);
}

#[tokio::test]
async fn a27_an_object_that_was_removed_is_missed() {
    let world = World::published().await;
    for name in world.names() {
        let bytes = world.remove(&name);
        // The bundles of before are named by records, so they are missed as well.
        assert_eq!(world.audit_from(1).await.verdict(), Verdict::Broken, "without {name}");
        world.put(&name, &bytes);
    }
}

#[tokio::test]
async fn a18_two_records_of_one_generation_are_told() {
    let world = World::published().await;
    let place = world.place("eu-west");
    let (last, other) = world.contradiction(&place);
    world.put(&other.0.to_string(), &other.1);
    let report = world.audit_from(1).await;
    let told = report.findings.iter().find(|finding| finding.object == other.0.to_string()).expect("it is told");
    assert!(told.in_one_line().contains("equivocation"), "{}", told.in_one_line());
    assert_ne!(last, other.0);
}

#[tokio::test]
async fn a27_a_record_under_anothers_name_is_told() {
    let world = World::published().await;
    let records: Vec<String> = world.names().into_iter().filter(|name| name.contains("eu-west/history")).collect();
    world.put(&records[1], &world.bytes(&records[0]));
    let report = world.audit_from(1).await;
    assert!(report.findings.iter().any(|finding| finding.flaw.name() == "other-record"));
}

#[tokio::test]
async fn a09_a_swapped_manifest_is_told() {
    let world = World::published().await;
    let manifests: Vec<String> = world.names().into_iter().filter(|name| name.ends_with(".manifest")).collect();
    let (one, two) = (world.bytes(&manifests[0]), world.bytes(&manifests[1]));
    world.put(&manifests[0], &two);
    world.put(&manifests[1], &one);
    let report = world.audit_from(1).await;
    let told: BTreeSet<&str> = report.findings.iter().map(|finding| finding.object.as_str()).collect();
    assert!(manifests.iter().all(|name| told.contains(name.as_str())), "{told:?}");
}

#[tokio::test]
async fn a03_an_older_pointer_put_back_is_told() {
    let world = World::published().await;
    let pointer = world.place("eu-west").2;
    let first = world.names().into_iter().find(|name| name.contains("eu-west/history")).expect("a record");
    world.put(&pointer, &world.bytes(&first));
    let report = world.audit_from(1).await;
    assert_eq!((report.verdict(), report.findings[0].flaw.name()), (Verdict::Broken, "behind"));
    // What a publisher leaves that was stopped between record and pointer is no attack.
    let records = world.names().into_iter().filter(|name| name.contains("eu-west/history"));
    let before = records.collect::<Vec<_>>().into_iter().rev().nth(1).expect("a record before the newest");
    world.put(&pointer, &world.bytes(&before));
    let report = world.audit_from(1).await;
    assert_eq!((report.verdict(), report.findings[0].flaw.name()), (Verdict::Weak, "behind"));
}

#[tokio::test]
async fn what_belongs_to_nothing_is_noted() {
    let world = World::published().await;
    world.put("v1/apps/edge-proxy/notes.txt", b"not ours");
    let report = world.audit_from(1).await;
    assert_eq!((report.verdict(), report.findings[0].flaw.name()), (Verdict::Sound, "stray"));
}

#[tokio::test]
async fn a48_odd_names_are_noted_or_end_the_audit_and_are_never_called_sound_unseen() {
    let world = World::published().await;
    for odd in ["v1/trust/%30000000003.root", "v1/trust/3.root", "v1/apps/edge-proxy/regions/eu-west/history/\u{e9}"] {
        world.put(odd, b"not ours");
        let report = world.audit_from(1).await;
        assert_eq!((report.verdict(), report.findings.len()), (Verdict::Sound, 1), "{odd:?}");
        assert_eq!(report.findings[0].flaw.name(), "stray");
        world.remove(odd);
    }
    // The library that lists refuses these: then there is no verdict at all.
    for odd in ["v1/apps/edge-proxy/a\u{1b}[2Jb", "v1/trust/0000000003.root\n"] {
        world.put(odd, b"not ours");
        let refused = crate::verify(world.store(), world.root(1), world::at(50), |_| ()).await;
        assert!(matches!(refused, Err(crate::AuditError::Store(_))), "{odd:?}");
        world.remove(odd);
    }
}

#[tokio::test]
async fn a_pointer_that_expired_is_weak() {
    let world = World::published().await;
    let report = world.audit_at(1, world::at(10_000_000)).await;
    assert_eq!(report.verdict(), Verdict::Weak);
    assert!(report.findings.iter().all(|finding| finding.flaw.name() == "expired"));
    assert_eq!(report.findings.len(), 2);
    let report = world.audit_at(1, world::at(200_000_000)).await;
    assert_eq!((report.verdict(), report.findings.len()), (Verdict::Weak, 3), "the newest root expired as well");
}

#[tokio::test]
async fn a21_another_root_than_the_one_given_is_told() {
    let (world, other) = (World::published().await, World::published().await);
    let first = StorePath::Root { version: 1 }.to_string();
    world.put(&first, &other.bytes(&first));
    let report = world.audit_from_root(other.root(2)).await;
    assert_eq!(report.verdict(), Verdict::Broken, "nothing here is signed by the other's keys");
    let report = world.audit_from(1).await;
    assert!(report.findings.iter().any(|finding| finding.flaw.name() == "other-root"));
    assert_ne!(Digest::of(&other.bytes(&first)), Digest::of(&world.bytes(&StorePath::Root { version: 2 }.to_string())));
}
