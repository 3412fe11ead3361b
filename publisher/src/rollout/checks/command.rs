//! A check that is a program: it ends with 0, or it is no yes.

use std::process::Stdio;

use schema::Region;
use schema::text::one_line;
use tokio::process::Command;

use super::About;
use crate::group::Group;
use crate::rollout::CheckVerdict;

/// How much of what it says goes into a verdict, in characters.
const SAID_MAX: usize = 200;

/// Runs the program without a shell, in a process group of its own that ends when this is dropped.
pub(super) async fn run(command: &[String], about: &About) -> CheckVerdict {
    let About { app, regions, commit, wave, .. } = about;
    let (program, arguments) = command.split_first().expect("a definition names a program");
    let regions: Vec<&str> = regions.iter().map(Region::as_str).collect();
    let started = Command::new(program)
        .args(arguments)
        .env("DRIFTLESS_APP", app.as_str())
        .env("DRIFTLESS_REGIONS", regions.join(","))
        .env("DRIFTLESS_COMMIT", commit.as_str())
        .env("DRIFTLESS_WAVE", wave.map(|wave| wave.to_string()).unwrap_or_default())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .process_group(0)
        .kill_on_drop(true)
        .spawn();
    let ended = match started {
        Ok(child) => Group::of(child).end().await,
        Err(error) => Err(error),
    };
    match ended {
        Ok((status, _)) if status.success() => CheckVerdict::Yes,
        Ok((status, said)) => {
            let said = one_line(&String::from_utf8_lossy(&said), SAID_MAX);
            let why = if said.is_empty() { format!("`{program}` ended with {status}") } else { said };
            CheckVerdict::No { why }
        }
        Err(error) => CheckVerdict::Unknown { why: format!("`{program}` cannot be run: {error}") },
    }
}
