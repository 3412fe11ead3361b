//! What one stolen key buys: the choice among what was released, a delay, and nothing that runs unsigned.

use schema::ack::Step;
use schema::keys::SecretKey;
use schema::pointer::Target;
use schema::{Digest, Epoch, Generation, Limits, Verified};

use super::answer::Answer;
use super::arena::{Arena, Refusal, Served, Setup};
use super::forge::{bundle_path, home, manifest_path, role};
use super::message::Kind;

/// Publishes, with the pointer key, the next generation that names `target`. The honest publisher goes on from there.
fn point_at(arena: &mut Arena, target: Target) {
    arena.forge.point(&home(), |pointer| pointer.stable = target);
}

#[test]
fn a16_with_the_pointer_key_alone_nothing_runs_that_was_not_released() {
    let mut arena = Arena::new();
    arena.attacked(
        "a bundle that the thief signed",
        Refusal::Generation(Step::Verify, "signed by 0 of the role's keys"),
        |arena| {
            let (bundle, manifest) = arena.forge.bundle("owned: true\n", |_| ());
            let digest = manifest.digest;
            let sealed = Verified::seal(manifest, &[&arena.forge.keys.pointer]);
            arena.forge.put(&bundle_path(digest), &bundle);
            arena.forge.put(&manifest_path(digest), sealed.bytes());
            // The gateway relays no manifest that does not hold, so the thief serves this one himself.
            let bytes = sealed.bytes().to_vec();
            arena.proxy().turn_on(Kind::Manifest, move |_, _| Ok(Answer::ok(bytes.clone())));
            point_at(arena, Target { digest, manifest: sealed.payload_digest() });
        },
    );
    arena.attacked("a bundle that is nowhere", Refusal::Generation(Step::Verify, "has no such object"), |arena| {
        let nowhere = Digest::of(b"nowhere");
        point_at(arena, Target { digest: nowhere, manifest: nowhere });
    });
}

#[test]
fn a16_with_the_pointer_key_alone_nothing_taken_back_runs_again() {
    let mut arena = Arena::with(Setup { served: Served::AsFiles, ..Setup::default() }, |_| ());
    let old = arena.forge.newest().stable;
    arena.recovers("something newer");
    let revoked = arena.forge.newest().stable;
    arena.recovers("something newer still");
    let floor = arena.forge.bundle("", |manifest| manifest.release_seq -= 1).1.release_seq;
    arena.forge.rotate_by_root(|root| {
        root.release_floor = floor;
        root.revoked.push(revoked.digest);
    });
    arena.recovers("under the new root");
    for (what, target, words) in
        [("below the floor", old, "is below the floor"), ("revoked", revoked, "revokes the bundle")]
    {
        arena.attacked(what, Refusal::Generation(Step::Verify, words), |arena| {
            let manifest = arena.forge.object(&manifest_path(target.digest));
            arena.proxy().turn_on(Kind::Manifest, move |_, _| Ok(Answer::ok(manifest.clone())));
            point_at(arena, target);
        });
    }
}

#[test]
fn a17_a_jump_beyond_the_limit_is_refused_and_one_within_it_is_recovered_from() {
    let mut arena = Arena::new();
    for generation in [i64::MAX as u64, u64::MAX, Limits::DEFAULT.generation_jump_max + 1000] {
        arena.attacked(&format!("generation {generation}"), Refusal::Pointer("fast-forward: "), |arena| {
            let jump = |pointer: &mut schema::Pointer| pointer.generation = Generation::new(generation);
            let bytes = arena.forge.forged(&arena.forge.keys.pointer, jump);
            arena.proxy().turn_on(Kind::Pointer, move |_, _| Ok(Answer::ok(bytes.clone())));
        });
    }
    arena.attacked("as far as it goes", Refusal::Pointer("rollback: "), |arena| {
        let before = arena.forge.newest();
        let far = before.generation.number() + Limits::DEFAULT.generation_jump_max;
        let bytes = arena.forge.forged(&arena.forge.keys.pointer, |pointer| pointer.generation = Generation::new(far));
        arena.proxy().turn_on(Kind::Pointer, move |_, _| Ok(Answer::ok(bytes.clone())));
        crate::world::eventually("the agent has been led far ahead", || {
            arena.status().seen.is_some_and(|seen| seen.generation.number() == far)
        });
        // What is honest is an older pointer now, until the root says that a new epoch begins.
        arena.proxy().turn_honest();
        arena.publish();
        crate::world::eventually("the honest pointer is refused", || {
            arena.agent.log().iter().any(|line| line.contains("rollback: "))
        });
        rotate_the_pointer_key(arena, Epoch::new(2));
    });
    assert_eq!(arena.status().seen.map(|seen| seen.epoch), Some(Epoch::new(2)));
}

/// Writes a root with a fresh pointer key, and gives the old one.
fn rotate_the_pointer_key(arena: &mut Arena, epoch: Epoch) -> SecretKey {
    let stolen = std::mem::replace(&mut arena.forge.keys.pointer, SecretKey::generate());
    let fresh = role(&[&arena.forge.keys.pointer], 1);
    arena.forge.rotate_by_root(|root| (root.pointer, root.epoch) = (fresh, epoch));
    stolen
}

#[test]
fn a19_one_stolen_release_key_of_two_is_one_however_often_it_signs() {
    let (second, third) = (SecretKey::generate(), SecretKey::generate());
    let others = [second.public().clone(), third.public().clone()];
    let mut arena = Arena::with_cosigners(Setup::default(), vec![second], move |root| {
        let keys = root.release.keys().iter().cloned().chain(others).collect();
        root.release = schema::keys::RoleKeys::new(2, keys).expect("three keys");
    });
    let ways = ["once", "twice", "under two key ids", "with a stranger"];
    for way in ways {
        arena.attacked(way, Refusal::Generation(Step::Verify, "signed by 1 of the role's keys, 2 needed"), |arena| {
            arena.proxy().turn_on(Kind::Pointer, |_, _| Ok(Answer::status(503)));
            let content = arena.new_content();
            let (bundle, manifest) = arena.forge.bundle(&content, |_| ());
            let digest = manifest.digest;
            let (stolen, stranger) = (&arena.forge.keys.release, SecretKey::generate());
            let signers: Vec<&SecretKey> = match way {
                "once" => vec![stolen],
                "with a stranger" => vec![stolen, &stranger],
                _ => vec![stolen, stolen],
            };
            let sealed = Verified::seal(manifest, &signers);
            let mut bytes = sealed.bytes().to_vec();
            if way == "under two key ids" {
                bytes = super::seals::with_other_key_id(&bytes);
            }
            arena.forge.put(&bundle_path(digest), &bundle);
            arena.proxy().turn_on(Kind::Manifest, move |_, _| Ok(Answer::ok(bytes.clone())));
            point_at(arena, Target { digest, manifest: sealed.payload_digest() });
        });
    }
}

#[test]
fn a23_a_key_that_the_newest_root_took_out_opens_nothing_on_a_real_agent() {
    let mut arena = Arena::new();
    let stolen = rotate_the_pointer_key(&mut arena, Epoch::FIRST);
    arena.attacked(
        "a higher generation by the old pointer key",
        Refusal::Pointer("signed by 0 of the role's keys"),
        |arena| {
            let bytes = arena.forge.forged(&stolen, |_| ());
            arena.proxy().turn_on(Kind::Pointer, move |_, _| Ok(Answer::ok(bytes.clone())));
        },
    );
    let stolen = std::mem::replace(&mut arena.forge.keys.release, SecretKey::generate());
    let fresh = role(&[&arena.forge.keys.release], 1);
    arena.forge.rotate_by_root(|root| root.release = fresh);
    arena.attacked(
        "a bundle by the old release key",
        Refusal::Generation(Step::Verify, "signed by 0 of the role's keys"),
        |arena| {
            let content = arena.new_content();
            let (_, manifest) = arena.forge.bundle(&content, |_| ());
            let digest = manifest.digest;
            let sealed = Verified::seal(manifest, &[&stolen]);
            let bytes = sealed.bytes().to_vec();
            arena.proxy().turn_on(Kind::Manifest, move |_, _| Ok(Answer::ok(bytes.clone())));
            point_at(arena, Target { digest, manifest: sealed.payload_digest() });
        },
    );
}
