//! A15: what an agent says is signed, numbered, and never forgotten because somebody refuses to hear it.

use std::fs;

use hyper::StatusCode;
use schema::{PublicKey, SignedAck};

use crate::server::Served;
use crate::world::World;

fn files(generation: u64) -> String {
    format!("rps: {generation}\n")
}

/// Waits for an ack of `generation`, and gives it as it came.
async fn signed(world: &World, generation: u64) -> (PublicKey, SignedAck) {
    let of = move |served: &Served| {
        served.signed.iter().find(|(_, signed)| signed.ack.generation.number() == generation).cloned()
    };
    let served = world.server.until("the ack", |served| of(served).is_some()).await;
    of(&served).expect("just seen")
}

#[tokio::test]
async fn a15_acks_are_signed_by_one_key_and_numbered_within_each_run() {
    let mut world = World::new().await;
    let mut came = Vec::new();
    for start in 0..2 {
        let mut agent = world.start();
        for generation in [2 * start + 1, 2 * start + 2] {
            world.publish(&[("limits.yaml", &files(generation))]);
            agent.applied(generation).await;
            came.push(signed(&world, generation).await);
        }
        agent.stop().await;
    }
    let key = edge_agent::identity(&world.config.state).expect("made at the first start");
    assert!(came.iter().all(|(signer, _)| *signer == key));
    let [one, two, three, four] = &came[..] else { panic!("four acks") };
    assert_eq!((one.1.boot, three.1.boot), (two.1.boot, four.1.boot));
    assert_ne!(one.1.boot, three.1.boot);
    assert!(one.1.n < two.1.n && three.1.n < four.1.n);
    for pair in came.windows(2) {
        assert!(pair[1].1.is_after(&pair[0].1) && !pair[0].1.is_after(&pair[1].1), "{pair:?}");
    }
}

#[tokio::test]
async fn a15_an_ack_that_is_sent_again_says_the_same() {
    let mut world = World::new().await;
    world.server.change(|served| served.ack_status = Some(StatusCode::SERVICE_UNAVAILABLE));
    world.publish(&[("limits.yaml", &files(1))]);
    let mut agent = world.start();
    agent.applied(1).await;
    world.server.until_asked_again("v1/acks", 2).await;
    let posted = world.server.served().posted;
    assert!(posted.len() >= 2 && posted.windows(2).all(|pair| pair[0] == pair[1]), "{posted:?}");
    agent.stop().await;
}

#[tokio::test]
async fn a15_where_the_key_or_the_host_is_refused_acks_are_kept_until_that_is_mended() {
    for status in [StatusCode::CONFLICT, StatusCode::FORBIDDEN, StatusCode::UNAUTHORIZED, StatusCode::BAD_REQUEST] {
        let mut world = World::new().await;
        world.server.change(|served| served.ack_status = Some(status));
        world.publish(&[("limits.yaml", &files(1))]);
        let mut agent = world.start();
        agent.applied(1).await;
        world.server.until("refused once", |served| !served.posted.is_empty()).await;
        world.server.change(|served| served.ack_status = None);
        signed(&world, 1).await;
        agent.stop().await;
    }
}

#[tokio::test]
async fn a15_one_ack_that_is_refused_holds_up_no_other() {
    let mut world = World::new().await;
    world.server.change(|served| served.ack_refused = Some(1));
    let mut agent = world.start();
    for generation in 1..=2 {
        world.publish(&[("limits.yaml", &files(generation))]);
        agent.applied(generation).await;
    }
    signed(&world, 2).await;
    assert_eq!(world.server.served().acks.len(), 1);
    world.server.change(|served| served.ack_refused = None);
    signed(&world, 1).await;
    agent.stop().await;
}

#[tokio::test]
async fn a_state_folder_without_its_key_gets_another() {
    let mut world = World::new().await;
    world.publish(&[("limits.yaml", &files(1))]);
    let mut agent = world.start();
    agent.applied(1).await;
    let (before, _) = signed(&world, 1).await;
    agent.stop().await;
    fs::remove_file(world.config.state.join("identity.key")).expect("our own file");
    let mut agent = world.start();
    world.publish(&[("limits.yaml", &files(2))]);
    agent.applied(2).await;
    assert_ne!(signed(&world, 2).await.0, before);
    agent.stop().await;
}
