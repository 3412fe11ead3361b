//! One agent process, hostile proxies in front of an honest gateway, and the five outcomes that every attack must have.
//!
//! In: an attack, and the name of the refusal that it must meet. Out: nothing, or a failed test. The folder of the host is watched.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use edge_agent::{AppFolder, AppStatus, Finding};
use schema::ack::{Outcome, Step};
use schema::keys::SecretKey;
use schema::{Digest, TrustRoot};

use super::forge::{Forge, app, home};
use super::metrics::{Metrics, sample_of};
use super::proxy::{Proxy, Source};
use super::witness::Witness;
use crate::world::{Process, Up, eventually, isolate};

pub(crate) struct Arena {
    pub(crate) forge: Forge,
    /// In the order in which the agent prefers them.
    pub(crate) proxies: Vec<Proxy>,
    pub(crate) agent: Process,
    gateway: Option<Up>,
    publications: u32,
    /// The store and the host are in it, apart from each other. Last, so that it outlives those who write to it.
    folder: Scratch,
}

/// A temporary folder with a host in it, whose trees are read-only: for whoever is not root that is in the way of removing them.
pub(crate) struct Scratch(tempfile::TempDir);

/// How an agent must name what it refuses.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Refusal<'a> {
    /// The bytes were no pointer that it may follow; the log says why.
    Pointer(&'a str),
    /// Nobody gave a pointer at all.
    NoPointer(&'a str),
    /// The next trust root was refused.
    Root(&'a str),
    /// The pointer was accepted, and what it names was not; the ack says at which step and why, and the log too.
    Generation(Step, &'a str),
    /// Acceptable, but over.
    Stale,
}

/// How many lines a process had said, and what it had counted.
#[derive(Clone, Debug)]
pub(crate) struct Heard {
    process: u32,
    lines: usize,
    counted: Metrics,
}

/// How an arena differs from the usual one.
pub(crate) struct Setup {
    pub(crate) mirrors: usize,
    /// Whether a gateway stands between the store and the proxies, or the store is served as plain files.
    pub(crate) served: Served,
    /// How long a gateway is asked to hold polls; without that, the agent polls ten times a second.
    pub(crate) wait: &'static str,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Served {
    ByGateway,
    AsFiles,
}

impl Default for Setup {
    fn default() -> Setup {
        Setup { mirrors: 1, served: Served::ByGateway, wait: "0s" }
    }
}

impl Arena {
    /// An agent that runs the first generation.
    pub(crate) fn new() -> Arena {
        Arena::with(Setup::default(), |_| ())
    }

    pub(crate) fn with(setup: Setup, root: impl FnOnce(&mut TrustRoot)) -> Arena {
        Arena::with_cosigners(setup, Vec::new(), root)
    }

    /// With keys that sign every manifest beside the release key.
    pub(crate) fn with_cosigners(setup: Setup, cosigners: Vec<SecretKey>, root: impl FnOnce(&mut TrustRoot)) -> Arena {
        let folder = Scratch::new();
        let store = folder.path().join("store");
        let mut forge = Forge::new(&store, root);
        forge.cosigners = cosigners;
        let (gateway, source) = match setup.served {
            Served::ByGateway => {
                let gateway = start_gateway(folder.path(), &forge);
                let address = gateway.url.trim_start_matches("http://").parse().expect("an address");
                (Some(gateway), Source::Gateway(address))
            }
            Served::AsFiles => (None, Source::Folder(store)),
        };
        let proxies: Vec<Proxy> = (0..setup.mirrors).map(|_| Proxy::start(source.clone())).collect();
        write_config(folder.path(), &forge, &proxies, setup.wait);
        let agent = start_agent(folder.path());
        let mut arena = Arena { forge, proxies, agent, gateway, publications: 0, folder };
        arena.publish();
        arena.comes_to_run_newest("the first generation");
        arena
    }

    /// The honest gateway behind the proxies.
    pub(crate) fn gateway(&self) -> &Up {
        self.gateway.as_ref().expect("this arena has one")
    }

    /// The proxy that the agent prefers.
    pub(crate) fn proxy(&self) -> &Proxy {
        &self.proxies[0]
    }

    pub(crate) fn host(&self) -> PathBuf {
        self.folder.path().join("host")
    }

    pub(crate) fn state(&self) -> PathBuf {
        self.host().join("state")
    }

    pub(crate) fn app_folder(&self) -> AppFolder {
        AppFolder::of(&self.state(), &app())
    }

    /// A file beside host and store.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Publishes something new, and honestly.
    pub(crate) fn publish(&mut self) -> Digest {
        let content = self.new_content();
        self.forge.publish(&content).stable.digest
    }

    /// Content that was never published before.
    pub(crate) fn new_content(&mut self) -> String {
        self.publications += 1;
        format!("publication: {}\n", self.publications)
    }

    /// What `driftless-agent status` says.
    pub(crate) fn status(&self) -> AppStatus {
        let mut apps = edge_agent::status(&self.state()).expect("a state folder");
        apps.pop().expect("the agent has one app")
    }

    /// The version that `current` names.
    pub(crate) fn runs(&self) -> Option<Digest> {
        self.app_folder().active().expect("`current` can be read")
    }

    /// Stops the agent as a power cut would, and starts it again.
    pub(crate) fn restart_agent(&mut self) {
        self.agent.kill();
        Metrics::remove(&self.state());
        self.agent = start_agent(self.folder.path());
    }

    /// Lets an attack happen to the agent, and asserts the five outcomes.
    ///
    /// 1. What runs stays as it is, inode by inode. 2. Nothing is written outside the stage. 3. The agent runs on and serves what it
    ///    had. 4. It names what it refused, and counts it. 5. The next honest publication is applied.
    #[track_caller]
    pub(crate) fn attacked(&mut self, what: &str, refusal: Refusal<'_>, attack: impl FnOnce(&mut Arena)) {
        let runs = self.runs();
        let witness = Witness::of(&self.host(), &self.app_folder().current());
        let heard = self.heard();
        attack(self);
        self.refuses(what, refusal, &heard);
        self.is_asked_again(what);
        assert!(self.agent.is_running(), "{what}: the agent has ended");
        assert_eq!(self.runs(), runs, "{what}: the agent switched");
        witness.assert_tree_unchanged(what);
        witness.assert_only_stage_written(what);
        drop(witness);
        self.recovers(what);
    }

    /// Outcome 5: with honest proxies and an honest publication, the agent goes on as if nothing had been.
    #[track_caller]
    pub(crate) fn recovers(&mut self, what: &str) {
        for proxy in &self.proxies {
            proxy.turn_honest();
        }
        self.publish();
        self.comes_to_run_newest(what);
        let log = self.agent.log();
        let panics: Vec<&String> = log.iter().filter(|line| line.contains("panicked")).collect();
        assert!(panics.is_empty(), "{what}: {panics:?}");
    }

    /// Waits until the newest publication runs, and proves it.
    #[track_caller]
    pub(crate) fn comes_to_run_newest(&self, what: &str) {
        let newest = self.forge.newest().stable.digest;
        eventually(&format!("{what}: the newest publication runs"), || self.runs() == Some(newest));
        self.assert_proven(newest);
        // What was on its way when the proxies turned honest is over, old versions are gone, and what was complained about is
        // settled: none of it will be taken for part of the next attack.
        self.is_asked_again(what);
        self.is_asked_again(what);
    }

    /// How much the agent has said and counted so far.
    #[track_caller]
    pub(crate) fn heard(&self) -> Heard {
        // Metrics are written now and then. When what runs is in them, all that was counted before is.
        let runs = || self.status().told.and_then(|ack| ack.active).map(|active| active.generation.number() as f64);
        eventually("what runs is in the metrics", || Some(self.counted().generation()) == runs());
        Heard { process: self.agent.id(), lines: self.agent.log().len(), counted: self.counted() }
    }

    fn counted(&self) -> Metrics {
        Metrics::of(&self.state())
    }

    /// Reads every byte that runs.
    pub(crate) fn assert_proven(&self, digest: Digest) {
        let proofs = edge_agent::verify(&self.state()).expect("a state folder");
        assert!(
            matches!(proofs[0].finding, Finding::Proven { digest: found } if found == digest),
            "{digest}: {proofs:?}"
        );
    }

    /// Outcome 4.
    #[track_caller]
    pub(crate) fn refuses(&self, what: &str, refusal: Refusal<'_>, heard: &Heard) {
        let (event, words) = match refusal {
            Refusal::Pointer(words) => ("pointer", words),
            Refusal::NoPointer(words) => ("pointer; what runs goes on running", words),
            Refusal::Root(words) => ("is offered and refused", words),
            Refusal::Generation(_, words) => ("is tried again later", words),
            Refusal::Stale => ("STALE", "expired"),
        };
        eventually(&format!("{what}: the agent tells of {refusal:?}"), || {
            self.said_since(heard).iter().any(|line| line.contains(event) && line.contains(words))
        });
        let told = || self.status().told.expect("something was told");
        match refusal {
            Refusal::Generation(step, _) => eventually(&format!("{what}: the ack is {refusal:?}"), || {
                let told = told();
                (told.outcome, told.step) == (Outcome::Refused, Some(step)) && told.reason.is_some()
            }),
            Refusal::Stale => eventually(&format!("{what}: the ack is stale"), || told().outcome == Outcome::Stale),
            Refusal::Pointer(_) | Refusal::NoPointer(_) | Refusal::Root(_) => {}
        }
        let sample = sample_of(refusal);
        let before = if self.is_same_process(heard) { heard.counted.value(&sample) } else { 0.0 };
        eventually(&format!("{what}: `{sample}` grows"), || self.counted().value(&sample) > before);
    }

    /// What the agent said since.
    pub(crate) fn said_since(&self, heard: &Heard) -> Vec<String> {
        let from = if self.is_same_process(heard) { heard.lines } else { 0 };
        self.agent.log()[from..].to_vec()
    }

    /// Whether the agent was not restarted since.
    fn is_same_process(&self, heard: &Heard) -> bool {
        heard.process == self.agent.id()
    }

    /// Waits until the agent has come back for more, so that what it makes of the last answer is done.
    #[track_caller]
    pub(crate) fn is_asked_again(&self, what: &str) {
        let asked = || self.proxies.iter().map(Proxy::asked).sum::<u64>();
        let before = asked();
        eventually(&format!("{what}: the agent asks again"), || asked() > before);
    }

    /// The most memory that the agent ever had, in KiB.
    pub(crate) fn peak_kib(&self) -> u64 {
        peak_kib(self.agent.id())
    }
}

/// `VmHWM` of a process, in KiB.
pub(crate) fn peak_kib(process: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{process}/status")).expect("the process runs");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("Linux counts memory");
    line.split_whitespace().next().and_then(|kib| kib.parse().ok()).expect("a number of KiB")
}

/// Starts a gateway over the store of `forge`.
fn start_gateway(folder: &Path, forge: &Forge) -> Up {
    let root = forge.root_path();
    let yaml = format!(
        "name: gw-1\nlisten: 127.0.0.1:0\nstore: {}\nroot: {}\npoll: 200ms\n",
        folder.join("store").display(),
        root.display()
    );
    let config = folder.join("gateway.yaml");
    fs::write(&config, yaml).expect("a small file");
    Up::start(driftless(folder, &["gateway", "--config"], &config))
}

/// Writes the configuration of an agent on the host in `folder`.
fn write_config(folder: &Path, forge: &Forge, proxies: &[Proxy], wait: &str) {
    fs::create_dir_all(folder.join("host/tmp")).expect("a folder");
    let from: String = proxies.iter().map(|proxy| format!("  - {}\n", proxy.url())).collect();
    let yaml = format!(
        "id: web-1\nregion: {}\nroot: {}\nstate: state\npoll: 100ms\nwait: {wait}\nkeep: 2\nfrom:\n{from}apps:\n  {}: {{}}\n",
        home(),
        forge.root_path().display(),
        app(),
    );
    fs::write(folder.join("host/agent.yaml"), yaml).expect("a small file");
}

/// Starts the agent on the host in `folder`.
pub(crate) fn start_agent(folder: &Path) -> Process {
    let host = folder.join("host");
    let mut command = driftless(&host, &["agent", "--config"], &host.join("agent.yaml"));
    command.env("TMPDIR", host.join("tmp"));
    Process::start(command)
}

fn driftless(folder: &Path, args: &[&str], config: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_driftless"));
    isolate(&mut command, folder);
    command.args(args).arg(config);
    command
}

impl Scratch {
    pub(crate) fn new() -> Scratch {
        Scratch(tempfile::tempdir().expect("a temporary folder"))
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        make_removable(self.path());
    }
}

fn make_removable(path: &Path) {
    use std::os::unix::fs::PermissionsExt as _;
    let is_folder = path.symlink_metadata().is_ok_and(|metadata| metadata.is_dir());
    if is_folder && fs::set_permissions(path, fs::Permissions::from_mode(0o700)).is_ok() {
        for entry in fs::read_dir(path).into_iter().flatten().flatten() {
            make_removable(&entry.path());
        }
    }
}
