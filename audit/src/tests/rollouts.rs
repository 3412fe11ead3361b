use super::world::{Signer, World};
use crate::{Severity, Verdict};

#[tokio::test]
async fn states_of_rollouts_are_held_against_the_pointer_keys_of_their_regions() {
    let world = World::published().await;
    let first = world.record_rollout("1", 1, Signer::InForce);
    world.record_rollout("1", 2, Signer::InForce);
    world.record_rollout("2", 1, Signer::InForce);
    let report = world.audit_from(1).await;
    assert_eq!((report.verdict(), report.counts.states, report.findings.len()), (Verdict::Sound, 3, 0));

    let bytes = world.remove(&first);
    assert_eq!(flaws(&world).await, [(first.clone(), "missing")]);
    let second = first.replace("0000000001/0000000001", "0000000001/0000000002");
    world.put(&first, &world.bytes(&second));
    assert_eq!(flaws(&world).await, [(first.clone(), "other-state")]);
    let mut flipped = bytes.clone();
    flipped[bytes.len() / 2] ^= 1;
    world.put(&first, &flipped);
    assert_eq!(flaws(&world).await[0].0, first);
    world.put(&first, &bytes);
    assert_eq!(world.audit_from(1).await.verdict(), Verdict::Sound);
}

#[tokio::test]
async fn a01_who_may_not_move_the_pointers_may_not_say_how_far_a_rollout_came() {
    let world = World::published().await;
    let name = world.record_rollout("1", 1, Signer::Stranger);
    assert_eq!(flaws(&world).await, [(name, "seal")]);
}

async fn flaws(world: &World) -> Vec<(String, &'static str)> {
    let report = world.audit_from(1).await;
    let broken = report.findings.iter().filter(|finding| finding.severity() == Severity::Broken);
    broken.map(|finding| (finding.object.clone(), finding.flaw.name())).collect()
}
