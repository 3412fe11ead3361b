//! What an operator says of the config repository.

use std::path::PathBuf;

use schema::time::Length;

use super::branch::BranchName;
use super::repository::RepositoryUrl;

/// Which branch of which repository is followed, and how.
#[derive(Clone, Debug)]
pub struct SourceConfig {
    /// Where the repository is.
    pub repository: RepositoryUrl,
    /// The branch.
    pub branch: BranchName,
    /// The longest time between two looks at the branch. Changes of a local repository are noticed sooner.
    pub poll: Length,
    /// Folder for the private copy of a remote repository. It is made if it is not there, and belongs to the publisher
    /// alone: what is in it may be thrown away.
    pub mirror_dir: PathBuf,
    /// The longest time one fetch may take, the first one included.
    pub fetch_deadline: Length,
}
