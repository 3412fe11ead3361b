//! When checks are asked: once there is something to see.

use schema::rollout::Prepare;

use super::super::fixture::*;
use super::super::*;

#[test]
fn outage_azure_2025_no_check_is_asked_before_the_wave_has_switched() {
    let mut world = World::new(policy(vec![wave(&[], 100, 0)]), &[("eu", 9)]);
    world.rollout.policy.prepare = Prepare::No;
    world.rollout.policy.gate.as_mut().expect("a gate").checks = vec!["errors".into()];
    let step = world.settle();
    assert_eq!(step.ask, [].into(), "nobody runs it yet, so a yes would be one about what was before");
    world.everyone(|_, _| true);
    assert_eq!(world.settle().ask, ["errors".into()].into());
    world.checks.insert("errors".into(), CheckVerdict::No { why: "3% of requests fail".into() });
    assert_eq!(world.settle().ask, ["errors".into()].into(), "it may say yes yet");
    world.checks.insert("errors".into(), CheckVerdict::Yes);
    world.settle();
    assert!(world.is_stable("eu"));
}
