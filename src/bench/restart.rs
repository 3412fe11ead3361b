//! `driftless bench restart`: a gateway dies under its agents and comes back; who comes back to it, how fast, at what cost.

mod probe;
mod watch;

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde::Serialize;

use self::probe::{Heartbeat, Probes};
use self::watch::{Watch, Watched};
use super::contest::{Http, Server, quiet};
use super::crowd::orders::Readers;
use super::crowd::{Crowd, Gathering};
use super::figures::{cell, ms, percentile, rounded};
use super::interruptible;
use super::process::Processes;
use super::site::press::Press;
use super::site::{Own, Site, Transport};
use crate::exit::{Code, Failure, Outcome};
use crate::{out, table};

/// Measure a gateway's restart under many agents
///
/// Parks that many agents, kills the gateway as `kill -9` does, starts it again on the same port, and waits until every agent
/// has come back by itself, after waits like an agent's. Then publishes once: everybody must hear of it. The exit code is 1
/// where somebody does not.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// How many agents
    #[arg(long, value_name = "N", default_value_t = 2000, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    agents: u32,

    /// Connections to open in a second, at most, before the restart; after it agents come when they come
    #[arg(long, value_name = "N", default_value_t = 3000, value_parser = clap::value_parser!(u32).range(1..))]
    pace: u32,

    #[command(flatten)]
    own: Own,

    /// Print the figures as JSON
    #[arg(long)]
    json: bool,
}

/// What a restart came to.
#[derive(Debug, Serialize)]
struct Figures {
    agents: u32,
    tls: bool,
    /// From the end of the old process until the new one said that it serves.
    down_ms: f64,
    /// From the end of the old process until everybody waited at the new one.
    back_s: f64,
    /// Agents that waited again in each second, and in the best of them.
    returns_per_s: f64,
    returns_per_s_peak: f64,
    /// Resident memory of the new process: the most it ever had, and when all was quiet again.
    rss_peak_kib: u64,
    rss_settled_kib: u64,
    /// Processor time of the new process until everybody was back, for each agent.
    cpu_us_per_return: f64,
    /// `GET /healthz`, each over a connection of its own, while agents came back.
    healthz_asked: u64,
    healthz_failed: u64,
    healthz_p50_ms: Option<f64>,
    healthz_p99_ms: Option<f64>,
    healthz_worst_ms: Option<f64>,
    /// Of the publication after it.
    notify_p99_ms: Option<f64>,
    /// Agents that did not hear of it.
    lost: u64,
}

pub(crate) async fn run(args: Args) -> Outcome {
    interruptible(async {
        let figures = measure(&args).await?;
        if args.json {
            out::json(&figures)
        } else {
            print(&figures)
        }
        match (figures.lost, figures.healthz_failed) {
            (0, 0) => Ok(()),
            (0, failed) => Err(Failure::unexpected(format!("{failed} health checks were not answered"))),
            (lost, _) => Err(Failure::unexpected(format!("{lost} agents did not come back, or were not told"))),
        }
    })
    .await
}

async fn measure(args: &Args) -> Result<Figures, Failure> {
    let clients = args.agents as usize;
    let mut press = Press::new();
    let mut server = Server::gateway(&mut press, clients, &args.own, Http::One).await?;
    out::talk(&format!("{clients} agents connect"));
    let gathering = Gathering {
        server: server.address(),
        tls: server.trusted(),
        script: server.script(),
        clients,
        street: 1,
        pace: args.pace,
    };
    let mut crowd = Crowd::gather(gathering).await.map_err(Failure::unexpected)?;
    server.all_wait(clients).await?;
    crowd.roam().await.map_err(Failure::unexpected)?;

    out::talk("the gateway is killed, and started again");
    let site = server.site().expect("it is a gateway of our own");
    let port = site.address().port();
    site.kill().await?;
    let killed = Instant::now();
    site.start(port).await?;
    let down = killed.elapsed();
    let watched = all_back(site, clients, killed).await?;

    let processes = site.id().map(Processes::under);
    quiet(processes.as_ref(), SystemTime::now()).await;
    let settled = processes.as_ref().map_or(0, Processes::resident_kib);
    let generation = server.prepare(&press.print()).await?;
    crowd.expect(generation, Readers::Awake).await.map_err(Failure::unexpected)?;
    let begun = server.publish().await?;
    let arrivals = crowd.read(PATIENCE).await.map_err(Failure::unexpected)?;
    if let Some(why) = &arrivals.why {
        out::talk(&format!("{} agents lost; one of them: {why}", arrivals.lost()));
    }
    let begun = begun.duration_since(UNIX_EPOCH).unwrap_or_default();
    let mut told: Vec<Duration> =
        arrivals.arrived.iter().map(|(arrived, _)| Duration::from_nanos(*arrived).saturating_sub(begun)).collect();
    let Watched { back, peak_rate, spent, probes } = watched;
    let Probes { mut answered, failed } = probes;
    Ok(Figures {
        agents: args.agents,
        tls: args.own.transport() == Transport::Tls,
        down_ms: ms(down),
        back_s: rounded(back.as_secs_f64()),
        returns_per_s: rounded(clients as f64 / back.saturating_sub(down).as_secs_f64()),
        returns_per_s_peak: rounded(peak_rate),
        rss_peak_kib: processes.as_ref().map_or(0, Processes::peak_kib),
        rss_settled_kib: settled,
        cpu_us_per_return: rounded(spent.as_secs_f64() * 1e6 / clients as f64),
        healthz_asked: answered.len() as u64 + failed,
        healthz_failed: failed,
        healthz_p50_ms: percentile(&mut answered, 50).map(ms),
        healthz_p99_ms: percentile(&mut answered, 99).map(ms),
        healthz_worst_ms: percentile(&mut answered, 100).map(ms),
        notify_p99_ms: percentile(&mut told, 99).map(ms),
        lost: arrivals.lost(),
    })
}

/// Watches the new gateway until everybody waits there.
async fn all_back(site: &Site, clients: usize, killed: Instant) -> Result<Watched, Failure> {
    let heartbeat = Heartbeat::start(site.address(), site.trusted())?;
    let mut watch = Watch::begin(site.id().map(Processes::under), killed);
    loop {
        let waiting = usize::try_from(site.status().await?.parked).unwrap_or(usize::MAX);
        watch.saw(waiting);
        if waiting >= clients {
            return Ok(watch.end(heartbeat.stop().await));
        }
        if killed.elapsed() > BACK_WITHIN {
            let message = format!("{waiting} of {clients} agents are back after {} s", BACK_WITHIN.as_secs());
            return Err(Failure::new(Code::TimedOut, message));
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

fn print(figures: &Figures) {
    let row = |what: &str, figure: String| vec![what.to_owned(), figure];
    let rows = [
        row("agents", figures.agents.to_string()),
        row("lost", figures.lost.to_string()),
        row("gateway down", format!("{:.0} ms", figures.down_ms)),
        row("all back and waiting", format!("{:.2} s after the kill", figures.back_s)),
        row(
            "agents back per second",
            format!("{:.0}, at best {:.0}", figures.returns_per_s, figures.returns_per_s_peak),
        ),
        row("CPU per agent that came back", format!("{:.1} us", figures.cpu_us_per_return)),
        row("resident, peak", format!("{:.1} MiB", figures.rss_peak_kib as f64 / 1024.0)),
        row("resident, settled", format!("{:.1} MiB", figures.rss_settled_kib as f64 / 1024.0)),
        row(
            "health checks meanwhile",
            format!(
                "{} asked, {} failed, p50 {} ms, p99 {} ms, worst {} ms",
                figures.healthz_asked,
                figures.healthz_failed,
                cell(figures.healthz_p50_ms, 1),
                cell(figures.healthz_p99_ms, 1),
                cell(figures.healthz_worst_ms, 1)
            ),
        ),
        row("publication after it, p99", format!("{} ms", cell(figures.notify_p99_ms, 1))),
    ];
    out::data(&table::lay_out(&["WHAT", "HOW MUCH"], &rows));
    out::data(
        "A health check is a new connection, a question and its answer, every 20 ms from the moment that the gateway serves.",
    );
}

const LOOK_EVERY: Duration = Duration::from_millis(100);
const BACK_WITHIN: Duration = Duration::from_secs(150);
const PATIENCE: Duration = Duration::from_secs(20);
