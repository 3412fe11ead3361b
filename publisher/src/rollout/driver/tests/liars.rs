//! Agents that say what is not so, to make the others' work harder.

use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};

use schema::AgentReport;

use super::*;

#[tokio::test]
async fn a46_whoever_fails_and_is_well_again_in_turns_makes_few_generations() {
    let mut watched = policy();
    watched.quarantine.after = 2;
    let mut scene = Scene::new(watched.clone()).await;
    scene.driver.look_again(Some(&[(app(), watched)].into()));
    scene.agents.become_(1, Nature::Restless);
    let before = scene.bench.pointer("eu").await.generation.number();
    for _ in 0..20 {
        scene.driver.judged.clear();
        scene.beat().await;
        scene.bench.pass(Duration::from_secs(10));
    }
    let generations = scene.bench.pointer("eu").await.generation.number() - before;
    assert!((2..=4).contains(&generations), "out, in again, and then for a while not: {generations}");
}

/// Counts how often all the agents of a region are copied.
struct Counted(Agents, Arc<AtomicUsize>);

impl Fleet for Counted {
    fn reports(&self, app: &App, region: &Region) -> Vec<AgentReport> {
        self.1.fetch_add(1, Ordering::Relaxed);
        self.0.reports(app, region)
    }

    fn listening_since(&self) -> Option<Timestamp> {
        self.0.listening_since()
    }

    fn changed<'f>(&'f self) -> Pin<Box<dyn Future<Output = ()> + Send + 'f>> {
        self.0.changed()
    }
}

#[tokio::test]
async fn a_fleet_that_is_well_is_not_read_at_every_turn() {
    let mut watched = policy();
    watched.quarantine.after = 2;
    let scene = Scene::new(watched.clone()).await;
    let read = Arc::new(AtomicUsize::new(0));
    let mut driver = Driver::new(Arc::new(Counted(scene.agents.clone(), Arc::clone(&read))), BTreeMap::new());
    driver.look_again(Some(&[(app(), watched)].into()));
    for _ in 0..50 {
        driver.turn(&scene.bench.publisher).await;
    }
    let read = read.load(Ordering::Relaxed);
    assert!((2..50).contains(&read), "each of two regions every few seconds, not every turn: {read}");
}

#[test]
fn a_turn_that_took_long_is_followed_by_a_longer_rest() {
    let rests = [1, 200, 60_000].map(|millis| rest(Duration::from_millis(millis)));
    assert_eq!(rests, [BETWEEN_TURNS, Duration::from_millis(800), BELIEVED_FOR]);
}
