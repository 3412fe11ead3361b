//! `agent.yaml`: who this agent is, whom it trusts, where it asks, and what runs around a switch.
//!
//! In: a file. Out: a [`Config`] with every path absolute, or the place where the
//! file is wrong. Reading it opens nothing else, so checking a configuration costs nothing and changes nothing.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use follower::{BaseUrl, Credentials};
use schema::name::{InvalidName, Label};
use schema::time::Length;
use schema::yaml::{self, InvalidYaml};
use schema::{AgentId, App, Limits, Region};
use serde::Deserialize;

use crate::hook::Hook;

/// What one agent needs to know.
#[derive(Clone, Debug)]
pub struct Config {
    /// Name under which this host acks; the host's own name unless the file says otherwise.
    pub id: AgentId,
    /// Whose pointers it follows.
    pub region: Region,
    /// What waves of a rollout may select it by; told in every ack.
    pub labels: BTreeMap<Label, Label>,
    /// The file with the trust root that everything is verified against.
    pub root: PathBuf,
    /// The folder that belongs to this agent alone; see [`StateFolder`](crate::StateFolder).
    pub state: PathBuf,
    /// Gateways, buckets or content networks that serve the store, best first; at least one.
    pub from: Vec<BaseUrl>,
    /// What the servers in `from` are shown and checked by.
    pub credentials: Credentials,
    /// How long a gateway may hold a poll.
    pub wait: Length,
    /// How often to ask where nobody holds polls, on average.
    pub poll: Length,
    /// How often it says its last word again, on average, so that whoever gathers acks knows that it is there.
    pub heartbeat: Length,
    /// How many versions of an app stay on disk, the running one and the one before included; at least two.
    pub keep: usize,
    /// How often every version on the disk is read again and compared with what was signed, on average.
    pub scrub_every: Length,
    /// The file that metrics are written to, in the Prometheus text format; `metrics.prom` in `state` unless given.
    pub metrics: Option<PathBuf>,
    /// The apps to run here; at least one.
    pub apps: BTreeMap<App, AppConfig>,
}

/// What one app needs around a switch. An app without hooks is switched and that is all.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AppConfig {
    /// Runs on the staged tree before the switch; a failure means that nothing is switched.
    #[serde(default)]
    pub check: Option<Hook>,
    /// Runs after the switch, to make the service read its configuration; a failure switches back.
    #[serde(default)]
    pub reload: Option<Hook>,
    /// Runs after the reload, to see that the service works; a failure switches back.
    #[serde(default)]
    pub probe: Option<Hook>,
}

/// The file as written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    #[serde(default)]
    id: Option<AgentId>,
    region: Region,
    #[serde(default)]
    labels: BTreeMap<Label, Label>,
    root: PathBuf,
    state: PathBuf,
    from: Vec<BaseUrl>,
    #[serde(default)]
    tls: Tls,
    #[serde(default)]
    token: Option<PathBuf>,
    #[serde(default = "wait")]
    wait: Length,
    #[serde(default = "poll")]
    poll: Length,
    #[serde(default = "heartbeat")]
    heartbeat: Length,
    #[serde(default = "keep")]
    keep: usize,
    #[serde(default = "scrub_every")]
    scrub_every: Length,
    #[serde(default)]
    metrics: Option<PathBuf>,
    apps: BTreeMap<App, AppConfig>,
}

/// Paths of files in PEM form.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Tls {
    /// See [`Credentials::ca`].
    ca: Option<PathBuf>,
    /// See [`Credentials::certificate`].
    certificate: Option<PathBuf>,
    /// See [`Credentials::key`].
    key: Option<PathBuf>,
}

impl Config {
    /// Reads `path`. Relative paths in it count from the folder that it is in.
    ///
    /// # Errors
    /// [`ConfigError`] names the file, and the line where there is one.
    pub fn load(path: &Path) -> Result<Config, ConfigError> {
        let limits = Limits::DEFAULT;
        let text = read_bounded(path, limits.yaml_max_bytes)
            .map_err(|source| ConfigError::Unreadable { path: path.to_owned(), source })?;
        let written: Written = yaml::from_str(&path.display().to_string(), &text, &limits)?;
        let wrong = |rule| ConfigError::Rule { path: path.to_owned(), rule };
        if written.from.is_empty() {
            return Err(wrong("`from` needs at least one base URL"));
        }
        if written.apps.is_empty() {
            return Err(wrong("`apps` needs at least one app; write `NAME: {}` for one without hooks"));
        }
        if written.keep < KEEP_MIN {
            return Err(wrong("`keep` must be at least 2: the running version and the one to go back to"));
        }
        if written.poll.0.is_zero() {
            return Err(wrong("`poll` must be longer than nothing"));
        }
        if written.heartbeat.0.is_zero() {
            return Err(wrong("`heartbeat` must be longer than nothing"));
        }
        if written.scrub_every.0.is_zero() {
            return Err(wrong("`scrub_every` must be longer than nothing"));
        }
        if written.tls.certificate.is_some() != written.tls.key.is_some() {
            return Err(wrong("`tls` needs both `certificate` and `key`, or neither"));
        }
        let id = match written.id {
            Some(id) => id,
            None => host_name().map_err(|source| ConfigError::HostName { path: path.to_owned(), source })?,
        };
        // Hooks run in the tree, where a path that counts from here would lead nowhere.
        let unreadable = |source| ConfigError::Unreadable { path: path.to_owned(), source };
        let path_absolute = std::path::absolute(path).map_err(unreadable)?;
        let folder = path_absolute.parent().unwrap_or(Path::new("/"));
        let mut apps = written.apps;
        for hook in apps.values_mut().flat_map(AppConfig::hooks_mut) {
            if hook.timeout.0.is_zero() {
                return Err(wrong("a hook's `timeout` must be longer than nothing"));
            }
            hook.run.resolve(folder);
        }
        let resolve = |path: Option<PathBuf>| path.map(|path| folder.join(path));
        let Tls { ca, certificate, key } = written.tls;
        Ok(Config {
            id,
            region: written.region,
            labels: written.labels,
            root: folder.join(written.root),
            state: folder.join(written.state),
            from: written.from,
            credentials: Credentials {
                ca: resolve(ca),
                certificate: resolve(certificate),
                key: resolve(key),
                token: resolve(written.token),
            },
            wait: written.wait,
            poll: written.poll,
            heartbeat: written.heartbeat,
            keep: written.keep,
            scrub_every: written.scrub_every,
            metrics: resolve(written.metrics),
            apps,
        })
    }
}

impl AppConfig {
    fn hooks_mut(&mut self) -> impl Iterator<Item = &mut Hook> {
        [&mut self.check, &mut self.reload, &mut self.probe].into_iter().flatten()
    }
}

/// Says why a file is no configuration.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// It cannot be read.
    #[error("configuration `{}` cannot be read", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system says.
        #[source]
        source: io::Error,
    },
    /// It is not YAML of this shape.
    #[error(transparent)]
    Yaml(#[from] InvalidYaml),
    /// It breaks a rule that the shape does not express.
    #[error("{}: {rule}", path.display())]
    Rule {
        /// The file.
        path: PathBuf,
        /// The rule.
        rule: &'static str,
    },
    /// It names no agent and the host's name will not do.
    #[error("{}: set `id`, because the name of this host cannot be an agent's", path.display())]
    HostName {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        source: InvalidName,
    },
}

/// Reads a text of at most `max_bytes` and one more, which is enough for its parser to refuse it.
fn read_bounded(path: &Path, max_bytes: u64) -> io::Result<String> {
    use io::Read as _;
    let mut text = String::new();
    fs::File::open(path)?.take(max_bytes + 1).read_to_string(&mut text)?;
    Ok(text)
}

fn host_name() -> Result<AgentId, InvalidName> {
    rustix::system::uname().nodename().to_string_lossy().parse()
}

fn wait() -> Length {
    Length(Duration::from_secs(55))
}

fn poll() -> Length {
    Length(Duration::from_secs(10))
}

fn heartbeat() -> Length {
    Length(Duration::from_secs(30))
}

fn keep() -> usize {
    5
}

fn scrub_every() -> Length {
    Length(Duration::from_secs(24 * 60 * 60))
}

const KEEP_MIN: usize = 2;

#[cfg(test)]
mod tests {
    use super::*;

    const WHOLE: &str = "
id: web-0173
region: eu-west
root: trust/1.root
state: /var/lib/driftless
from: [http://127.0.0.1:7400]
apps:
  edge-proxy:
    check: { run: [nginx, -t, -c, nginx.conf], timeout: 5s }
    reload: { run: [./reload.sh] }
  feature-flags: {}
";

    fn load(text: &str) -> Result<Config, ConfigError> {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("agent.yaml");
        fs::write(&path, text).expect("a small file");
        Config::load(&path).map(|mut config| {
            config.root = config.root.strip_prefix(folder.path()).expect("resolved against its folder").to_owned();
            config
        })
    }

    #[test]
    fn a_whole_file_is_read_and_its_defaults_filled_in() {
        let config = load(WHOLE).expect("a whole file");
        assert_eq!((config.id.as_str(), config.region.as_str()), ("web-0173", "eu-west"));
        assert_eq!(config.root, Path::new("trust/1.root"));
        assert_eq!(config.state, Path::new("/var/lib/driftless"));
        assert_eq!((config.wait, config.poll, config.keep), (wait(), poll(), 5));
        assert_eq!(config.metrics, None);
        let proxy = &config.apps[&"edge-proxy".parse::<App>().expect("a name")];
        assert_eq!(proxy.check.as_ref().map(|hook| hook.timeout.0), Some(Duration::from_secs(5)));
        assert_eq!(proxy.reload.as_ref().map(|hook| hook.timeout.0), Some(Duration::from_secs(30)));
        assert!(proxy.probe.is_none());
    }

    #[test]
    fn a_hook_with_a_slash_is_the_configurations_own_and_never_the_trees() {
        let config = load(WHOLE).expect("a whole file");
        let proxy = &config.apps[&"edge-proxy".parse::<App>().expect("a name")];
        let program = |hook: &Option<Hook>| hook.as_ref().expect("configured").run.program().to_owned();
        assert_eq!(program(&proxy.check), Path::new("nginx"));
        assert!(program(&proxy.reload).is_absolute());
    }

    #[test]
    fn credentials_are_paths_that_count_from_the_file() {
        let text = WHOLE.replace(
            "region: eu-west",
            "region: eu-west\ntls: { ca: ca.pem, certificate: /etc/host.pem, key: host.key }\ntoken: token",
        );
        let credentials = load(&text).expect("a whole file").credentials;
        let (ca, token) = (credentials.ca.expect("given"), credentials.token.expect("given"));
        assert!(ca.is_absolute() && ca.ends_with("ca.pem") && token.is_absolute());
        assert_eq!(credentials.certificate.as_deref(), Some(Path::new("/etc/host.pem")));
        assert!(credentials.key.expect("given").is_absolute());
        assert_eq!(load(WHOLE).expect("a whole file").credentials, Credentials::default());
    }

    #[test]
    fn labels_are_names_and_their_values() {
        let config =
            load(&WHOLE.replace("region: eu-west", "region: eu-west\nlabels: { tier: canary }\nheartbeat: 5s"));
        let config = config.expect("a whole file");
        let label = |text: &str| text.parse::<Label>().expect("a label");
        assert_eq!(config.labels, BTreeMap::from([(label("tier"), label("canary"))]));
        assert_eq!(config.heartbeat, Length(Duration::from_secs(5)));
        let plain = load(WHOLE).expect("a whole file");
        assert_eq!((plain.labels, plain.heartbeat), (BTreeMap::new(), heartbeat()));
    }

    #[test]
    fn metrics_go_where_the_file_says() {
        let text = WHOLE.replace("region: eu-west", "region: eu-west\nmetrics: exported/driftless.prom");
        let metrics = load(&text).expect("a whole file").metrics.expect("given");
        assert!(metrics.is_absolute() && metrics.ends_with("exported/driftless.prom"));
    }

    #[test]
    fn without_an_id_the_host_names_the_agent() {
        let config = load(&WHOLE.replace("id: web-0173\n", "")).expect("this host has a name");
        assert_eq!(config.id, host_name().expect("this host has a name"));
    }

    #[test]
    fn what_cannot_work_is_refused() {
        let table = [
            ("from: [http://127.0.0.1:7400]", "from: []", "at least one base URL"),
            ("region: eu-west", "region: eu-west\nkeep: 1", "at least 2"),
            ("region: eu-west", "region: eu-west\npoll: 0s", "longer than nothing"),
            ("region: eu-west", "region: eu-west\nscrub_every: 0s", "longer than nothing"),
            ("region: eu-west", "region: eu-west\nheartbeat: 0s", "longer than nothing"),
            ("region: eu-west", "region: eu-west\nlabels: { tier: Canary! }", "label"),
            ("region: eu-west", "region: eu-west\nlabels: { tier: canary, tier: stable }", "tier"),
            ("region: eu-west", "region: eu-west\nlabels: [canary]", "agent.yaml:"),
            ("timeout: 5s", "timeout: 0s", "a hook's `timeout`"),
            ("region: eu-west", "region: eu-west\ntls: { key: host.key }", "both `certificate` and `key`"),
            ("region: eu-west", "region: eu-west\nregoin: x", "regoin"),
            ("run: [./reload.sh]", "run: []", "at least a program"),
            ("run: [./reload.sh]", "run: ./reload.sh", "agent.yaml:"),
            ("run: [./reload.sh]", "run: [./reload.sh], shell: true", "shell"),
        ];
        for (good, bad, message) in table {
            let error = load(&WHOLE.replace(good, bad)).expect_err(bad).to_string();
            assert!(error.contains(message), "{bad}: {error}");
        }
    }
}
