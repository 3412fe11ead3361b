//! `driftless bench agent`: what an agent costs while nothing happens.
//!
//! One gateway, and one agent process that follows a few apps, its polls parked. Between two polls nothing wakes it up.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use schema::status::Status;
use serde::Serialize;
use tokio::time::{Instant, sleep};

use super::delta::Scrapes;
use super::interruptible;
use super::origin::Origin;
use super::origin::child::Child;
use super::origin::usage::Usage;
use crate::exit::{Code, Failure, Outcome};
use crate::out;
use follower::{BaseUrl, Mirrors, Settings};

/// Measure what an idle agent costs: memory, processor, wake-ups between polls
///
/// Starts a gateway and one agent, waits until its polls are parked, and looks at it again after a while.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// How many apps it follows
    #[arg(long, value_name = "N", default_value = "3", value_parser = clap::value_parser!(u16).range(1..=100))]
    apps: u16,

    /// How long to look; polls are held for 55 seconds
    #[arg(long, value_name = "SECONDS", default_value = "30", value_parser = clap::value_parser!(u64).range(1..=45))]
    seconds: u64,

    /// The agent to measure, like `driftless-agent` [default: `driftless agent`]
    #[arg(long, value_name = "PROGRAM")]
    agent: Option<PathBuf>,

    /// Print the figures as JSON
    #[arg(long)]
    json: bool,
}

/// What `--json` prints.
#[derive(Debug, Serialize)]
struct Figures {
    apps: u16,
    seconds: u64,
    resident_mib: f64,
    /// The most it ever was, the first start and its unpacking included.
    peak_mib: f64,
    /// Hundredths of a second on a processor.
    cpu_ticks: u64,
    /// Nanoseconds on a processor.
    on_cpu_ns: u64,
    /// Times that one of its threads ran, or stopped running.
    switches: u64,
    /// Requests that the gateway answered meanwhile: polls that ended, and whatever else was asked.
    requests: u64,
}

pub(crate) async fn run(args: Args) -> Outcome {
    interruptible(async { measure(&args).await.map(|figures| tell(&figures, args.json)) }).await
}

async fn measure(args: &Args) -> Result<Figures, Failure> {
    let origin = Origin::new(usize::from(args.apps), 1).await?;
    for app in &origin.apps {
        origin.write(&format!("{}/settings.conf", Origin::folder_of(app)), b"limit = 1\n")?;
    }
    origin.commit(".", "Begin").await?;
    let (up, url) = origin.up().await?;
    let agent = start(args, &origin, &url)?;
    settled(args, &url).await?;
    let scrapes = Scrapes::of(&url)?;
    let asked = scrapes.read().await?;
    let before = Usage::of(agent.id())?;
    sleep(Duration::from_secs(args.seconds)).await;
    let after = Usage::of(agent.id())?;
    let answered = scrapes.read().await?;
    agent.stop().await?;
    up.stop().await?;
    let used = after.since(&before);
    Ok(Figures {
        apps: args.apps,
        seconds: args.seconds,
        resident_mib: mib(used.resident_kib),
        peak_mib: mib(used.peak_kib),
        cpu_ticks: used.cpu_ticks,
        on_cpu_ns: used.on_cpu_ns,
        switches: used.switches,
        requests: answered.requests_since(&asked),
    })
}

/// An agent as anybody would configure it, but for its heartbeat, which is a request of its own.
fn start(args: &Args, origin: &Origin, url: &BaseUrl) -> Result<Child, Failure> {
    let apps: String = origin.apps.iter().map(|app| format!("  {app}: {{}}\n")).collect();
    let text = format!(
        "id: agent-1\nregion: {}\nroot: {}\nstate: {}\nheartbeat: 1day\nfrom: [\"{url}\"]\napps:\n{apps}",
        origin.regions[0],
        crate::yaml::scalar(&origin.home().root().to_string_lossy()),
        crate::yaml::scalar(&origin.folder().join("agent").to_string_lossy()),
    );
    let config = origin.folder().join("agent.yaml");
    fs::write(&config, text).map_err(Failure::unexpected)?;
    let (log, config) = (origin.folder().join("agent.log"), config.display().to_string());
    match &args.agent {
        Some(program) => Child::start_program(program, &log, &["run", "--config", &config]),
        None => Child::start(&log, &["agent", "--config", &config]),
    }
}

/// Waits until every app of the agent was acked and its poll is parked, and a little more.
async fn settled(args: &Args, url: &BaseUrl) -> Result<(), Failure> {
    let gateway = Mirrors::new(vec![url.clone()], Settings::default()).map_err(Failure::unexpected)?;
    let begun = Instant::now();
    loop {
        let status = gateway.ask("v1/status", STATUS_MAX_BYTES).await.map_err(Failure::unexpected)?;
        let status: Status = serde_json::from_slice(&status).map_err(Failure::unexpected)?;
        let acked = status.regions.iter().filter(|region| region.agents.known > 0).count();
        if acked == usize::from(args.apps) && status.parked == u64::from(args.apps) {
            break;
        }
        if begun.elapsed() > PATIENCE {
            return Err(Failure::new(Code::TimedOut, "the agent did not come to rest"));
        }
        sleep(LOOK_EVERY).await;
    }
    // Answers to acks are noted, versions collected, metrics written: seconds, at most.
    sleep(REST).await;
    Ok(())
}

fn mib(kib: u64) -> f64 {
    super::figures::rounded(kib as f64 / 1024.0)
}

fn tell(figures: &Figures, json: bool) {
    if json {
        return out::json(figures);
    }
    let Figures { apps, seconds, resident_mib, peak_mib, cpu_ticks, on_cpu_ns, switches, requests } = figures;
    out::data(&format!("an agent with {apps} apps, its polls parked, for {seconds} s:"));
    out::data(&format!("  resident {resident_mib:.1} MiB (at most {peak_mib:.1})"));
    out::data(&format!("  processor {cpu_ticks} ticks, {on_cpu_ns} ns"));
    out::data(&format!("  {switches} context switches, {requests} requests"));
}

const STATUS_MAX_BYTES: u64 = 1 << 20;
const LOOK_EVERY: Duration = Duration::from_millis(50);
const PATIENCE: Duration = Duration::from_secs(60);
const REST: Duration = Duration::from_secs(3);
