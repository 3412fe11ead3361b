//! Everything validly signed, and served in the wrong place or at the wrong time.

use schema::ack::Step;
use schema::{Order, StorePath, Verified};

use super::answer::Answer;
use super::arena::{Arena, Refusal, Served, Setup};
use super::forge::{app, bundle_path, home, manifest_path, pointer_path, region};
use super::message::Kind;

#[test]
fn a03_an_older_pointer_is_ignored_by_a_real_agent_also_after_a_restart_and_a_cache_wipe() {
    let mut arena = Arena::new();
    let older = arena.forge.newest().bytes().to_vec();
    arena.recovers("the second generation");
    let replay = move |arena: &mut Arena| {
        let older = older.clone();
        arena.proxy().turn_on(Kind::Pointer, move |_, _| Ok(Answer::ok(older.clone())));
    };
    let refusal = Refusal::Pointer("rollback: ");
    arena.attacked("an older pointer", refusal, &replay);
    arena.restart_agent();
    arena.attacked("an older pointer after a restart", refusal, |arena| {
        replay(arena);
        arena.restart_agent();
    });
    // All versions but the one that runs are only a cache.
    let runs = arena.runs().expect("something runs");
    for digest in arena.status().versions.into_iter().filter(|digest| *digest != runs) {
        let tree = arena.app_folder().version(&digest);
        crate::world::assert_ok(&crate::world::tool("rm", &["-rf", &tree.display().to_string()], None), "rm");
    }
    arena.attacked("an older pointer after its version is gone", refusal, |arena| {
        replay(arena);
        arena.restart_agent();
    });
    let before = arena.forge.newest().bytes().to_vec();
    arena.forge.resign();
    arena.comes_to_run_newest("signed afresh");
    crate::world::eventually("the fresh signature was seen", || {
        arena.status().seen == Some(arena.forge.newest().order())
    });
    arena.attacked("an older serial of the same generation", refusal, |arena| {
        arena.proxy().turn_on(Kind::Pointer, move |_, _| Ok(Answer::ok(before.clone())));
    });
}

#[test]
fn a08_nothing_of_another_region_or_generation_is_mixed_in() {
    let mut arena = Arena::new();
    let regions = [home(), region("us-east"), region("ap-south")];
    let mut pointers = Vec::new();
    for generation in 1..=3 {
        for region in &regions {
            if generation > 1 || *region != home() {
                let content = arena.new_content();
                arena.forge.publish_in(region, &content);
            }
        }
        arena.comes_to_run_newest("a generation of every region");
        pointers.extend(
            regions.iter().map(|region| arena.forge.object(&StorePath::Pointer { app: app(), region: region.clone() })),
        );
    }
    for (number, pointer) in pointers.into_iter().enumerate() {
        let (generation, region) = (number / regions.len() + 1, &regions[number % regions.len()]);
        let refusal =
            if *region == home() { Refusal::Pointer("rollback: ") } else { Refusal::Pointer("mix-and-match: ") };
        arena.attacked(&format!("the pointer of {region} at {generation}"), refusal, |arena| {
            arena.proxy().turn_on(Kind::Pointer, move |_, _| Ok(Answer::ok(pointer.clone())));
        });
    }
}

#[test]
fn a08_an_older_manifest_under_a_newer_pointer_is_refused() {
    let mut arena = Arena::new();
    arena.attacked("the manifest before", Refusal::Generation(Step::Verify, "mix-and-match: "), |arena| {
        let old = arena.forge.object(&manifest_path(arena.forge.newest().stable.digest));
        arena.proxy().turn_on(Kind::Manifest, move |_, _| Ok(Answer::ok(old.clone())));
        arena.publish();
    });
    arena.attacked(
        "another manifest of the right bundle",
        Refusal::Generation(Step::Verify, "mix-and-match: "),
        |arena| {
            let content = arena.new_content();
            let twin = Verified::seal(
                arena.forge.bundle(&content, |twin| twin.release_seq += 100).1,
                &[&arena.forge.keys.release],
            );
            arena.proxy().turn_on(Kind::Manifest, move |_, _| Ok(Answer::ok(twin.bytes().to_vec())));
            arena.forge.publish(&content);
        },
    );
}

#[test]
fn a09_another_validly_signed_bundle_under_the_right_name_is_refused() {
    let mut arena = Arena::new();
    let other = arena.forge.newest().stable.digest;
    let (bundle, manifest) = (format!("/{}", bundle_path(other)), format!("/{}", manifest_path(other)));
    arena.attacked("another bundle", Refusal::Generation(Step::Fetch, "sends "), |arena| {
        let bundle = bundle.clone();
        arena.proxy().turn_on(Kind::Bundle, move |_, honest| honest.of(&bundle));
        arena.publish();
    });
    arena.attacked(
        "another bundle with its own manifest",
        Refusal::Generation(Step::Verify, "mix-and-match: "),
        |arena| {
            arena.proxy().turn(move |request, honest| match request.kind() {
                Kind::Bundle => honest.of(&bundle),
                Kind::Manifest => honest.of(&manifest),
                _ => honest.pass(),
            });
            arena.publish();
        },
    );
}

#[test]
fn a18_of_two_pointers_that_contradict_each_other_the_first_stays() {
    let mut arena = Arena::new();
    for way in ["the same place", "the next serial of another bundle", "the next serial after another pointer"] {
        arena.attacked(way, Refusal::Pointer("equivocation: "), |arena| {
            let seen = arena.forge.newest();
            let other = arena.new_content();
            let target = arena.forge.release(&other);
            let twin = arena.forge.forged(&arena.forge.keys.pointer, |twin| {
                let order = if way == "the same place" {
                    seen.order()
                } else {
                    seen.order().next_serial().expect("few serials")
                };
                (twin.generation, twin.serial) = (order.generation, order.serial);
                twin.stable = target;
                if way.ends_with("after another pointer") {
                    (twin.stable, twin.prev) = (seen.stable, Some(target.digest));
                }
            });
            arena.proxy().turn_on(Kind::Pointer, move |_, _| Ok(Answer::ok(twin.clone())));
        });
    }
    let log = arena.agent.log();
    let mut told = log.iter().filter(|line| line.contains("Two signed pointers contradict each other"));
    assert!(told.all(|line| line.contains("ERROR")), "somebody must act on it");
}

#[test]
fn a27_whatever_is_overwritten_restored_or_deleted_in_the_store_nothing_changes_on_the_host() {
    let mut arena = Arena::with(Setup { served: Served::AsFiles, ..Setup::default() }, |_| ());
    arena.attacked("a bundle is overwritten", Refusal::Generation(Step::Fetch, "sends "), |arena| {
        let digest = publish_into_spoilt(arena, |arena, digest| {
            arena.forge.put(&bundle_path(digest), b"not what it was");
        });
        assert_ne!(arena.runs(), Some(digest));
    });
    arena.attacked("a manifest is deleted", Refusal::Generation(Step::Verify, "has no such object"), |arena| {
        publish_into_spoilt(arena, |arena, digest| arena.forge.remove(&manifest_path(digest)));
    });
    arena.attacked("an old pointer is restored", Refusal::Pointer("rollback: "), |arena| {
        let first = StorePath::History { app: app(), region: home(), order: Order::FIRST };
        arena.forge.put(&pointer_path(), &arena.forge.object(&first));
    });
    arena.attacked("the pointer is deleted", Refusal::NoPointer("has no such object"), |arena| {
        arena.forge.remove(&pointer_path());
    });
    arena.attacked("the pointer is cut short", Refusal::Pointer("its seal does not hold"), |arena| {
        let whole = arena.forge.object(&pointer_path());
        arena.forge.put(&pointer_path(), &whole[..whole.len() / 2]);
    });
    arena.attacked("the pointer is emptied", Refusal::Pointer("no payload line"), |arena| {
        arena.forge.put(&pointer_path(), b"");
    });
}

/// Publishes while the agent is shown nothing, spoils something of it, and then shows it.
fn publish_into_spoilt(arena: &mut Arena, spoil: impl FnOnce(&Arena, schema::Digest)) -> schema::Digest {
    arena.proxy().turn(|_, _| Ok(Answer::status(503)));
    let digest = arena.publish();
    spoil(arena, digest);
    arena.proxy().turn_honest();
    digest
}
