//! Where the password of a key comes from: a file, a command, the environment, or somebody at the terminal.

use std::env;
use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::process::Command;
use tokio::time::timeout;
use zeroize::Zeroizing;

use super::file;
use crate::exit::Failure;

/// Says where a key's password is. Without any of it, the one at the terminal is asked.
#[derive(Debug, clap::Args)]
pub(super) struct PasswordArgs {
    /// Take the password from the first line of this file [else: $DRIFTLESS_PASSWORD, else ask]
    #[arg(long, value_name = "FILE", help_heading = "Password")]
    password_file: Option<PathBuf>,

    /// Take the password from the first line that this command prints; run by `sh -c`
    #[arg(long, value_name = "COMMAND", conflicts_with = "password_file", help_heading = "Password")]
    password_command: Option<String>,
}

impl PasswordArgs {
    /// The password of a key that is being made; somebody at a terminal types it twice.
    pub(super) async fn choose(&self, key: &Path) -> Result<Zeroizing<String>, Failure> {
        let password = match self.given().await? {
            Some(password) => password,
            None => {
                let password = ask(&format!("New password for {}: ", key.display()))?;
                if ask("The same again: ")? != password {
                    return Err(Failure::usage("the two passwords differ"));
                }
                password
            }
        };
        if password.is_empty() {
            return Err(
                Failure::usage("an empty password protects nothing").hint("--no-password makes a key without one")
            );
        }
        Ok(password)
    }

    /// The password of a key that exists.
    pub(super) async fn of(&self, key: &Path) -> Result<Zeroizing<String>, Failure> {
        match self.given().await? {
            Some(password) => Ok(password),
            None => ask(&format!("Password of {}: ", key.display())),
        }
    }

    async fn given(&self) -> Result<Option<Zeroizing<String>>, Failure> {
        if let Some(path) = &self.password_file {
            return Ok(Some(first_line(&Zeroizing::new(file::read_text(path)?))));
        }
        if let Some(command) = &self.password_command {
            return printed_by(command).await.map(Some);
        }
        Ok(env::var(VARIABLE).ok().map(Zeroizing::new))
    }
}

/// Its standard error stays ours, so that it can ask somebody something.
async fn printed_by(command: &str) -> Result<Zeroizing<String>, Failure> {
    let failed = |why: String| Failure::usage(format!("--password-command: {why}"));
    let mut shell = Command::new("sh");
    shell.args(["-c", command]).stdout(Stdio::piped()).kill_on_drop(true);
    let child = shell.spawn().map_err(|error| failed(error.to_string()))?;
    let ended = timeout(COMMAND_DEADLINE, child.wait_with_output()).await;
    let ended = ended.map_err(|_elapsed| failed(format!("no answer within {} s", COMMAND_DEADLINE.as_secs())))?;
    let ended = ended.map_err(|error| failed(error.to_string()))?;
    let printed = Zeroizing::new(ended.stdout);
    if !ended.status.success() {
        return Err(failed(ended.status.to_string()));
    }
    let text = str::from_utf8(&printed).map_err(|_| failed("what it printed is not text".to_owned()))?;
    Ok(first_line(text))
}

fn first_line(text: &str) -> Zeroizing<String> {
    Zeroizing::new(text.lines().next().unwrap_or_default().to_owned())
}

/// Asks without showing what is typed.
fn ask(question: &str) -> Result<Zeroizing<String>, Failure> {
    if !std::io::stdin().is_terminal() {
        let hint = format!("use --password-file, --password-command or {VARIABLE}");
        return Err(Failure::usage("a password is needed and there is no terminal to ask at").hint(hint));
    }
    rpassword::prompt_password(question).map(Zeroizing::new).map_err(Failure::unexpected)
}

const VARIABLE: &str = "DRIFTLESS_PASSWORD";
/// Long enough for somebody to find a token and touch it.
const COMMAND_DEADLINE: Duration = Duration::from_secs(300);
