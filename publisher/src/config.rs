//! The publisher's configuration file, `publisher.yaml`.
//!
//! In: one YAML file. Out: a [`Config`] whose paths are resolved against the file's folder. Nothing else is touched: keys,
//! the trust root and the policy are read by whoever uses them.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use schema::time::Length;
use schema::yaml::InvalidYaml;
use schema::{CommitId, Limits};
use serde::Deserialize;
use store::StoreUrl;

use crate::duty::Duty;
use crate::keys::{KeySection, Role};
use crate::plan::Freshness;
use crate::publish::PATCHES_MAX;
use crate::publisher::PATCHES;
use crate::rollout::Check;
use crate::source::{BranchName, RepositoryUrl, SourceConfig};

/// What one publisher publishes, from where, with which keys, and to where.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The repository and branch to publish from.
    pub source: SourceSection,
    /// The file that says whose commits count: an OpenSSH `allowed_signers` file, or, if its name ends with `.yaml` or
    /// `.yml`, a policy file. Statements that lift a force-push lie in the folder `overrides` beside it.
    pub signers: PathBuf,
    /// Where bundles and pointers go.
    pub store: StoreUrl,
    /// Which part of publishing this process has: `release` signs manifests, `pointer` moves pointers. Default: both.
    #[serde(default, rename = "role", deserialize_with = "duty")]
    pub duty: Duty,
    /// Where the secret keys are that sign them.
    pub keys: KeySection,
    /// A trust root that vouched for those keys, or for the ones before them: newer ones are found in the store.
    pub root: PathBuf,
    /// Folder for what the publisher remembers. All of it can be lost but `revoked`, the keys that it was told not to trust.
    pub state: PathBuf,
    /// Where `driftless up` serves the store and the status; `driftless publisher` goes by its `--listen` alone. Not used by
    /// this library.
    #[serde(default)]
    pub listen: Option<SocketAddr>,
    /// The file that says who may come in there, and how: TLS, certificates, tokens. Without it everybody, over plain HTTP. Not
    /// used by this library.
    #[serde(default)]
    pub entrance: Option<PathBuf>,
    /// The file that says who may look at rollouts and command them, under `/v1/control` of where this publisher listens. Without
    /// it nobody may. See [`crate::control`].
    #[serde(default)]
    pub control: Option<PathBuf>,
    /// What gates of rollouts may ask besides agents, by the names that policies use. A policy cannot define one: whoever writes
    /// commits has no say in what this process asks or runs.
    #[serde(default)]
    pub checks: BTreeMap<Box<str>, Check>,
    /// How long a pointer counts. Default: 24h.
    #[serde(default = "pointer_valid_for")]
    pub pointer_valid_for: Length,
    /// How old a pointer grows before it is signed afresh; shorter than `pointer_valid_for`. Default: 1h.
    #[serde(default = "pointer_refresh_every")]
    pub pointer_refresh_every: Length,
    /// Against how many of the bundles that regions ran last a patch is made, so that agents which have one of these fetch what
    /// changed and no more. At most 16; 0: none. Default: 4.
    #[serde(default = "patches")]
    pub patches: usize,
}

/// The config repository.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SourceSection {
    /// Where the repository is: a path, an https:// or ssh:// URL, or user@host:path.
    pub repository: RepositoryUrl,
    /// The branch whose tip is published. Default: `main`.
    #[serde(default = "branch")]
    pub branch: BranchName,
    /// The last commit of a history that was made before commits had to be signed: it and all before it are taken as they are.
    #[serde(default)]
    pub adopt: Option<CommitId>,
    /// The longest time between two looks at the branch. Default: 5s.
    #[serde(default = "poll")]
    pub poll: Length,
    /// The longest time that one fetch of a remote repository may take. Default: 5m.
    #[serde(default = "fetch_deadline")]
    pub fetch_deadline: Length,
}

impl Config {
    /// Reads the file at `path`. A relative path in it starts at the folder that the file is in.
    ///
    /// # Errors
    /// [`ConfigError`] where the file cannot be read, is not as it must be, or contradicts itself.
    pub fn load(path: &Path) -> Result<Config, ConfigError> {
        let unreadable = |source| ConfigError::Unreadable { path: path.to_owned(), source };
        let text = std::fs::read_to_string(path).map_err(unreadable)?;
        let mut config: Config = schema::yaml::from_str(&path.display().to_string(), &text, &Limits::DEFAULT)?;
        let folder = path.parent().unwrap_or(Path::new(""));
        let files = [&mut config.signers, &mut config.root, &mut config.state];
        for file in files.into_iter().chain(&mut config.entrance).chain(&mut config.control) {
            *file = folder.join(&file);
        }
        config.keys.resolve(folder);
        config.checks.values_mut().for_each(|check| check.resolve(folder));
        config.source.repository = config.source.repository.relative_to(folder);
        if let Some(directory) = config.store.local_path() {
            config.store = StoreUrl::directory(folder.join(directory));
        }
        config.check(path)?;
        Ok(config)
    }

    /// How long pointers count and how often they are signed afresh.
    pub fn freshness(&self) -> Freshness {
        Freshness { valid_for: self.pointer_valid_for.0, refresh_every: self.pointer_refresh_every.0 }
    }

    /// The config repository as a source of commits. Its mirror, if it needs one, is among what can be lost.
    pub(crate) fn source(&self) -> SourceConfig {
        let SourceSection { repository, branch, poll, fetch_deadline, adopt: _ } = self.source.clone();
        SourceConfig { repository, branch, poll, fetch_deadline, mirror_dir: self.state.join("mirror") }
    }

    fn check(&self, path: &Path) -> Result<(), ConfigError> {
        let (valid_for, refresh_every) = (self.pointer_valid_for, self.pointer_refresh_every);
        if refresh_every.0.is_zero() || refresh_every >= valid_for {
            return Err(ConfigError::Freshness { path: path.to_owned(), valid_for, refresh_every });
        }
        if self.patches > PATCHES_MAX {
            return Err(ConfigError::Patches { path: path.to_owned(), patches: self.patches });
        }
        Ok(())
    }
}

/// Says why a configuration file is of no use.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// It cannot be read.
    #[error("configuration `{}` cannot be read", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system says.
        #[source]
        source: std::io::Error,
    },
    /// It is not as it must be.
    #[error(transparent)]
    Invalid(#[from] InvalidYaml),
    /// Pointers would expire before they are signed afresh.
    #[error(
        "{}: pointer_refresh_every ({}) must be above zero and below pointer_valid_for ({})",
        path.display(), String::from(*refresh_every), String::from(*valid_for)
    )]
    Freshness {
        /// The file.
        path: PathBuf,
        /// As configured.
        valid_for: Length,
        /// As configured.
        refresh_every: Length,
    },
    /// More patches than a manifest may list.
    #[error("{}: `patches: {patches}` is more than the {PATCHES_MAX} that a manifest may list", path.display())]
    Patches {
        /// The file.
        path: PathBuf,
        /// As configured.
        patches: usize,
    },
}

fn patches() -> usize {
    PATCHES
}

fn duty<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Duty, D::Error> {
    Role::deserialize(deserializer).map(|role| Duty::from(Some(role)))
}

fn branch() -> BranchName {
    "main".parse().expect("`main` is a branch name")
}

fn poll() -> Length {
    Length(Duration::from_secs(5))
}

fn fetch_deadline() -> Length {
    Length(Duration::from_secs(300))
}

fn pointer_valid_for() -> Length {
    Length(Duration::from_secs(24 * 3600))
}

fn pointer_refresh_every() -> Length {
    Length(Duration::from_secs(3600))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SMALLEST: &str = "source: { repository: config.git }\nsigners: signers.yaml\nstore: store\n\
         keys: { release: keys/release.key, pointer: /secret/pointer.key }\nroot: root\nstate: state\n";

    fn load(text: &str) -> Result<(Config, PathBuf), ConfigError> {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let file = folder.path().join("publisher.yaml");
        std::fs::write(&file, text).expect("the folder is writable");
        Config::load(&file).map(|config| (config, folder.path().to_owned()))
    }

    #[test]
    fn paths_start_at_the_file_and_the_rest_has_defaults() {
        let (config, folder) = load(SMALLEST).expect("the smallest configuration");
        assert_eq!(config.source.repository.local_path(), Some(&*folder.join("config.git")));
        assert_eq!(config.store.local_path(), Some(&*folder.join("store")));
        let keys: Vec<String> = config.keys.all().map(|key| key.to_string()).collect();
        assert_eq!(keys, [folder.join("keys/release.key").display().to_string(), "/secret/pointer.key".to_owned()]);
        assert_eq!(config.duty, Duty::Everything);
        assert_eq!((config.source.branch.to_string().as_str(), config.source.poll.0), ("main", Duration::from_secs(5)));
        assert_eq!(config.freshness().refresh_every, Duration::from_secs(3600));
        assert!(config.listen.is_none() && config.source.adopt.is_none());
    }

    #[test]
    fn a_process_may_have_one_role_and_its_keys_alone() {
        let one = SMALLEST.replace("release: keys/release.key, ", "");
        let (config, _) = load(&format!("{one}role: pointer\n")).expect("a pointer publisher");
        assert_eq!(config.duty, Duty::Pointer);
        assert!(load(&format!("{one}role: both\n")).is_err());
    }

    #[test]
    fn mistakes_are_refused_with_their_place() {
        let unknown = load(&format!("{SMALLEST}lisen: 127.0.0.1:80\n")).expect_err("an unknown key");
        assert!(unknown.to_string().contains("publisher.yaml:7:1"), "{unknown}");
        let endless = load(&format!("{SMALLEST}pointer_refresh_every: 24h\n")).expect_err("pointers would expire");
        assert!(endless.to_string().contains("pointer_refresh_every (1day)"), "{endless}");
        let many = load(&format!("{SMALLEST}patches: 17\n")).expect_err("more than a manifest may list");
        assert!(many.to_string().contains("`patches: 17` is more than the 16"), "{many}");
        for bad in ["-1", "yes", "1.5"] {
            assert!(load(&format!("{SMALLEST}patches: {bad}\n")).is_err(), "{bad}");
        }
        assert_eq!(load(&format!("{SMALLEST}patches: 0\n")).expect("no patches").0.patches, 0);
        assert_eq!(load(SMALLEST).expect("the smallest configuration").0.patches, 4);
    }
}
