//! F02, F03: what is durable before what. A kill cannot show it, since what was not synced survives a kill, so the program says
//! in its trace what it syncs, appends and renames.

use std::process::Stdio;

use edge_agent::journal::Journal;
use schema::{Digest, Outcome};
use tokio::io::AsyncReadExt as _;
use tokio::process::Command;

use crate::world::World;

impl World {
    /// Runs the program until the pointer that is served now has its result, and gives its trace from the app's folder on, the
    /// bundle called `NEW`.
    async fn trace(&self, new: Digest) -> Vec<String> {
        self.server.until("nobody waits", |served| served.parked.is_empty()).await;
        let mut child = Command::new(env!("CARGO_BIN_EXE_driftless-agent"))
            .args(["run", "--config"])
            .arg(self.write_config())
            .env("DRIFTLESS_LOG", "edge_agent::disk=trace,edge_agent::apply::marks=trace")
            .stdin(Stdio::null())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("the program was built for the test");
        let told = |served: &crate::server::Served| {
            served.acks.iter().any(|ack| (ack.attempted, ack.outcome) == (new, Outcome::Applied))
        };
        self.server.until("it is applied", told).await;
        self.settled().await;
        let pid = rustix::process::Pid::from_raw(child.id().expect("it runs") as i32).expect("not zero");
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).expect("our own child");
        let mut text = String::new();
        let stderr = child.stderr.as_mut().expect("piped");
        stderr.read_to_string(&mut text).await.expect("text to its end");
        child.wait().await.expect("our own child");
        let place = format!("{}/", self.app_folder().path().display());
        let text = text.replace(&place, "").replace(&new.to_string(), "NEW").replace(place.trim_end_matches('/'), ".");
        text.lines().filter_map(|line| line.rsplit_once(": ")).map(|(_, event)| event.to_owned()).collect()
    }
}

#[tokio::test]
async fn f03_each_step_is_durable_before_the_next_begins() {
    let mut world = World::new().await;
    let old = world.publish(&[("limits.yaml", "rps: 1\n"), ("deep/same", "x")]);
    world.trace(old).await;
    let new = world.publish(&[("limits.yaml", "rps: 2\n"), ("deep/same", "x")]);
    let trace = world.trace(new).await;
    let from = trace.iter().position(|event| event.contains("apply-seen")).expect("it was seen");
    let to = trace.iter().position(|event| event.contains("apply-result")).expect("it has a result");
    let expected = [
        "appended to journal",
        "step=\"apply-seen\"",
        "appended to journal",
        "step=\"apply-intent\"",
        "step=\"apply-downloaded\"",
        "step=\"apply-unpacked\"",
        "synced stage/NEW/limits.yaml",
        "synced stage/NEW/deep",
        "synced stage/NEW",
        "step=\"apply-synced\"",
        "renamed stage/NEW to versions/NEW",
        "synced versions/NEW",
        "synced versions",
        "step=\"apply-renamed\"",
        "step=\"apply-checked\"",
        "renamed stage/current to current",
        "step=\"apply-switched\"",
        "synced .",
        "step=\"apply-switch-synced\"",
        "appended to journal",
        "step=\"apply-applied\"",
        "step=\"apply-reloaded\"",
        "step=\"apply-probed\"",
        "appended to journal",
        "step=\"apply-result\"",
    ];
    assert_eq!(trace[from - 1..=to], expected);
}

#[tokio::test]
async fn f02_a_first_start_makes_its_folders_durable_in_those_above() {
    let mut world = World::new().await;
    let new = world.publish(&[("limits.yaml", "rps: 1\n")]);
    let trace = world.trace(new).await;
    let state = world.config.state.display().to_string();
    let above = world.folder.path().display().to_string();
    let key = format!("{state}/identity.key");
    let expected = [
        format!("synced {above}"),
        format!("synced {state}"),
        format!("synced {key}.next"),
        format!("renamed {key}.next to {key}"),
        format!("synced {state}"),
        format!("synced {state}/apps"),
        "synced .".to_owned(),
    ];
    assert_eq!(trace[..7], expected);
    let journal = ["synced journal.next", "renamed journal.next to journal", "synced ."];
    assert_eq!(trace[8..11], journal);
}

#[tokio::test]
async fn f02_a_version_that_lies_there_is_synced_before_it_is_relied_on() {
    let mut world = World::new().await;
    let new = world.publish(&[("limits.yaml", "rps: 1\n")]);
    world.trace(new).await;
    world.publish(&[("limits.yaml", "rps: 2\n")]);
    let mut agent = world.start();
    agent.applied(2).await;
    agent.stop().await;
    world.server.change(|served| served.acks.clear());
    world.publish(&[("limits.yaml", "rps: 1\n")]);
    let trace = world.trace(new).await;
    let at = |event: &str| trace.iter().position(|other| other == event);
    assert!(
        at("synced versions").is_some_and(|synced| Some(synced) < at("renamed stage/current to current")),
        "{trace:?}"
    );
}

#[tokio::test]
async fn hooks_find_the_step_before_them_on_record() {
    let mut world = World::new().await;
    for hook in ["check", "reload", "probe"] {
        let copy = world.script(hook, "cp \"$DRIFTLESS_DIR/../../journal\" \"$0.journal\"; readlink \"$DRIFTLESS_DIR/../../current\" > \"$0.current\" || true");
        world.hook(hook, &copy);
    }
    let new = world.publish(&[("limits.yaml", "rps: 1\n")]);
    let mut agent = world.start();
    agent.applied(1).await;
    agent.stop().await;
    for (hook, switched) in [("check", false), ("reload", true), ("probe", true)] {
        let copy = world.folder.path().join(format!("{hook}.journal"));
        let state = Journal::read(&copy).expect("a sound journal").expect("the hook ran");
        assert_eq!(state.intent.map(|intent| intent.target), Some(new), "{hook}");
        assert_eq!(state.applied.is_some(), switched, "{hook}");
        let current =
            std::fs::read_to_string(world.folder.path().join(format!("{hook}.current"))).expect("the hook ran");
        assert_eq!(!current.is_empty(), switched, "{hook}");
        assert_eq!(state.settled, None, "{hook}");
    }
}
