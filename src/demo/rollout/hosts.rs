//! The hosts of the play: what runs on each around a switch, and what is wrong with some of them.

use std::collections::BTreeMap;
use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use edge_agent::{AppConfig, Argv, Hook};
use schema::App;
use schema::time::Length;

/// Hooks that are installed on every host.
pub(super) struct Hosts {
    hooks: PathBuf,
}

impl Hosts {
    /// Installs the hooks in `folder`.
    pub(super) fn install(folder: &Path) -> io::Result<Hosts> {
        fs::create_dir_all(folder)?;
        for (name, text) in [("check", include_str!("check")), ("reload", include_str!("reload"))] {
            let path = folder.join(name);
            fs::write(&path, text)?;
            fs::set_permissions(&path, Permissions::from_mode(0o755))?;
        }
        Ok(Hosts { hooks: folder.to_owned() })
    }

    /// What host number `number` runs.
    pub(super) fn apps(&self, app: &App, number: usize) -> BTreeMap<App, AppConfig> {
        let release = if is_old(number) { "1.16" } else { "1.28" };
        let broken = self.breaks(number);
        let check = hook(&[&self.hooks.join("check"), Path::new(release), &broken]);
        let reload = hook(&[&self.hooks.join("reload")]);
        let hooks = AppConfig { check: Some(check), reload: Some(reload), ..AppConfig::default() };
        [(app.clone(), hooks)].into()
    }

    /// The file that is there while host number `number` is broken.
    pub(super) fn breaks(&self, number: usize) -> PathBuf {
        self.hooks.join(format!("broken-{number}"))
    }
}

/// Whether the proxy of host number `number` is of an old release: 3 % of two hundred, one in small fleets.
pub(super) fn is_old(number: usize) -> bool {
    number % 33 == 3
}

fn hook(words: &[&Path]) -> Hook {
    let words: Vec<String> = words.iter().map(|word| word.display().to_string()).collect();
    let run = Argv::try_from(words).expect("a program and its arguments");
    Hook { run, timeout: Length(Duration::from_secs(30)) }
}
