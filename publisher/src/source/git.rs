//! Runs the system's `git` to fetch one branch into a mirror.
//!
//! In: the mirror's folder, the URL, the branch, a deadline. Out: nothing, or a [`FetchFault`]. No shell: arguments are
//! passed one by one, and both names come from types that cannot be options. What the repository or the environment might
//! bring along to change what git does (hooks, other protocols, prompts, another repository's variables) is switched off.

use std::ffi::OsString;
use std::io;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use tokio::process::Command;

use super::branch::BranchName;
use super::repository::Protocol;
use crate::group::Group;

/// Variables that may tell git how to reach a server. All others that start with `GIT_` are kept from it.
const VARIABLES: [&str; 14] = [
    "GIT_ASKPASS",
    "GIT_CONFIG_GLOBAL",
    "GIT_CONFIG_NOSYSTEM",
    "GIT_CONFIG_SYSTEM",
    "GIT_EXEC_PATH",
    "GIT_PROXY_SSL_CAINFO",
    "GIT_PROXY_SSL_CERT",
    "GIT_PROXY_SSL_KEY",
    "GIT_SSH",
    "GIT_SSH_COMMAND",
    "GIT_SSL_CAINFO",
    "GIT_SSL_CAPATH",
    "GIT_SSL_CERT",
    "GIT_SSL_KEY",
];

/// What ssh is run as unless the environment says otherwise: host keys must be known, and nobody is there to be asked.
const SSH: &str = "ssh -o BatchMode=yes -o StrictHostKeyChecking=yes -o ConnectTimeout=15 -o ServerAliveInterval=15 -o ServerAliveCountMax=3";

/// Settings of every fetch.
const SETTINGS: [&str; 13] = [
    // Objects are checked on arrival. Git does not do so by default, and accepts trees with `..` in them.
    "fetch.fsckObjects=true",
    "transfer.fsckObjects=true",
    "protocol.allow=never",
    "protocol.version=2",
    "core.hooksPath=/dev/null",
    "core.fsmonitor=false",
    "submodule.recurse=false",
    "fetch.writeCommitGraph=false",
    // Cleaning up, where it is due, is part of the fetch: a process left behind would write while the mirror is read.
    "gc.autoDetach=false",
    "maintenance.autoDetach=false",
    // A server that goes quiet is given up on long before the deadline.
    "http.lowSpeedLimit=1000",
    "http.lowSpeedTime=30",
    "http.followRedirects=initial",
];

/// The system's `git`.
#[derive(Clone, Debug)]
pub(super) struct Git {
    program: OsString,
    /// Variables set for git on top of those passed on.
    environment: Vec<(&'static str, OsString)>,
}

/// What can go wrong in a fetch.
#[derive(Debug)]
pub(super) enum FetchFault {
    /// Git cannot be run.
    NoGit(io::Error),
    /// The server has no such branch.
    NoBranch,
    /// Git ended with an error.
    Failed { said: String },
    /// Git did not end in time.
    TooSlow,
}

impl Git {
    pub(super) fn system() -> Git {
        let has_ssh = ["GIT_SSH", "GIT_SSH_COMMAND"].iter().any(|variable| std::env::var_os(variable).is_some());
        let ssh = ("GIT_SSH_COMMAND", OsString::from(SSH));
        Git { program: "git".into(), environment: if has_ssh { Vec::new() } else { vec![ssh] } }
    }

    /// Fetches `branch` from `url` into the bare repository `mirror`, wherever the branch was before.
    pub(super) async fn fetch(
        &self,
        mirror: &Path,
        (protocol, url): (Protocol, &str),
        branch: &BranchName,
        deadline: Duration,
    ) -> Result<(), FetchFault> {
        let mut command = self.command(protocol);
        for setting in SETTINGS {
            command.args(["-c", setting]);
        }
        command.args(["-c", &format!("protocol.{}.allow=always", protocol.name())]);
        command.arg(git_dir(mirror)).arg("fetch");
        command.args(["--quiet", "--no-tags", "--no-recurse-submodules", "--no-write-fetch-head", "--end-of-options"]);
        let reference = branch.reference();
        command.args([url, &format!("+{reference}:{reference}")]);

        let child = command.spawn().map_err(FetchFault::NoGit)?;
        match tokio::time::timeout(deadline, Group::of(child).end()).await {
            Err(_) => Err(FetchFault::TooSlow),
            Ok(Err(error)) => Err(FetchFault::NoGit(error)),
            Ok(Ok((status, _))) if status.success() => Ok(()),
            Ok(Ok((status, said))) => Err(match shown(&said) {
                said if said.contains("couldn't find remote ref") => FetchFault::NoBranch,
                said if said.is_empty() => FetchFault::Failed { said: format!("git ended with {status}") },
                said => FetchFault::Failed { said },
            }),
        }
    }

    /// Whether git takes `mirror` for a repository at all. It asks for more than the library does that reads it.
    pub(super) async fn recognises(&self, mirror: &Path) -> bool {
        let mut command = self.command(Protocol::Https);
        command.arg(git_dir(mirror)).args(["rev-parse", "--git-dir"]);
        let Ok(child) = command.spawn() else { return false };
        let ended = tokio::time::timeout(Duration::from_secs(30), Group::of(child).end()).await;
        matches!(ended, Ok(Ok((status, _))) if status.success())
    }

    fn command(&self, protocol: Protocol) -> Command {
        let mut command = Command::new(&self.program);
        for (name, _) in std::env::vars_os() {
            let text = name.to_string_lossy();
            if text.starts_with("GIT_") && !VARIABLES.contains(&text.as_ref()) {
                command.env_remove(&name);
            }
        }
        command
            .env("LC_ALL", "C")
            .env("GIT_TERMINAL_PROMPT", "0")
            .env("GIT_ALLOW_PROTOCOL", protocol.name())
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true);
        command
    }
}

fn git_dir(mirror: &Path) -> OsString {
    let mut argument = OsString::from("--git-dir=");
    argument.push(mirror);
    argument
}

/// What git wrote as one line, safe to show: servers have a say in it.
fn shown(said: &[u8]) -> String {
    let text = String::from_utf8_lossy(said);
    let lines: Vec<String> = text
        .split(['\n', '\r'])
        .map(|line| line.trim().escape_debug().to_string().replace("\\'", "'").replace("\\\"", "\""))
        .filter(|line| !line.is_empty())
        .collect();
    lines.join("; ")
}

#[cfg(test)]
impl Git {
    /// Git that reaches "ssh servers" by running what would be run there on this machine.
    pub(super) fn with_ssh(ssh: &Path) -> Git {
        Git { program: "git".into(), environment: vec![("GIT_SSH_COMMAND", ssh.into())] }
    }

    /// A `git` that is not there.
    pub(super) fn missing() -> Git {
        Git { program: "/nonexistent/git".into(), environment: Vec::new() }
    }
}
