//! kill -9 at every step, and at random moments: nothing is lost, nothing is done twice, `current` is always whole.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::world::{World, current, eventually};

/// After each of these the publisher is killed once.
const WRITES: [&str; 5] = [
    "publish-bundle-stored",
    "publish-manifest-stored",
    "publish-read-back",
    "publish-history-recorded",
    "publish-pointer-moved",
];

#[test]
fn f23_a_publisher_killed_between_any_two_writes_finishes_when_it_is_started_again() {
    for point in WRITES {
        let world = World::new();
        let mut killed = world.driftless(&["publisher", "config", "--once"]);
        let killed = killed.env("DRIFTLESS_KILL_AT", point).output().expect("driftless starts");
        assert_eq!(killed.status.code(), None, "{point}: it was killed, not ended: {}", crate::world::stderr(&killed));
        let up = world.up();
        up.published(&world.tip());
        for (app, region) in [("web", "eu-west"), ("web", "us-east"), ("flags", "eu-west"), ("flags", "us-east")] {
            let history = world.store().join(format!("v1/apps/{app}/regions/{region}/history"));
            let names = fs::read_dir(history)
                .expect("there is history")
                .map(|entry| entry.expect("it can be read").file_name());
            // What the kill left half written has a `#` in its name, which no record has and no listing shows.
            let records = names.filter(|name| !name.to_string_lossy().contains('#')).count();
            assert_eq!(records, 1, "{point}: {app} in {region} has one record");
            assert_eq!(up.pointer(app, region)["generation"], 1, "{point}: {app} in {region}");
        }
    }
}

#[test]
fn f01_an_agent_killed_at_any_step_finishes_when_it_is_started_again() {
    let world = World::new();
    let up = world.up();
    up.published(&world.tip());
    let hooks =
        "  web:\n    check: { run: [\"true\"] }\n    reload: { run: [\"true\"] }\n    probe: { run: [\"true\"] }\n";
    let config = world.agent_yaml("web-1", "eu-west", &[&up.url], hooks);
    for (number, point) in edge_agent::STEPS.iter().enumerate() {
        let content = format!("greeting: {number}\n");
        world.commit("apps/web/settings.yaml", &content);
        let mut command = world.driftless(&["agent", "--config"]);
        command.arg(&config).env("DRIFTLESS_KILL_AT", point);
        let mut doomed = crate::world::Process::start(command);
        assert_eq!(doomed.ended(), None, "{point}: it was killed, not ended");
        let agent = world.agent_with("web-1", &config);
        agent.comes_to_read("web", "settings.yaml", &content);
        eventually(&format!("{point}: the result is recorded and acked"), || {
            let status = up.status();
            let newest = &crate::story::region(&status, "web", "eu-west")["agents"]["generations"][0];
            newest["applied"] == 1 && newest["generation"] == up.pointer("web", "eu-west")["generation"]
        });
        assert_switched_at_most_once(&agent.state, point);
    }
}

#[test]
fn two_hundred_kills_during_fifty_publications() {
    let kills: u32 = std::env::var("DRIFTLESS_TEST_KILLS").ok().and_then(|text| text.parse().ok()).unwrap_or(60);
    let world = World::new();
    for file in 0..FILES {
        world.write(&format!("apps/web/part-{file}.txt"), "0\n");
    }
    world.git(&["add", "-A"]);
    world.git(&["commit", "-q", "-m", "Begin"]);
    let up = world.up();
    up.published(&world.tip());
    let config = world.agent_yaml("web-1", "eu-west", &[&up.url], "  web: { check: { run: [\"true\"] } }\n");
    let state = world.agent_state("web-1");
    let over = Arc::new(AtomicBool::new(false));
    let looks = std::thread::spawn({
        let (state, over) = (state.clone(), Arc::clone(&over));
        move || look_until(&over, &state)
    });
    let mut published = 0;
    let mut runs_before = None;
    for kill in 0..kills {
        if kill % 4 == 0 {
            published += 1;
            for file in 0..FILES {
                world.write(&format!("apps/web/part-{file}.txt"), &format!("{published}\n"));
            }
            world.git(&["commit", "-q", "-a", "-m", &format!("Version {published}")]);
        }
        let mut agent = world.agent_with("web-1", &config);
        // Now and then it gets somewhere, however slow the machine: there is something newer every time.
        if kill % 12 == 11 {
            eventually("the agent switches between two kills", || current(&state, "web") != runs_before);
            runs_before = current(&state, "web");
        }
        // A moment that no clock chose: it differs with every kill and covers start, fetch, switch and rest.
        let moment = Duration::from_millis(u64::from(kill * 7919 % 211));
        std::thread::park_timeout(moment);
        agent.process.kill();
    }
    up.published(&world.tip());
    let agent = world.agent_with("web-1", &config);
    agent.comes_to_read("web", "part-0.txt", &format!("{published}\n"));
    over.store(true, Ordering::SeqCst);
    let (looks, versions) = looks.join().expect("`current` was whole at every look");
    assert!(versions > 2, "the agent got somewhere between the kills: {versions} versions in {looks} looks");
    assert_switched_at_most_once(&state, "at the end");
    eprintln!("{kills} kills, {published} publications, {looks} looks at {versions} versions, all whole");
}

const FILES: usize = 12;

/// Looks at what `current` names again and again: all parts there, all of one version, and never a version that was left
/// before, since each version is published once.
fn look_until(over: &AtomicBool, state: &Path) -> (u64, usize) {
    let mut looks = 0;
    let mut switched: Vec<String> = Vec::new();
    while !over.load(Ordering::SeqCst) {
        let Some(digest) = current(state, "web") else { continue };
        if switched.last() != Some(&digest) {
            assert!(!switched.contains(&digest), "{digest} was switched to twice: {switched:?}");
            switched.push(digest.clone());
        }
        let tree = state.join("apps/web/versions").join(&digest);
        let part = |file| fs::read_to_string(tree.join(format!("part-{file}.txt")));
        let parts: Result<Vec<String>, _> = (0..FILES).map(part).collect();
        match parts {
            Ok(parts) => assert!(parts.iter().all(|part| part == &parts[0]), "{digest} mixes {parts:?}"),
            // Versions that are long out of use are removed; the one in use is not.
            Err(error) => assert_ne!(current(state, "web").as_ref(), Some(&digest), "current is broken: {error}"),
        }
        looks += 1;
    }
    (looks, switched.len())
}

/// Reads the agent's own journal: no generation has more than one switch.
fn assert_switched_at_most_once(state: &Path, when: &str) {
    let journal = fs::read_to_string(state.join("apps/web/journal")).expect("an agent keeps a journal");
    let records = journal.lines().filter_map(|line| line.split_once(' '));
    let records = records.map(|(_, json)| serde_json::from_str(json).expect("a record is JSON"));
    let mut switches: BTreeMap<String, u32> = BTreeMap::new();
    for record in records.filter(|record: &serde_json::Value| record["record"] == "applied") {
        *switches.entry(record["order"].to_string()).or_default() += 1;
    }
    assert!(switches.values().all(|times| *times == 1), "{when}: switched twice: {switches:?}");
}
