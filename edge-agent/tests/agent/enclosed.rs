//! What comes in the same answer as the pointer: as good as fetched where it is what was signed, and of no harm where it is not.

use bytes::Bytes;
use schema::enclosed::{Part, Split};
use schema::keys::SecretKey;
use schema::pointer::Target;
use schema::{App, Digest, Limits, Manifest, Pointer, StorePath, Verified};

use crate::patches::{Offer, archive};
use crate::server::Enclosed;
use crate::world::{Agent, World, app, role};

/// A world whose store has the bundle of `20`, with a patch to the one of `10`, which runs as generation 1.
struct Scene {
    world: World,
    agent: Agent,
    old: Digest,
    new: Target,
    manifest: Bytes,
    patch: Bytes,
}

impl Scene {
    async fn set() -> Scene {
        let mut world = World::new().await;
        let old = world.publish_patched("10", vec![]);
        let mut agent = world.start();
        agent.applied(1).await;
        world.settled().await;
        let offer = Offer::by_runs(&archive("10"), &archive("20"));
        let patch = Bytes::from(offer.frame.clone());
        let new = world.release_patched("20", vec![offer]);
        let manifest = world.server.object(&world.manifest_path(new.digest));
        Scene { world, agent, old, new, manifest, patch }
    }

    /// Points to the bundle of `20`, with these parts beside the pointer.
    fn point_with(&mut self, parts: Vec<(Part, Bytes)>) {
        self.world.enclose(parts);
        let new = self.new;
        self.world.point(&app(), |pointer| pointer.stable = new);
    }

    fn patch_part(&self) -> Part {
        Part::Patch { digest: self.new.digest, base: self.old }
    }

    /// How often the manifest, the patch and the bundle were asked for.
    fn asked(&self) -> [usize; 3] {
        let digest = self.new.digest;
        let patch = StorePath::Patch { app: app(), digest, base: self.old }.to_string();
        [self.world.manifest_path(digest), patch, self.world.bundle_path(digest)]
            .map(|path| self.world.server.asked(&path))
    }
}

impl World {
    /// From now on, the pointer of the app comes with these parts, for whoever says what is there.
    fn enclose(&self, parts: Vec<(Part, Bytes)>) {
        let (contents, rest) = Split { pointer: Bytes::new(), parts }.join().expect("different parts");
        let list = contents.to_string().replace("pointer=0", "pointer=*");
        self.enclose_raw(Enclosed { list, rest, unasked: false });
    }

    fn enclose_raw(&self, enclosed: Enclosed) {
        let path = self.pointer_path();
        self.server.change(|served| drop(served.enclosed.insert(path, enclosed)));
    }

    fn enclose_nothing(&self) {
        self.server.change(|served| served.enclosed.clear());
    }

    /// A manifest like that of `digest`, but for what is changed, by `key`.
    fn manifest_like(&self, digest: Digest, key: &SecretKey, change: impl FnOnce(&mut Manifest)) -> Bytes {
        let sealed = self.server.object(&self.manifest_path(digest));
        let opened = Verified::<Manifest>::open(sealed, &role(&self.keys.release), &Limits::DEFAULT).expect("ours");
        let mut manifest = Manifest::clone(&opened);
        change(&mut manifest);
        Verified::seal(manifest, &[key]).bytes().clone()
    }
}

fn flipped(bytes: &Bytes) -> Bytes {
    let mut bytes = bytes.to_vec();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    bytes.into()
}

fn refusals(rule: &str) -> String {
    format!("driftless_agent_refused_total{{app=\"{}\",rule=\"{rule}\"}}", app())
}

#[tokio::test]
async fn one_answer_is_all_that_is_asked_for() {
    let mut scene = Scene::set().await;
    let pointer = scene.world.pointer_path();
    let before = scene.world.server.asked(&pointer);
    scene.point_with(vec![
        (Part::Manifest(scene.new.digest), scene.manifest.clone()),
        (scene.patch_part(), scene.patch.clone()),
    ]);
    let ack = scene.agent.applied(2).await;
    assert_eq!(ack.bundle_bytes, scene.patch.len() as u64, "it moved, whichever way");
    scene.world.assert_runs(scene.new.digest);
    assert_eq!(scene.asked(), [0, 0, 0]);
    scene.world.settled().await;
    assert_eq!(scene.world.server.asked(&pointer), before + 1, "the next poll, and no other");
    assert_eq!(scene.world.server.served().had, [Some(scene.old.to_string())]);
    scene.agent.stop().await;
}

#[tokio::test]
async fn after_a_start_the_first_answer_is_enough_as_well() {
    let mut scene = Scene::set().await;
    scene.agent.stop().await;
    scene.agent = {
        scene.world.enclose(vec![
            (Part::Manifest(scene.new.digest), scene.manifest.clone()),
            (Part::Patch { digest: scene.new.digest, base: scene.old }, scene.patch.clone()),
        ]);
        let new = scene.new;
        scene.world.point(&app(), |pointer| pointer.stable = new);
        scene.world.start()
    };
    scene.agent.applied(2).await;
    assert_eq!(scene.asked(), [0, 0, 0]);
    scene.world.assert_runs(scene.new.digest);
    scene.agent.stop().await;
}

#[tokio::test]
async fn what_came_with_one_pointer_is_gone_with_the_next() {
    let mut scene = Scene::set().await;
    let next = scene.world.release_patched("30", vec![]);
    let manifest = scene.world.server.object(&scene.world.manifest_path(next.digest));
    scene.point_with(vec![(Part::Manifest(next.digest), manifest)]);
    scene.agent.applied(2).await;
    scene.world.settled().await;
    scene.world.enclose_nothing();
    scene.world.point(&app(), |pointer| pointer.stable = next);
    scene.agent.applied(3).await;
    assert_eq!(scene.world.server.asked(&scene.world.manifest_path(next.digest)), 1);
    scene.agent.stop().await;
}

/// The generation is applied in the same attempt, the bad part is fetched instead, and `rule` counts once.
async fn assert_of_no_harm(rule: &str, asked: [usize; 3], spoil: impl FnOnce(&Scene) -> Vec<(Part, Bytes)>) {
    let mut scene = Scene::set().await;
    let parts = spoil(&scene);
    let enclosed =
        parts.iter().filter(|(part, _)| matches!(part, Part::Patch { .. })).map(|(_, bytes)| bytes.len() as u64);
    let moved = enclosed.sum::<u64>() + asked[1] as u64 * scene.patch.len() as u64;
    scene.point_with(parts);
    let ack = scene.agent.applied(2).await;
    assert_eq!((scene.asked(), ack.bundle_bytes), (asked, moved));
    scene.world.assert_runs(scene.new.digest);
    scene.world.metric(&refusals(rule), |count| count == 1.0).await;
    scene.agent.stop().await;
}

#[tokio::test]
async fn a01_an_enclosed_patch_that_was_changed_is_not_decoded_and_fetched() {
    type Tamper = fn(&Bytes) -> Bytes;
    let ways: [Tamper; 4] = [
        flipped,
        |good| good.slice(..good.len() - 1),
        |good| Bytes::from([&good[..], b"\0"].concat()),
        |_| Bytes::new(),
    ];
    for tamper in ways {
        assert_of_no_harm("bundle", [0, 1, 0], |scene| {
            let manifest = (Part::Manifest(scene.new.digest), scene.manifest.clone());
            vec![manifest, (scene.patch_part(), tamper(&scene.patch))]
        })
        .await;
    }
}

#[tokio::test]
async fn a02_a08_a09_an_enclosed_manifest_that_does_not_vouch_is_refused_and_fetched() {
    type Spoil = fn(&Scene) -> Bytes;
    let ways: [(&str, Spoil); 6] = [
        ("manifest_seal", |scene| flipped(&scene.manifest)),
        ("manifest_seal", |_| Bytes::new()),
        ("manifest_seal", |scene| scene.world.manifest_like(scene.new.digest, &SecretKey::generate(), |_| ())),
        ("manifest_other", |scene| scene.world.server.object(&scene.world.manifest_path(scene.old))),
        ("manifest_other", |scene| {
            let other: App = "feature-flags".parse().expect("a name");
            scene.world.manifest_like(scene.new.digest, &scene.world.keys.release, |manifest| manifest.app = other)
        }),
        // A pointer is no manifest, even if the same key had signed it.
        ("manifest_seal", |scene| scene.world.server.object(&scene.world.pointer_path())),
    ];
    for (rule, spoil) in ways {
        assert_of_no_harm(rule, [1, 0, 0], |scene| {
            vec![(Part::Manifest(scene.new.digest), spoil(scene)), (scene.patch_part(), scene.patch.clone())]
        })
        .await;
    }
}

#[tokio::test]
async fn parts_that_nobody_needs_are_left_alone() {
    let mut scene = Scene::set().await;
    let other = Digest::of(b"other");
    let noise = Bytes::from_static(b"noise");
    scene.point_with(vec![
        (Part::Manifest(other), noise.clone()),
        (Part::Patch { digest: scene.new.digest, base: other }, noise.clone()),
        (Part::Patch { digest: other, base: scene.old }, noise),
    ]);
    scene.agent.applied(2).await;
    assert_eq!(scene.asked(), [1, 1, 0]);
    scene.world.assert_runs(scene.new.digest);
    scene.agent.stop().await;
}

#[tokio::test]
async fn a08_an_enclosed_pointer_of_another_app_is_refused_with_all_that_comes_with_it() {
    let mut scene = Scene::set().await;
    let other: App = "feature-flags".parse().expect("a name");
    let new = scene.new;
    let pointer = scene.world.next_pointer(&app(), |pointer| (pointer.stable, pointer.app) = (new, other));
    let pointer = Verified::<Pointer>::seal(pointer, &[&scene.world.keys.pointer]).bytes().clone();
    let parts = vec![(Part::Manifest(new.digest), scene.manifest.clone())];
    scene.world.enclose(parts);
    scene.world.serve_pointer(&app(), pointer);
    scene.world.metric(&refusals("mix_and_match"), |count| count >= 1.0).await;
    scene.world.assert_runs(scene.old);
    scene.world.enclose_nothing();
    scene.world.point(&app(), |pointer| pointer.stable = new);
    scene.agent.applied(2).await;
    assert_eq!(scene.asked(), [1, 1, 0], "nothing of it was kept");
    scene.agent.stop().await;
}

#[tokio::test]
async fn a05_a11_an_answer_that_cannot_be_taken_apart_is_as_good_as_none() {
    let digest = Digest::of(b"other");
    for list in [
        "nonsense".to_owned(),
        format!("pointer=10, manifest/{digest}=18446744073709551615"),
        format!("manifest/{digest}=10, pointer=10"),
        format!("pointer=10, manifest/{digest}=70000"),
    ] {
        let mut scene = Scene::set().await;
        let rest = Bytes::from(vec![b'x'; 70_000]);
        scene.world.enclose_raw(Enclosed { list, rest, unasked: false });
        let new = scene.new;
        scene.world.point(&app(), |pointer| pointer.stable = new);
        scene.world.metric(&refusals("pointer_fetch"), |count| count >= 1.0).await;
        scene.world.assert_runs(scene.old);
        scene.world.enclose_nothing();
        scene.agent.applied(2).await;
        scene.agent.stop().await;
    }
}

#[tokio::test]
async fn a11_parts_for_who_did_not_ask_are_no_pointer() {
    let mut world = World::new().await;
    let target = world.release_patched("10", vec![]);
    let manifest = world.server.object(&world.manifest_path(target.digest));
    world.enclose(vec![(Part::Manifest(target.digest), manifest)]);
    let path = world.pointer_path();
    world.server.change(|served| served.enclosed.get_mut(&path).expect("just put there").unasked = true);
    world.point(&app(), |pointer| pointer.stable = target);
    // It runs nothing, so it has nothing to say.
    let mut agent = world.start();
    world.metric(&refusals("pointer_seal"), |count| count >= 1.0).await;
    assert_eq!(world.server.served().had.first(), Some(&None));
    world.enclose_nothing();
    assert_eq!(agent.applied(1).await.attempted, target.digest);
    agent.stop().await;
}
