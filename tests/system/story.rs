//! The main job: a merge reaches every agent, a revert brings it back, and everything that can go away comes back.

use crate::world::{World, assert_ok, eventually};

#[test]
fn a_commit_reaches_every_agent_and_a_revert_brings_it_back_without_a_download() {
    let world = World::new();
    let mut up = world.up();
    let agents = [("web-1", "eu-west"), ("web-2", "us-east"), ("web-3", "eu-west")]
        .map(|(id, region)| world.agent(id, region, &up.url));
    world.commit("apps/web/settings.yaml", "greeting: one\n");
    agents.iter().for_each(|agent| agent.comes_to_read("web", "settings.yaml", "greeting: one\n"));
    let before = agents[0].current("web").expect("it runs something");
    world.commit("apps/web/settings.yaml", "greeting: two\n");
    agents.iter().for_each(|agent| agent.comes_to_read("web", "settings.yaml", "greeting: two\n"));
    let reverted = world.revert();
    agents.iter().for_each(|agent| agent.comes_to_read("web", "settings.yaml", "greeting: one\n"));
    assert_eq!(agents[0].current("web"), Some(before), "a revert restores the very digest");
    up.published(&reverted);
    eventually("all three say so", || {
        let status = up.status();
        let eu = region(&status, "web", "eu-west");
        let us = region(&status, "web", "us-east");
        eu["agents"]["generations"][0]["applied"] == 2 && us["agents"]["generations"][0]["applied"] == 1
    });
    assert_eq!(up.process.interrupt(), Some(0), "Ctrl-C is clean");
    for mut agent in agents {
        assert_eq!(agent.process.interrupt(), Some(0), "Ctrl-C is clean");
    }
}

#[test]
fn only_what_changed_gets_a_new_generation() {
    let world = World::new();
    let up = world.up();
    up.published(&world.tip());
    let first = up.pointer("flags", "eu-west");
    let commit = world.commit("apps/web/settings.yaml", "greeting: changed\n");
    up.published(&commit);
    assert_eq!(up.pointer("web", "eu-west")["generation"], 2);
    assert_eq!(up.pointer("flags", "eu-west"), first, "flags did not change");
    let commit = world.commit("README.md", "nothing that is published\n");
    up.published(&commit);
    assert_eq!(up.pointer("web", "eu-west")["generation"], 2);
}

#[test]
fn losing_everything_but_the_host_changes_nothing_there_and_all_comes_back() {
    let world = World::new();
    let mut up = world.up();
    let address = up.url.trim_start_matches("http://").to_owned();
    let agent = world.agent("web-1", "eu-west", &up.url);
    world.commit("apps/web/settings.yaml", "greeting: kept\n");
    agent.comes_to_read("web", "settings.yaml", "greeting: kept\n");
    up.process.kill();
    let away = world.path("away");
    std::fs::rename(world.store(), &away).expect("the store can be moved away");
    // An empty store on the same address: it serves no pointer, which never means to remove anything.
    std::fs::create_dir(world.store()).expect("a folder");
    std::fs::rename(world.path("config"), world.path("config.away")).expect("the repository can be moved away");
    let gateway_yaml = format!(
        "listen: {address}\nstore: {}\nroot: {}\n",
        world.store().display(),
        world.home().join("trust/0000000001.root").display()
    );
    std::fs::write(world.path("gateway.yaml"), gateway_yaml).expect("a small file");
    let mut gateway = crate::world::Up::start(world.driftless(&["gateway", "--config", "gateway.yaml"]));
    eventually("the agent has asked the empty gateway", || gateway.status()["connections"].as_u64() > Some(1));
    assert_eq!(agent.reads("web", "settings.yaml").as_deref(), Some("greeting: kept\n"));
    gateway.process.kill();
    std::fs::remove_dir_all(world.store()).expect("the empty store can go");
    std::fs::rename(&away, world.store()).expect("the store can come back");
    std::fs::rename(world.path("config.away"), world.path("config")).expect("the repository can come back");
    let _up = crate::world::Up::start(world.driftless(&["up", "config", "--listen", &address]));
    world.commit("apps/web/settings.yaml", "greeting: back\n");
    agent.comes_to_read("web", "settings.yaml", "greeting: back\n");
}

#[test]
fn a_rollback_by_hand_holds_until_a_newer_change_supersedes_it() {
    let world = World::new();
    let mut up = world.up();
    let agent = world.agent("web-1", "eu-west", &up.url);
    world.commit("apps/web/settings.yaml", "greeting: good\n");
    agent.comes_to_read("web", "settings.yaml", "greeting: good\n");
    let bad = world.commit("apps/web/settings.yaml", "greeting: bad\n");
    agent.comes_to_read("web", "settings.yaml", "greeting: bad\n");
    up.published(&bad);
    let rollback = world.run(&["rollback", "config", "--app", "web", "--reason", "it is bad"]);
    assert_ok(&rollback, "driftless rollback");
    agent.comes_to_read("web", "settings.yaml", "greeting: good\n");
    // A publisher that starts anew still has the bad commit at its tip, and leaves the region alone.
    up.process.kill();
    std::fs::remove_dir_all(world.home().join("state")).expect("what the publisher remembers can be lost");
    let up = world.up();
    up.published(&bad);
    assert_eq!(up.pointer("web", "eu-west")["withdrawn"].as_array().map(Vec::len), Some(1));
    let history = world.run(&["history", "config", "--app", "web", "--region", "eu-west", "--json"]);
    assert_ok(&history, "driftless history");
    let history: serde_json::Value = serde_json::from_slice(&history.stdout).expect("JSON");
    assert_eq!(history[0]["kind"], "rollback");
    let agent = world.agent("web-2", "eu-west", &up.url);
    agent.comes_to_read("web", "settings.yaml", "greeting: good\n");
    world.commit("apps/web/settings.yaml", "greeting: better\n");
    agent.comes_to_read("web", "settings.yaml", "greeting: better\n");
}

#[test]
fn a_rollback_leaves_regions_alone_that_the_bad_commit_did_not_change() {
    let world = World::new();
    let yaml = "regions:\n  eu-west: { labels: { zone: eu } }\n  us-east: {}\n\
                apps:\n  web:\n    path: apps/web\n    overlays:\n      - { path: overlays/eu, when: { zone: eu } }\n";
    world.write("driftless.yaml", yaml);
    world.write("overlays/eu/zone.yaml", "limit: 1\n");
    let up = world.up();
    up.published(&world.commit("apps/web/settings.yaml", "greeting: everywhere\n"));
    let us = up.pointer("web", "us-east");
    let before = up.pointer("web", "eu-west")["stable"].clone();
    up.published(&world.commit("overlays/eu/zone.yaml", "limit: bad\n"));
    assert_eq!(up.pointer("web", "us-east"), us, "the overlay is not for this region");
    let rollback = world.run(&["rollback", "config", "--app", "web", "--reason", "the overlay is bad"]);
    assert_ok(&rollback, "driftless rollback");
    assert_eq!(String::from_utf8_lossy(&rollback.stdout).lines().count(), 1, "one region went back");
    eventually("eu-west is where it was", || up.pointer("web", "eu-west")["stable"] == before);
    assert_eq!(up.pointer("web", "us-east"), us);
}

#[test]
fn a_hook_that_fails_keeps_or_brings_back_what_ran() {
    let world = World::new();
    let up = world.up();
    let hooks = "  web:\n    check: { run: [grep, -q, -v, unchecked, settings.yaml] }\n    \
                 reload: { run: [grep, -q, -v, unloadable, settings.yaml] }\n";
    let config = world.agent_yaml("web-1", "eu-west", &[&up.url], hooks);
    let agent = world.agent_with("web-1", &config);
    world.commit("apps/web/settings.yaml", "greeting: good\n");
    agent.comes_to_read("web", "settings.yaml", "greeting: good\n");
    for (word, step) in [("unchecked", "check"), ("unloadable", "reload")] {
        world.commit("apps/web/settings.yaml", &format!("greeting: {word}\n"));
        eventually(&format!("the {step} hook says no"), || {
            let status = up.status();
            let worst = &region(&status, "web", "eu-west")["agents"]["worst"][0];
            worst["outcome"] == "failed" && worst["step"] == step
        });
        assert_eq!(agent.reads("web", "settings.yaml").as_deref(), Some("greeting: good\n"), "{step}");
    }
    world.commit("apps/web/settings.yaml", "greeting: better\n");
    agent.comes_to_read("web", "settings.yaml", "greeting: better\n");
}

#[test]
fn hooks_are_told_absolute_paths_whatever_the_configuration_counts_from() {
    let world = World::new();
    let up = world.up();
    up.published(&world.tip());
    let hook = r#"{ run: [sh, -c, 'test -f "$DRIFTLESS_DIR/settings.yaml"'] }"#;
    let config =
        world.agent_yaml("web-1", "eu-west", &[&up.url], &format!("  web: {{ check: {hook}, probe: {hook} }}\n"));
    let yaml = std::fs::read_to_string(&config).expect("it was just written");
    let (state, root) = (world.agent_state("web-1"), world.home().join("trust/0000000001.root"));
    let relative = yaml.replace(&state.display().to_string(), "agents/web-1");
    let relative = relative.replace(&root.display().to_string(), "config.driftless/trust/0000000001.root");
    assert!(relative.contains("state: agents/web-1\n") && relative.contains("root: config.driftless/"), "{relative}");
    std::fs::write(&config, relative).expect("a small file");
    let agent = world.agent_with("web-1", std::path::Path::new("web-1.yaml"));
    eventually("it runs something", || agent.current("web").is_some());
    eventually("and says so", || region(&up.status(), "web", "eu-west")["agents"]["generations"][0]["applied"] == 1);
}

#[test]
fn a_second_agent_on_the_same_folder_is_refused() {
    let world = World::new();
    let up = world.up();
    let config = world.agent_yaml("web-1", "eu-west", &[&up.url], "  web: {}\n");
    let agent = world.agent_with("web-1", &config);
    eventually("it runs", || agent.current("web").is_some());
    let second = world.run(&["agent", "--config", "web-1.yaml"]);
    assert!(!second.status.success());
    assert!(crate::world::stderr(&second).contains("another agent"), "{}", crate::world::stderr(&second));
}

pub(crate) fn region<'a>(status: &'a serde_json::Value, app: &str, region: &str) -> &'a serde_json::Value {
    let regions = status["regions"].as_array().map(Vec::as_slice).unwrap_or_default();
    regions.iter().find(|one| one["app"] == app && one["region"] == region).unwrap_or(&serde_json::Value::Null)
}
