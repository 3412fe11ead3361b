//! The secret keys that lie about: those that are configured, and their neighbours.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use publisher::Config;
use publisher::keys::KeySource;
use schema::PublicKey;
use schema::keys::{InvalidSecretKey, SecretKey};
use zeroize::Zeroizing;

use crate::doctor::facts::{KeyFile, Protection};

/// Every secret key file that is configured, or lies beside one, or in the folder `keys` beside the configuration.
pub(super) fn files(config: &Config, configuration: &Path) -> Vec<KeyFile> {
    let named: Vec<&Path> = config
        .keys
        .all()
        .filter_map(|source| match source {
            KeySource::File { path, .. } => Some(path.as_path()),
            KeySource::Text(_) => None,
        })
        .collect();
    let beside = configuration.parent().unwrap_or(Path::new("")).join("keys");
    let folders: BTreeSet<&Path> = named.iter().filter_map(|path| path.parent()).chain([beside.as_path()]).collect();
    let lying = folders.into_iter().flat_map(neighbours);
    let all: BTreeSet<PathBuf> = named.iter().map(|path| path.to_path_buf()).chain(lying).collect();
    all.iter().filter_map(|path| look(path)).collect()
}

fn neighbours(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().take(ENTRIES_MAX);
    entries.filter_map(|entry| Some(entry.ok()?.path())).filter(|path| path.is_file()).collect()
}

/// What is in the file, if it is a secret key of minisign's. Whatever else lies there is nobody's business.
fn look(path: &Path) -> Option<KeyFile> {
    let mode = super::mode(path)?;
    if fs::metadata(path).ok()?.len() > KEY_MAX_BYTES {
        return None;
    }
    let text = Zeroizing::new(fs::read_to_string(path).ok()?);
    let (protection, public) = match SecretKey::from_file_text(&text) {
        Ok(key) => (Protection::None, Some(key.public().clone())),
        Err(InvalidSecretKey::Protected) => (Protection::Password, public_beside(path)),
        Err(InvalidSecretKey::Malformed | InvalidSecretKey::WrongPassword) => return None,
    };
    Some(KeyFile { path: path.to_owned(), protection, mode, public })
}

/// A protected key does not tell its public half; the file that was made with it does.
fn public_beside(path: &Path) -> Option<PublicKey> {
    PublicKey::from_file_text(&fs::read_to_string(path.with_extension("pub")).ok()?).ok()
}

const KEY_MAX_BYTES: u64 = 16 * 1024;
const ENTRIES_MAX: usize = 1000;
