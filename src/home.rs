//! The folder beside a config repository: keys, signer policy, trust root and configuration, none of which belong in it.
//!
//! ```text
//! publisher.yaml        what `driftless up` and `driftless publisher` read
//! agent.yaml            an agent's configuration to start from
//! control.yaml          whose tokens may look at rollouts and command them
//! operator.token        one such token, for the commands of `driftless` on this host
//! allowed_signers       who may sign commits (OpenSSH's format)
//! trust/0000000001.root the trust root that agents are started with
//! keys/                 root, release and pointer keys (minisign), and the signer's SSH key if one was made
//! store/                what is published, where no other store was named
//! state/                what the publisher remembers between runs
//! ```

mod access;

use std::fs;
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use schema::keys::SecretKey;
use schema::{CommitId, Epoch, Region, RoleKeys, StorePath, Timestamp, TrustRoot, Verified};

use crate::yaml;

/// Paths of a home.
#[derive(Clone, Debug)]
pub(crate) struct Home {
    dir: PathBuf,
}

/// What a fresh home is about.
pub(crate) struct Plan<'a> {
    /// Path or URL of the config repository.
    pub(crate) repository: &'a str,
    pub(crate) branch: &'a str,
    /// History up to and including this commit is taken as it is.
    pub(crate) adopt: Option<&'a CommitId>,
    /// A path or an S3 URL; relative paths are in the home.
    pub(crate) store: &'a str,
    pub(crate) listen: &'a str,
    /// Lines of the signer policy.
    pub(crate) signers: &'a [String],
    /// The region and the apps of the sample agent.
    pub(crate) region: &'a Region,
    pub(crate) apps: &'a [String],
}

impl Home {
    /// The home at `dir`.
    pub(crate) fn at(dir: impl Into<PathBuf>) -> Home {
        Home { dir: dir.into() }
    }

    /// The home that belongs to a repository: a sibling folder named after it.
    pub(crate) fn of_repository(repository: &Path) -> io::Result<Home> {
        let repository = repository.canonicalize()?;
        let mut name = repository.file_name().unwrap_or_else(|| "root".as_ref()).to_owned();
        name.push(".driftless");
        Ok(Home { dir: repository.with_file_name(name) })
    }

    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    pub(crate) fn publisher_yaml(&self) -> PathBuf {
        self.dir.join("publisher.yaml")
    }

    pub(crate) fn agent_yaml(&self) -> PathBuf {
        self.dir.join("agent.yaml")
    }

    pub(crate) fn allowed_signers(&self) -> PathBuf {
        self.dir.join("allowed_signers")
    }

    /// The token of the operator that `driftless init` makes up.
    pub(crate) fn operator_token(&self) -> PathBuf {
        self.dir.join("operator.token")
    }

    pub(crate) fn root(&self) -> PathBuf {
        self.dir.join(root_path())
    }

    pub(crate) fn key(&self, name: &str) -> PathBuf {
        self.dir.join("keys").join(name)
    }

    /// Makes keys, trust root, signer policy and configuration. Nothing that exists is overwritten: a home that was begun
    /// before is refused with the first file that is in the way.
    pub(crate) fn create(&self, plan: &Plan<'_>, now: Timestamp) -> io::Result<()> {
        private_dir(&self.dir)?;
        private_dir(&self.dir.join("keys"))?;
        fs::create_dir_all(self.dir.join("trust"))?;
        let [root, release, pointer] = ["root", "release", "pointer"].map(|role| (role, SecretKey::generate()));
        for (role, key) in [&root, &release, &pointer] {
            write_secret(&self.key(&format!("{role}.key")), &key.to_file_text())?;
            write_new(&self.key(&format!("{role}.pub")), &key.public().to_file_text())?;
        }
        let trust_root = trust_root(&root.1, &release.1, &pointer.1, now);
        write_new(&self.root(), &String::from_utf8_lossy(trust_root.bytes()))?;
        write_new(&self.allowed_signers(), &allowed_signers(plan.signers))?;
        let token = access::fresh_token();
        write_secret(&self.operator_token(), &format!("{}\n", &*token))?;
        write_new(&self.dir.join("control.yaml"), &access::control_yaml(&token))?;
        write_new(&self.publisher_yaml(), &publisher_yaml(plan))?;
        write_new(&self.agent_yaml(), &agent_yaml(plan))
    }
}

/// Writes a file that only its owner may read; refuses to overwrite.
pub(crate) fn write_secret(path: &Path, text: &str) -> io::Result<()> {
    create_new(path, 0o600, text)
}

fn write_new(path: &Path, text: &str) -> io::Result<()> {
    create_new(path, 0o644, text)
}

fn create_new(path: &Path, mode: u32, text: &str) -> io::Result<()> {
    let named = |error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", path.display()));
    let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(mode).open(path).map_err(named)?;
    file.write_all(text.as_bytes()).map_err(named)
}

fn private_dir(path: &Path) -> io::Result<()> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(path)
}

fn root_path() -> String {
    let path = StorePath::Root { version: 1 }.to_string();
    path.trim_start_matches("v1/").to_owned()
}

/// A 1-of-1 root: enough for a first try, and `init` says so.
fn trust_root(root: &SecretKey, release: &SecretKey, pointer: &SecretKey, now: Timestamp) -> Verified<TrustRoot> {
    let alone =
        |key: &SecretKey| RoleKeys::new(1, vec![key.public().clone()]).expect("one key meets a threshold of one");
    let document = TrustRoot {
        version: 1,
        epoch: Epoch::FIRST,
        issued: now,
        expires: now.after(ROOT_VALID_FOR),
        release_floor: 0,
        revoked: Vec::new(),
        root: alone(root),
        release: alone(release),
        pointer: alone(pointer),
        pointer_of_region: Default::default(),
    };
    Verified::seal(document, &[root])
}

fn allowed_signers(signers: &[String]) -> String {
    let mut text = "# Who may sign commits: principal, options, key. See ssh-keygen(1), ALLOWED SIGNERS.\n".to_owned();
    for signer in signers {
        text.push_str(signer);
        text.push('\n');
    }
    text
}

fn publisher_yaml(plan: &Plan<'_>) -> String {
    let Plan { repository, branch, store, listen, .. } = plan;
    let adopt = plan.adopt.map_or_else(String::new, |commit| {
        format!("  # History up to here was there before Driftless; every commit after it must be signed.\n  adopt: {commit}\n")
    });
    format!(
        "# Read by `driftless up` and `driftless publisher`. Paths are relative to this file.
source:
  repository: {repository}
  branch: {branch}
{adopt}signers: allowed_signers
store: {store}
keys:
  release: keys/release.key
  pointer: keys/pointer.key
root: {root}
state: state
listen: {listen}
control: control.yaml
",
        repository = yaml::scalar(repository),
        branch = yaml::scalar(branch),
        store = yaml::scalar(store),
        root = root_path(),
    )
}

fn agent_yaml(plan: &Plan<'_>) -> String {
    let apps: String = plan.apps.iter().map(|app| format!("  {}: {{}}\n", yaml::scalar(app))).collect();
    format!(
        "# Read by `driftless agent` and `driftless-agent run`. Paths are relative to this file.
region: {region}
root: {root}
state: agent
from:
  - http://{listen}
apps:
  # Each app may have hooks, run without a shell:
  #   check:  {{ run: [nginx, -t, -c, nginx.conf], timeout: 10s }}   before the switch; a failure keeps what runs
  #   reload: {{ run: [systemctl, reload, nginx] }}                 after the switch; a failure switches back
  #   probe:  {{ run: [curl, -fsS, \"http://127.0.0.1/healthz\"] }}    after the reload; a failure switches back
{apps}",
        region = yaml::scalar(plan.region.as_str()),
        root = root_path(),
        listen = plan.listen,
    )
}

const ROOT_VALID_FOR: Duration = Duration::from_secs(365 * 24 * 60 * 60);
