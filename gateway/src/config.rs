//! `gateway.yaml`: what a gateway serves, from where, to whom, and how much of it.

mod entrance;
mod limits;

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use follower::{BaseUrl, Credentials};
use schema::name::InvalidName;
use schema::time::Length;
use schema::yaml::InvalidYaml;
use schema::{AgentId, App, Region};
use serde::Deserialize;
use store::StoreUrl;

pub use entrance::{Entrance, EntranceError};
pub use limits::Limits;

use crate::entrance::Admit;
use crate::tls::Tls;

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
    /// Where to listen; `127.0.0.1:7878` by default.
    pub listen: SocketAddr,
    /// `tls`, `admit` and `agents`: who may come in, and how that is known.
    pub entrance: Entrance,
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
    /// Other gateways, or anything that serves store paths.
    Upstream {
        /// In order of preference.
        bases: Vec<BaseUrl>,
        /// `upstream_credentials`: what they are shown, and judged by.
        credentials: Credentials,
    },
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

impl Config {
    /// A configuration with everything by default but for what has none.
    ///
    /// # Errors
    /// [`InvalidName`] where the host's name cannot name a gateway.
    pub fn new(source: SourceUrl, root: impl Into<PathBuf>) -> Result<Config, InvalidName> {
        Ok(Config {
            name: host_name()?,
            listen: default_listen(),
            entrance: Entrance::default(),
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
        config.entrance = config.entrance.under(folder);
        match &mut config.source {
            SourceUrl::Store(url) => {
                if let Some(directory) = url.local_path() {
                    *url = StoreUrl::directory(folder.join(directory));
                }
            }
            SourceUrl::Upstream { credentials, .. } => credentials.resolve(folder),
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
    tls: Option<Tls>,
    #[serde(default)]
    admit: Admit,
    agents: Option<PathBuf>,
    store: Option<StoreUrl>,
    upstream: Option<Vec<BaseUrl>>,
    upstream_credentials: Option<Credentials>,
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
        let source = match (file.store, file.upstream, file.upstream_credentials) {
            (Some(url), None, None) => SourceUrl::Store(url),
            (Some(_), None, Some(_)) => return Err(Contradiction::Credentials),
            (None, Some(bases), credentials) if !bases.is_empty() => {
                SourceUrl::Upstream { bases, credentials: credentials.unwrap_or_default() }
            }
            _ => return Err(Contradiction::Source),
        };
        if !file.follow.is_empty() && matches!(source, SourceUrl::Store(_)) {
            return Err(Contradiction::Follow);
        }
        if file.poll.0.is_zero() {
            return Err(Contradiction::Zero("poll"));
        }
        if let Some(zero) = file.limits.zero() {
            return Err(Contradiction::Zero(zero));
        }
        let entrance = Entrance { tls: file.tls, admit: file.admit, agents: file.agents };
        entrance.check().map_err(Contradiction::Entrance)?;
        let name = match file.name {
            Some(name) => name,
            None => host_name().map_err(Contradiction::HostName)?,
        };
        Ok(Config {
            name,
            listen: file.listen,
            entrance,
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
    #[error("`upstream_credentials` go with `upstream`; a bucket's are in the environment")]
    Credentials,
    #[error("`follow` goes with `upstream`; in a store every app and region is found")]
    Follow,
    #[error("`{0}` must be more than zero")]
    Zero(&'static str),
    #[error(transparent)]
    Entrance(EntranceError),
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

        let text = "upstream: [https://a/]\nupstream_credentials: { token: up.token }\nroot: r\n\
            tls: { certificate: c, key: k }\nagents: agents.yaml\nname: gw\n";
        std::fs::write(&file, text).expect("a file");
        let config = Config::load(&file).expect("a configuration");
        let SourceUrl::Upstream { credentials, .. } = config.source else { panic!("an upstream") };
        assert_eq!(credentials.token, Some(folder.path().join("up.token")));
        assert_eq!(config.entrance.agents, Some(folder.path().join("agents.yaml")));
        assert_eq!(config.entrance.tls.map(|tls| tls.key), Some(folder.path().join("k")));
    }

    #[test]
    fn what_cannot_be_meant_is_refused() {
        for text in [
            "root: r\n",
            "store: s\nupstream: [http://a/]\nroot: r\n",
            "upstream: []\nroot: r\n",
            "store: s\nupstream_credentials: { token: t }\nroot: r\n",
            "upstream: [https://a/]\nupstream_credentials: { password: t }\nroot: r\n",
            "store: s\n",
            "store: s\nroot: r\nfollow: [{app: a, region: r}]\n",
            "store: s\nroot: r\npoll: 0s\n",
            "store: s\nroot: r\nlimits: { connections: 0 }\n",
            "store: s\nroot: r\nlimits: { connections_per_address: 0 }\n",
            "store: s\nroot: r\nlimits: { header_deadline: 0s }\n",
            "store: s\nroot: r\nlisten: nowhere\n",
            "store: s\nroot: r\nname: ../up\n",
            "store: s\nroot: r\nlimits: {connection: 1}\n",
            "store: s\nroot: r\nunknown: 1\n",
        ] {
            assert!(read(text).is_err(), "{text}");
        }
    }
}
