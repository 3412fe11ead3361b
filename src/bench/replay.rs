//! `driftless bench replay`: what the history of a real repository would have cost an agent that follows it.
//!
//! The last commits of a branch's first-parent line become commits of one app in a config repository, signed and published one by
//! one by the real publisher. For each, the bytes that an agent with the version before fetches: whole, and as it does.

mod history;
mod plot;
mod publishing;
mod sums;
mod tell;

use std::fs;
use std::path::{Path, PathBuf};

use schema::manifest::Encoding;
use schema::{Digest, StorePath};
use serde::Serialize;

use super::agents::KEEP;
use super::figures::ms;
use super::interruptible;
use super::origin::Origin;
use crate::exit::{Failure, Outcome};
use crate::out;
use history::{History, LeftOut};
use publishing::Publishing;
use sums::Sums;

/// Replay the last commits of a git repository, and count what each costs an agent that follows: whole, and with patches
///
/// The repository is only read. Commits that change nothing that is distributed cost nothing and are counted apart.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// A git repository with some history
    #[arg(value_name = "REPOSITORY")]
    repository: PathBuf,

    /// How many commits, along first parents
    #[arg(long, value_name = "N", default_value = "300", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    commits: u32,

    /// Only what is in this folder of the repository
    #[arg(long, value_name = "DIR")]
    path: Option<String>,

    /// What the repository is called in the plot [default: the name of its folder]
    #[arg(long, value_name = "TEXT")]
    caption: Option<String>,

    /// Draw a plot into this file
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,

    /// Write every commit's figures into this file
    #[arg(long, value_name = "FILE")]
    csv: Option<PathBuf>,

    /// Print the figures as JSON
    #[arg(long)]
    json: bool,
}

/// What `--json` prints.
#[derive(Debug, Serialize)]
struct Figures {
    repository: String,
    #[serde(flatten)]
    sums: Sums,
    /// Files of the newest commit that cannot be distributed and were left out.
    left_out: LeftOut,
    commits: Vec<Replayed>,
}

/// One commit that changed the app.
#[derive(Clone, Debug, Serialize)]
struct Replayed {
    /// The commit in the repository that was read.
    commit: String,
    /// Bytes of the app's archive.
    archive_bytes: u64,
    /// Bytes of the bundle whole, as it travels.
    whole_bytes: u64,
    /// Bytes of the patch against the bundle before; absent where there is none.
    patch_bytes: Option<u64>,
    /// Bundle bytes that an agent fetches that has the versions before.
    fetched_bytes: u64,
    /// Bytes of the signed files that come with it: pointer and manifest.
    signed_bytes: u64,
    /// From the commit to the pointer.
    publish_ms: f64,
}

pub(crate) async fn run(args: Args) -> Outcome {
    interruptible(async { report(&args, &measure(&args).await?) }).await
}

async fn measure(args: &Args) -> Result<Figures, Failure> {
    let origin = Origin::new(1, 1).await?;
    let mut history = History::open(&args.repository, args.commits as usize, args.path.as_deref())?;
    let mut publishing = Publishing::of(&origin)?;
    let mut kept = Kept::default();
    let (mut replayed, mut unchanged, mut left_out) = (Vec::new(), 0, LeftOut::default());
    for (at, commit) in history.commits().into_iter().enumerate() {
        let copied = history.copy(commit, publishing.repository())?;
        left_out = copied.left_out;
        let published = match copied.tree {
            Some(tree) => publishing.publish(&origin, tree, &commit.to_string()).await?,
            None => None,
        };
        // The first is where the replay begins: what it brings is there before the first change.
        let counts = at > 0;
        match published {
            Some(took) => {
                let row = row(&origin, &mut kept, commit.to_string(), ms(took))?;
                replayed.extend(counts.then_some(row));
            }
            None => unchanged += u64::from(counts),
        }
    }
    publishing.stop().await?;
    let repository = args.caption.clone().unwrap_or_else(|| name_of(&args.repository));
    Ok(Figures { repository, sums: Sums::of(&replayed, unchanged), left_out, commits: replayed })
}

/// What the newest publication costs an agent that ran all those before.
fn row(origin: &Origin, kept: &mut Kept, commit: String, publish_ms: f64) -> Result<Replayed, Failure> {
    let (app, region) = (&origin.apps[0], &origin.regions[0]);
    let digest = origin.pointer(app, region)?.stable.digest;
    let manifest = origin.manifest(app, digest)?;
    let whole = manifest.whole().size;
    let patch = manifest.encodings.iter().find_map(|encoding| match encoding {
        Encoding::Patch(patch) if Some(patch.from) == kept.runs() => Some(patch.size),
        _ => None,
    });
    let pointer = StorePath::Pointer { app: app.clone(), region: region.clone() };
    let signed = [pointer, StorePath::Manifest { app: app.clone(), digest }];
    let signed: Result<Vec<u64>, Failure> = signed.iter().map(|path| origin.stored_bytes(path)).collect();
    let fetched = if kept.has(digest) { 0 } else { patch.unwrap_or(whole) };
    kept.runs_now(digest);
    Ok(Replayed {
        commit,
        archive_bytes: manifest.size,
        whole_bytes: whole,
        patch_bytes: patch,
        fetched_bytes: fetched,
        signed_bytes: signed?.iter().sum(),
        publish_ms,
    })
}

/// The versions on an agent's disk, the one that runs last.
#[derive(Default)]
struct Kept(Vec<Digest>);

impl Kept {
    fn runs(&self) -> Option<Digest> {
        self.0.last().copied()
    }

    fn has(&self, digest: Digest) -> bool {
        self.0.contains(&digest)
    }

    fn runs_now(&mut self, digest: Digest) {
        self.0.retain(|kept| *kept != digest);
        self.0.push(digest);
        let excess = self.0.len().saturating_sub(KEEP);
        self.0.drain(..excess);
    }
}

fn report(args: &Args, figures: &Figures) -> Outcome {
    let write = |file: &Path, text: String| {
        let refused = |error| Failure::usage(format!("{} cannot be written: {error}", file.display()));
        fs::write(file, text).map_err(refused)
    };
    if let Some(file) = &args.svg {
        write(file, plot::svg(figures))?;
    }
    if let Some(file) = &args.csv {
        write(file, tell::csv(&figures.commits))?;
    }
    match args.json {
        true => out::json(figures),
        false => tell::tell(figures),
    }
    Ok(())
}

fn name_of(repository: &Path) -> String {
    let absolute = repository.canonicalize().unwrap_or_else(|_| repository.to_owned());
    absolute.file_name().map_or_else(|| "a repository".to_owned(), |name| name.to_string_lossy().into_owned())
}
