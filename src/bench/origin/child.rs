//! A process of this same program, stopped by its id when nobody needs it any more.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tokio::process::{ChildStdin, ChildStdout, Command};
use tokio::time::{sleep, timeout};

use crate::exit::Failure;

/// A running child. What it says on standard error is in a file.
pub(in crate::bench) struct Child {
    process: tokio::process::Child,
    id: u32,
    log: PathBuf,
}

impl Child {
    /// Starts this program with `args`; standard error goes to `log`.
    pub(in crate::bench) fn start(log: &Path, args: &[&str]) -> Result<Child, Failure> {
        let program = std::env::current_exe().map_err(Failure::unexpected)?;
        Child::start_program(&program, log, args)
    }

    /// Starts `program`.
    pub(in crate::bench) fn start_program(program: &Path, log: &Path, args: &[&str]) -> Result<Child, Failure> {
        Child::spawn(command(program, args).stdin(Stdio::null()).stdout(Stdio::null()), log)
    }

    /// Starts this program with `args`, to be talked to: what it is told, and what it answers.
    pub(in crate::bench) fn start_talking(
        log: &Path,
        args: &[&str],
    ) -> Result<(Child, ChildStdin, ChildStdout), Failure> {
        let program = std::env::current_exe().map_err(Failure::unexpected)?;
        let mut child = Child::spawn(command(&program, args).stdin(Stdio::piped()).stdout(Stdio::piped()), log)?;
        let (told, answers) = (child.process.stdin.take(), child.process.stdout.take());
        Ok((child, told.expect("it is piped"), answers.expect("it is piped")))
    }

    fn spawn(command: &mut Command, log: &Path) -> Result<Child, Failure> {
        let said = File::create(log).map_err(Failure::unexpected)?;
        let program = command.as_std().get_program().to_owned();
        let does_not_start = |error| Failure::usage(format!("{} does not start: {error}", program.display()));
        let process = command.stderr(said).spawn().map_err(does_not_start)?;
        let id = process.id().expect("nobody waited for it yet");
        Ok(Child { process, id, log: log.to_owned() })
    }

    pub(in crate::bench) fn id(&self) -> u32 {
        self.id
    }

    /// Waits for a line on standard error that begins with `prefix`, and gives the rest of it.
    pub(in crate::bench) async fn told(&self, prefix: &str) -> Result<String, Failure> {
        let told = async {
            loop {
                let said = fs::read_to_string(&self.log).unwrap_or_default();
                // The last line may be half written.
                let whole = said.rsplit_once('\n').map_or("", |(whole, _)| whole);
                if let Some(rest) = whole.lines().find_map(|line| line.strip_prefix(prefix)) {
                    return rest.trim().to_owned();
                }
                sleep(LOOK_EVERY).await;
            }
        };
        timeout(PATIENCE, told).await.map_err(|_| self.failed(&format!("said no `{prefix}…`")))
    }

    /// Fails if it has ended.
    pub(in crate::bench) fn is_alive(&mut self) -> Result<(), Failure> {
        match self.process.try_wait().map_err(Failure::unexpected)? {
            None => Ok(()),
            Some(status) => Err(self.failed(&format!("ended early ({status})"))),
        }
    }

    /// Asks it to stop, as Ctrl-C does, and waits; kills it where that takes too long.
    pub(in crate::bench) async fn stop(mut self) -> Result<ExitStatus, Failure> {
        let id = i32::try_from(self.id).ok().and_then(Pid::from_raw).expect("the kernel's ids are positive");
        // Where it ended by itself there is nobody to ask: it was not waited for, so the id is nobody else's.
        let _gone = kill_process(id, Signal::INT);
        if let Ok(ended) = timeout(PATIENCE, self.process.wait()).await {
            return ended.map_err(Failure::unexpected);
        }
        self.process.kill().await.map_err(Failure::unexpected)?;
        self.process.wait().await.map_err(Failure::unexpected)
    }

    /// Says what went wrong with it, and its last words.
    pub(in crate::bench) fn failed(&self, what: &str) -> Failure {
        let said = fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = said.lines().collect();
        let last = lines[lines.len().saturating_sub(LAST_WORDS)..].join("\n");
        Failure::unexpected(format!("process {} {what}; it said last:\n{last}", self.id))
    }
}

fn command(program: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(program);
    command.args(args).kill_on_drop(true).env_remove("DRIFTLESS_LOG").env_remove("DRIFTLESS_URL");
    command
}

const PATIENCE: Duration = Duration::from_secs(60);
const LOOK_EVERY: Duration = Duration::from_millis(5);
/// Lines that are shown of a child that failed.
const LAST_WORDS: usize = 20;
