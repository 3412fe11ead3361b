//! What is in `driftless.yaml` to begin with, and the first commit of a new repository.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use git2::{IndexAddOption, Repository};
use schema::{App, Limits, Region, Timestamp};
use serde::Deserialize;
use serde::de::IgnoredAny;

use super::signer::Signer;
use super::site::Site;
use crate::exit::Failure;
use crate::home::Home;
use crate::{out, yaml};

/// The regions and apps to begin with.
pub(super) struct Choice {
    regions: Vec<Region>,
    apps: Vec<(App, String)>,
}

impl Choice {
    /// What `driftless.yaml` says already; else what was asked for; else one region, and the whole repository (or, in a
    /// new one, a sample) as one app.
    ///
    /// # Errors
    /// Where apps or regions were asked for and `driftless.yaml` has its own.
    pub(super) fn new(regions: &[Region], apps: &[(App, String)], site: &Site) -> Result<Choice, Failure> {
        if let Some(there) = Choice::standing(site) {
            if regions.is_empty() && apps.is_empty() {
                return Ok(there);
            }
            let hint = "edit that file, or leave --app and --region out";
            return Err(Failure::usage("driftless.yaml names regions and apps already").hint(hint));
        }
        let local = || vec!["local".parse().expect("a valid region")];
        let regions = if regions.is_empty() { local() } else { regions.to_vec() };
        let sample = || ("hello".parse().expect("a valid app"), SAMPLE_FOLDER.to_owned());
        let whole = || (app_named_after(&site.folder), ".".to_owned());
        let apps = match apps {
            [] if site.is_new => vec![sample()],
            [] => vec![whole()],
            apps => apps.to_vec(),
        };
        Ok(Choice { regions, apps })
    }

    /// What the `driftless.yaml` in the work tree says, as far as it can be read; mistakes in it are told by the preview.
    fn standing(site: &Site) -> Option<Choice> {
        #[derive(Deserialize)]
        struct Standing {
            regions: BTreeMap<Region, IgnoredAny>,
            apps: BTreeMap<App, StandingApp>,
        }
        #[derive(Deserialize)]
        struct StandingApp {
            path: String,
        }
        let text = fs::read_to_string(site.repository.workdir()?.join("driftless.yaml")).ok()?;
        let standing: Standing = schema::yaml::from_str("driftless.yaml", &text, &Limits::DEFAULT).ok()?;
        let regions: Vec<Region> = standing.regions.into_keys().collect();
        let apps = standing.apps.into_iter().map(|(app, StandingApp { path })| (app, path)).collect();
        (!regions.is_empty()).then_some(Choice { regions, apps })
    }

    pub(super) fn first_region(&self) -> &Region {
        self.regions.first().expect("there is one by default")
    }

    pub(super) fn app_names(&self) -> Vec<String> {
        self.apps.iter().map(|(app, _)| app.to_string()).collect()
    }

    pub(super) fn in_words(&self) -> String {
        let folder =
            |folder: &str| if folder == "." { "the whole repository".to_owned() } else { format!("{folder}/") };
        let apps: Vec<String> = self.apps.iter().map(|(app, path)| format!("{app} ({})", folder(path))).collect();
        let regions: Vec<&str> = self.regions.iter().map(Region::as_str).collect();
        format!("{} in {}", apps.join(", "), regions.join(", "))
    }

    fn yaml(&self) -> String {
        let regions: String =
            self.regions.iter().map(|region| format!("  {}: {{}}\n", yaml::scalar(region.as_str()))).collect();
        let app = |(app, path): &(App, String)| {
            format!("  {}:\n    path: {}\n", yaml::scalar(app.as_str()), yaml::scalar(path))
        };
        let apps: String = self.apps.iter().map(app).collect();
        format!(
            "# What is published, and where. Every file below an app's path is its configuration.\n\
             regions:\n{regions}\napps:\n{apps}"
        )
    }
}

/// The `driftless.yaml` that is in the work tree, or would be written.
pub(super) fn yaml_in(repository: &Repository, choice: &Choice) -> String {
    let there = repository.workdir().and_then(|workdir| fs::read_to_string(workdir.join("driftless.yaml")).ok());
    there.unwrap_or_else(|| choice.yaml())
}

/// Writes `driftless.yaml` into the work tree of an existing repository, unless there is one.
pub(super) fn write_yaml(repository: &Repository, choice: &Choice) -> Result<(), Failure> {
    let Some(workdir) = repository.workdir() else {
        out::talk("The repository is bare: commit this file as driftless.yaml from a clone.\n");
        out::data(&choice.yaml());
        return Ok(());
    };
    let file = workdir.join("driftless.yaml");
    if file.exists() {
        out::talk(&format!("keeping   {}", file.display()));
        return Ok(());
    }
    fs::write(&file, choice.yaml()).map_err(Failure::unexpected)?;
    out::talk(&format!("wrote     {}", file.display()));
    Ok(())
}

/// Fills a new repository and makes its first commit: signed here with a fresh key, or left to whoever has the key.
pub(super) fn commit_first(
    repository: &Repository,
    branch: &str,
    choice: &Choice,
    signer: &Signer,
    home: &Home,
    now: Timestamp,
) -> Result<(), Failure> {
    let Some(workdir) = repository.workdir() else { return write_yaml(repository, choice) };
    fs::write(workdir.join("driftless.yaml"), choice.yaml()).map_err(Failure::unexpected)?;
    for (_, folder) in choice.apps.iter().filter(|(_, folder)| folder != ".") {
        fs::create_dir_all(workdir.join(folder)).map_err(Failure::unexpected)?;
        fs::write(workdir.join(folder).join("settings.yaml"), SAMPLE).map_err(Failure::unexpected)?;
    }
    signer.configure(repository, home).map_err(Failure::unexpected)?;
    let Some(committer) = signer.fresh() else { return Ok(()) };
    let mut index = repository.index().map_err(Failure::unexpected)?;
    index.add_all(["*"], IndexAddOption::DEFAULT, None).map_err(Failure::unexpected)?;
    index.write().map_err(Failure::unexpected)?;
    let tree = index.write_tree().map_err(Failure::unexpected)?;
    let tree = tree.to_string().parse().expect("git writes tree ids in lower-case hex");
    committer.commit(repository, branch, &[], &tree, "Begin\n", now).map_err(Failure::unexpected)?;
    Ok(())
}

/// The folder's name with everything that an app's name cannot hold turned into `-`.
fn app_named_after(folder: &Path) -> App {
    let name = folder.file_name().map(|name| name.to_string_lossy().to_lowercase()).unwrap_or_default();
    let name = name.trim_end_matches(".git");
    let slug: String = name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).take(64).collect();
    slug.trim_matches('-').parse().unwrap_or_else(|_| "config".parse().expect("a valid app"))
}

const SAMPLE_FOLDER: &str = "apps/hello";
const SAMPLE: &str = "# Change me, commit (signed), and look at what the agents run.\ngreeting: hello\n";
