//! A real config repository to test on: small histories and hostile trees in a temporary folder.

use std::path::{Path, PathBuf};
use std::process::Command;

use git2::{ObjectType, Oid, Repository};
use schema::{CommitId, Timestamp, TreeId};
use tempfile::TempDir;

use crate::committer::Committer;

/// A bare repository and somebody who commits to it.
pub(crate) struct Repo {
    pub(crate) folder: TempDir,
    pub(crate) git: Repository,
    pub(crate) alice: Committer,
}

/// An entry of a tree that is written as it is, however odd.
pub(crate) struct RawEntry<'n> {
    pub(crate) mode: &'static str,
    pub(crate) name: &'n [u8],
    pub(crate) id: Oid,
}

impl Repo {
    pub(crate) fn new() -> Repo {
        let folder = tempfile::tempdir().unwrap();
        let git = Repository::init_bare(folder.path().join("config.git")).unwrap();
        Repo { folder, git, alice: Committer::generate("Alice", "alice@example.com").unwrap() }
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.folder.path().join("config.git")
    }

    pub(crate) fn blob(&self, content: &[u8]) -> Oid {
        self.git.blob(content).unwrap()
    }

    /// A tree of files by path; a name that ends with `*` is executable.
    pub(crate) fn tree(&self, files: &[(&str, &str)]) -> TreeId {
        let mut builder = git2::build::TreeUpdateBuilder::new();
        for (path, content) in files {
            let (path, mode) = match path.strip_suffix('*') {
                Some(program) => (program, git2::FileMode::BlobExecutable),
                None => (*path, git2::FileMode::Blob),
            };
            builder.upsert(path, self.blob(content.as_bytes()), mode);
        }
        let empty = self.git.find_tree(self.git.treebuilder(None).unwrap().write().unwrap()).unwrap();
        tree_id(builder.create_updated(&self.git, &empty).unwrap())
    }

    /// Writes a tree object with exactly these entries, unchecked.
    pub(crate) fn raw_tree(&self, entries: &[RawEntry<'_>]) -> Oid {
        let mut raw = Vec::new();
        for entry in entries {
            raw.extend_from_slice(entry.mode.as_bytes());
            raw.push(b' ');
            raw.extend_from_slice(entry.name);
            raw.push(0);
            raw.extend_from_slice(entry.id.as_bytes());
        }
        self.git.odb().unwrap().write(ObjectType::Tree, &raw).unwrap()
    }

    /// Commits to `main` as Alice, at a time in seconds.
    pub(crate) fn commit(&self, parents: &[&CommitId], tree: &TreeId, seconds: i64) -> CommitId {
        self.commit_as(&self.alice, "main", parents, tree, seconds)
    }

    pub(crate) fn commit_as(
        &self,
        who: &Committer,
        branch: &str,
        parents: &[&CommitId],
        tree: &TreeId,
        seconds: i64,
    ) -> CommitId {
        let parents: Vec<CommitId> = parents.iter().map(|&parent| parent.clone()).collect();
        who.commit(&self.git, branch, &parents, tree, "change it", at(seconds)).unwrap()
    }

    /// A commit that nobody signed, on no branch.
    pub(crate) fn unsigned(&self, parents: &[&CommitId], tree: &TreeId, seconds: i64, message: &str) -> CommitId {
        let mallory = git2::Signature::new("Mallory", "mallory@example.com", &git2::Time::new(seconds, 0)).unwrap();
        let parents: Vec<_> =
            parents.iter().map(|parent| self.git.find_commit(oid(parent.as_str())).unwrap()).collect();
        let parents: Vec<_> = parents.iter().collect();
        let tree = self.git.find_tree(oid(tree.as_str())).unwrap();
        commit_id(self.git.commit(None, &mallory, &mallory, message, &tree, &parents).unwrap())
    }

    /// Points a branch at a commit, whatever was there.
    pub(crate) fn force(&self, branch: &str, to: &CommitId) {
        self.git.reference(&format!("refs/heads/{branch}"), oid(to.as_str()), true, "force").unwrap();
    }

    /// A line of a signer policy for Alice.
    pub(crate) fn policy(&self) -> String {
        format!("alice@example.com {}\n", self.alice.public_line().unwrap())
    }
}

/// Runs the system's git without anybody's configuration, and insists that it succeeds.
pub(crate) fn git(folder: &Path, arguments: &[&str]) -> String {
    let output = git_output(folder, arguments);
    assert!(output.status.success(), "git {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

pub(crate) fn git_output(folder: &Path, arguments: &[&str]) -> std::process::Output {
    Command::new("git")
        .arg("-C")
        .arg(folder)
        .args(["-c", "user.name=Alice", "-c", "user.email=alice@example.com", "-c", "gpg.format=ssh"])
        .args(arguments)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_SYSTEM", "/dev/null")
        .output()
        .expect("git is installed")
}

pub(crate) fn at(seconds: i64) -> Timestamp {
    Timestamp::from_unix_millis(seconds * 1000)
}

pub(crate) fn oid(hex: &str) -> Oid {
    Oid::from_str(hex).unwrap()
}

pub(crate) fn commit_id(oid: Oid) -> CommitId {
    oid.to_string().parse().unwrap()
}

pub(crate) fn tree_id(oid: Oid) -> TreeId {
    oid.to_string().parse().unwrap()
}
