//! Looks at everything there is to judge, and changes nothing: no folder is made, no key leaves memory.

mod control;
mod keys;
mod store;

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::{Duration, SystemTime};

use ::store::Store;
use follower::BaseUrl;
use gateway::Entrance;
use publisher::keys::Role;
use publisher::signers::SignerPolicy;
use publisher::{Config, Keys};
use schema::status::Status;
use schema::{Timestamp, TrustRoot, Verified};
use tokio::process::Command;
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use crate::reach::Reach;

use super::facts::{Facts, Folder, Git, Listener, Need, PolicyFile, RootFacts, StoreFacts, Transport};

/// All facts about the publisher that `file` configures.
pub(super) async fn gather(config: &Config, file: &Path, gateway: Option<(&BaseUrl, &Reach)>) -> Facts {
    let pinned = publisher::trust::load(&config.root).map_err(|error| in_words(&error));
    let opened = store::open(&config.store);
    let root = match pinned {
        Ok(pinned) => Ok(follow(pinned, opened.as_ref().ok()).await),
        Err(why) => Err(why),
    };
    let newest = root.as_ref().ok().map(|root| &root.newest);
    let published = match &opened {
        Ok(store) => store::look(store, newest).await,
        // A publisher makes the folder of its store when it first starts.
        Err(_) if config.store.local_path().is_some() && !config.state.exists() => Ok(StoreFacts::default()),
        Err(why) => Err(why.clone()),
    };
    Facts {
        signing: signing(config.clone(), newest.cloned()).await,
        root,
        key_files: keys::files(config, file),
        roles: [Role::Release, Role::Pointer].into_iter().filter(|role| config.duty.has(*role)).collect(),
        policy: policy(&config.signers),
        state: Folder { path: config.state.clone(), mode: mode(&config.state) },
        store: published,
        control: control::look(config, file),
        listener: config.listen.map(|address| Listener { address, transport: transport(config) }),
        git: git(config).await,
        gateway: match gateway {
            Some((url, reach)) => Some(clock_of(url, reach).await),
            None => None,
        },
        now: Timestamp::from(SystemTime::now()),
    }
}

fn policy(path: &Path) -> Result<PolicyFile, String> {
    SignerPolicy::load(path).map_err(|error| in_words(&error))?;
    Ok(PolicyFile { path: path.to_owned(), mode: mode(path).unwrap_or_default() })
}

/// The newest root that follows in the store, and what stands in the way of the next one.
async fn follow(pinned: Verified<TrustRoot>, store: Option<&Store>) -> RootFacts {
    let version = pinned.version;
    let (newest, stray) = match store {
        Some(store) => store::newest_root(store, pinned).await,
        None => (pinned, None),
    };
    RootFacts { pinned: version, newest: (*newest).clone(), stray }
}

/// Reads the keys as the publisher does, commands and all, and drops them again.
async fn signing(config: Config, root: Option<TrustRoot>) -> Result<(), String> {
    let reading = spawn_blocking(move || {
        let keys = Keys::load(&config.keys, config.duty).map_err(|error| in_words(&error))?;
        root.map_or(Ok(()), |root| keys.fit(&root, config.duty).map_err(|error| in_words(&error)))
    });
    reading.await.unwrap_or_else(|panicked| Err(in_words(&panicked)))
}

fn transport(config: &Config) -> Result<Transport, String> {
    let Some(path) = &config.entrance else { return Ok(Transport::Plain) };
    let entrance = Entrance::load(path).map_err(|error| in_words(&error))?;
    Ok(if entrance.tls.is_some() { Transport::Tls } else { Transport::Plain })
}

async fn git(config: &Config) -> Git {
    let need = if config.source.repository.local_path().is_some() { Need::Unused } else { Need::Used };
    let asked = Command::new("git").arg("--version").kill_on_drop(true).output();
    let version = match timeout(GIT_DEADLINE, asked).await {
        Ok(Ok(told)) if told.status.success() => Ok(String::from_utf8_lossy(&told.stdout).trim().to_owned()),
        Ok(Ok(told)) => Err(format!("`git --version` ends with {}", told.status)),
        Ok(Err(error)) => Err(format!("git cannot be run: {error}")),
        Err(_elapsed) => Err("`git --version` does not end".to_owned()),
    };
    Git { need, version }
}

/// What a gateway says the time is. Nothing vouches for it.
async fn clock_of(url: &BaseUrl, reach: &Reach) -> Result<Timestamp, String> {
    let mirrors = reach.mirrors(url).map_err(|failure| failure.in_words())?;
    let answer = mirrors.ask("v1/status", STATUS_MAX_BYTES).await.map_err(|error| in_words(&error))?;
    let status: Status = serde_json::from_slice(&answer).map_err(|error| in_words(&error))?;
    Ok(status.now)
}

/// The bits of a file's or folder's mode, if it exists.
fn mode(path: &Path) -> Option<u32> {
    std::fs::metadata(path).ok().map(|metadata| metadata.permissions().mode())
}

fn in_words(error: &(dyn std::error::Error + 'static)) -> String {
    publisher::causes(error).join(": ")
}

const STATUS_MAX_BYTES: u64 = 16 * 1024 * 1024;
const GIT_DEADLINE: Duration = Duration::from_secs(10);
