//! A one-line change takes an agent one question: the answer carries the pointer, the manifest and the patch.

use crate::world::{Up, World, curl, eventually};

/// Requests for what `class` names that were answered with 200, since the gateway began.
fn answered(up: &Up, class: &str) -> u64 {
    let metrics = curl(&["-fsS", &format!("{}/metrics", up.url.trim_end_matches('/'))]);
    let metrics = String::from_utf8(metrics.stdout).expect("text");
    let name = format!("driftless_gateway_requests_total{{class=\"{class}\",status=\"200\"}} ");
    let count = metrics.lines().find_map(|line| line.strip_prefix(&name));
    count.map_or(0, |count| count.parse().expect("a number"))
}

#[test]
fn after_a_one_line_change_an_agent_asks_once() {
    let world = World::new();
    // Something that does not get smaller, so that the line is little beside it.
    let noise: String = std::iter::repeat_with(fastrand::alphanumeric).take(60_000).collect();
    world.commit("apps/web/settings.yaml", &format!("greeting: hello\nnoise: {noise}\n"));
    let up = world.up();
    up.published(&world.tip());
    let agent = world.agent("web-1", "eu-west", &up.url);
    agent.comes_to_read("web", "settings.yaml", &format!("greeting: hello\nnoise: {noise}\n"));
    eventually("the agent waits", || up.status()["parked"].as_u64() == Some(1));
    let mut asked = Vec::new();
    // Where a machine has much else to do, a gateway that has not packed in time sends the pointer alone.
    while asked.len() < 5 && !asked.contains(&ONCE) {
        let changed = format!("greeting: everyone {}\nnoise: {noise}\n", asked.len());
        let before = ["pointer", "object"].map(|class| answered(&up, class));
        world.commit("apps/web/settings.yaml", &changed);
        agent.comes_to_read("web", "settings.yaml", &changed);
        eventually("the agent waits again", || up.status()["parked"].as_u64() == Some(1));
        let after = ["pointer", "object"].map(|class| answered(&up, class));
        asked.push([after[0] - before[0], after[1] - before[1]]);
    }
    assert!(asked.contains(&ONCE), "asked for in each change: pointers; and manifests, patches and bundles: {asked:?}");
}

/// One pointer, and no manifest, patch or bundle.
const ONCE: [u64; 2] = [1, 0];
