//! Runs the commands that an operator put around a switch.
//!
//! In: a [`Hook`] from the local configuration and what it may know ([`Setting`]). Out: nothing when it exits with 0, or one
//! [`HookFailure`] with the end of what it printed. Knows nothing of bundles: a bundle can neither define a hook nor be one.
//!
//! There is no shell. A program without a slash is looked up in the absolute folders of `PATH`, so that a file in the tree, where
//! the hook runs, is never taken for one. Of the agent's environment a hook gets `PATH`, `HOME` and `LANG`, and besides
//! them the `DRIFTLESS_…` variables of [`Setting`].
//!
//! Hooks are at-least-once: after a crash one may run again for the same generation, which `DRIFTLESS_GENERATION` tells it.
//! What a hook leaves running when it exits by itself is left alone; when its time is over, its whole process group is killed.

mod argv;
mod output;

use std::ffi::OsString;
use std::io;
use std::os::unix::process::ExitStatusExt as _;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use schema::pointer::Phase;
use schema::time::Length;
use schema::{App, Digest, Order, Region};
use serde::Deserialize;
use tokio::process::{Child, Command};
use tokio::time::timeout;

pub use argv::{Argv, InvalidArgv};
use output::Output;

/// A command to run around a switch.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hook {
    /// The program and its arguments, passed on as they are.
    pub run: Argv,
    /// How long it may take before its process group is killed.
    #[serde(default = "thirty_seconds")]
    pub timeout: Length,
}

/// What a hook is told, one environment variable a field.
#[derive(Clone, Debug)]
pub(crate) struct Setting {
    /// `DRIFTLESS_PHASE`: `prepare` where the tree is only to be got ready, otherwise `activate`.
    pub phase: Phase,
    /// `DRIFTLESS_APP`
    pub app: App,
    /// `DRIFTLESS_REGION`
    pub region: Region,
    /// `DRIFTLESS_GENERATION`, as `<epoch>-<generation>`: the same when the hook runs again after a crash.
    pub order: Order,
    /// `DRIFTLESS_DIGEST`: the bundle in `dir`.
    pub digest: Digest,
    /// `DRIFTLESS_DIR`: the tree that is about to run, or runs now. Also the hook's working directory.
    pub dir: PathBuf,
    /// `DRIFTLESS_PREVIOUS_DIR`: the tree that ran before; not set when there is none.
    pub previous_dir: Option<PathBuf>,
}

impl Hook {
    /// Runs the command to its end, or to the end of its time.
    ///
    /// # Errors
    /// [`HookFailure`], unless it exits with 0.
    pub(crate) async fn run(&self, setting: &Setting) -> Result<(), HookFailure> {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let program =
            self.run.find(&path).ok_or_else(|| HookFailure::NotFound { program: self.run.program().into() })?;
        let (mut child, mut output) =
            self.spawn(&program, path, setting).map_err(|source| HookFailure::Start { program, source })?;
        let ended = {
            let reading = output.read_to_end();
            tokio::pin!(reading);
            let waiting = timeout(self.timeout.0, child.wait());
            tokio::pin!(waiting);
            // Reading may go on for ever, when something that the hook started keeps its output open.
            tokio::select! {
                ended = &mut waiting => ended,
                () = &mut reading => waiting.await,
            }
        };
        let Ok(ended) = ended else {
            kill(&mut child).await;
            output.read_what_is_there();
            return Err(HookFailure::Timeout { after: self.timeout, said: output.end() });
        };
        output.read_what_is_there();
        match ended {
            Ok(status) if status.success() => Ok(()),
            Ok(status) => Err(HookFailure::of(status, output.end())),
            Err(source) => Err(HookFailure::Wait { source }),
        }
    }

    fn spawn(&self, program: &std::path::Path, path: OsString, setting: &Setting) -> io::Result<(Child, Output)> {
        let (output, stdout, stderr) = Output::open()?;
        let mut command = Command::new(program);
        command
            .args(self.run.arguments())
            .current_dir(&setting.dir)
            .env_clear()
            .env("PATH", argv::absolute_folders(&path))
            .envs(["HOME", "LANG"].into_iter().filter_map(|name| Some((name, std::env::var_os(name)?))))
            .envs(setting.variables())
            .stdin(Stdio::null())
            .stdout(stdout)
            .stderr(stderr)
            .process_group(0)
            .kill_on_drop(true);
        Ok((command.spawn()?, output))
    }
}

impl Setting {
    fn variables(&self) -> Vec<(&'static str, OsString)> {
        let phase = match self.phase {
            Phase::Prepare => "prepare",
            Phase::Activate => "activate",
        };
        let mut variables = vec![
            ("DRIFTLESS_PHASE", phase.into()),
            ("DRIFTLESS_APP", self.app.as_str().into()),
            ("DRIFTLESS_REGION", self.region.as_str().into()),
            ("DRIFTLESS_GENERATION", format!("{}-{}", self.order.epoch, self.order.generation).into()),
            ("DRIFTLESS_DIGEST", self.digest.to_string().into()),
            ("DRIFTLESS_DIR", self.dir.clone().into()),
        ];
        variables.extend(self.previous_dir.clone().map(|dir| ("DRIFTLESS_PREVIOUS_DIR", dir.into())));
        variables
    }
}

/// Says why a hook did not succeed. What it printed is escaped and cut to its last 2 KiB.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HookFailure {
    /// There is no such program.
    #[error("`{}` is in no absolute folder of PATH", program.display())]
    NotFound {
        /// As configured.
        program: PathBuf,
    },
    /// The program cannot be started.
    #[error("`{}` cannot be started", program.display())]
    Start {
        /// The program as found.
        program: PathBuf,
        /// What the system says.
        #[source]
        source: io::Error,
    },
    /// It exited with something other than 0.
    #[error("exit code {code}{}", and_said(said))]
    Exit {
        /// The code.
        code: i32,
        /// The end of what it printed.
        said: String,
    },
    /// A signal ended it.
    #[error("ended by signal {signal}{}", and_said(said))]
    Signal {
        /// The signal.
        signal: i32,
        /// The end of what it printed.
        said: String,
    },
    /// Its time was over.
    #[error("not done after {}, killed with all it started{}", String::from(*after), and_said(said))]
    Timeout {
        /// Its time.
        after: Length,
        /// The end of what it printed.
        said: String,
    },
    /// The system lost it.
    #[error("its end cannot be awaited")]
    Wait {
        /// What the system says.
        #[source]
        source: io::Error,
    },
}

impl HookFailure {
    fn of(status: ExitStatus, said: String) -> HookFailure {
        match status.code() {
            Some(code) => HookFailure::Exit { code, said },
            None => HookFailure::Signal { signal: status.signal().unwrap_or_default(), said },
        }
    }
}

fn and_said(said: &str) -> String {
    if said.is_empty() { String::new() } else { format!(": {said}") }
}

/// Kills the child with everything in its process group, and reaps it.
async fn kill(child: &mut Child) {
    // The child is its group's leader and not yet reaped, so the number cannot be somebody else's.
    if let Some(group) = child.id().and_then(|id| Pid::from_raw(i32::try_from(id).ok()?))
        && let Err(error) = kill_process_group(group, Signal::KILL)
    {
        tracing::warn!(%error, "A hook's process group could not be killed");
    }
    // A process that the kernel holds on to is given up on; it is reaped when it goes.
    let reaped = timeout(REAP, child.wait()).await;
    if reaped.is_err() {
        tracing::warn!("A killed hook does not end");
    }
}

fn thirty_seconds() -> Length {
    Length(Duration::from_secs(30))
}

/// How long a killed hook may take to end.
const REAP: Duration = Duration::from_secs(5);

#[cfg(test)]
mod tests;
