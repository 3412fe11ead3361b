//! What the scenarios are made of: a config repository driven by real `git`, real `driftless` processes, real tools.
//!
//! Everything lives in one temporary folder and listens on free ports; every process is stopped by its id when it goes out
//! of scope.

use std::cell::{Ref, RefCell};
use std::fs;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use serde_json::Value;

/// How long anything may take before a test gives up. Never asserted: it only ends a hang.
pub(crate) const PATIENCE: Duration = Duration::from_secs(90);

/// A config repository with its home, in a temporary folder.
pub(crate) struct World {
    folder: tempfile::TempDir,
}

impl World {
    /// `driftless init` in an empty folder with two regions and two apps, `web` and `flags`, one file each.
    pub(crate) fn new() -> World {
        let world = World { folder: tempfile::tempdir().expect("a temporary folder") };
        let regions = ["--region", "eu-west", "--region", "us-east"];
        let apps = ["--app", "web=apps/web", "--app", "flags=apps/flags"];
        let init = world.driftless(&["init", "config"]).args(regions).args(apps).output().expect("driftless starts");
        assert_ok(&init, "driftless init");
        world
    }

    pub(crate) fn path(&self, relative: &str) -> PathBuf {
        self.folder.path().join(relative)
    }

    pub(crate) fn home(&self) -> PathBuf {
        self.path("config.driftless")
    }

    pub(crate) fn store(&self) -> PathBuf {
        self.home().join("store")
    }

    /// A run of the command, in the world's folder.
    pub(crate) fn driftless(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_driftless"));
        isolate(&mut command, self.folder.path());
        command.args(args);
        command
    }

    /// Runs the command to its end and gives what it printed.
    pub(crate) fn run(&self, args: &[&str]) -> Output {
        self.driftless(args).output().expect("driftless starts")
    }

    /// Runs real git in the config repository; it must succeed.
    pub(crate) fn git(&self, args: &[&str]) -> String {
        let mut git = Command::new("git");
        isolate(&mut git, self.folder.path());
        let output = git.arg("-C").arg(self.path("config")).args(args).output().expect("git is installed");
        assert_ok(&output, &format!("git {args:?}"));
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }

    /// Writes a file of the config repository and commits it, signed. Gives the commit.
    pub(crate) fn commit(&self, file: &str, content: &str) -> String {
        self.write(file, content);
        self.git(&["add", "-A"]);
        self.git(&["commit", "-q", "-m", &format!("Change {file}")]);
        self.tip()
    }

    /// Reverts the newest commit, signed. Gives the commit.
    pub(crate) fn revert(&self) -> String {
        self.git(&["revert", "--no-edit", "HEAD"]);
        self.tip()
    }

    pub(crate) fn tip(&self) -> String {
        self.git(&["rev-parse", "HEAD"])
    }

    pub(crate) fn write(&self, file: &str, content: &str) {
        let path = self.path("config").join(file);
        fs::create_dir_all(path.parent().expect("a file is in a folder")).expect("a folder");
        fs::write(path, content).expect("a small file");
    }

    /// Changes one line of the publisher's configuration.
    pub(crate) fn configure(&self, from: &str, to: &str) {
        let file = self.home().join("publisher.yaml");
        let text = fs::read_to_string(&file).expect("init wrote it");
        assert!(text.contains(from), "{from:?} is in {text}");
        fs::write(file, text.replacen(from, to, 1)).expect("a small file");
    }

    /// Starts `driftless up` on a free port.
    pub(crate) fn up(&self) -> Up {
        Up::start(self.driftless(&["up", "config", "--listen", "127.0.0.1:0"]))
    }

    /// Writes the configuration of an agent that asks `urls`, and gives its path. Its state is in `agents/<id>`.
    pub(crate) fn agent_yaml(&self, id: &str, region: &str, urls: &[&str], app_yaml: &str) -> PathBuf {
        let from: String = urls.iter().map(|url| format!("  - {url}\n")).collect();
        let root = self.home().join("trust/0000000001.root");
        let yaml = format!(
            "id: {id}\nregion: {region}\nroot: {}\nstate: {}\npoll: 200ms\nfrom:\n{from}apps:\n{app_yaml}",
            root.display(),
            self.agent_state(id).display(),
        );
        let path = self.path(&format!("{id}.yaml"));
        fs::write(&path, yaml).expect("a small file");
        path
    }

    pub(crate) fn agent_state(&self, id: &str) -> PathBuf {
        self.path("agents").join(id)
    }

    /// Starts an agent for the app `web` without hooks.
    pub(crate) fn agent(&self, id: &str, region: &str, url: &str) -> Agent {
        let config = self.agent_yaml(id, region, &[url], "  web: {}\n");
        self.agent_with(id, &config)
    }

    pub(crate) fn agent_with(&self, id: &str, config: &Path) -> Agent {
        let mut command = self.driftless(&["agent", "--config"]);
        command.arg(config);
        Agent { process: Process::start(command), state: self.agent_state(id) }
    }
}

/// A running agent and its folder.
pub(crate) struct Agent {
    pub(crate) process: Process,
    pub(crate) state: PathBuf,
}

impl Agent {
    /// What an application on the host reads: a file under `current`.
    pub(crate) fn reads(&self, app: &str, file: &str) -> Option<String> {
        fs::read_to_string(self.state.join("apps").join(app).join("current").join(file)).ok()
    }

    /// The digest that `current` names.
    pub(crate) fn current(&self, app: &str) -> Option<String> {
        current(&self.state, app)
    }

    /// Waits until a file under `current` holds exactly `content`.
    pub(crate) fn comes_to_read(&self, app: &str, file: &str, content: &str) {
        eventually(&format!("the agent reads {content:?} in {file}"), || {
            self.reads(app, file).is_some_and(|text| text == content)
        });
    }
}

/// The digest that an agent's `current` names.
pub(crate) fn current(state: &Path, app: &str) -> Option<String> {
    let link = fs::read_link(state.join("apps").join(app).join("current")).ok()?;
    Some(link.file_name()?.to_string_lossy().into_owned())
}

/// A running `driftless up`, or anything else that says where it serves.
pub(crate) struct Up {
    pub(crate) process: Process,
    pub(crate) url: String,
}

impl Up {
    pub(crate) fn start(command: Command) -> Up {
        let process = Process::start(command);
        let url = process.told("serving on ");
        Up { process, url }
    }

    /// The answer to `GET /v1/status`.
    pub(crate) fn status(&self) -> Value {
        let body = curl(&["-fsS", &format!("{}/v1/status", self.url)]);
        serde_json::from_slice(&body.stdout).unwrap_or(Value::Null)
    }

    /// Waits until `commit` is published.
    pub(crate) fn published(&self, commit: &str) {
        eventually(&format!("{commit} is published"), || self.status()["publisher"]["published"] == commit);
    }

    /// Waits until the publisher has a problem whose causes hold `words`, and gives all of it.
    pub(crate) fn has_problem(&self, words: &str) -> Value {
        let mut problem = Value::Null;
        eventually(&format!("the publisher has a problem with {words:?}"), || {
            problem = self.status()["publisher"]["problem"].clone();
            problem["causes"].to_string().contains(words)
        });
        problem
    }

    pub(crate) fn pointer_url(&self, app: &str, region: &str) -> String {
        format!("{}/v1/apps/{app}/regions/{region}/pointer", self.url)
    }

    /// The payload of a pointer.
    pub(crate) fn pointer(&self, app: &str, region: &str) -> Value {
        let body = curl(&["-fsS", &self.pointer_url(app, region)]).stdout;
        let line = body.split(|byte| *byte == b'\n').next().unwrap_or_default();
        serde_json::from_slice(line).unwrap_or(Value::Null)
    }
}

/// A process that is killed by its id when nobody needs it any more. Its standard error is kept for the failure message.
pub(crate) struct Process {
    child: Child,
    lines: mpsc::Receiver<String>,
    /// Lines that were read already.
    heard: RefCell<Vec<String>>,
}

impl Process {
    pub(crate) fn start(mut command: Command) -> Process {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let stderr = BufReader::new(child.stderr.take().expect("it is piped"));
        let (tx, lines) = mpsc::channel();
        let show = std::env::var_os("DRIFTLESS_TEST_SHOW").is_some();
        std::thread::spawn(move || {
            for line in stderr.lines().map_while(Result::ok) {
                if show {
                    eprintln!("{line}");
                }
                let _nobody_listens = tx.send(line);
            }
        });
        Process { child, lines, heard: RefCell::default() }
    }

    /// Waits for a line on standard error that begins with `prefix` and gives the rest of it.
    pub(crate) fn told(&self, prefix: &str) -> String {
        let mut said = Vec::new();
        let deadline = Instant::now() + PATIENCE;
        while let Ok(line) = self.lines.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            if let Some(rest) = line.strip_prefix(prefix) {
                return rest.trim().to_owned();
            }
            said.push(line);
        }
        panic!("nothing began with {prefix:?}; it said:\n{}", said.join("\n"));
    }

    /// Everything that it has said so far.
    pub(crate) fn log(&self) -> Ref<'_, Vec<String>> {
        self.heard.borrow_mut().extend(self.lines.try_iter());
        self.heard.borrow()
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// SIGKILL, as `kill -9` sends it.
    pub(crate) fn kill(&mut self) {
        self.child.kill().expect("it can be killed");
        self.child.wait().expect("it was ours");
    }

    /// SIGINT, as Ctrl-C sends it; waits for the end and gives the exit code.
    pub(crate) fn interrupt(&mut self) -> Option<i32> {
        let id = self.child.id().to_string();
        assert_ok(&Command::new("kill").args(["-INT", &id]).output().expect("kill exists"), "kill -INT");
        self.ended()
    }

    /// Waits for the end by itself.
    pub(crate) fn ended(&mut self) -> Option<i32> {
        self.ended_as().code()
    }

    /// Waits for the end by itself, and says all of how it came.
    pub(crate) fn ended_as(&mut self) -> ExitStatus {
        let mut ended = None;
        eventually("the process ends", || {
            ended = self.child.try_wait().expect("it was ours");
            ended.is_some()
        });
        ended.expect("it was just awaited")
    }

    pub(crate) fn is_running(&mut self) -> bool {
        self.child.try_wait().expect("it was ours").is_none()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _gone_already = self.child.kill();
        let _reaped_already = self.child.wait();
        if std::thread::panicking() {
            let said = self.log();
            let last = &said[said.len().saturating_sub(LAST_WORDS)..];
            eprintln!("process {} said last:\n{}", self.child.id(), last.join("\n"));
        }
    }
}

/// How many lines of a process are shown when its test fails.
const LAST_WORDS: usize = 200;

/// Waits until `condition` holds. Between two looks another process needs the processor more than this one does.
pub(crate) fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < deadline, "waited {PATIENCE:?} in vain until {what}");
        std::thread::park_timeout(Duration::from_millis(20));
    }
}

/// Runs the stock curl.
pub(crate) fn curl(args: &[&str]) -> Output {
    Command::new("curl").args(["--noproxy", "*", "--max-time", "60"]).args(args).output().expect("curl is installed")
}

/// Runs `program` with `input` on its standard input, if any.
pub(crate) fn tool(program: &str, args: &[&str], input: Option<&[u8]>) -> Output {
    use std::io::Write as _;
    let mut command = Command::new(program);
    command.args(args).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap_or_else(|error| panic!("{program} is not installed: {error}"));
    let mut stdin = child.stdin.take().expect("it is piped");
    let input = input.unwrap_or_default().to_vec();
    let feeder = std::thread::spawn(move || {
        let _stopped_reading = stdin.write_all(&input);
    });
    let output = child.wait_with_output().expect("it was ours");
    feeder.join().expect("feeding does not panic");
    output
}

pub(crate) fn assert_ok(output: &Output, what: &str) {
    assert!(
        output.status.success(),
        "{what}: {}\n{}{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}

/// Standard error as text.
pub(crate) fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Reads a whole file of any kind.
pub(crate) fn bytes(path: &Path) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut file = fs::File::open(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    file.read_to_end(&mut bytes).expect("a readable file");
    bytes
}

/// No one's own settings reach a test: neither git's, nor ours.
pub(crate) fn isolate(command: &mut Command, folder: &Path) {
    command
        .current_dir(folder)
        .env("HOME", folder)
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env("GIT_CONFIG_GLOBAL", folder.join("no.gitconfig"))
        .env_remove("SSH_AUTH_SOCK")
        .env_remove("DRIFTLESS_LOG")
        .env_remove("DRIFTLESS_URL");
}
