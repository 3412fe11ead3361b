//! Commits, made and signed by real git.

use std::fs;
use std::time::SystemTime;

use tokio::process::Command;

use super::{BRANCH, EMAIL, Origin, PERSON};
use crate::exit::Failure;

impl Origin {
    pub(super) async fn begin_repository(&self) -> Result<(), Failure> {
        fs::create_dir_all(self.repository()).map_err(Failure::unexpected)?;
        self.git(&["init", "-q", "-b", BRANCH]).await?;
        let key = self.home.key("signer.pub").display().to_string();
        for (name, value) in [
            ("user.name", PERSON),
            ("user.email", EMAIL),
            ("gpg.format", "ssh"),
            ("user.signingKey", &key),
            // Nothing tidies up while somebody measures.
            ("gc.auto", "0"),
            ("maintenance.auto", "false"),
        ] {
            self.git(&["config", name, value]).await?;
        }
        Ok(())
    }

    /// Writes a file of the work tree.
    pub(in crate::bench) fn write(&self, file: &str, content: &[u8]) -> Result<(), Failure> {
        let path = self.repository().join(file);
        fs::create_dir_all(path.parent().expect("a file is in a folder")).map_err(Failure::unexpected)?;
        fs::write(path, content).map_err(Failure::unexpected)
    }

    /// Commits what changed in `path`, signed, and gives the moment at which git was done.
    pub(in crate::bench) async fn commit(&self, path: &str, message: &str) -> Result<SystemTime, Failure> {
        self.git(&["add", "--", path]).await?;
        self.git(&["commit", "-q", "-S", "-m", message]).await?;
        Ok(SystemTime::now())
    }

    /// Takes the newest commit back, signed, and gives the moment at which git was done.
    pub(in crate::bench) async fn revert(&self) -> Result<SystemTime, Failure> {
        self.git(&["revert", "--no-edit", "-S", "HEAD"]).await?;
        Ok(SystemTime::now())
    }

    /// Runs git in the repository, with nobody's own settings.
    async fn git(&self, args: &[&str]) -> Result<(), Failure> {
        let mut git = Command::new("git");
        git.kill_on_drop(true).current_dir(self.repository()).args(args);
        git.env("HOME", self.folder()).env("GIT_CONFIG_NOSYSTEM", "1").env("GIT_CONFIG_GLOBAL", "/dev/null");
        git.env_remove("GIT_DIR").env_remove("GIT_WORK_TREE").env_remove("SSH_AUTH_SOCK");
        let output = git.output().await.map_err(|error| {
            Failure::usage(format!("git does not start: {error}")).hint("benches need git and ssh-keygen installed")
        })?;
        if output.status.success() {
            return Ok(());
        }
        let said = String::from_utf8_lossy(&output.stderr);
        Err(Failure::unexpected(format!("git {} failed ({}): {}", args[0], output.status, said.trim())))
    }
}
