//! What somebody can do who can write to the store, and has at most a pointer key.

use schema::pointer::{Candidate, Phase, Selector, Slice};
use schema::{Epoch, Generation, Serial};

use super::world::{self, World};
use crate::{Report, Severity, Verdict};

fn told(report: &Report, object: &str) -> Vec<&'static str> {
    let about = report.findings.iter().filter(|finding| finding.object == object);
    about.map(|finding| finding.flaw.name()).collect()
}

#[tokio::test]
async fn a08_a_record_of_another_region_is_told_where_it_is_the_only_one() {
    let world = World::published().await;
    let names = world.names();
    let first = |region: &str| names.iter().find(|name| name.contains(&format!("{region}/history"))).expect("a record");
    let (here, there) = (first("us-east"), first("eu-west"));
    for name in names.iter().filter(|name| name.contains("us-east/history")) {
        world.remove(name);
    }
    for name in [here, &world.place("us-east").2] {
        world.put(name, &world.bytes(there));
    }
    let report = world.audit_from(1).await;
    assert_eq!(report.verdict(), Verdict::Broken);
    assert_eq!(told(&report, here), ["other-place"]);
}

#[tokio::test]
async fn a17_a_stolen_pointer_key_begins_no_epoch() {
    let world = World::published().await;
    let record = world.announce("eu-west", 1, |pointer| {
        (pointer.epoch, pointer.generation, pointer.serial) = (Epoch::new(99), Generation::FIRST, Serial::FIRST);
    });
    for version in [1, 2] {
        let report = world.audit_from(version).await;
        assert_eq!((report.verdict(), told(&report, &record)), (Verdict::Broken, vec!["no-root-of-epoch"]));
    }
}

#[tokio::test]
async fn a23_a_record_by_keys_that_were_replaced_is_told() {
    let world = World::published().await;
    let record = world.announce("eu-west", 0, |_| {});
    let report = world.audit_from(1).await;
    assert_eq!((report.verdict(), told(&report, &record)), (Verdict::Broken, vec!["superseded"]));
}

#[tokio::test]
async fn a_pointer_that_the_newest_root_has_no_keys_for_is_weak() {
    let world = World::published().await;
    let records = world.names().into_iter().filter(|name| name.contains("/history/"));
    for region in ["eu-west", "us-east"] {
        let mut records: Vec<String> = records.clone().filter(|name| name.contains(region)).collect();
        world.remove(&records.pop().expect("four records"));
        world.put(&world.place(region).2, &world.bytes(&records[2]));
    }
    let report = world.audit_from(1).await;
    assert_eq!((report.verdict(), told(&report, &world.place("eu-west").2)), (Verdict::Weak, vec!["old-keys"]));
}

#[tokio::test]
async fn a16_a_candidate_that_agents_refuse_is_told_like_a_stable_bundle() {
    let world = World::published().await;
    let (newest, other) = world.targets();
    world.rotate_release_key();
    world.reseal(newest);
    world.announce("eu-west", 1, |pointer| {
        pointer.candidate = Some(Candidate {
            target: other,
            phase: Phase::Activate,
            slice: Slice { share: 10_000, when: Selector::default(), not_before: None, confirmed: false },
            salt: "salt".into(),
            spread_s: 0,
            confirm_within_s: 0,
            also: Vec::new(),
        });
    });
    let report = world.audit_from(1).await;
    let broken: Vec<&str> = report
        .findings
        .iter()
        .filter(|found| found.severity() == Severity::Broken)
        .map(|found| found.flaw.name())
        .collect();
    assert_eq!(broken, ["not-vouched"]);
    world.reseal(other);
    assert_eq!(world.audit_from(1).await.verdict(), Verdict::Sound);
}

#[tokio::test]
async fn a_store_that_is_published_to_meanwhile_is_sound() {
    let world = World::published().await;
    let mut later = Some(());
    let report = crate::verify(world.store(), world.root(1), world::at(50), |_| {
        if later.take().is_some() {
            world.announce("eu-west", 1, |_| {});
            world.announce("us-east", 1, |_| {});
        }
    });
    let report = report.await.expect("the store answers");
    assert_eq!((report.verdict(), report.counts.records), (Verdict::Sound, 10), "{:?}", report.findings);
}

#[tokio::test]
async fn a27_pointers_that_were_removed_with_their_history_are_missed_where_anything_tells_of_them() {
    let world = World::published().await;
    world.remove_folder("v1/apps/edge-proxy/regions");
    let report = world.audit_from(1).await;
    assert_eq!(report.verdict(), Verdict::Weak);
    assert_eq!(told(&report, "v1/apps/edge-proxy/regions"), ["unpublished"]);
    world.remove_folder("v1/apps");
    let report = world.audit_from(1).await;
    assert_eq!((report.verdict(), told(&report, "v1/apps")), (Verdict::Weak, vec!["unpublished"]));
}
