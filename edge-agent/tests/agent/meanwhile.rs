//! Following goes on while a bundle is fetched.

use schema::{Generation, Outcome};

use crate::world::{World, app};

const OLD: &[(&str, &str)] = &[("limits.yaml", "rps: 10\n")];
const NEW: &[(&str, &str)] = &[("limits.yaml", "rps: 20\n")];

#[tokio::test]
async fn a06_a_revert_does_not_wait_for_a_download_that_hardly_moves() {
    let mut world = World::new().await;
    let old = world.publish(OLD);
    let mut agent = world.start();
    agent.applied(1).await;
    let target = world.release(&app(), NEW);
    let slow = world.bundle_path(target.digest);
    world.server.stall(&slow);
    world.point(&app(), |pointer| pointer.stable = target);
    world.server.until_asked_again(&slow, 1).await;
    assert_eq!(world.publish(OLD), old);
    let ack = agent.applied(3).await;
    assert_eq!((ack.attempted, ack.bundle_bytes), (old, 0));
    world.assert_runs(old);
    world.settled().await;
    assert!(agent.is_quiet());
    assert_eq!(world.status().versions, [old]);
    agent.stop().await;
}

#[tokio::test]
async fn a_pointer_that_is_signed_afresh_interrupts_no_download() {
    let mut world = World::new().await;
    world.publish(OLD);
    let mut agent = world.start();
    agent.applied(1).await;
    let target = world.release(&app(), NEW);
    let slow = world.bundle_path(target.digest);
    world.server.stall(&slow);
    world.point(&app(), |pointer| pointer.stable = target);
    world.server.until_asked_again(&slow, 1).await;
    world.resign(|_| ());
    // Taken note of while the download goes on.
    world.settled().await;
    world.server.change(|served| served.stalled.clear());
    let ack = agent.ack().await;
    assert_eq!((ack.outcome, ack.generation), (Outcome::Applied, Generation::new(2)));
    world.settled().await;
    assert_eq!(world.server.asked(&slow), 1);
    let seen = world.status().seen.expect("accepted");
    assert_eq!(seen, world.pointers[&app()].order());
    agent.stop().await;
}
