//! Who may command rollouts, and the tokens that lie about. No token is read.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use publisher::Config;
use publisher::control::AccessFile;

use super::{in_words, mode};
use crate::doctor::facts::{ControlFacts, TokenFile};

/// What the configuration in the file `configuration` says about it, if anything.
pub(super) fn look(config: &Config, configuration: &Path) -> Option<ControlFacts> {
    let path = config.control.clone()?;
    let folders: BTreeSet<PathBuf> =
        [&path, configuration].into_iter().map(|file| file.parent().unwrap_or(Path::new("")).to_owned()).collect();
    let tokens: BTreeSet<PathBuf> = folders.iter().flat_map(|folder| tokens_in(folder)).collect();
    Some(ControlFacts {
        mode: mode(&path).unwrap_or_default(),
        access: AccessFile::open(&path).map(drop).map_err(|error| in_words(&error)),
        path,
        tokens: tokens.into_iter().filter_map(|path| Some(TokenFile { mode: mode(&path)?, path })).collect(),
    })
}

fn tokens_in(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().take(ENTRIES_MAX);
    let paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
    paths.filter(|path| path.extension().is_some_and(|extension| extension == "token") && path.is_file()).collect()
}

const ENTRIES_MAX: usize = 1000;
