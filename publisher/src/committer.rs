//! Makes signed commits without running git: for `driftless init`, the demo and the tests.
//!
//! In: a person, an SSH key, a tree and where it goes. Out: a commit that `git verify-commit` accepts, with the branch moved
//! to it. No part of publishing: what a publisher judges comes from people and their own git.

use git2::{Oid, Repository, Time};
use schema::{CommitId, Timestamp, TreeId};
use ssh_key::rand_core::OsRng;
use ssh_key::{Algorithm, HashAlg, LineEnding, PrivateKey};

use crate::signers::NAMESPACE;

/// A person with a key, who commits.
pub struct Committer {
    name: String,
    email: String,
    key: PrivateKey,
}

/// Says why a commit could not be made.
#[derive(Debug, thiserror::Error)]
pub enum CommitterError {
    /// The key cannot be made, read or used.
    #[error("the SSH key of {email} cannot be {attempted}")]
    Key {
        /// Whose it is.
        email: String,
        /// `made`, `read`, `written` or `used to sign`.
        attempted: &'static str,
        /// What is wrong with it.
        #[source]
        source: ssh_key::Error,
    },
    /// The key is locked.
    #[error("the SSH key of {email} is protected by a passphrase; give one that is not, for this purpose only")]
    Locked {
        /// Whose it is.
        email: String,
    },
    /// Git refuses.
    #[error("git cannot {attempted}")]
    Git {
        /// What was tried.
        attempted: &'static str,
        /// What git says.
        #[source]
        source: git2::Error,
    },
}

impl Committer {
    /// Makes a committer with a new ed25519 key.
    ///
    /// # Errors
    /// [`CommitterError::Key`]: the system gives no random numbers.
    pub fn generate(name: &str, email: &str) -> Result<Committer, CommitterError> {
        let mut key = PrivateKey::random(&mut OsRng, Algorithm::Ed25519).map_err(key_error(email, "made"))?;
        key.set_comment(email);
        Ok(Committer { name: name.to_owned(), email: email.to_owned(), key })
    }

    /// Takes the key in `text`, the content of a private key file as `ssh-keygen` writes it.
    ///
    /// # Errors
    /// [`CommitterError::Key`] and [`CommitterError::Locked`].
    pub fn from_openssh_text(name: &str, email: &str, text: &str) -> Result<Committer, CommitterError> {
        let key = PrivateKey::from_openssh(text).map_err(key_error(email, "read"))?;
        if key.is_encrypted() {
            return Err(CommitterError::Locked { email: email.to_owned() });
        }
        Ok(Committer { name: name.to_owned(), email: email.to_owned(), key })
    }

    /// The public key in one line, as it stands in a `.pub` file. `<email> <this>` is a line of a signer policy.
    ///
    /// # Errors
    /// [`CommitterError::Key`].
    pub fn public_line(&self) -> Result<String, CommitterError> {
        self.key.public_key().to_openssh().map_err(key_error(&self.email, "written"))
    }

    /// The private key as `ssh-keygen` writes it, without a passphrase. Its holder can sign: keep it in a file of mode 0600.
    ///
    /// # Errors
    /// [`CommitterError::Key`].
    pub fn private_openssh_text(&self) -> Result<String, CommitterError> {
        let text = self.key.to_openssh(LineEnding::LF).map_err(key_error(&self.email, "written"))?;
        Ok(text.to_string())
    }

    /// Commits `tree` and moves `branch` (`main`, not `refs/heads/main`) to the commit.
    ///
    /// With parents, the branch must be at the first of them; without, there must be no such branch yet. `when` counts
    /// in whole seconds.
    ///
    /// # Errors
    /// [`CommitterError`]; the branch has not moved.
    pub fn commit(
        &self,
        repository: &Repository,
        branch: &str,
        parents: &[CommitId],
        tree: &TreeId,
        message: &str,
        when: Timestamp,
    ) -> Result<CommitId, CommitterError> {
        let id = self.write_commit(repository, parents, tree, message, when)?;
        let reference = format!("refs/heads/{branch}");
        let moved = match parents.first() {
            Some(parent) => oid(parent.as_str())
                .and_then(|parent| repository.reference_matching(&reference, id, true, parent, message_line(message))),
            None => repository.reference(&reference, id, false, message_line(message)),
        };
        moved.map_err(git_error("move the branch"))?;
        Ok(id.to_string().parse().expect("git writes ids in lower-case hex"))
    }

    /// Writes the commit without moving a branch, for histories that are put together by hand.
    fn write_commit(
        &self,
        repository: &Repository,
        parents: &[CommitId],
        tree: &TreeId,
        message: &str,
        when: Timestamp,
    ) -> Result<Oid, CommitterError> {
        let seconds = when.since(Timestamp::UNIX_EPOCH).as_secs();
        let time = Time::new(i64::try_from(seconds).unwrap_or(i64::MAX), 0);
        let person =
            git2::Signature::new(&self.name, &self.email, &time).map_err(git_error("use the committer's name"))?;
        let parents: Result<Vec<_>, _> =
            parents.iter().map(|parent| repository.find_commit(oid(parent.as_str())?)).collect();
        let parents = parents.map_err(git_error("read the parents"))?;
        let parents: Vec<&git2::Commit<'_>> = parents.iter().collect();
        let payload = oid(tree.as_str())
            .and_then(|tree| repository.find_tree(tree))
            .and_then(|tree| repository.commit_create_buffer(&person, &person, message, &tree, &parents))
            .map_err(git_error("put the commit together"))?;
        let text = payload.as_str().map_err(git_error("write a commit that is not UTF-8"))?;
        let signature = self
            .key
            .sign(NAMESPACE, HashAlg::Sha512, text.as_bytes())
            .and_then(|signature| signature.to_pem(LineEnding::LF))
            .map_err(key_error(&self.email, "used to sign"))?;
        repository.commit_signed(text, signature.trim_end(), None).map_err(git_error("write the commit"))
    }
}

fn oid(hex: &str) -> Result<Oid, git2::Error> {
    Oid::from_str(hex)
}

fn message_line(message: &str) -> &str {
    message.lines().next().unwrap_or_default()
}

fn key_error(email: &str, attempted: &'static str) -> impl FnOnce(ssh_key::Error) -> CommitterError {
    let email = email.to_owned();
    move |source| CommitterError::Key { email, attempted, source }
}

fn git_error(attempted: &'static str) -> impl FnOnce(git2::Error) -> CommitterError {
    move |source| CommitterError::Git { attempted, source }
}
