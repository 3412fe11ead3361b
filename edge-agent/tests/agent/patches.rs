//! Patches: used where a version on the disk is their base, and of no harm where anything about them is wrong.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};

use schema::encoding::{Run, patch, patch_by_search, patch_window_log};
use schema::manifest::{Encoding, Patch};
use schema::pointer::Target;
use schema::{Digest, Limits, Manifest, StorePath, Verified};

use crate::world::{Agent, World, app, pack, role};

/// Files of an app: one that nothing compresses and that stays, and one line that does not.
pub(crate) fn files(line: &str) -> Vec<(&'static str, String)> {
    let table: String = (0..2000).map(|n| Digest::of(format!("{n}").as_bytes()).to_string()).collect();
    vec![("deep/table", table), ("limits.yaml", format!("rps: {line}\n")), ("reload*", "#!/bin/sh\n".to_owned())]
}

pub(crate) fn borrowed<'a>(files: &'a [(&'static str, String)]) -> Vec<(&'static str, &'a str)> {
    files.iter().map(|(name, content)| (*name, content.as_str())).collect()
}

/// What two archives share at their beginnings and at their ends.
fn runs(base: &[u8], archive: &[u8]) -> Vec<Run> {
    let same = |pairs: &mut dyn Iterator<Item = (&u8, &u8)>| pairs.take_while(|(one, other)| one == other).count();
    let head = same(&mut base.iter().zip(archive));
    let tail = same(&mut base[head..].iter().rev().zip(archive[head..].iter().rev()));
    let [base, archive, head, tail] = [base.len(), archive.len(), head, tail].map(|length| length as u64);
    vec![
        Run::Copy { from: 0, len: head },
        Run::Fresh { len: archive - head - tail },
        Run::Copy { from: base - tail, len: tail },
    ]
}

/// A patch as it is offered: the frame that is served, and what is signed of it.
pub(crate) struct Offer {
    pub(crate) frame: Vec<u8>,
    pub(crate) signed: Patch,
}

impl Offer {
    /// What is signed is what is served.
    fn sound(base: &[u8], archive: &[u8], frame: Vec<u8>) -> Offer {
        let (size, sha256) = (frame.len() as u64, Digest::of(&frame));
        let window_log = patch_window_log(archive.len() as u64);
        Offer { frame, signed: Patch { from: Digest::of(base), size, window_log, sha256 } }
    }

    pub(crate) fn by_runs(base: &[u8], archive: &[u8]) -> Offer {
        Offer::sound(base, archive, patch(base.len() as u64, archive, &runs(base, archive)))
    }

    fn by_search(base: &[u8], archive: &[u8]) -> Offer {
        Offer::sound(base, archive, patch_by_search(base, archive).expect("memory"))
    }
}

impl World {
    /// Puts a bundle into the store whose manifest lists a patch to the bundle of `line` each.
    pub(crate) fn release_patched(&mut self, line: &str, offers: Vec<Offer>) -> Target {
        let target = self.release(&app(), &borrowed(&files(line)));
        let sealed = self.server.object(&self.manifest_path(target.digest));
        let opened = Verified::<Manifest>::open(sealed, &role(&self.keys.release), &Limits::DEFAULT);
        let mut manifest = Manifest::clone(&opened.expect("the manifest of this test"));
        for Offer { frame, signed } in offers {
            manifest.encodings.push(Encoding::Patch(signed));
            self.put(&StorePath::Patch { app: app(), digest: target.digest, base: signed.from }, frame);
        }
        let sealed = Verified::seal(manifest, &[&self.keys.release]);
        self.put(&StorePath::Manifest { app: app(), digest: target.digest }, sealed.bytes().clone());
        Target { digest: target.digest, manifest: sealed.payload_digest() }
    }

    /// Publishes it as the next generation.
    pub(crate) fn publish_patched(&mut self, line: &str, offers: Vec<Offer>) -> Digest {
        let target = self.release_patched(line, offers);
        self.point(&app(), |pointer| pointer.stable = target);
        target.digest
    }

    fn patch_path(&self, digest: Digest, base: Digest) -> String {
        StorePath::Patch { app: app(), digest, base }.to_string()
    }

    fn whole_bytes(&self, digest: Digest) -> u64 {
        self.server.object(&self.bundle_path(digest)).len() as u64
    }

    fn inode(&self, digest: Digest, name: &str) -> u64 {
        fs::metadata(self.app_folder().version(&digest).join(name)).expect("on the disk").ino()
    }

    fn stage_is_empty(&self) -> bool {
        fs::read_dir(self.app_folder().path().join("stage")).expect("a folder").next().is_none()
    }
}

/// The archive of `line`.
pub(crate) fn archive(line: &str) -> Vec<u8> {
    pack(&borrowed(&files(line))).0
}

/// An agent that runs the bundle of `10` as generation 1, its archive, and the one of `20`.
async fn running() -> (World, Agent, [Vec<u8>; 2]) {
    let mut world = World::new().await;
    world.publish_patched("10", vec![]);
    let mut agent = world.start();
    agent.applied(1).await;
    world.settled().await;
    (world, agent, [archive("10"), archive("20")])
}

fn refused(rule: &str) -> String {
    format!("driftless_agent_refused_total{{app=\"{}\",rule=\"{rule}\"}}", app())
}

#[tokio::test]
async fn a_patch_is_all_that_moves() {
    for offer in [Offer::by_runs, Offer::by_search] {
        let (mut world, mut agent, [old, new]) = running().await;
        let offer = offer(&old, &new);
        let (base, size) = (offer.signed.from, offer.signed.size);
        let digest = world.publish_patched("20", vec![offer]);
        let ack = agent.applied(2).await;
        assert_eq!((ack.attempted, ack.bundle_bytes), (digest, size));
        assert!(size * 100 < world.whole_bytes(digest));
        assert_eq!(world.server.asked(&world.bundle_path(digest)), 0);
        world.assert_runs(digest);
        assert_eq!(world.read("limits.yaml"), "rps: 20\n");
        assert_eq!(world.inode(base, "deep/table"), world.inode(digest, "deep/table"), "unchanged, so shared");
        assert_eq!(world.inode(base, "reload"), world.inode(digest, "reload"), "unchanged, so shared");
        assert_ne!(world.inode(base, "limits.yaml"), world.inode(digest, "limits.yaml"));
        assert!(world.stage_is_empty());
        agent.stop().await;
    }
}

#[tokio::test]
async fn a_patch_to_a_version_that_does_not_run_is_used_where_there_is_no_other() {
    let (mut world, mut agent, [old, _]) = running().await;
    world.publish_patched("20", vec![]);
    agent.applied(2).await;
    let offer = Offer::by_runs(&old, &archive("30"));
    let (base, size) = (offer.signed.from, offer.signed.size);
    let digest = world.publish_patched("30", vec![offer]);
    assert_eq!(agent.applied(3).await.bundle_bytes, size);
    world.assert_runs(digest);
    assert_eq!(world.inode(base, "deep/table"), world.inode(digest, "deep/table"));
    agent.stop().await;
}

#[tokio::test]
async fn without_the_base_nobody_asks_for_the_patch() {
    let mut world = World::new().await;
    let offer = Offer::by_runs(&archive("10"), &archive("20"));
    let base = offer.signed.from;
    let digest = world.publish_patched("20", vec![offer]);
    let mut agent = world.start();
    assert_eq!(agent.applied(1).await.bundle_bytes, world.whole_bytes(digest));
    assert_eq!(world.server.asked(&world.patch_path(digest, base)), 0);
    world.assert_runs(digest);
    agent.stop().await;
}

/// Changes a file on the disk that a patch goes against.
#[tokio::test]
async fn f08_a_base_that_rotted_is_reported_and_not_patched() {
    let (mut world, mut agent, [old, new]) = running().await;
    let rotten = world.app_folder().version(&Digest::of(&old)).join("deep/table");
    fs::set_permissions(&rotten, fs::Permissions::from_mode(0o644)).expect("our own file");
    let mut table = fs::read(&rotten).expect("our own file");
    table[100_000] ^= 1;
    fs::write(&rotten, table).expect("our own file");
    fs::set_permissions(&rotten, fs::Permissions::from_mode(0o444)).expect("our own file");
    let offer = Offer::by_runs(&old, &new);
    let size = offer.signed.size;
    let digest = world.publish_patched("20", vec![offer]);
    assert_eq!(agent.applied(2).await.bundle_bytes, size + world.whole_bytes(digest));
    world.assert_runs(digest);
    let damaged = format!("driftless_agent_scrub_damaged_total{{app=\"{}\"}}", app());
    world.metric(&damaged, |count| count == 1.0).await;
    agent.stop().await;
}

#[tokio::test]
async fn a_patch_that_is_not_there_costs_nothing_and_is_nobodys_fault() {
    let (mut world, mut agent, [old, new]) = running().await;
    let target = world.release_patched("20", vec![Offer::by_runs(&old, &new)]);
    let path = world.patch_path(target.digest, Digest::of(&old));
    world.server.change(|served| drop(served.objects.remove(&path)));
    world.point(&app(), |pointer| pointer.stable = target);
    assert_eq!(agent.applied(2).await.bundle_bytes, world.whole_bytes(target.digest));
    assert_eq!(world.server.asked(&path), 1);
    world.assert_runs(target.digest);
    let generation = format!("driftless_agent_generation{{app=\"{}\"}}", app());
    world.metric(&generation, |value| value == 2.0).await;
    let metrics = fs::read_to_string(world.config.state.join("metrics.prom")).expect("just read");
    assert!(!metrics.contains("rule=\"bundle\""), "{metrics}");
    agent.stop().await;
}

/// Publishes what `spoil` makes of a sound offer: the whole bundle is applied in the same attempt, and `rule` counts once.
async fn assert_of_no_harm(rule: &str, spoil: impl FnOnce(&mut Offer, [&[u8]; 2])) {
    let (mut world, mut agent, [old, new]) = running().await;
    let mut offer = Offer::by_runs(&old, &new);
    spoil(&mut offer, [&old, &new]);
    let digest = world.publish_patched("20", vec![offer]);
    let ack = agent.applied(2).await;
    // An answer that announces too much is left alone; of others some bytes moved for nothing.
    assert!(ack.bundle_bytes >= world.whole_bytes(digest), "{ack:?}");
    assert_eq!(world.server.asked(&world.patch_path(digest, Digest::of(&old))), 1);
    world.assert_runs(digest);
    assert!(world.stage_is_empty());
    world.metric(&refused(rule), |count| count == 1.0).await;
    agent.stop().await;
}

#[tokio::test]
async fn a01_a_patch_that_was_changed_on_its_way_is_not_decoded() {
    assert_of_no_harm("bundle", |offer, _| {
        let last = offer.frame.len() - 1;
        offer.frame[last] ^= 1;
    })
    .await;
    assert_of_no_harm("bundle", |offer, _| _ = offer.frame.pop()).await;
    assert_of_no_harm("bundle", |offer, _| offer.frame.push(0)).await;
}

/// What a stolen release key can sign.
#[tokio::test]
async fn a43_a_signed_patch_that_makes_something_else_is_thrown_away() {
    let signed = |offer: &mut Offer, frame: Vec<u8>| {
        (offer.signed.size, offer.signed.sha256) = (frame.len() as u64, Digest::of(&frame));
        offer.frame = frame;
    };
    // A bundle of the same size, another one of another size, what is no bundle, and what is no frame.
    assert_of_no_harm("archive", |offer, [old, _]| signed(offer, Offer::by_runs(old, &archive("66")).frame)).await;
    assert_of_no_harm("archive", |offer, [old, _]| signed(offer, Offer::by_runs(old, &archive("6660")).frame)).await;
    assert_of_no_harm("archive", |offer, [_, new]| {
        let len = new.len() as u64;
        signed(
            offer,
            patch(1, new, &[Run::Fresh { len: 600 }, Run::Copy { from: 0, len: 1 }, Run::Fresh { len: len - 601 }]),
        );
        offer.frame.truncate(5000);
        let frame = std::mem::take(&mut offer.frame);
        signed(offer, frame);
    })
    .await;
    assert_of_no_harm("archive", |offer, _| signed(offer, b"no frame".to_vec())).await;
}

#[tokio::test]
async fn a43_a_patch_that_asks_for_more_memory_than_was_signed_is_refused() {
    assert_of_no_harm("archive", |offer, _| offer.signed.window_log = 16).await;
}

#[tokio::test]
async fn a43_a_patch_that_is_signed_with_a_window_beyond_the_limit_is_not_even_asked_for() {
    let (mut world, mut agent, [old, new]) = running().await;
    let mut offer = Offer::by_runs(&old, &new);
    offer.signed.window_log = Limits::DEFAULT.patch_window_log_max + 1;
    let digest = world.publish_patched("20", vec![offer]);
    assert_eq!(agent.applied(2).await.bundle_bytes, world.whole_bytes(digest));
    assert_eq!(world.server.asked(&world.patch_path(digest, Digest::of(&old))), 0);
    world.assert_runs(digest);
    agent.stop().await;
}

#[tokio::test]
async fn something_newer_overtakes_a_patch_that_does_not_come() {
    let (mut world, mut agent, [old, new]) = running().await;
    let target = world.release_patched("20", vec![Offer::by_runs(&old, &new)]);
    let path = world.patch_path(target.digest, Digest::of(&old));
    world.server.stall(&path);
    world.point(&app(), |pointer| pointer.stable = target);
    world.server.until("asked for", |served| served.asked.contains_key(&path)).await;
    let digest = world.publish_patched("30", vec![]);
    assert_eq!(agent.applied(3).await.attempted, digest);
    world.assert_runs(digest);
    agent.stop().await;
}
