//! Reads a secret text from its source, within bounds, and into memory that is wiped afterwards.
//!
//! In: a [`SecretSource`]. Out: the text, or why there is none. Nothing of it reaches a message.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::AsFd as _;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, Signal, kill_process_group};
use zeroize::Zeroizing;

use super::source::SecretSource;

/// The most bytes of a secret text: many times a key file.
const TEXT_MAX: usize = 16 * 1024;
/// How long a program may take to print a secret: long enough for a slow vault, and for a person to touch a token.
const WITHIN: Duration = Duration::from_secs(60);

/// Says why there is no secret text.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// The file, or the program, fails.
    #[error("it cannot be read")]
    Unreadable(#[source] io::Error),
    /// The environment has no such variable, or not as text.
    #[error("the environment does not have it as text")]
    NoVariable,
    /// More than any key file.
    #[error("it has more than {TEXT_MAX} bytes")]
    TooLong,
    /// Something else than text.
    #[error("it is not UTF-8")]
    NotText,
    /// The program went on for too long.
    #[error("the program took longer than {} s", WITHIN.as_secs())]
    TooSlow,
    /// The program said that it failed.
    #[error("the program ended with {0}")]
    Failed(ExitStatus),
}

/// Reads the text of `source`. Blocks, for a program up to a minute.
pub(super) fn read(source: &SecretSource) -> Result<Zeroizing<String>, SecretError> {
    match source {
        SecretSource::File(path) => read_file(path),
        SecretSource::Command(words) => run(words, WITHIN),
        SecretSource::Env(name) => std::env::var(name).map(Zeroizing::new).map_err(|_| SecretError::NoVariable),
    }
}

pub(super) fn read_file(path: &Path) -> Result<Zeroizing<String>, SecretError> {
    let mut file = File::open(path).map_err(SecretError::Unreadable)?;
    warn_if_shared(path, &file);
    let mut text = Text::default();
    while text.take_from(&mut file)? {}
    text.finish()
}

fn warn_if_shared(path: &Path, file: &File) {
    use std::os::unix::fs::PermissionsExt as _;

    if file.metadata().is_ok_and(|file| file.is_file() && file.permissions().mode() & 0o077 != 0) {
        tracing::warn!("Secret {} can be read by others than its owner; chmod 600 it", path.display());
    }
}

/// What was read so far. It never grows, because growing leaves copies behind that nobody wipes.
struct Text {
    bytes: Zeroizing<Vec<u8>>,
    len: usize,
}

impl Default for Text {
    fn default() -> Text {
        Text { bytes: Zeroizing::new(vec![0; TEXT_MAX + 1]), len: 0 }
    }
}

impl Text {
    /// Reads once more; false at the end.
    fn take_from(&mut self, from: &mut impl Read) -> Result<bool, SecretError> {
        if self.len > TEXT_MAX {
            return Err(SecretError::TooLong);
        }
        match from.read(&mut self.bytes[self.len..]) {
            Ok(read) => {
                self.len += read;
                Ok(read > 0)
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(true),
            Err(error) => Err(SecretError::Unreadable(error)),
        }
    }

    fn finish(self) -> Result<Zeroizing<String>, SecretError> {
        let text = str::from_utf8(&self.bytes[..self.len]).map_err(|_| SecretError::NotText)?;
        Ok(Zeroizing::new(text.to_owned()))
    }
}

/// A program in a process group of its own, all of which goes when nobody waits for it any more.
struct Running {
    child: Child,
    /// How it ended, once that is known: its number may be another's from then on.
    ended: Option<ExitStatus>,
}

impl Drop for Running {
    fn drop(&mut self) {
        if self.ended.is_some() {
            return;
        }
        if let Some(group) = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw) {
            let _gone_already = kill_process_group(group, Signal::KILL);
        }
        let _killed_just_now = self.child.wait();
    }
}

/// Runs a program without a shell and without input. What it has to say to a person goes where ours goes.
fn run(words: &[String], within: Duration) -> Result<Zeroizing<String>, SecretError> {
    let Some((program, arguments)) = words.split_first() else {
        return Err(SecretError::Unreadable(io::ErrorKind::NotFound.into()));
    };
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).process_group(0);
    let mut running = Running { child: command.spawn().map_err(SecretError::Unreadable)?, ended: None };
    let deadline = Instant::now() + within;
    let mut output = running.child.stdout.take().expect("it is piped");
    let mut text = Text::default();
    loop {
        wait_for_output(&output, deadline)?;
        if !text.take_from(&mut output)? {
            break;
        }
    }
    drop(output);
    let status = wait_for_end(&mut running, deadline)?;
    if status.success() { text.finish() } else { Err(SecretError::Failed(status)) }
}

fn wait_for_output(output: &ChildStdout, deadline: Instant) -> Result<(), SecretError> {
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let left = Timespec::try_from(left).expect("a minute fits");
        match poll(&mut [PollFd::new(&output.as_fd(), PollFlags::IN)], Some(&left)) {
            Ok(0) => return Err(SecretError::TooSlow),
            Ok(_) => return Ok(()),
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(SecretError::Unreadable(error.into())),
        }
    }
}

fn wait_for_end(running: &mut Running, deadline: Instant) -> Result<ExitStatus, SecretError> {
    loop {
        running.ended = running.child.try_wait().map_err(SecretError::Unreadable)?;
        if let Some(status) = running.ended {
            return Ok(status);
        }
        if Instant::now() >= deadline {
            return Err(SecretError::TooSlow);
        }
        // It has closed its output, so it is about to end.
        std::thread::park_timeout(Duration::from_millis(5));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(words: &[&str]) -> Vec<String> {
        words.iter().map(|word| (*word).to_owned()).collect()
    }

    #[test]
    fn a_program_is_run_without_a_shell() {
        let text = run(&words(&["printf", "%s", "$HOME; *"]), WITHIN).expect("printf is installed");
        assert_eq!(&**text, "$HOME; *");
    }

    #[test]
    fn a_program_that_fails_is_too_slow_or_says_too_much_is_refused() {
        let failed = run(&words(&["sh", "-c", "echo key; exit 3"]), WITHIN);
        assert!(matches!(failed, Err(SecretError::Failed(status)) if status.code() == Some(3)));
        let brief = Duration::from_millis(50);
        assert!(matches!(run(&words(&["sleep", "600"]), brief), Err(SecretError::TooSlow)));
        let silent = run(&words(&["sh", "-c", "echo key; exec >&-; sleep 600"]), Duration::from_millis(300));
        assert!(matches!(silent, Err(SecretError::TooSlow)));
        assert!(matches!(run(&words(&["yes"]), WITHIN), Err(SecretError::TooLong)));
        assert!(matches!(run(&words(&["printf", "\\377"]), WITHIN), Err(SecretError::NotText)));
        assert!(matches!(run(&words(&["/nowhere/at/all"]), WITHIN), Err(SecretError::Unreadable(_))));
    }

    #[test]
    fn what_a_program_left_behind_goes_with_it() {
        // The shell ends at once; what it started holds the pipe open.
        let left = run(&words(&["sh", "-c", "sleep 600 & echo key"]), Duration::from_millis(300));
        assert!(matches!(left, Err(SecretError::TooSlow)));
    }

    #[test]
    fn a_variable_that_is_not_there_is_said() {
        let missing = read(&SecretSource::Env("DRIFTLESS_NO_SUCH_VARIABLE".to_owned()));
        assert!(matches!(missing, Err(SecretError::NoVariable)));
        assert!(read(&SecretSource::Env("PATH".to_owned())).is_ok());
    }
}
