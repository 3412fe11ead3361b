//! Kills this process at a named step, or lets a sync fail, for the tests. Built under feature `failpoints` only.

use rustix::process::{Signal, getpid, kill_process};

/// Where `DRIFTLESS_KILL_AT` names a step, makes the process kill itself (SIGKILL) when it gets there for the first time. Where
/// `DRIFTLESS_FAIL_SYNC` is a number, lets the sync after that many fail once, as on a disk that has no space left.
///
/// # Errors
/// [`UnknownFailpoint`] where the name cannot be configured.
pub fn arm_from_env() -> Result<(), UnknownFailpoint> {
    if let Ok(good) = std::env::var("DRIFTLESS_FAIL_SYNC") {
        let actions = format!("{good}*off->1*return->off");
        let unknown = |wrong| UnknownFailpoint { name: actions.clone(), wrong };
        fail::cfg("disk-sync", &actions).map_err(unknown)?;
    }
    let Ok(name) = std::env::var("DRIFTLESS_KILL_AT") else { return Ok(()) };
    fail::cfg_callback(&name, || {
        kill_process(getpid(), Signal::KILL).expect("a process may kill itself");
        // Until the signal has come; nothing more may happen.
        loop {
            std::thread::park();
        }
    })
    .map_err(|wrong| UnknownFailpoint { name, wrong })
}

/// Says that a failpoint cannot be armed.
#[derive(Debug, thiserror::Error)]
#[error("failpoint `{}` cannot be armed: {wrong}", name.escape_debug())]
pub struct UnknownFailpoint {
    name: String,
    wrong: String,
}
