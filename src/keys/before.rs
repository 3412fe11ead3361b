//! The root in force: a file, and whatever follows it in a store.

use std::path::{Path, PathBuf};

use schema::{TrustRoot, Verified};
use store::{Store, StoreUrl};

use super::{chain, file};
use crate::exit::Failure;
use crate::home::Home;

/// Says where the root in force is.
#[derive(Debug, clap::Args)]
pub(super) struct Before {
    /// The root in force, as a file; all that is needed where no store can be reached
    #[arg(long, value_name = "FILE", help_heading = "The root in force")]
    root: Option<PathBuf>,

    /// The store whose newer roots count as well
    #[arg(long, value_name = "PATH|URL", help_heading = "The root in force")]
    store: Option<StoreUrl>,

    /// The home that `driftless init` made, for its root and its store [default: that of the repository here]
    #[arg(long, value_name = "FOLDER", conflicts_with = "config", help_heading = "The root in force")]
    home: Option<PathBuf>,

    /// The publisher's configuration file, for its root and its store
    #[arg(long, value_name = "FILE", help_heading = "The root in force")]
    config: Option<PathBuf>,
}

impl Before {
    /// The newest root.
    pub(super) async fn newest(&self) -> Result<Verified<TrustRoot>, Failure> {
        Ok(self.chain().await?.pop().expect("a chain has a first root"))
    }

    /// The root that was started from, and those that follow it.
    pub(super) async fn chain(&self) -> Result<Vec<Verified<TrustRoot>>, Failure> {
        let first = self.first()?;
        match self.store()? {
            Some(store) => chain::walk(&store, first).await,
            None => Ok(vec![first]),
        }
    }

    /// The root in the file that was named, or that the configuration names.
    pub(super) fn first(&self) -> Result<Verified<TrustRoot>, Failure> {
        let path = match &self.root {
            Some(path) => path.clone(),
            None => self.configuration()?.root,
        };
        publisher::trust::load(&path).map_err(Failure::usage)
    }

    /// The root right before `draft`, which is of `version`: as named, or beside the draft, or as configured.
    pub(super) async fn right_before(
        &self,
        draft: &Path,
        version: u64,
    ) -> Result<Option<Verified<TrustRoot>>, Failure> {
        let Some(previous) = version.checked_sub(1).filter(|previous| *previous > 0) else { return Ok(None) };
        if let Some(beside) = self.beside(draft, previous) {
            return publisher::trust::load(&beside).map(Some).map_err(Failure::usage);
        }
        let nowhere = !self.names_a_root() && self.configuration_file().is_err();
        let chain = if nowhere { Vec::new() } else { self.chain().await? };
        match chain.into_iter().find(|root| root.version == previous) {
            Some(root) => Ok(Some(root)),
            None => {
                let wrong =
                    format!("the root of version {previous}, which {} would follow, is not at hand", draft.display());
                Err(Failure::usage(wrong).hint("name its file with --root"))
            }
        }
    }

    /// The file of version `previous` beside the draft, where nothing else was named: whoever brought the one brought the other.
    pub(super) fn beside(&self, draft: &Path, previous: u64) -> Option<PathBuf> {
        let beside = file::beside(draft, previous);
        (!self.names_a_root() && beside.exists()).then_some(beside)
    }

    /// The store that was named; where neither it nor a root was, the configured one.
    pub(super) fn store(&self) -> Result<Option<Store>, Failure> {
        let url = match (&self.store, &self.root) {
            (Some(url), _) => url.clone(),
            // Who names a root and no store is on a host without one.
            (None, Some(_)) => return Ok(None),
            (None, None) => self.configuration()?.store,
        };
        Store::open(&url).map(Some).map_err(Failure::usage)
    }

    /// The publisher's configuration file.
    pub(super) fn configuration_file(&self) -> Result<PathBuf, Failure> {
        if let Some(file) = &self.config {
            return Ok(file.clone());
        }
        let home = match &self.home {
            Some(home) => Home::at(home),
            None => Home::of_repository(Path::new(".")).map_err(Failure::unexpected)?,
        };
        let file = home.publisher_yaml();
        if !file.exists() {
            let hint = "name the root in force with --root, or a publisher with --config or --home";
            return Err(Failure::usage(format!("there is no {}", file.display())).hint(hint));
        }
        Ok(file)
    }

    /// Whether a root was named, rather than looked for.
    pub(super) fn names_a_root(&self) -> bool {
        self.root.is_some() || self.home.is_some() || self.config.is_some()
    }

    fn configuration(&self) -> Result<publisher::Config, Failure> {
        publisher::Config::load(&self.configuration_file()?).map_err(Failure::usage)
    }
}
