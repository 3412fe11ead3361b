//! `driftless bench` end to end, small: what it measures is there and adds up, and nothing is left behind. How long anything took
//! is printed by it and asserted by nobody.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::world::{Process, assert_ok, eventually, isolate};

/// A folder in which everything temporary is, so that one can see whether it is gone.
struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Place {
        let place = Place(tempfile::tempdir().expect("a temporary folder"));
        fs::create_dir(place.temporary()).expect("a folder");
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn temporary(&self) -> PathBuf {
        self.path("tmp")
    }

    fn bench(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_driftless"));
        isolate(&mut command, self.0.path());
        command.env("TMPDIR", self.temporary()).arg("bench").args(args);
        command
    }

    /// Runs a bench to its end, and gives its figures.
    fn figures(&self, args: &[&str]) -> Value {
        let output = self.bench(args).arg("--json").output().expect("driftless starts");
        assert_ok(&output, &format!("bench {args:?}"));
        self.is_clean();
        serde_json::from_slice(&output.stdout).expect("one JSON document")
    }

    /// Whether the agent of a bench has begun to unpack a bundle.
    fn is_unpacking(&self) -> bool {
        let folders = fs::read_dir(self.temporary()).expect("it is there").flatten();
        let stages = folders.map(|bench| bench.path().join("agents/agent-000001/apps/app-1/stage"));
        let mut staged = stages.filter_map(|stage| fs::read_dir(stage).ok()).flatten().flatten();
        staged.any(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()))
    }

    /// No file is left, and no process that was started with one.
    fn is_clean(&self) {
        let left: Vec<_> = fs::read_dir(self.temporary()).expect("it is there").flatten().map(|it| it.path()).collect();
        assert!(left.is_empty(), "{left:?}");
        let place = self.temporary().display().to_string();
        eventually("no process is left", || running_with(&place).is_empty());
    }
}

/// The processes that were started with `words` among their arguments.
fn running_with(words: &str) -> Vec<u32> {
    let processes = fs::read_dir("/proc").expect("/proc is mounted").flatten();
    let ids = processes.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let arguments = |id: &u32| fs::read(format!("/proc/{id}/cmdline")).unwrap_or_default();
    ids.filter(|id| String::from_utf8_lossy(&arguments(id)).contains(words)).collect()
}

fn number(figures: &Value, path: &str) -> u64 {
    figures.pointer(path).and_then(Value::as_u64).unwrap_or_else(|| panic!("no number at {path} of {figures:#}"))
}

#[test]
fn a_published_change_is_timed_and_its_bytes_are_counted() {
    let place = Place::new();
    let args = ["publish", "--files", "50", "--bytes", "100K", "--apps", "2", "--regions", "2", "--rounds", "2"];
    let figures = place.figures(&args);
    assert_eq!((number(&figures, "/files"), number(&figures, "/apps"), number(&figures, "/regions")), (50, 2, 2));
    assert!(number(&figures, "/archive_bytes") > 100_000);
    for round in ["/rounds/0", "/rounds/1", "/median"] {
        let of = |name: &str| number(&figures, &format!("{round}/{name}"));
        // A bundle, its manifest, and two regions' records and pointers.
        assert!(of("store_bytes") > of("whole_bytes") && of("whole_bytes") > 5_000, "{figures:#}");
    }
    assert!(number(&figures, "/resident_kib") > 0 && figures["rounds"].get(2).is_none());
}

#[test]
fn an_agent_with_the_base_fetches_what_is_counted_at_both_ends() {
    let place = Place::new();
    let figures = place.figures(&["delta", "--files", "50", "--bytes", "200K", "--rounds", "2"]);
    assert!(number(&figures, "/first_bytes") > 10_000);
    for at in 0..2 {
        let of = |name: &str| number(&figures, &format!("/rounds/{at}/{name}"));
        let patch = figures["rounds"][at]["patch_bytes"].as_u64().expect("the bundle before is patched from");
        assert_eq!(of("bundle_bytes"), patch, "{figures:#}");
        assert!(patch * 10 < of("whole_bytes"), "{figures:#}");
        // The pointer and the manifest come with it, and the answer to the ack.
        let besides = of("answered_bytes").checked_sub(of("bundle_bytes"));
        assert!(besides.is_some_and(|besides| (500..10_000).contains(&besides)), "{figures:#}");
    }
}

#[test]
fn a_replayed_history_costs_what_its_changes_cost() {
    let place = Place::new();
    let repository = place.path("some-tool");
    fs::create_dir(&repository).expect("a folder");
    let git = |args: &[&str]| {
        let mut git = Command::new("git");
        isolate(&mut git, &repository);
        git.args(["-c", "user.name=Robin", "-c", "user.email=robin@example.com", "-c", "commit.gpgsign=false"]);
        assert_ok(&git.args(args).output().expect("git is installed"), &format!("git {args:?}"));
    };
    let commit = |message: &str| {
        git(&["add", "-A"]);
        git(&["commit", "-q", "--allow-empty", "-m", message]);
    };
    git(&["init", "-q", "-b", "trunk"]);
    fs::create_dir(repository.join("conf")).expect("a folder");
    let lines: String = (0..500).map(|line| format!("key_{line} = {}\n", line * 31 % 97)).collect();
    fs::write(repository.join("conf/settings"), &lines).expect("a file");
    std::os::unix::fs::symlink("settings", repository.join("conf/link")).expect("a link");
    commit("Begin");
    for round in 1..=7 {
        fs::write(repository.join("conf/limits"), format!("limit = {round}\n")).expect("a file");
        commit("Change a limit");
    }
    fs::write(repository.join("elsewhere"), "not below the folder\n").expect("a file");
    commit("Change something else");
    git(&["revert", "--no-edit", "HEAD~1"]);
    let (svg, csv) = (place.path("plot.svg"), place.path("figures.csv"));
    let path = |path: &Path| path.display().to_string();
    let args = ["replay", &path(&repository), "--path", "conf", "--svg", &path(&svg), "--csv", &path(&csv)];
    let figures = place.figures(&args);

    assert_eq!((number(&figures, "/changed"), number(&figures, "/unchanged")), (8, 1));
    assert_eq!((number(&figures, "/left_out/symlinks"), number(&figures, "/left_out/submodules")), (1, 0));
    let commits = figures["commits"].as_array().expect("a list");
    let of = |commit: &Value, name: &str| commit[name].as_u64().expect("a number");
    assert!(commits.iter().all(|commit| of(commit, "fetched_bytes") <= of(commit, "whole_bytes")), "{figures:#}");
    assert_eq!(commits.last().map(|revert| of(revert, "fetched_bytes")), Some(0), "an agent still has that version");
    let sum = |name: &str| commits.iter().map(|commit| of(commit, name)).sum::<u64>();
    assert_eq!(number(&figures, "/fetched_bytes"), sum("fetched_bytes"));
    assert_eq!(number(&figures, "/whole_bytes"), sum("whole_bytes"));

    let plot = fs::read_to_string(svg).expect("a plot");
    assert_eq!(plot.matches("r=\"2.2\"").count(), 2 * commits.len());
    assert!(plot.contains("some-tool") && plot.trim_end().ends_with("</svg>"));
    let table = fs::read_to_string(csv).expect("a table");
    assert_eq!(table.lines().count(), commits.len() + 1);
}

#[test]
fn every_agent_goes_through_every_step() {
    let place = Place::new();
    let state = place.path("states");
    fs::create_dir(&state).expect("a folder");
    let state_arg = state.display().to_string();
    let args = ["apply", "--agents", "5", "--processes", "2", "--gateways", "2", "--state", &state_arg];
    let figures = place.figures(&args);
    assert_eq!((number(&figures, "/applied"), number(&figures, "/lost"), number(&figures, "/processes")), (5, 0, 2));
    assert!(number(&figures, "/bundle_bytes") > 0);
    let phases: Vec<&str> =
        figures["phases"].as_array().expect("a list").iter().filter_map(|it| it["until"].as_str()).collect();
    for phase in ["notified", "seen", "synced", "switched", "result", "acked"] {
        assert!(phases.contains(&phase), "{phase}: {phases:?}");
    }
    assert!(fs::read_dir(&state).expect("it is there").next().is_none(), "the agents' folders are left");
}

#[test]
fn a_rollback_to_a_bundle_on_disk_moves_no_bundle_byte() {
    let figures = Place::new().figures(&["rollback", "--agents", "5"]);
    assert_eq!((number(&figures, "/change/applied"), number(&figures, "/revert/applied")), (5, 5));
    assert!(number(&figures, "/change/bundle_bytes") > 0);
    assert_eq!((number(&figures, "/bundle_bytes"), number(&figures, "/revert/bundle_bytes")), (0, 0));
}

#[test]
fn an_idle_agent_is_looked_at_between_its_polls() {
    let figures = Place::new().figures(&["agent", "--apps", "2", "--seconds", "2"]);
    assert_eq!((number(&figures, "/apps"), number(&figures, "/requests")), (2, 0));
    assert!(figures["resident_mib"].as_f64() > Some(0.0) && figures["cpu_ticks"].is_u64(), "{figures:#}");
}

#[test]
fn an_interrupted_bench_leaves_nothing_behind() {
    let place = Place::new();
    let mut bench = Process::start(place.bench(&["agent", "--seconds", "45"]));
    let temporary = place.temporary().display().to_string();
    eventually("gateway and agent run", || running_with(&temporary).len() == 2);
    assert_ne!(bench.interrupt(), Some(0));
    place.is_clean();
}

#[test]
fn a_bench_that_is_interrupted_while_its_agent_unpacks_leaves_nothing_behind() {
    let place = Place::new();
    let mut bench = Process::start(place.bench(&["delta", "--files", "4000", "--bytes", "4M"]));
    eventually("the agent unpacks", || place.is_unpacking());
    assert_ne!(bench.interrupt(), Some(0));
    place.is_clean();
}
