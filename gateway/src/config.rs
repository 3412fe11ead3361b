//! `gateway.yaml`: what a gateway serves, from where, and how much of it.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use follower::BaseUrl;
use schema::name::InvalidName;
use schema::time::Length;
use schema::yaml::InvalidYaml;
use schema::{AgentId, App, Region};
use serde::Deserialize;
use store::StoreUrl;

/// What a gateway serves, and from where.
///
/// ```yaml
/// store: /var/lib/driftless/store     # or: upstream: [https://gateway.example/]
/// root: root.json
/// ```
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "File")]
pub struct Config {
    /// What this gateway calls itself in its status and in what it reports upwards; unique among those that report to one
    /// upstream. The grammar of agents' names; the host's name by default.
    pub name: AgentId,
    /// Where to listen; `127.0.0.1:7878` by default. Plain HTTP: TLS is for a proxy in front.
    pub listen: SocketAddr,
    /// `store` or `upstream`: where everything comes from. Exactly one of the two.
    pub source: SourceUrl,
    /// The trust root that was handed over by a trusted hand. Newer ones are found in the source, one by one.
    pub root: PathBuf,
    /// How often a store is looked at when nothing hints that it changed; 1 s by default. Directories hint by themselves.
    pub poll: Length,
    /// Pointers to follow from the start when there is an upstream. Others are followed when somebody first asks for them.
    pub follow: Vec<Followed>,
    /// How much of anything.
    pub limits: Limits,
}

/// Where everything comes from.
#[derive(Clone, Debug)]
pub enum SourceUrl {
    /// A directory or a bucket.
    Store(StoreUrl),
    /// Other gateways, or anything that serves store paths, in order of preference.
    Upstream(Vec<BaseUrl>),
}

/// A pointer to follow from the start.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Followed {
    /// Whose pointer.
    pub app: App,
    /// Where it applies.
    pub region: Region,
}

/// How much of anything a gateway takes on.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Connections at a time; 20,000 by default. Who comes beyond it gets 503. The process may open fewer files than
    /// that: see `ulimit -n`.
    pub connections: usize,
    /// Connections at a time from one IPv4 address or one IPv6 /64; 20,000 by default, because behind one NAT, or on one
    /// host, there may be a whole fleet. Lower it where agents have addresses of their own.
    pub connections_per_address: usize,
    /// How long a client may take to send the header of its request, counted from the connection or from the header's first
    /// byte. 10 s by default.
    pub header_deadline: Length,
    /// How long a connection is kept on which nothing is asked, counted from the answer before; never less than
    /// `header_deadline`. 135 s by default: longer than agents keep theirs, so that they are the ones who close.
    pub idle_deadline: Length,
    /// How long a long-poll is held at most, whatever the client prefers; 120 s by default.
    pub wait_max: Length,
    /// Agents whose last word is kept, counted for each app and region apart; 200,000 by default.
    pub ack_agents_max: usize,
    /// After how long of silence an agent that is behind is no longer counted; 7 days by default.
    pub agent_forgotten_after: Length,
    /// Memory for objects that came from a bucket or an upstream and were verified; 256 MiB by default.
    pub blob_cache_bytes: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            connections: 20_000,
            connections_per_address: 20_000,
            header_deadline: Length(Duration::from_secs(10)),
            idle_deadline: Length(Duration::from_secs(135)),
            wait_max: Length(Duration::from_secs(120)),
            ack_agents_max: 200_000,
            agent_forgotten_after: Length(Duration::from_secs(7 * 24 * 3600)),
            blob_cache_bytes: 256 * 1024 * 1024,
        }
    }
}

impl Config {
    /// A configuration with everything by default but for what has none.
    ///
    /// # Errors
    /// [`InvalidName`] where the host's name cannot name a gateway.
    pub fn new(source: SourceUrl, root: impl Into<PathBuf>) -> Result<Config, InvalidName> {
        Ok(Config {
            name: host_name()?,
            listen: default_listen(),
            source,
            root: root.into(),
            poll: default_poll(),
            follow: Vec::new(),
            limits: Limits::default(),
        })
    }

    /// Reads the file at `path`. Relative paths in it start at the folder that it is in.
    ///
    /// # Errors
    /// [`ConfigError`] with the place of the first thing that is wrong.
    pub fn load(path: &Path) -> Result<Config, ConfigError> {
        let file = path.display().to_string();
        let text =
            std::fs::read_to_string(path).map_err(|source| ConfigError::Unreadable { file: file.clone(), source })?;
        let mut config: Config = schema::yaml::from_str(&file, &text, &schema::Limits::DEFAULT)?;
        let folder = path.parent().unwrap_or(Path::new(""));
        config.root = folder.join(&config.root);
        if let SourceUrl::Store(url) = &config.source
            && let Some(directory) = url.local_path()
        {
            config.source = SourceUrl::Store(StoreUrl::directory(folder.join(directory)));
        }
        Ok(config)
    }
}

/// Says why a file is no configuration of a gateway.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("could not read {file}")]
    Unreadable {
        /// The file.
        file: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// What is in it is wrong.
    #[error(transparent)]
    Invalid(#[from] InvalidYaml),
}

/// The file as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    name: Option<AgentId>,
    #[serde(default = "default_listen")]
    listen: SocketAddr,
    store: Option<StoreUrl>,
    upstream: Option<Vec<BaseUrl>>,
    root: PathBuf,
    #[serde(default = "default_poll")]
    poll: Length,
    #[serde(default)]
    follow: Vec<Followed>,
    #[serde(default)]
    limits: Limits,
}

impl TryFrom<File> for Config {
    type Error = Contradiction;

    fn try_from(file: File) -> Result<Config, Contradiction> {
        let source = match (file.store, file.upstream) {
            (Some(url), None) => SourceUrl::Store(url),
            (None, Some(bases)) if !bases.is_empty() => SourceUrl::Upstream(bases),
            _ => return Err(Contradiction::Source),
        };
        if !file.follow.is_empty() && matches!(source, SourceUrl::Store(_)) {
            return Err(Contradiction::Follow);
        }
        if file.poll.0.is_zero() || file.limits.header_deadline.0.is_zero() {
            return Err(Contradiction::Zero);
        }
        let name = match file.name {
            Some(name) => name,
            None => host_name().map_err(Contradiction::HostName)?,
        };
        Ok(Config {
            name,
            listen: file.listen,
            source,
            root: file.root,
            poll: file.poll,
            follow: file.follow,
            limits: file.limits,
        })
    }
}

/// What values that are each fine can get wrong together.
#[derive(Debug, thiserror::Error)]
enum Contradiction {
    #[error("give either `store` or a list of at least one `upstream`")]
    Source,
    #[error("`follow` goes with `upstream`; in a store every app and region is found")]
    Follow,
    #[error("`poll` and `header_deadline` must be longer than zero")]
    Zero,
    #[error("this host's name cannot name a gateway ({0}); give it a `name`")]
    HostName(InvalidName),
}

fn default_listen() -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, 7878))
}

fn default_poll() -> Length {
    Length(Duration::from_secs(1))
}

fn host_name() -> Result<AgentId, InvalidName> {
    rustix::system::uname().nodename().to_string_lossy().parse()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Config, String> {
        schema::yaml::from_str("gateway.yaml", text, &schema::Limits::DEFAULT)
            .map_err(|error: InvalidYaml| error.to_string())
    }

    #[test]
    fn the_smallest_file_has_a_source_and_a_root() {
        let config = read("store: /srv/store\nroot: root.json\n").expect("a configuration");
        assert_eq!(config.listen.to_string(), "127.0.0.1:7878");
        assert_eq!(config.limits, Limits::default());
        assert!(matches!(config.source, SourceUrl::Store(_)));
    }

    #[test]
    fn relative_paths_start_at_the_file() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("gateway.yaml");
        std::fs::write(&file, "store: store\nroot: root.json\nname: gw\n").expect("a file");
        let config = Config::load(&file).expect("a configuration");
        assert_eq!(config.root, folder.path().join("root.json"));
        let SourceUrl::Store(url) = config.source else { panic!("a store") };
        assert_eq!(url.local_path(), Some(folder.path().join("store").as_path()));
    }

    #[test]
    fn what_cannot_be_meant_is_refused() {
        for text in [
            "root: r\n",
            "store: s\nupstream: [http://a/]\nroot: r\n",
            "upstream: []\nroot: r\n",
            "store: s\n",
            "store: s\nroot: r\nfollow: [{app: a, region: r}]\n",
            "store: s\nroot: r\npoll: 0s\n",
            "store: s\nroot: r\nlisten: nowhere\n",
            "store: s\nroot: r\nname: ../up\n",
            "store: s\nroot: r\nlimits: {connection: 1}\n",
            "store: s\nroot: r\nunknown: 1\n",
        ] {
            assert!(read(text).is_err(), "{text}");
        }
    }
}
