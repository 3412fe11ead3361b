//! Proves and compiles one tip. All of it blocks, so it runs on a thread of its own.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use git2::{Oid, Repository};
use schema::{CommitId, Limits, Timestamp};

use super::ancestry::contains;
use super::error::LookError;
use super::rules::Rules;
use crate::blocking::blocking;
use crate::compile::{Compilation, CompileError, GitObjects, compile, compile_after, policies};
use crate::config::Config;
use crate::overrides::Lifted;
use crate::proof::{Base, FirstSeen, ProofError, VerifiedCommit, WalkError, verify_commits};
use crate::publish::InForce;
use crate::signers::PolicyError;

/// A commit that may be published, and its bundles.
pub(super) struct Proven {
    pub(super) commit: VerifiedCommit,
    pub(super) compilation: Arc<Compilation>,
    /// The policies that it goes by.
    pub(super) rules: InForce,
    /// What is worth knowing of the rules it was judged by.
    pub(super) notes: Vec<String>,
}

/// Judges every commit after `base` by `rules`, and compiles the tip.
pub(super) async fn prove(
    config: Arc<Config>,
    objects: PathBuf,
    rules: Rules,
    base: Base,
    tip: CommitId,
    previous: Option<Arc<Compilation>>,
    now: Timestamp,
) -> Result<Proven, LookError> {
    blocking(move || {
        let began = Instant::now();
        let damaged = |source| refused(&tip, WalkError::Unreadable { id: tip.clone(), source }.into());
        let repository = Repository::open(&objects).map_err(damaged)?;
        let (commit, notes) = Judging { config: &config, repository: &repository, tip: &tip, now }.by(rules, &base)?;
        tracing::debug!(took = ?began.elapsed(), "Proved commit {}", tip.short());
        // Nothing of the tree was looked at before its commit was proven.
        let began = Instant::now();
        let objects = GitObjects::of(&repository).map_err(damaged)?;
        let compiled = match previous {
            Some(previous) => compile_after(&previous, &objects, commit.tree(), &Limits::DEFAULT),
            None => compile(&objects, commit.tree(), &Limits::DEFAULT),
        };
        let compilation = compiled.map_err(|source| LookError::Compile { commit: tip.clone(), source })?;
        tracing::debug!(took = ?began.elapsed(), "Compiled commit {}", tip.short());
        let rules = in_force(&repository, &objects, &base, &compilation);
        let rules = rules.map_err(|source| LookError::Compile { commit: tip.clone(), source })?;
        Ok(Proven { commit, compilation: Arc::new(compilation), rules, notes })
    })
    .await
}

struct Judging<'j> {
    config: &'j Config,
    repository: &'j Repository,
    tip: &'j CommitId,
    now: Timestamp,
}

impl Judging<'_> {
    fn by(&self, mut rules: Rules, base: &Base) -> Result<(VerifiedCommit, Vec<String>), LookError> {
        let mut first_seen = FirstSeen::open(&self.config.state.join("first-seen"))?;
        let mut verify =
            |base: &Base| verify_commits(self.repository, &rules.policy, &mut first_seen, base, self.tip, self.now);
        let verified = match verify(base) {
            Err(forced) => match self.lifted_base(&rules, &forced) {
                Some(base) => verify(&base).map_err(|error| refused(self.tip, error))?,
                None => {
                    let overrides = if forced.force_push().is_some() { rules.overrides.refused } else { Vec::new() };
                    return Err(LookError::Proof { commit: self.tip.clone(), source: Box::new(forced), overrides });
                }
            },
            Ok(verified) => verified,
        };
        self.check_policy_is_elsewhere(&verified)?;
        // Before anything is published by them. Those that were not needed change nothing.
        for good in &rules.overrides.good {
            if self.tip_has(&good.statement.publish) {
                rules.lifted.remember(Lifted::from(&good.statement), self.now)?;
            }
        }
        Ok((verified, rules.notes))
    }

    /// Where judging begins if an override lifts what was refused.
    fn lifted_base(&self, rules: &Rules, refused: &ProofError) -> Option<Base> {
        let published = refused.force_push()?;
        let lifting = rules.overrides.lifting(published, |commit| self.tip_has(commit))?;
        tracing::info!(%published, "Override {} lifts the force-push", lifting.name.escape_debug());
        Some(Base::LeftBehind { published: published.clone(), adopted: self.config.source.adopt.clone() })
    }

    /// Refuses a policy file that lies in the repository's work tree and is in the commit, too.
    fn check_policy_is_elsewhere(&self, commit: &VerifiedCommit) -> Result<(), LookError> {
        let Some(work_tree) = self.repository.workdir() else { return Ok(()) };
        let (Ok(work_tree), Ok(policy)) = (work_tree.canonicalize(), self.config.signers.canonicalize()) else {
            return Ok(());
        };
        let Ok(inside) = policy.strip_prefix(work_tree) else { return Ok(()) };
        let tracked = Oid::from_str(commit.tree().as_str())
            .and_then(|tree| self.repository.find_tree(tree))
            .is_ok_and(|tree| tree.get_path(inside).is_ok());
        if tracked { Err(PolicyError::InRepository { path: self.config.signers.clone() }.into()) } else { Ok(()) }
    }

    fn tip_has(&self, commit: &CommitId) -> bool {
        // What git cannot tell, it does not confirm.
        contains(self.repository, self.tip, commit).unwrap_or(false)
    }
}

/// The policies that were in force at `base`, and those of `compilation` for apps that had none there.
fn in_force(
    repository: &Repository,
    objects: &GitObjects<'_>,
    base: &Base,
    compilation: &Compilation,
) -> Result<InForce, CompileError> {
    let commit = match base {
        Base::Published { commit, .. } => commit,
        Base::LeftBehind { published, .. } => published,
        Base::Beginning | Base::Adopted(_) => {
            return Ok(InForce::between(None, BTreeMap::new(), &compilation.policies));
        }
    };
    let tree = Oid::from_str(commit.as_str()).and_then(|id| Ok(repository.find_commit(id)?.tree_id()));
    let before = match tree {
        Ok(tree) => {
            let tree = tree.to_string().parse().expect("git writes ids in lower-case hex");
            match policies(objects, &tree, &Limits::DEFAULT) {
                Ok(policies) => policies,
                Err(CompileError::Refused(_)) => BTreeMap::new(),
                Err(unreadable) => return Err(unreadable),
            }
        }
        // What two principals let the branch leave behind need not be there any more.
        Err(error) => {
            tracing::warn!(
                "Commit {} is not in the repository, so its policies are not gone by: {error}",
                commit.short()
            );
            BTreeMap::new()
        }
    };
    Ok(InForce::between(Some(commit.clone()), before, &compilation.policies))
}

fn refused(tip: &CommitId, source: ProofError) -> LookError {
    LookError::Proof { commit: tip.clone(), source: Box::new(source), overrides: Vec::new() }
}
