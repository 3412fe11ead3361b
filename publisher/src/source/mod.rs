//! Where commits come from: one branch of one repository, local or remote.
//!
//! In: a [`SourceConfig`]. Out: the branch's tip as a commit id, a word when it may have moved, and the objects to read.
//! A local repository is read in place. A remote one is followed by the system's `git` into a private bare mirror, since git
//! knows more of servers, proxies and credentials than any library; what it fetches is checked by git on arrival and
//! proven by [`proof`](crate::proof) before use.
//!
//! Nothing here believes a commit, and a branch that cannot be found is an error, never an empty configuration.

mod branch;
mod config;
mod error;
mod git;
mod hint;
mod local;
mod mirror;
mod repository;
mod tip;

pub use branch::{BranchName, InvalidBranchName};
pub use config::SourceConfig;
pub use error::SourceError;
pub use repository::{InvalidRepositoryUrl, Protocol, RepositoryUrl};
pub use tip::Source;
