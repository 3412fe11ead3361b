//! Which publisher is meant: by its repository, its home or its configuration file.

use std::path::PathBuf;

use crate::exit::{Failure, Outcome};
use crate::home::Home;

/// Names a publisher's configuration.
#[derive(Debug, clap::Args)]
pub(crate) struct Which {
    /// The config repository; its home is the folder REPOSITORY.driftless beside it
    #[arg(default_value = ".", value_name = "REPOSITORY")]
    repository: PathBuf,

    /// The home that `driftless init` made, if it is somewhere else
    #[arg(long, value_name = "FOLDER")]
    home: Option<PathBuf>,

    /// The publisher's configuration file, if there is no home
    #[arg(long, value_name = "FILE", conflicts_with = "home")]
    config: Option<PathBuf>,
}

impl Which {
    /// The path of the configuration file.
    pub(crate) fn file(&self) -> Result<PathBuf, Failure> {
        if let Some(file) = &self.config {
            return Ok(file.clone());
        }
        let home = match &self.home {
            Some(home) => Home::at(home),
            None => Home::of_repository(&self.repository)
                .map_err(|error| Failure::usage(format!("{}: {error}", self.repository.display())))?,
        };
        let file = home.publisher_yaml();
        if !file.exists() {
            let hint = "run `driftless init` first, or name the folder that it made with --home";
            return Err(Failure::usage(format!("there is no {}", file.display())).hint(hint));
        }
        Ok(file)
    }

    /// The configuration.
    pub(crate) fn load(&self) -> Result<publisher::Config, Failure> {
        publisher::Config::load(&self.file()?).map_err(Failure::usage)
    }
}

/// Says that a configuration file is fine; what `--check` ends with.
pub(crate) fn fine(what: &std::path::Path) -> Outcome {
    crate::out::talk(&format!("{} is fine", what.display()));
    Ok(())
}
