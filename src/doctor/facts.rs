//! What there is to judge: plain values, gathered by [`gather`](super::gather).

use std::net::SocketAddr;
use std::path::PathBuf;

use publisher::keys::Role;
use schema::{App, PublicKey, Region, Timestamp, TrustRoot};

/// Everything that was looked at. An `Err` is why something could not be, in words.
pub(super) struct Facts {
    /// What this host's clock says.
    pub(super) now: Timestamp,
    pub(super) root: Result<RootFacts, String>,
    /// Every secret key in a file where the publisher has its keys, used or not.
    pub(super) key_files: Vec<KeyFile>,
    /// The roles that this process signs for.
    pub(super) roles: Vec<Role>,
    /// Whether its keys can be had, and count under the newest root.
    pub(super) signing: Result<(), String>,
    /// The signer policy, if it can be read.
    pub(super) policy: Result<PolicyFile, String>,
    pub(super) state: Folder,
    pub(super) store: Result<StoreFacts, String>,
    /// Who may command rollouts, if anybody may.
    pub(super) control: Option<ControlFacts>,
    /// Where it listens, if anywhere.
    pub(super) listener: Option<Listener>,
    pub(super) git: Git,
    /// A gateway's clock, if one was named.
    pub(super) gateway: Option<Result<Timestamp, String>>,
}

/// The root in the publisher's file, and the newest that follows it in the store.
pub(super) struct RootFacts {
    pub(super) pinned: u64,
    pub(super) newest: TrustRoot,
    /// Why the object that has the next version's name does not follow, if one stands there.
    pub(super) stray: Option<String>,
}

/// A file that holds a secret key.
pub(super) struct KeyFile {
    pub(super) path: PathBuf,
    pub(super) protection: Protection,
    /// The bits of its mode.
    pub(super) mode: u32,
    /// Its public half, if that is known.
    pub(super) public: Option<PublicKey>,
}

/// Whether a password stands between a key file and its key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Protection {
    Password,
    None,
}

/// The file that says who may sign commits.
pub(super) struct PolicyFile {
    pub(super) path: PathBuf,
    /// The bits of its mode.
    pub(super) mode: u32,
}

/// A folder of ours.
pub(super) struct Folder {
    pub(super) path: PathBuf,
    /// The bits of its mode; nothing where it does not exist yet.
    pub(super) mode: Option<u32>,
}

/// What is published.
#[derive(Default)]
pub(super) struct StoreFacts {
    pub(super) pointers: Vec<PointerFact>,
    /// How many more there are than were looked at.
    pub(super) passed_over: usize,
}

/// One pointer in the store.
pub(super) struct PointerFact {
    pub(super) app: App,
    pub(super) region: Region,
    /// When it was signed and until when it counts; or why agents that trust the newest root would refuse it.
    pub(super) term: Result<(Timestamp, Timestamp), String>,
}

/// The file that says whose tokens count, and the tokens that lie about.
pub(super) struct ControlFacts {
    pub(super) path: PathBuf,
    /// The bits of its mode.
    pub(super) mode: u32,
    /// Whether it is of use.
    pub(super) access: Result<(), String>,
    /// Files named `*.token` beside it or beside the configuration.
    pub(super) tokens: Vec<TokenFile>,
}

/// A file that holds a token, by its name.
pub(super) struct TokenFile {
    pub(super) path: PathBuf,
    /// The bits of its mode.
    pub(super) mode: u32,
}

/// Where somebody may connect.
pub(super) struct Listener {
    pub(super) address: SocketAddr,
    /// How, or why the file that says so is of no use.
    pub(super) transport: Result<Transport, String>,
}

/// How bytes travel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Transport {
    Plain,
    Tls,
}

/// The system's git, which fetches remote repositories.
pub(super) struct Git {
    pub(super) need: Need,
    /// What `git --version` prints.
    pub(super) version: Result<String, String>,
}

/// Whether something is used at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Need {
    Used,
    Unused,
}
