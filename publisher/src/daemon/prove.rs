//! Proves and compiles one tip. All of it blocks, so it runs on a thread of its own.

use std::path::PathBuf;
use std::sync::Arc;

use git2::Repository;
use schema::{CommitId, Limits, Timestamp};

use super::error::LookError;
use crate::blocking::blocking;
use crate::compile::{Compilation, GitObjects, compile, compile_after};
use crate::config::Config;
use crate::proof::{Base, FirstSeen, ProofError, VerifiedCommit, WalkError, verify_commits};
use crate::signers::SignerPolicy;

/// A commit that may be published, and its bundles.
pub(super) struct Proven {
    pub(super) commit: VerifiedCommit,
    pub(super) compilation: Compilation,
}

/// Judges every commit after `base` by the policy as its file says right now, and compiles the tip.
pub(super) async fn prove(
    config: Arc<Config>,
    objects: PathBuf,
    base: Base,
    tip: CommitId,
    previous: Option<Arc<Compilation>>,
    now: Timestamp,
) -> Result<Proven, LookError> {
    blocking(move || {
        let policy = policy(&config)?;
        let unproven = |source: ProofError| LookError::Proof { commit: tip.clone(), source: Box::new(source) };
        let damaged = |source| unproven(WalkError::Unreadable { id: tip.clone(), source }.into());
        let repository = Repository::open(&objects).map_err(damaged)?;
        let mut first_seen = FirstSeen::open(&config.state.join("first-seen"))?;
        let commit = verify_commits(&repository, &policy, &mut first_seen, &base, &tip, now).map_err(unproven)?;
        // Nothing of the tree was looked at before its commit was proven.
        let objects = GitObjects::of(&repository).map_err(damaged)?;
        let compiled = match previous {
            Some(previous) => compile_after(&previous, &objects, commit.tree(), &Limits::DEFAULT),
            None => compile(&objects, commit.tree(), &Limits::DEFAULT),
        };
        let compilation = compiled.map_err(|source| LookError::Compile { commit: tip.clone(), source })?;
        Ok(Proven { commit, compilation })
    })
    .await
}

/// Reads the policy. Where there is none that can be used, nobody may sign.
fn policy(config: &Config) -> Result<SignerPolicy, LookError> {
    let path = &config.signers;
    let unreadable = |source| LookError::PolicyFile { path: path.clone(), source };
    let text = std::fs::read_to_string(path).map_err(unreadable)?;
    SignerPolicy::parse(&text).map_err(|source| LookError::Policy { path: path.clone(), source })
}
