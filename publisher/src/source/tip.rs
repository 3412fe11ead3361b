//! The source itself: says where the branch is, and when to look again.

use std::path::PathBuf;
use std::time::Duration;

use git2::Repository;
use schema::CommitId;

use super::config::SourceConfig;
use super::error::SourceError;
use super::git::{FetchFault, Git};
use super::hint::Hint;
use super::local;
use super::mirror::Mirror;
use super::repository::Protocol;
use crate::blocking::blocking;

/// One branch of one repository, ready to be asked for its tip.
pub struct Source {
    config: SourceConfig,
    git: Git,
    hint: Hint,
}

impl Source {
    /// Opens a local repository, or gets ready to fetch a remote one. The first [`Source::tip`] fetches.
    ///
    /// # Errors
    /// [`SourceError`]: the local repository does not open, or belongs to another user.
    pub async fn open(config: SourceConfig) -> Result<Source, SourceError> {
        Source::open_with(Git::system(), config).await
    }

    async fn open_with(git: Git, config: SourceConfig) -> Result<Source, SourceError> {
        let hint = match config.repository.local_path().map(PathBuf::from) {
            None => Hint::none(),
            Some(path) => {
                blocking(move || local::open(&path).map(|repository| Hint::of(repository.commondir()))).await?
            }
        };
        Ok(Source { config, git, hint })
    }

    /// What this source was opened with.
    pub fn config(&self) -> &SourceConfig {
        &self.config
    }

    /// The commit that the branch is at, fetched first if the repository is elsewhere.
    ///
    /// A mirror that turns out to be damaged is thrown away and fetched anew, once.
    ///
    /// # Errors
    /// [`SourceError`]; in particular a branch or repository that is empty or gone is an error, never an empty answer.
    pub async fn tip(&mut self) -> Result<CommitId, SourceError> {
        let Some((protocol, url)) = self.config.repository.remote() else {
            let (path, config) = (self.objects_path(), self.config.clone());
            return blocking(move || local::tip(&local::open(&path)?, &config.branch, &config.repository)).await;
        };
        let url = url.to_owned();
        match self.fetched_tip((protocol, &url)).await {
            Ok(tip) => Ok(tip),
            Err(error) if matches!(error, SourceError::NoGit(_) | SourceError::NoBranch { .. }) => Err(error),
            Err(error) => {
                if !self.mirror_is_damaged().await {
                    return Err(error);
                }
                tracing::warn!(%error, mirror = %self.config.mirror_dir.display(), "The mirror is damaged and is fetched anew");
                self.discard_mirror().await?;
                self.fetched_tip((protocol, &url)).await
            }
        }
    }

    /// Waits until the branch may have moved: a local repository gave a hint, or the time to poll has come, which is at
    /// random between half of [`SourceConfig::poll`] and all of it.
    pub async fn changed(&mut self) {
        let wait = self.config.poll.0.mul_f64(0.5 + fastrand::f64() / 2.0).max(Duration::from_millis(10));
        tokio::select! {
            () = self.hint.heard() => {}
            () = tokio::time::sleep(wait) => {}
        }
    }

    /// Opens the repository, or its mirror, to read objects. Blocks.
    ///
    /// # Errors
    /// [`SourceError`]: it does not open.
    pub fn open_objects(&self) -> Result<Repository, SourceError> {
        local::open(&self.objects_path())
    }

    /// The folder that [`Source::open_objects`] opens, for a task that must not borrow the source.
    pub fn objects_path(&self) -> PathBuf {
        self.config.repository.local_path().map_or_else(|| self.config.mirror_dir.clone(), PathBuf::from)
    }

    /// Throws the mirror of a remote repository away, so that the next [`Source::tip`] fetches all of it anew: what to do
    /// when objects in it turn out to be damaged. Does nothing to a local repository.
    ///
    /// # Errors
    /// [`SourceError::Mirror`]: it cannot be removed.
    pub async fn discard_mirror(&mut self) -> Result<(), SourceError> {
        let mirror = self.mirror();
        blocking(move || mirror.remove()).await
    }

    async fn fetched_tip(&self, from: (Protocol, &str)) -> Result<CommitId, SourceError> {
        let mirror = self.mirror();
        blocking(move || mirror.prepare()).await?;
        let SourceConfig { repository, branch, mirror_dir, fetch_deadline, .. } = &self.config;
        let fetched = self.git.fetch(mirror_dir, from, branch, fetch_deadline.0).await;
        let (branch, repository) = (branch.clone(), repository.clone());
        fetched.map_err(|fault| match fault {
            FetchFault::NoGit(source) => SourceError::NoGit(source),
            FetchFault::NoBranch => SourceError::NoBranch { branch, repository, others: String::new() },
            FetchFault::Failed { said } => SourceError::Fetch { branch, repository, said },
            FetchFault::TooSlow => SourceError::TooSlow { branch, repository, deadline: fetch_deadline.0 },
        })?;
        let mirror = self.mirror();
        blocking(move || mirror.tip()).await
    }

    async fn mirror_is_damaged(&self) -> bool {
        let mirror = self.mirror();
        !self.git.recognises(&self.config.mirror_dir).await || blocking(move || mirror.is_damaged()).await
    }

    fn mirror(&self) -> Mirror {
        let SourceConfig { repository, branch, mirror_dir, .. } = &self.config;
        Mirror { folder: mirror_dir.clone(), of: repository.clone(), branch: branch.clone() }
    }
}

#[cfg(test)]
mod tests;
