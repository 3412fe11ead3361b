//! `driftless bench publish`: from a commit to its pointer.
//!
//! A config repository of a given size, a publisher as `driftless up` starts it, and one line changed per round. Time runs from
//! the moment when `git commit` is done until the last region's pointer has other bytes in the store.

mod tell;

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use schema::StorePath;
use schema::manifest::Encoding;
use serde::Serialize;

use super::figures::{median, ms};
use super::interruptible;
use super::origin::Origin;
use super::origin::child::Child;
use super::origin::content::Size;
use super::origin::usage::Usage;
use crate::exit::{Failure, Outcome};

/// Measure from a commit to its pointer: time, processor, memory, bytes
///
/// Makes a config repository of the given size, runs `driftless up` on it, and commits a one-line change in each round, signed,
/// with git itself. Needs git and ssh-keygen.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    size: Size,

    /// How many apps of that size; one of them is changed
    #[arg(long, value_name = "N", default_value = "1", value_parser = clap::value_parser!(u16).range(1..=100))]
    apps: u16,

    /// How many regions
    #[arg(long, value_name = "N", default_value = "3", value_parser = clap::value_parser!(u16).range(1..=1000))]
    regions: u16,

    /// How many changes
    #[arg(long, value_name = "N", default_value = "5", value_parser = clap::value_parser!(u16).range(1..))]
    rounds: u16,

    /// Print the figures as JSON
    #[arg(long)]
    json: bool,
}

/// What `--json` prints.
#[derive(Debug, Serialize)]
struct Figures {
    /// Files of one app.
    files: u32,
    /// Bytes of an app's archive.
    archive_bytes: u64,
    apps: u16,
    regions: u16,
    /// From starting `driftless up` to the last first pointer.
    cold_start_ms: f64,
    /// Processor time of that.
    cold_start_cpu_ms: u64,
    rounds: Vec<Round>,
    median: Round,
    /// The publisher's resident memory at the end, and the most that it ever was.
    resident_kib: u64,
    peak_kib: u64,
}

/// One change.
#[derive(Clone, Debug, Serialize)]
struct Round {
    /// From the end of `git commit` to the last region's pointer.
    commit_to_pointer_ms: f64,
    /// Processor time of the publisher, to 10 ms.
    cpu_ms: u64,
    /// Bytes that were written to the store.
    store_bytes: u64,
    /// Bytes of the bundle whole, as it travels.
    whole_bytes: u64,
    /// Bytes of its patch against the bundle before; absent where there is none.
    patch_bytes: Option<u64>,
}

pub(crate) async fn run(args: Args) -> Outcome {
    interruptible(async { measure(&args).await.map(|figures| tell::tell(&figures, args.json)) }).await
}

async fn measure(args: &Args) -> Result<Figures, Failure> {
    let origin = Origin::new(usize::from(args.apps), usize::from(args.regions)).await?;
    args.size.commit_to(&origin).await?;
    let pointers: Vec<_> = origin.apps.iter().map(|app| origin.pointers(app)).collect();
    let begun = Instant::now();
    let (mut up, _) = origin.up().await?;
    for pointers in pointers {
        pointers.moved(&mut up, PATIENCE).await?;
    }
    let (cold_start, after) = (begun.elapsed(), Usage::of(up.id())?);
    let mut rounds = Vec::new();
    for edition in 1..=u32::from(args.rounds) {
        rounds.push(round(args.size, &origin, &mut up, edition).await?);
    }
    let usage = Usage::of(up.id())?;
    up.stop().await?;
    let (app, region) = (&origin.apps[0], &origin.regions[0]);
    let manifest = origin.manifest(app, origin.pointer(app, region)?.stable.digest)?;
    Ok(Figures {
        files: args.size.files,
        archive_bytes: manifest.size,
        apps: args.apps,
        regions: args.regions,
        cold_start_ms: ms(cold_start),
        cold_start_cpu_ms: after.cpu_ms(),
        median: Round::median_of(&rounds),
        rounds,
        resident_kib: usage.resident_kib,
        peak_kib: usage.peak_kib,
    })
}

async fn round(size: Size, origin: &Origin, up: &mut Child, edition: u32) -> Result<Round, Failure> {
    let (app, region) = (&origin.apps[0], &origin.regions[0]);
    let base = origin.pointer(app, region)?.stable.digest;
    let (objects, usage) = (Objects::of(&origin.store())?, Usage::of(up.id())?);
    let changed = size.change(origin, edition)?;
    let id = up.id();
    let (committed, moved) =
        tokio::join!(origin.commit(&changed, "Change one line"), origin.pointers(app).moved(up, PATIENCE));
    let (committed, moved) = (committed?, moved?);
    let manifest = origin.manifest(app, origin.pointer(app, region)?.stable.digest)?;
    let patch = manifest.encodings.iter().find_map(|encoding| match encoding {
        Encoding::Patch(patch) if patch.from == base => Some(patch.size),
        _ => None,
    });
    let whole = origin.stored_bytes(&StorePath::Bundle { app: app.clone(), digest: manifest.digest })?;
    Ok(Round {
        // git itself is not quite done when the branch has moved.
        commit_to_pointer_ms: ms(moved.duration_since(committed).unwrap_or_default()),
        cpu_ms: Usage::of(id)?.since(&usage).cpu_ms(),
        store_bytes: Objects::of(&origin.store())?.written_since(&objects),
        whole_bytes: whole,
        patch_bytes: patch,
    })
}

impl Round {
    fn median_of(rounds: &[Round]) -> Round {
        let middle = |field: fn(&Round) -> Option<u64>| {
            let middle = median(rounds.iter().filter_map(field).map(|figure| figure as f64).collect());
            middle.map(|figure| figure.round() as u64)
        };
        let times = rounds.iter().map(|round| round.commit_to_pointer_ms).collect();
        Round {
            commit_to_pointer_ms: median(times).unwrap_or_default(),
            cpu_ms: middle(|round| Some(round.cpu_ms)).unwrap_or_default(),
            store_bytes: middle(|round| Some(round.store_bytes)).unwrap_or_default(),
            whole_bytes: middle(|round| Some(round.whole_bytes)).unwrap_or_default(),
            patch_bytes: middle(|round| round.patch_bytes),
        }
    }
}

/// The files of a store, with what tells whether one was written again: its inode.
struct Objects(BTreeMap<PathBuf, (u64, u64)>);

impl Objects {
    fn of(store: &Path) -> Result<Objects, Failure> {
        let mut objects = BTreeMap::new();
        walk(store, &mut objects).map_err(Failure::unexpected)?;
        Ok(Objects(objects))
    }

    /// Bytes of the files that are not what they were `before`.
    fn written_since(&self, before: &Objects) -> u64 {
        let new = self.0.iter().filter(|(path, file)| before.0.get(*path) != Some(file));
        new.map(|(_, (_, length))| length).sum()
    }
}

fn walk(folder: &Path, objects: &mut BTreeMap<PathBuf, (u64, u64)>) -> io::Result<()> {
    use std::os::unix::fs::MetadataExt as _;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            walk(&entry.path(), objects)?;
            continue;
        }
        // What is being written has a name of its own until it is whole, and may be gone by now.
        if let Ok(metadata) = entry.metadata() {
            objects.insert(entry.path(), (metadata.ino(), metadata.len()));
        }
    }
    Ok(())
}

const PATIENCE: Duration = Duration::from_secs(600);
