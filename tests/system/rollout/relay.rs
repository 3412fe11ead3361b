//! Agents behind a gateway of their own: it relays their signed words, and can add nothing to them.

use std::fs;

use super::site::{STEADY, Site, write_rules};
use crate::world::{Up, World, eventually};

#[test]
fn a_rollout_reaches_agents_behind_a_lower_gateway_and_counts_their_own_words() {
    let world = World::new();
    write_rules(&world, &[("web", "steady")], STEADY);
    world.write("apps/web/v", "0\n");
    world.git(&["add", "-A"]);
    world.git(&["commit", "-q", "-m", "Begin"]);
    let up = world.up();
    let root = world.home().join("trust/0000000001.root");
    let yaml = format!("listen: 127.0.0.1:0\nupstream: [{}]\nroot: {}\n", up.url, root.display());
    fs::write(world.path("lower.yaml"), yaml).expect("a small file");
    let mut lower = Up::start(world.driftless(&["gateway", "--config", "lower.yaml"]));
    let url = lower.url.clone();
    let site = Site::around(world, &["web"], Some(up), url);
    let good = site.commit("web", &[("v", "1\n")]);
    site.ends("web", &good, "complete");
    site.all_run("web", "1");

    // A gateway that is gone withholds all words, and silence is no yes.
    let second = site.commit("web", &[("v", "2\n")]);
    site.comes_to("web", &second, "begins", |stage| stage["is"] != "waiting" && !stage.is_null());
    lower.process.kill();
    eventually("the publisher asks and hears nothing", || {
        let legs = site.told("web")["regions"].clone();
        legs.as_array().is_some_and(|legs| legs.iter().all(|leg| leg["applied"] == 0))
    });
    assert_ne!(site.rollout("web", &second)["stage"]["how"], "complete");
    assert!(site.seen("web").ever("2").len() <= 1, "{:?}", site.seen("web").ever("2"));
}
