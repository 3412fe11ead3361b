//! `driftless status`: who runs what, as a gateway sees it.

mod judge;
mod wait;

use follower::BaseUrl;
use schema::pointer::Deed;
use schema::status::{PublisherStatus, RegionStatus, Status};
use schema::text::one_line;
use schema::{App, Region};

use crate::exit::{Code, Failure, Outcome};
use crate::reach::Reach;
use crate::{out, rollout, table};
use wait::Waiting;

/// Show what each region should run and what its agents say
///
/// Asks a gateway, or `driftless up`. Ends with code 3 where the publisher refuses the newest commit, 0 where all is well. With
/// --wait it ends once a commit has arrived, or never will.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The gateway to ask
    #[arg(long, default_value = "http://127.0.0.1:7878", env = "DRIFTLESS_URL", value_name = "URL")]
    url: BaseUrl,

    /// Only this app (can be repeated)
    #[arg(long = "app", value_name = "APP")]
    apps: Vec<App>,

    /// Only this region (can be repeated)
    #[arg(long = "region", value_name = "REGION")]
    regions: Vec<Region>,

    /// Print the gateway's answer as JSON
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    waiting: Waiting,

    #[command(flatten)]
    reach: Reach,
}

pub(crate) async fn run(args: Args) -> Outcome {
    if let Some(commit) = args.waiting.commit().cloned() {
        return wait::wait(&args, commit).await;
    }
    let mut status = ask(&args.url, &args.reach).await?;
    status.regions.retain(|one| {
        (args.apps.is_empty() || args.apps.contains(&one.app))
            && (args.regions.is_empty() || args.regions.contains(&one.region))
    });
    if args.json {
        out::json(&status);
    } else {
        tell(&status);
    }
    match status.publisher.and_then(|publisher| publisher.problem) {
        None => Ok(()),
        Some(problem) => {
            let commit = problem.commit.map_or_else(String::new, |commit| format!(" at commit {}", commit.short()));
            Err(Failure::new(Code::Refused, format!("the publisher has a problem{commit}")))
        }
    }
}

/// What the gateway at `url` says of itself and of what it knows.
pub(crate) async fn ask(url: &BaseUrl, reach: &Reach) -> Result<Status, Failure> {
    let unreachable = |error| {
        Failure::new(Code::Unreachable, error).hint("is `driftless up` or a gateway running there? name it with --url; one that asks who you are takes --token or --certificate")
    };
    let answer = reach.mirrors(url)?.ask("v1/status", STATUS_MAX_BYTES).await.map_err(unreachable)?;
    serde_json::from_slice(&answer)
        .map_err(|error| Failure::unexpected(error).hint("the answer is not a gateway's status: is the URL right?"))
}

fn tell(status: &Status) {
    if let Some(publisher) = &status.publisher {
        tell_publisher(publisher);
    }
    if let Some(problem) = &status.source.problem {
        out::data(&format!("{}: {}", status.source.name, one_line(problem, LINE_MAX_CHARS)));
    }
    let rows: Vec<Vec<String>> = status.regions.iter().map(row).collect();
    if rows.is_empty() {
        return out::data("nothing is published yet");
    }
    out::data(&table::lay_out(&["APP", "REGION", "GENERATION", "COMMIT", "DIGEST", "CURRENT", "NOT", "P99"], &rows));
    status.regions.iter().flat_map(held_back).for_each(|line| out::data(&line));
    for region in &status.regions {
        for worst in &region.agents.worst {
            let reason = one_line(worst.reason.as_deref().unwrap_or_default(), LINE_MAX_CHARS);
            // Most reasons begin with the step.
            let step = worst.step.map(|step| step.to_string()).filter(|step| !reason.starts_with(&format!("{step}: ")));
            let step = step.map_or_else(String::new, |step| format!(" at {step}"));
            out::data(&format!(
                "{} {}: {} {} generation {}{step}: {reason}",
                region.app, region.region, worst.agent, worst.outcome, worst.generation
            ));
        }
    }
}

fn tell_publisher(publisher: &PublisherStatus) {
    let published = publisher.published.as_ref().map_or("nothing yet", |commit| commit.short());
    out::data(&format!("{}: published {published}", one_line(&publisher.source, LINE_MAX_CHARS)));
    publisher.rollouts.iter().for_each(|one| out::data(&format!("  {}", rollout::in_short(one))));
    publisher.notes.iter().for_each(|note| out::data(&format!("  note: {}", one_line(note, LINE_MAX_CHARS))));
    let Some(problem) = &publisher.problem else { return };
    // Where there is a commit, the first cause names it.
    out::data(&format!("  since {}: {}", problem.since, one_line(&problem.causes.join(": "), LINE_MAX_CHARS)));
    if let Some(hint) = &problem.hint {
        out::data(&format!("  hint: {}", one_line(hint, LINE_MAX_CHARS)));
    }
}

/// Why agents of a region may run something else than its stable bundle, one line each.
fn held_back(region: &RegionStatus) -> Vec<String> {
    let Some(pointer) = &region.pointer else { return Vec::new() };
    let mut lines = Vec::new();
    let mut say = |text: String| lines.push(format!("{} {}: {text}", region.app, region.region));
    if pointer.freeze {
        let by = pointer.cause.as_ref().filter(|cause| cause.deed == Deed::Freeze);
        let by = by.map(|cause| format!(" by {}: {}", cause.who, cause.why));
        // A region that went back since names that as its newest cause.
        let by = by.unwrap_or_else(|| ", `driftless history` tells by whom".to_owned());
        say(one_line(&format!("frozen{by}"), LINE_MAX_CHARS));
    }
    if let Some(candidate) = &pointer.candidate {
        say(format!("rolling out {}", candidate.short()));
    }
    if !pointer.quarantine.is_empty() {
        say(format!("{} in quarantine, see `driftless quarantine list`", pointer.quarantine.len()));
    }
    lines
}

/// One app in one region. `CURRENT` are the agents that run the newest generation, `NOT` those that said anything else.
fn row(region: &RegionStatus) -> Vec<String> {
    let Some(pointer) = &region.pointer else {
        return vec![region.app.to_string(), region.region.to_string(), "none".to_owned()];
    };
    let newest =
        |one: &&schema::status::GenerationSummary| (one.epoch, one.generation) == (pointer.epoch, pointer.generation);
    let current = region.agents.applied(pointer.epoch, pointer.generation);
    let p99 = region.agents.generations.iter().find(newest).map(|one| one.applied_ms.quantile(0.99));
    let stale = if pointer.fresh { "" } else { " STALE" };
    vec![
        region.app.to_string(),
        region.region.to_string(),
        format!("{}{stale}", pointer.generation),
        pointer.commit.short().to_owned(),
        pointer.digest.short(),
        current.to_string(),
        region.agents.known.saturating_sub(current).to_string(),
        p99.filter(|_| current > 0).map_or_else(String::new, |millis| format!("{millis} ms")),
    ]
}

const STATUS_MAX_BYTES: u64 = 16 * 1024 * 1024;

/// Untrusted text is shown on one line of at most this.
const LINE_MAX_CHARS: usize = 500;
