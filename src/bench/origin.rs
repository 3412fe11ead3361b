//! Where configuration comes from in a bench: a config repository, its home, and the processes that publish and serve it.
//!
//! In: apps, regions and files. Out: a temporary folder with keys, a repository that real git commits to and signs, a store, and
//! children of this same program. Everything is stopped by its id, and removed, when it is dropped. Knows nothing of what is
//! measured.

pub(super) mod child;
pub(super) mod content;
pub(super) mod pointers;
mod repository;
pub(super) mod spread;
pub(super) mod usage;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use follower::BaseUrl;
use publisher::committer::Committer;
use schema::manifest::Manifest;
use schema::{App, Digest, Pointer, Region, StorePath, Timestamp};
use serde::de::DeserializeOwned;

use crate::exit::Failure;
use crate::home::{Home, Plan, write_secret};
use crate::scratch::Scratch;
use child::Child;
use pointers::Pointers;

/// A config repository and what belongs to it.
pub(super) struct Origin {
    scratch: Scratch,
    home: Home,
    committer: Committer,
    pub(super) apps: Vec<App>,
    pub(super) regions: Vec<Region>,
}

/// The branch that is published.
pub(super) const BRANCH: &str = "main";
const PERSON: &str = "Robin Example";
const EMAIL: &str = "robin@example.com";

impl Origin {
    /// Makes keys and an empty repository for `apps` apps, `app-1` and so on, in `regions` regions. Nothing is committed yet.
    pub(super) async fn new(apps: usize, regions: usize) -> Result<Origin, Failure> {
        let scratch = Scratch::new("driftless-bench-")?;
        let apps: Vec<App> = (1..=apps).map(|n| format!("app-{n}").parse().expect("a valid name")).collect();
        let regions: Vec<Region> =
            (1..=regions).map(|n| format!("region-{n}").parse().expect("a valid name")).collect();
        let committer = Committer::generate(PERSON, EMAIL).map_err(Failure::unexpected)?;
        let public = committer.public_line().map_err(Failure::unexpected)?;
        let private = committer.private_openssh_text().map_err(Failure::unexpected)?;
        let home = Home::at(scratch.path().join("home"));
        let repository = scratch.path().join("config").to_string_lossy().into_owned();
        let names: Vec<String> = apps.iter().map(App::to_string).collect();
        let plan = Plan {
            repository: &repository,
            branch: BRANCH,
            adopt: None,
            store: "store",
            listen: "127.0.0.1:0",
            signers: &[format!("{EMAIL} namespaces=\"git\" {public}")],
            region: &regions[0],
            apps: &names,
        };
        home.create(&plan, Timestamp::from(SystemTime::now())).map_err(Failure::unexpected)?;
        write_secret(&home.key("signer"), &private).map_err(Failure::unexpected)?;
        fs::write(home.key("signer.pub"), format!("{public}\n")).map_err(Failure::unexpected)?;
        let origin = Origin { scratch, home, committer, apps, regions };
        origin.begin_repository().await?;
        origin.write("driftless.yaml", origin.rules().as_bytes())?;
        Ok(origin)
    }

    pub(super) fn folder(&self) -> &Path {
        self.scratch.path()
    }

    pub(super) fn home(&self) -> &Home {
        &self.home
    }

    pub(super) fn committer(&self) -> &Committer {
        &self.committer
    }

    pub(super) fn repository(&self) -> PathBuf {
        self.folder().join("config")
    }

    pub(super) fn store(&self) -> PathBuf {
        self.home.dir().join("store")
    }

    /// The folder of an app in the repository.
    pub(super) fn folder_of(app: &App) -> String {
        format!("apps/{app}")
    }

    /// Starts `driftless up`: publisher and gateway in one process.
    pub(super) async fn up(&self) -> Result<(Child, BaseUrl), Failure> {
        let home = self.home.dir().display().to_string();
        let child = Child::start(&self.folder().join("up.log"), &["up", "--home", &home, "--listen", "127.0.0.1:0"])?;
        let url = self.served_by(&child).await?;
        Ok((child, url))
    }

    /// Starts `driftless publisher`, which serves nothing.
    pub(super) fn publisher(&self) -> Result<Child, Failure> {
        let home = self.home.dir().display().to_string();
        Child::start(&self.folder().join("publisher.log"), &["publisher", "--home", &home])
    }

    /// Starts a gateway of its own on the store.
    pub(super) async fn gateway(&self, name: &str) -> Result<(Child, BaseUrl), Failure> {
        let config = self.folder().join(format!("{name}.yaml"));
        let (store, root) = (self.store(), self.home.root());
        let text = format!(
            "name: {name}\nlisten: 127.0.0.1:0\nstore: {}\nroot: {}\n",
            crate::yaml::scalar(&store.to_string_lossy()),
            crate::yaml::scalar(&root.to_string_lossy())
        );
        fs::write(&config, text).map_err(Failure::unexpected)?;
        let log = self.folder().join(format!("{name}.log"));
        let child = Child::start(&log, &["gateway", "--config", &config.display().to_string()])?;
        let url = self.served_by(&child).await?;
        Ok((child, url))
    }

    async fn served_by(&self, child: &Child) -> Result<BaseUrl, Failure> {
        child.told("serving on ").await?.parse().map_err(Failure::unexpected)
    }

    /// The pointers of `app`, to be watched.
    pub(super) fn pointers(&self, app: &App) -> Pointers {
        let file = |region: &Region| self.stored(&StorePath::Pointer { app: app.clone(), region: region.clone() });
        Pointers::as_they_are(self.regions.iter().map(file).collect())
    }

    /// The newest pointer as it stands in the store; its signature is for others to check.
    pub(super) fn pointer(&self, app: &App, region: &Region) -> Result<Pointer, Failure> {
        self.payload(&StorePath::Pointer { app: app.clone(), region: region.clone() })
    }

    /// A manifest as it stands in the store; its signature is for others to check.
    pub(super) fn manifest(&self, app: &App, digest: Digest) -> Result<Manifest, Failure> {
        self.payload(&StorePath::Manifest { app: app.clone(), digest })
    }

    /// How many bytes there are at a path of the store.
    pub(super) fn stored_bytes(&self, path: &StorePath) -> Result<u64, Failure> {
        Ok(fs::metadata(self.stored(path)).map_err(Failure::unexpected)?.len())
    }

    fn stored(&self, path: &StorePath) -> PathBuf {
        self.store().join(path.to_string())
    }

    fn payload<T: DeserializeOwned>(&self, path: &StorePath) -> Result<T, Failure> {
        let file = self.stored(path);
        let unreadable = |error| Failure::unexpected(format!("{}: {error}", file.display()));
        let sealed = fs::read_to_string(&file).map_err(unreadable)?;
        serde_json::from_str(sealed.lines().next().unwrap_or_default()).map_err(Failure::unexpected)
    }

    /// What `driftless.yaml` says.
    pub(super) fn rules(&self) -> String {
        let regions: String = self.regions.iter().map(|region| format!("  {region}: {{}}\n")).collect();
        let app = |app: &App| format!("  {app}: {{ path: {} }}\n", Origin::folder_of(app));
        let apps: String = self.apps.iter().map(app).collect();
        format!("regions:\n{regions}apps:\n{apps}")
    }
}
