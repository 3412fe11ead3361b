//! A whole site: a config repository, `driftless up`, agents in three regions, and a witness.

use std::fs;
use std::path::PathBuf;
use std::process::Output;
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde_json::Value;

use super::crowd::Crowd;
use super::witness::{Seen, Witness, payload, pointer};
use crate::world::{Up, World, assert_ok, eventually};

/// Where the agents are; the first one takes a commit first.
pub(crate) const REGIONS: [&str; 3] = ["eu-west", "us-east", "ap-south"];
/// How many agents there are in each.
pub(crate) const EACH: usize = 4;

/// A share of the first region, all of it, then everyone; nobody may fail.
pub(crate) const STEADY: &str = "  steady:
    waves:
      - { regions: [eu-west], share: 25%, soak: 500ms }
      - { regions: [eu-west], share: 100%, soak: 500ms }
      - { regions: [\"*\"], share: 100% }
    gate: { applied: 100%, failed_at_most: 0, within: 60s }
    live_within: 5s
";

/// As [`STEADY`], but the first wave is looked at for longer than any test lasts.
pub(crate) const PATIENT: &str = "  patient:
    waves:
      - { regions: [eu-west], share: 25%, soak: 10m }
      - { regions: [\"*\"], share: 100% }
    gate: { applied: 100%, failed_at_most: 0, within: 60s }
    live_within: 5s
";

/// Everything that runs. Ends all of it when it goes out of scope, and fails if the witness saw too many hosts on anything.
pub(crate) struct Site {
    witness: Witness,
    pub(crate) crowd: Crowd,
    up: Mutex<Option<Up>>,
    pub(crate) url: String,
    /// One commit at a time, whoever makes it.
    writing: Mutex<()>,
    pub(crate) world: World,
}

impl Site {
    /// Publishes one version `0` of each app, under the given policies, to agents that are there.
    pub(crate) fn start(apps: &[(&str, &str)], policies: &str) -> Site {
        Site::start_in(World::new(), apps, policies)
    }

    /// As [`Site::start`], in a world whose publisher is configured already.
    pub(crate) fn start_in(world: World, apps: &[(&str, &str)], policies: &str) -> Site {
        write_rules(&world, apps, policies);
        let apps: Vec<&str> = apps.iter().map(|(app, _)| *app).collect();
        for app in &apps {
            world.write(&format!("apps/{app}/v"), "0\n");
        }
        world.git(&["add", "-A"]);
        world.git(&["commit", "-q", "-m", "Begin"]);
        let up = world.up();
        let url = up.url.clone();
        Site::around(world, &apps, Some(up), url)
    }

    /// A site whose agents ask `url`.
    pub(crate) fn around(world: World, apps: &[&str], up: Option<Up>, url: String) -> Site {
        let crowd = Crowd::start(&world, &REGIONS, EACH, apps, &url);
        let witness = Witness::start(crowd.hosts(), apps, &world.store());
        let site = Site { witness, crowd, up: Mutex::new(up), url, writing: Mutex::default(), world };
        for app in apps {
            site.all_run(app, "0");
        }
        site
    }

    /// Commits files of one app, signed. Gives the commit.
    pub(crate) fn commit(&self, app: &str, files: &[(&str, &str)]) -> String {
        let files: Vec<(String, &str)> =
            files.iter().map(|(file, content)| (format!("apps/{app}/{file}"), *content)).collect();
        let files: Vec<(&str, &str)> = files.iter().map(|(file, content)| (file.as_str(), *content)).collect();
        self.commit_saying(&format!("Change {app}"), &files)
    }

    /// Commits files of the repository under a message, signed. Gives the commit.
    pub(crate) fn commit_saying(&self, message: &str, files: &[(&str, &str)]) -> String {
        let _alone = self.writing();
        for (file, content) in files {
            self.world.write(file, content);
        }
        self.world.git(&["add", "-A"]);
        self.world.git(&["commit", "-q", "-m", message]);
        self.world.tip()
    }

    /// Reverts a commit, signed. Gives the revert.
    pub(crate) fn revert(&self, commit: &str) -> String {
        let _alone = self.writing();
        self.world.git(&["revert", "--no-edit", commit]);
        self.world.tip()
    }

    fn writing(&self) -> MutexGuard<'_, ()> {
        self.writing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What the hosts showed so far.
    pub(crate) fn seen(&self, app: &str) -> Seen {
        self.witness.of(app)
    }

    /// Waits until every host runs a version.
    pub(crate) fn all_run(&self, app: &str, version: &str) {
        eventually(&format!("every host runs version {version} of {app}"), || {
            let now = self.seen(app).now;
            now.len() == self.crowd.hosts().len() && now.values().all(|runs| runs == version)
        });
    }

    /// Waits until any host runs a version.
    pub(crate) fn some_run(&self, app: &str, version: &str) {
        eventually(&format!("some host runs version {version} of {app}"), || {
            self.seen(app).now.values().any(|runs| runs == version)
        });
    }

    /// A region's pointer, as it lies in the store.
    pub(crate) fn pointer(&self, app: &str, region: &str) -> Value {
        pointer(&self.world.store(), app, region).unwrap_or(Value::Null)
    }

    /// The newest records of all rollouts of an app, oldest rollout first.
    pub(crate) fn rollouts(&self, app: &str) -> Vec<Value> {
        let folder = self.world.store().join(format!("v1/apps/{app}/rollouts"));
        sorted(&folder).iter().filter_map(|rollout| payload(sorted(rollout).last()?)).collect()
    }

    /// The newest record of the rollout of `commit`.
    pub(crate) fn rollout(&self, app: &str, commit: &str) -> Value {
        let rollouts = self.rollouts(app);
        rollouts.into_iter().rev().find(|rollout| rollout["commit"] == commit).unwrap_or(Value::Null)
    }

    /// Waits until the rollout of `commit` is at a stage that `is` holds for, and gives its record.
    pub(crate) fn comes_to(&self, app: &str, commit: &str, what: &str, is: impl Fn(&Value) -> bool) -> Value {
        let mut record = Value::Null;
        eventually(&format!("the rollout of {commit} of {app} {what}"), || {
            record = self.rollout(app, commit);
            is(&record["stage"])
        });
        record
    }

    /// Waits until the rollout of `commit` is in its wave number `index`, and gives its record.
    pub(crate) fn comes_to_wave(&self, app: &str, commit: &str, index: u64) -> Value {
        let what = format!("comes to wave {index}");
        self.comes_to(app, commit, &what, |stage| stage["is"] == "wave" && stage["index"] == index)
    }

    /// Waits until the rollout of `commit` is over; it must have ended as `how` says. Gives why, where there is a reason.
    pub(crate) fn ends(&self, app: &str, commit: &str, how: &str) -> String {
        let record = self.comes_to(app, commit, "ends", |stage| stage["is"] == "ended");
        assert_eq!(record["stage"]["how"], how, "{record:#}");
        record["stage"]["why"].as_str().unwrap_or_default().to_owned()
    }

    /// Waits until no region has a candidate, and no host runs anything but `version`.
    pub(crate) fn is_back_at(&self, app: &str, version: &str) {
        eventually(&format!("no region has a candidate of {app}"), || {
            REGIONS.iter().all(|region| self.pointer(app, region)["candidate"].is_null())
        });
        self.all_run(app, version);
    }

    /// The publisher's and the gateway's process.
    pub(crate) fn up(&self) -> MutexGuard<'_, Option<Up>> {
        self.up.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// `kill -9` of publisher and gateway.
    pub(crate) fn kill_publisher(&self) {
        self.up().take().expect("it runs").process.kill();
    }

    /// Starts them again, on the same address.
    pub(crate) fn start_publisher(&self) {
        *self.up() = Some(Up::start(self.world.driftless(&self.up_again())));
    }

    /// How they are started again on the same address.
    pub(crate) fn up_again(&self) -> [&str; 4] {
        ["up", "config", "--listen", self.url.trim_start_matches("http://")]
    }

    /// The publisher's status.
    pub(crate) fn status(&self) -> Value {
        self.up().as_ref().map_or(Value::Null, Up::status)["publisher"].clone()
    }

    /// How many agents of an app and region the gateway knows.
    pub(crate) fn known(&self, app: &str, region: &str) -> u64 {
        let status = self.up().as_ref().map_or(Value::Null, Up::status);
        crate::story::region(&status, app, region)["agents"]["known"].as_u64().unwrap_or(0)
    }

    /// What the publisher says of the newest rollout of an app.
    pub(crate) fn told(&self, app: &str) -> Value {
        let status = self.status();
        let rollouts = status["rollouts"].as_array().map(Vec::as_slice).unwrap_or_default();
        let newest = rollouts.iter().filter(|one| one["app"] == app).max_by_key(|one| one["id"].as_u64());
        newest.cloned().unwrap_or(Value::Null)
    }

    /// What an operator types: a subcommand, with the home that has the token and the URL of the publisher.
    pub(crate) fn operator(&self, args: &[&str]) -> Output {
        let home = self.world.home().display().to_string();
        let mut command = self.world.driftless(args);
        command.args(["--url", &self.url, "--home", &home]).output().expect("driftless starts")
    }

    /// A deed of an operator, with a reason; it must be done.
    pub(crate) fn orders(&self, args: &[&str]) {
        let done = self.operator(&[args, &["--why", "the test says so"]].concat());
        assert_ok(&done, &args.join(" "));
    }

    /// Waits until the publisher is done with `commit`.
    pub(crate) fn published(&self, commit: &str) {
        eventually(&format!("{commit} is published"), || self.status()["published"] == commit);
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        let violations = self.witness.end();
        if !std::thread::panicking() {
            assert!(violations.is_empty(), "{violations:#?}");
        }
    }
}

/// Writes `driftless.yaml`: three regions, and apps with the policies of these names.
pub(crate) fn write_rules(world: &World, apps: &[(&str, &str)], policies: &str) {
    let regions: String = REGIONS.iter().map(|region| format!("  {region}: {{}}\n")).collect();
    let app = |(app, policy): &(&str, &str)| format!("  {app}: {{ path: apps/{app}, rollout: {policy} }}\n");
    let apps: String = apps.iter().map(app).collect();
    world.write("driftless.yaml", &format!("regions:\n{regions}apps:\n{apps}rollouts:\n{policies}"));
}

/// A folder's entries by name, without what a kill left half written.
fn sorted(folder: &PathBuf) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let mut whole: Vec<PathBuf> = entries.filter(|path| !path.to_string_lossy().contains('#')).collect();
    whole.sort();
    whole
}
