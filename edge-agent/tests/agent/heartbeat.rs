//! The last word is said again: whoever gathers acks knows that an agent is there, and learns it anew after a loss of memory.

use std::collections::BTreeMap;
use std::fs;
use std::time::Duration;

use schema::name::Label;
use schema::time::Length;
use schema::{Generation, Outcome, SignedAck};

use crate::server::Served;
use crate::world::{DAY, World, app};

const OLD: &[(&str, &str)] = &[("limits.yaml", "rps: 10\n")];

fn words(served: &Served) -> Vec<SignedAck> {
    served.signed.iter().map(|(_, signed)| signed.clone()).collect()
}

#[tokio::test]
async fn the_last_word_is_said_again_numbered_anew_and_written_down_once() {
    let mut world = World::new().await;
    world.config.heartbeat = Length(Duration::from_millis(100));
    world.publish(OLD);
    let mut agent = world.start();
    agent.applied(1).await;
    world.server.until("once more", |served| served.signed.len() >= 2).await;
    let journal = fs::read(world.app_folder().journal()).expect("a journal");
    let served = world.server.until("and again", |served| served.signed.len() >= 4).await;
    let said = words(&served);
    for pair in said.windows(2) {
        assert!(pair[1].is_after(&pair[0]), "{pair:?}");
        assert_eq!(pair[1].ack, pair[0].ack);
    }
    assert_eq!(fs::read(world.app_folder().journal()).expect("a journal"), journal);
    // It is nothing new, and nobody in the process is told.
    assert!(agent.is_quiet());
    world.publish(&[("limits.yaml", "rps: 20\n")]);
    agent.applied(2).await;
    let newest = |served: &Served| words(served).last().map(|word| word.ack.generation);
    world.server.until("the newest word", |served| newest(served) == Some(Generation::new(2))).await;
    let count = world.server.served().signed.len();
    let served = world.server.until("from then on", |served| served.signed.len() >= count + 3).await;
    assert!(words(&served)[count..].iter().all(|word| word.ack.generation == Generation::new(2)));
    agent.stop().await;
}

#[tokio::test]
async fn a_gateway_that_comes_again_and_remembers_nothing_is_told_at_once() {
    let mut world = World::new().await;
    assert_eq!(world.config.heartbeat, Length(DAY), "it is the coming again that counts here");
    world.publish(OLD);
    let mut agent = world.start();
    agent.applied(1).await;
    world.server.until("the ack", |served| !served.acks.is_empty()).await;
    world.settled().await;
    world.server.stop().await;
    let missed = format!("driftless_agent_refused_total{{app=\"{}\",rule=\"pointer_fetch\"}}", app());
    world.metric(&missed, |count| count >= 1.0).await;
    world.server.change(|served| (served.acks, served.signed) = (Vec::new(), Vec::new()));
    world.server.start_again().await;
    let served = world.server.until("the word again", |served| !served.acks.is_empty()).await;
    assert_eq!((served.acks[0].generation, served.acks[0].outcome), (Generation::FIRST, Outcome::Applied));
    agent.stop().await;
}

#[tokio::test]
async fn an_agent_that_was_started_again_says_what_it_said_before_and_who_it_is_now() {
    let mut world = World::new().await;
    world.config.heartbeat = Length(Duration::from_millis(100));
    world.publish(OLD);
    let mut agent = world.start();
    let told = agent.applied(1).await;
    // Said again, so the first time was answered.
    world.server.until("once more", |served| served.signed.len() >= 2).await;
    agent.stop().await;
    assert_eq!(world.status().unanswered, 0);
    let before = words(&world.server.served()).pop().expect("just seen");
    world.server.change(|served| served.signed.clear());
    let label = |text: &str| text.parse::<Label>().expect("a label");
    world.config.labels = BTreeMap::from([(label("tier"), label("canary"))]);
    let mut agent = world.start();
    let served = world.server.until("the word again", |served| !served.signed.is_empty()).await;
    let word = words(&served).remove(0);
    assert!(word.is_after(&before) && word.boot != before.boot);
    assert_eq!((word.ack.generation, word.ack.outcome, word.ack.active), (told.generation, told.outcome, told.active));
    assert_eq!(word.ack.labels, world.config.labels);
    assert!(agent.is_quiet());
    agent.stop().await;
}
