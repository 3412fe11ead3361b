//! A04, A12: what is kept from an agent becomes visible, and ends.

use std::time::Duration;

use edge_agent::Freshness;
use schema::{Generation, Outcome, Timestamp};

use crate::world::{DAY, World, app, now};

const OLD: &[(&str, &str)] = &[("limits.yaml", "rps: 10\n")];
const NEW: &[(&str, &str)] = &[("limits.yaml", "rps: 20\n")];

#[tokio::test]
async fn a04_after_a_restart_an_agent_that_reaches_nobody_still_says_that_it_is_stale() {
    let mut world = World::new().await;
    let old = world.publish(OLD);
    let mut agent = world.start();
    agent.applied(1).await;
    world.resign(|pointer| pointer.expires = now().after(Duration::from_millis(1500)));
    world.settled().await;
    assert_eq!(world.status().freshness, Freshness::Fresh);
    agent.stop().await;
    let reachable = std::mem::replace(&mut world.config.from, vec!["http://127.0.0.1:1/".parse().expect("a base URL")]);
    let mut agent = world.start();
    let ack = agent.ack().await;
    assert_eq!((ack.outcome, ack.generation, ack.attempted), (Outcome::Stale, Generation::new(1), old));
    assert_eq!(ack.active.map(|active| active.digest), Some(old));
    let status = world.status();
    assert_eq!((status.freshness, status.unanswered), (Freshness::Stale, 1));
    world.assert_runs(old);
    agent.stop().await;
    // Said once, and sent when somebody listens.
    world.config.from = reachable;
    let mut agent = world.start();
    let stale = |served: &crate::server::Served| served.acks.iter().any(|ack| ack.outcome == Outcome::Stale);
    world.server.until("STALE is told", stale).await;
    assert!(agent.is_quiet());
    world.resign(|pointer| pointer.expires = now().after(DAY));
    agent.applied(1).await;
    assert_eq!(world.status().freshness, Freshness::Fresh);
    agent.stop().await;
}

#[tokio::test]
async fn a04_a_frozen_region_that_was_stale_gets_fresh_again() {
    let mut world = World::new().await;
    let old = world.publish(OLD);
    let mut agent = world.start();
    agent.applied(1).await;
    let target = world.release(&app(), NEW);
    world.point(&app(), |pointer| {
        (pointer.stable, pointer.freeze) = (target, true);
        (pointer.issued, pointer.expires) = (Timestamp::UNIX_EPOCH, now());
    });
    let ack = agent.ack().await;
    assert_eq!((ack.outcome, ack.generation), (Outcome::Stale, Generation::new(2)));
    world.resign(|pointer| (pointer.freeze, pointer.issued, pointer.expires) = (true, now(), now().after(DAY)));
    // What holds again is what was told of generation 1.
    let ack = agent.applied(1).await;
    assert_eq!(ack.active.map(|active| active.digest), Some(old));
    world.settled().await;
    assert!(agent.is_quiet());
    assert_eq!(world.status().freshness, Freshness::Fresh);
    agent.stop().await;
}

#[tokio::test]
async fn a12_who_says_that_nothing_changed_is_asked_without_a_condition_once_the_pointer_is_old() {
    let mut world = World::new().await;
    world.publish(OLD);
    let mut agent = world.start();
    agent.applied(1).await;
    // More than half of its validity is over.
    world.resign(|pointer| (pointer.issued, pointer.expires) = (Timestamp::UNIX_EPOCH, now().after(DAY)));
    world.settled().await;
    world.server.change(|served| served.frozen = true);
    let new = world.publish(NEW);
    agent.applied(2).await;
    world.assert_runs(new);
    agent.stop().await;
}

#[tokio::test]
async fn f11_a_clock_that_is_behind_is_reported() {
    let mut world = World::new().await;
    world.publish(OLD);
    let mut agent = world.start();
    agent.applied(1).await;
    assert_eq!(world.status().clock_behind_ms, None);
    world.resign(|pointer| (pointer.issued, pointer.expires) = (now().after(DAY), now().after(2 * DAY)));
    world.settled().await;
    assert!(world.status().clock_behind_ms.is_some_and(|behind| behind > 3_600_000));
    agent.stop().await;
}
