//! What a pointer names and nobody has: nothing changes, and it is applied once it is there. Named after the functions of the
//! TUF conformance suite that ask for it, see `docs/tuf.md`.

use schema::{Ack, Digest, Outcome, StorePath};

use crate::world::{Agent, World, app};

/// An agent that runs generation 1 is pointed to a bundle of which one object is missing, and then there.
async fn pointed_to_without(path: fn(Digest) -> StorePath) {
    let mut world = World::new().await;
    let old = world.publish(&[("limits.yaml", "rps: 10\n")]);
    let mut agent: Agent = world.start();
    agent.applied(1).await;
    world.settled().await;

    let target = world.release(&app(), &[("limits.yaml", "rps: 20\n")]);
    let path = path(target.digest);
    let object = world.server.object(&path.to_string());
    world.server.change(|served| drop(served.objects.remove(&path.to_string())));
    world.point(&app(), |pointer| pointer.stable = target);
    let ack: Ack = agent.ack().await;
    assert_eq!((ack.outcome, ack.active.map(|active| active.digest)), (Outcome::Refused, Some(old)), "{ack:?}");
    world.assert_runs(old);
    assert_eq!(world.read("limits.yaml"), "rps: 10\n");

    world.put(&path, object);
    agent.applied(2).await;
    world.assert_runs(target.digest);
    agent.stop().await;
}

#[tokio::test]
async fn tuf_test_snapshot_404() {
    pointed_to_without(|digest| StorePath::Manifest { app: app(), digest }).await;
}

#[tokio::test]
async fn tuf_test_targets_404() {
    pointed_to_without(|digest| StorePath::Bundle { app: app(), digest }).await;
}
