use super::*;
use crate::keys::SecretKey;
use crate::order::Serial;

struct Region1 {
    key: SecretKey,
    app: App,
    region: Region,
}

impl Region1 {
    fn new() -> Region1 {
        Region1 {
            key: SecretKey::generate(),
            app: "edge-proxy".parse().expect("an app"),
            region: "eu-west".parse().expect("a region"),
        }
    }

    fn pointer(
        &self,
        (epoch, generation, serial): (u64, u64, u64),
        content: &str,
        prev: Option<Digest>,
    ) -> Verified<Pointer> {
        let golden = include_str!("../../golden/pointer").lines().next().expect("a payload line");
        let mut pointer: Pointer = serde_json::from_str(golden).expect("the golden pointer");
        (pointer.app, pointer.region) = (self.app.clone(), self.region.clone());
        pointer.epoch = Epoch::new(epoch);
        pointer.generation = Generation::new(generation);
        pointer.serial = Serial::new(serial);
        pointer.stable.manifest = Digest::of(content.as_bytes());
        pointer.prev = prev;
        Verified::seal(pointer, &[&self.key])
    }

    fn judge(
        &self,
        seen: Option<&Verified<Pointer>>,
        offered: &Verified<Pointer>,
        epoch: u64,
    ) -> Result<Succession, Refusal> {
        let seen = seen.map(Seen::of);
        succeed(seen.as_ref(), offered, (&self.app, &self.region), Epoch::new(epoch), &Limits::DEFAULT)
    }
}

#[test]
fn the_first_the_same_the_resigned_and_the_newer_are_told_apart() {
    let world = Region1::new();
    let first = world.pointer((1, 41, 1), "a", None);
    let resigned = world.pointer((1, 41, 2), "a", Some(first.payload_digest()));
    let newer = world.pointer((1, 42, 1), "b", Some(resigned.payload_digest()));
    assert_eq!(world.judge(None, &first, 1), Ok(Succession::Newer));
    assert_eq!(world.judge(Some(&first), &first, 1), Ok(Succession::Same));
    assert_eq!(world.judge(Some(&first), &resigned, 1), Ok(Succession::Resigned));
    assert_eq!(world.judge(Some(&first), &newer, 1), Ok(Succession::Newer), "a serial may be missed");
}

#[test]
fn a03_an_older_pointer_is_a_rollback() {
    let world = Region1::new();
    let seen = world.pointer((1, 42, 3), "b", None);
    for older in [(1, 41, 9), (1, 42, 2)] {
        assert!(matches!(world.judge(Some(&seen), &world.pointer(older, "b", None), 1), Err(Refusal::Rollback { .. })));
    }
}

#[test]
fn a08_a_pointer_of_another_app_or_region_is_refused() {
    let (world, mut other) = (Region1::new(), Region1::new());
    other.region = "us-east".parse().expect("a region");
    let refused = world.judge(None, &other.pointer((1, 1, 1), "a", None), 1);
    assert!(matches!(refused, Err(Refusal::MixAndMatch { .. })), "{refused:?}");
}

#[test]
fn a17_a_jump_too_far_is_refused_and_a_new_epoch_recovers() {
    let world = Region1::new();
    let seen = world.pointer((1, 42, 1), "a", None);
    let edge = 42 + Limits::DEFAULT.generation_jump_max;
    assert_eq!(world.judge(Some(&seen), &world.pointer((1, edge, 1), "b", None), 1), Ok(Succession::Newer));
    let refused = world.judge(Some(&seen), &world.pointer((1, edge + 1, 1), "b", None), 1);
    assert!(matches!(refused, Err(Refusal::FastForward { .. })), "{refused:?}");
    assert_eq!(world.judge(Some(&seen), &world.pointer((2, 1, 1), "b", None), 2), Ok(Succession::Newer));
    assert!(matches!(world.judge(Some(&seen), &seen, 2), Err(Refusal::WrongEpoch { .. })));
}

#[test]
fn a18_two_pointers_that_contradict_each_other_are_told() {
    let world = Region1::new();
    let seen = world.pointer((1, 42, 1), "a", None);
    let twin = world.pointer((1, 42, 1), "a", Some(Digest::of(b"elsewhere")));
    let fork = world.pointer((1, 42, 2), "a", Some(Digest::of(b"elsewhere")));
    let swap = world.pointer((1, 42, 3), "b", None);
    for offered in [&twin, &fork, &swap] {
        let refused = world.judge(Some(&seen), offered, 1);
        assert!(matches!(refused, Err(Refusal::Equivocation { .. })), "{refused:?}");
    }
}
