//! What a disk or a hand damaged is found, and put right.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::Duration;

use edge_agent::{Condition, Scrub};
use schema::ack::Step;
use schema::time::Length;
use schema::{Digest, Outcome};

use crate::world::World;

const OLD: &[(&str, &str)] = &[("deep/same", "x"), ("limits.yaml", "rps: 10\n")];
const NEW: &[(&str, &str)] = &[("deep/same", "x"), ("limits.yaml", "rps: 20\n")];

/// Changes one byte of a file that is read-only.
fn damage(file: &Path) {
    fs::set_permissions(file, fs::Permissions::from_mode(0o644)).expect("our own file");
    let mut bytes = fs::read(file).expect("our own file");
    bytes[0] ^= 1;
    fs::write(file, bytes).expect("our own file");
    fs::set_permissions(file, fs::Permissions::from_mode(0o444)).expect("our own file");
}

impl World {
    /// Waits for a scrub that `is_it`. Something has to move in the meantime, and polls do.
    async fn scrubbed(&self, what: &str, is_it: impl Fn(&Scrub) -> bool) -> Scrub {
        let mut found = None;
        let mut look = || {
            found = self.status().scrub.filter(&is_it);
            found.is_some()
        };
        let looking = async {
            while !look() {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(60), looking).await.unwrap_or_else(|_| panic!("never: {what}"));
        found.expect("just seen")
    }

    fn damage(&self, version: Digest) {
        damage(&self.app_folder().version(&version).join("limits.yaml"));
    }
}

/// A world whose agents scrub often, and leave what a scrub found where it can be read for a while.
async fn world() -> World {
    let mut world = World::new().await;
    world.config.scrub_every = Length(Duration::from_secs(1));
    world
}

#[tokio::test]
async fn a_damaged_version_that_does_not_run_is_removed_and_fetched_again_when_wanted() {
    let mut world = world().await;
    let old = world.publish(OLD);
    let mut agent = world.start();
    agent.applied(1).await;
    let new = world.publish(NEW);
    agent.applied(2).await;
    world.scrubbed("two sound versions", |scrub| (scrub.versions, scrub.result) == (2, Condition::Sound)).await;
    world.damage(old);
    let scrub = world.scrubbed("removed", |scrub| scrub.result == Condition::Mended).await;
    assert_eq!((scrub.removed, scrub.repaired, scrub.problem), (vec![old], None, None));
    assert_eq!(world.status().versions, [new]);
    world.assert_runs(new);
    world.publish(OLD);
    assert!(agent.applied(3).await.bundle_bytes > 0);
    world.assert_runs(old);
    agent.stop().await;
}

#[tokio::test]
async fn what_runs_is_repaired_in_place() {
    let mut world = world().await;
    let reload = world.script("reload", "cat limits.yaml >> \"$0.log\"");
    world.hook("reload", &reload);
    let digest = world.publish(NEW);
    let mut agent = world.start();
    agent.applied(1).await;
    world.damage(digest);
    let scrub = world.scrubbed("repaired", |scrub| scrub.result == Condition::Mended).await;
    assert_eq!((scrub.repaired, scrub.removed, scrub.problem), (Some(digest), vec![], None));
    world.assert_runs(digest);
    assert!(agent.is_quiet());
    // The service was told, and read what was signed.
    let log = fs::read_to_string(world.folder.path().join("reload.log")).expect("it ran");
    assert_eq!(log, "rps: 20\n".repeat(2));
    assert_eq!(fs::read_dir(world.app_folder().path().join("stage")).expect("a folder").count(), 0);
    agent.stop().await;
}

#[tokio::test]
async fn damage_that_nobody_can_mend_is_told_and_mended_when_somebody_can() {
    let mut world = world().await;
    let digest = world.publish(OLD);
    let mut agent = world.start();
    agent.applied(1).await;
    world.settled().await;
    let path = world.bundle_path(digest);
    let bundle = world.server.object(&path);
    world.server.change(|served| drop(served.objects.remove(&path)));
    world.damage(digest);
    let ack = agent.ack().await;
    assert_eq!((ack.outcome, ack.step), (Outcome::Failed, Some(Step::Disk)), "{ack:?}");
    assert!(ack.reason.as_ref().is_some_and(|reason| reason.contains("is damaged")), "{ack:?}");
    assert_eq!(ack.active.map(|active| active.digest), Some(digest));
    world.scrubbed("told", |scrub| scrub.result == Condition::Damaged && scrub.problem.is_some()).await;
    // It serves what it has.
    assert!(world.app_folder().current().join("limits.yaml").exists());
    world.put(&path.parse().expect("a store path"), bundle);
    agent.applied(1).await;
    world.assert_runs(digest);
    agent.stop().await;
}

#[tokio::test]
async fn a_version_is_read_before_it_is_switched_to() {
    let mut world = World::new().await;
    let old = world.publish(OLD);
    let mut agent = world.start();
    agent.applied(1).await;
    world.publish(NEW);
    agent.applied(2).await;
    agent.stop().await;
    world.damage(old);
    let mut agent = world.start();
    world.publish(OLD);
    assert!(agent.applied(3).await.bundle_bytes > 0, "fetched again");
    world.assert_runs(old);
    agent.stop().await;
}
