//! `driftless bench delta`: what a one-line change costs an agent that has the version before.
//!
//! A config repository of a given size, `driftless up`, and one agent of the real library. Bytes are taken from the agent's own
//! signed answer, and once more from what the gateway counted: pointer, manifest, bundle or patch, and the answer to the ack.

mod metrics;

use std::time::Duration;

use schema::Outcome as Came;
use schema::manifest::Encoding;
use serde::Serialize;

use super::agents::{Agents, Answer, Orders};
use super::figures::{cell, median};
use super::interruptible;
use super::marks::Marks;
use super::origin::Origin;
use super::origin::child::Child;
use super::origin::content::Size;
use crate::exit::{Failure, Outcome};
use crate::out;
use crate::table::lay_out;
pub(super) use metrics::Scrapes;

/// Measure what a one-line change costs an agent that has the version before: bytes, and the time to unpack
///
/// Makes a config repository of the given size, runs `driftless up` and one agent, and commits a one-line change in each round.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    size: Size,

    /// How many changes
    #[arg(long, value_name = "N", default_value = "3", value_parser = clap::value_parser!(u16).range(1..))]
    rounds: u16,

    /// Print the figures as JSON
    #[arg(long)]
    json: bool,

    #[arg(skip)]
    marks: Marks,
}

/// What `--json` prints.
#[derive(Debug, Serialize)]
struct Figures {
    files: u32,
    /// Bytes of the bundle's archive.
    archive_bytes: u64,
    /// Bytes of the bundle whole, as it travels.
    whole_bytes: u64,
    /// Bundle bytes that the agent fetched when it had nothing.
    first_bytes: u64,
    /// How long it took to unpack and sync all of that.
    first_unpack_ms: f64,
    rounds: Vec<Round>,
    /// Median of what the agent says that it fetched.
    bundle_bytes: f64,
    /// That, as a share of the archive's bytes.
    share_of_bundle: f64,
    /// That, as a share of the bundle's bytes as it travels whole.
    share_of_whole: f64,
    /// Median of what the gateway sent it, pointer and manifest and all, as a share of the archive's bytes.
    answered_share_of_bundle: f64,
    unpack_ms: f64,
}

/// One change.
#[derive(Debug, Serialize)]
struct Round {
    whole_bytes: u64,
    /// Bytes of the patch against the version before; absent where there is none.
    patch_bytes: Option<u64>,
    /// Bundle bytes that the agent says it fetched.
    bundle_bytes: u64,
    /// Bytes of all bodies that the gateway answered with meanwhile.
    answered_bytes: u64,
    /// From the last byte to a tree that is unpacked, compared and synced.
    unpack_ms: f64,
}

impl Args {
    pub(super) fn marks(&self) -> Marks {
        self.marks.clone()
    }
}

pub(crate) async fn run(args: Args) -> Outcome {
    interruptible(async { measure(&args).await.map(|figures| tell(&figures, args.json)) }).await
}

async fn measure(args: &Args) -> Result<Figures, Failure> {
    let origin = Origin::new(1, 1).await?;
    args.size.commit_to(&origin).await?;
    let pointers = origin.pointers(&origin.apps[0]);
    let (mut up, url) = origin.up().await?;
    pointers.moved(&mut up, PATIENCE).await?;
    let orders = Orders {
        first: 1,
        count: 1,
        app: origin.apps[0].clone(),
        region: origin.regions[0].clone(),
        root: origin.home().root(),
        states: origin.folder().join("agents"),
        gateways: vec![url.to_string()],
        at_once: 1,
    };
    let mut agents = Agents::start(&orders, args.marks.clone()).await?;
    let first = answer(&mut agents, 1).await?;
    let scrapes = Scrapes::of(&url)?;
    let mut rounds = Vec::new();
    for edition in 1..=u32::from(args.rounds) {
        rounds.push(round(args.size, &origin, &mut up, &mut agents, &scrapes, edition).await?);
    }
    agents.stop().await?;
    let pointer = origin.pointer(&origin.apps[0], &origin.regions[0])?;
    let manifest = origin.manifest(&origin.apps[0], pointer.stable.digest)?;
    up.stop().await?;
    let middle = |field: fn(&Round) -> f64| median(rounds.iter().map(field).collect()).unwrap_or_default();
    let (archive, bytes) = (manifest.size as f64, middle(|round| round.bundle_bytes as f64));
    Ok(Figures {
        files: args.size.files,
        archive_bytes: manifest.size,
        whole_bytes: manifest.whole().size,
        first_bytes: first.bundle_bytes,
        first_unpack_ms: unpacking(&first),
        bundle_bytes: bytes,
        share_of_bundle: bytes / archive,
        share_of_whole: bytes / manifest.whole().size as f64,
        answered_share_of_bundle: middle(|round| round.answered_bytes as f64) / archive,
        unpack_ms: middle(|round| round.unpack_ms),
        rounds,
    })
}

async fn round(
    size: Size,
    origin: &Origin,
    up: &mut Child,
    agents: &mut Agents,
    scrapes: &Scrapes,
    edition: u32,
) -> Result<Round, Failure> {
    let (app, region) = (&origin.apps[0], &origin.regions[0]);
    let base = origin.pointer(app, region)?.stable.digest;
    let before = scrapes.read().await?;
    let pointers = origin.pointers(app);
    let changed = size.change(origin, edition)?;
    origin.commit(&changed, "Change one line").await?;
    pointers.moved(up, PATIENCE).await?;
    let answer = answer(agents, u64::from(edition) + 1).await?;
    let after = scrapes.read().await?;
    let manifest = origin.manifest(app, origin.pointer(app, region)?.stable.digest)?;
    let patch = manifest.encodings.iter().find_map(|encoding| match encoding {
        Encoding::Patch(patch) if patch.from == base => Some(patch.size),
        _ => None,
    });
    Ok(Round {
        whole_bytes: manifest.whole().size,
        patch_bytes: patch,
        bundle_bytes: answer.bundle_bytes,
        answered_bytes: after.bytes_since(&before),
        unpack_ms: unpacking(&answer),
    })
}

/// The one agent's answer about a generation.
async fn answer(agents: &mut Agents, generation: u64) -> Result<Answer, Failure> {
    let answers = agents.answers(generation, PATIENCE).await?;
    let answer = answers.into_iter().next().ok_or_else(|| Failure::unexpected("the agent did not answer"))?;
    match answer.outcome {
        Came::Applied => Ok(answer),
        other => Err(Failure::unexpected(format!("the agent answered `{other}`")).hint("run again with --log info")),
    }
}

fn unpacking(answer: &Answer) -> f64 {
    let at = |step: &str| answer.moments.get(step).copied();
    let took = at("apply-downloaded").zip(at("apply-synced")).map(|(from, to)| to.saturating_sub(from));
    took.unwrap_or_default() as f64 / 1000.0
}

fn tell(figures: &Figures, json: bool) {
    if json {
        return out::json(figures);
    }
    let Figures { files, archive_bytes, whole_bytes, first_bytes, first_unpack_ms, .. } = figures;
    out::data(&format!(
        "an app of {files} files; its archive has {archive_bytes} bytes, and {whole_bytes} as it travels"
    ));
    out::data(&format!("with nothing on the disk: {first_bytes} bundle bytes, unpacked in {first_unpack_ms:.0} ms\n"));
    let row = |(at, round): (usize, &Round)| {
        vec![
            (at + 1).to_string(),
            round.whole_bytes.to_string(),
            cell(round.patch_bytes.map(|bytes| bytes as f64), 0),
            round.bundle_bytes.to_string(),
            round.answered_bytes.to_string(),
            format!("{:.0}", round.unpack_ms),
        ]
    };
    let rows: Vec<Vec<String>> = figures.rounds.iter().enumerate().map(row).collect();
    out::data(&lay_out(&["CHANGE", "WHOLE", "PATCH", "FETCHED", "ANSWERED", "UNPACK MS"], &rows));
    out::data(&format!(
        "\na one-line change moves {:.4} % of the archive's bytes, {:.4} % of the bytes of the whole bundle as it travels; \
         with pointer and manifest {:.4} % of the archive's",
        figures.share_of_bundle * 100.0,
        figures.share_of_whole * 100.0,
        figures.answered_share_of_bundle * 100.0
    ));
}

const PATIENCE: Duration = Duration::from_secs(600);
