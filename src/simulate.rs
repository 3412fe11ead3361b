//! `driftless simulate`: how long a commit takes to reach a fleet of any size, and what that costs.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use simulator::{Constants, Latency, PolicySource, Scenario, Topology, simulate};

use crate::exit::{Failure, Outcome};
use crate::out;

/// Work out how long commits take to reach a large fleet, and what that costs, in simulated time
///
/// The decisions are the real ones, made as often as that fleet would make them; the network, processors and disks between them
/// are modelled, by constants that are printed with the result. Nothing is sent anywhere. Ends with exit code 1 if a rule that may
/// never be broken was.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// How many agents, in all regions together
    #[arg(long, default_value_t = 100_000, value_name = "N")]
    agents: u32,

    /// In how many regions; they are named r01, r02 and so on
    #[arg(long, default_value_t = 3, value_name = "N")]
    regions: u16,

    /// What stands in between: direct, gateways:N or tree:ROOTS/N, with N gateways in each region, and +cdn behind it for a CDN in front
    /// of the bucket
    #[arg(long, default_value = "gateways:2", value_name = "TOPOLOGY")]
    topology: Topology,

    /// By which policy commits go: a short name, or a file with `rollouts:`, and #NAME behind it if there are several
    #[arg(long, default_value = "all-at-once", value_name = "NAME|FILE")]
    policy: String,

    /// Round trips: edge=2ms,cdn=10ms,wan=80ms,spread=0.3, any part of that, or zero
    #[arg(long, default_value_t = Latency::default(), value_name = "LATENCIES")]
    latency: Latency,

    /// The share of exchanges that are lost in silence, from 0 to below 0.9
    #[arg(long, default_value_t = 0.0, value_name = "SHARE")]
    loss: f64,

    /// How many commits, one after the other
    #[arg(long, default_value_t = 1, value_name = "N")]
    commits: u16,

    /// The share of agents on which the last commit fails once it runs, from 0 to 1
    #[arg(long, default_value_t = 0.0, value_name = "SHARE")]
    fail_share: f64,

    /// Where all chance comes from: the same seed gives the same result
    #[arg(long, default_value_t = 1, value_name = "NUMBER")]
    seed: u64,

    /// What to take for granted instead of the constants that are built in (see `constants` in --json)
    #[arg(long, value_name = "FILE")]
    constants: Option<PathBuf>,

    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: &Args) -> Outcome {
    let scenario = Scenario {
        agents: args.agents,
        regions: args.regions,
        topology: args.topology,
        policy: policy(&args.policy)?,
        latency: args.latency,
        loss: args.loss,
        commits: args.commits,
        fail_share: args.fail_share,
        seed: args.seed,
        constants: constants(args.constants.as_deref())?,
    };
    let began = Instant::now();
    let report = simulate(&scenario).map_err(Failure::usage)?;
    out::talk(&format!("simulated {:.0} s in {:.1} s", report.simulated_s, began.elapsed().as_secs_f64()));
    if args.json {
        out::json(&report);
    } else {
        out::raw(report.to_string().as_bytes());
    }
    match report.rules.iter().find_map(|rule| Some((rule.rule, rule.first.as_ref()?))) {
        None => Ok(()),
        Some((rule, first)) => Err(Failure::unexpected(format!("rule {rule} was broken: {first}"))),
    }
}

/// What names no short policy is a file.
fn policy(text: &str) -> Result<PolicySource, Failure> {
    let (path, name) = text.split_once('#').map_or((text, None), |(path, name)| (path, Some(name.into())));
    let is_file = name.is_some() || path.contains(['/', '.']) || Path::new(path).exists();
    if !is_file {
        return Ok(PolicySource::Name(text.into()));
    }
    let path = PathBuf::from(path);
    let text = read(&path)?;
    Ok(PolicySource::File { path, text, name })
}

fn constants(path: Option<&Path>) -> Result<Constants, Failure> {
    let Some(path) = path else { return Ok(Constants::built_in()) };
    Constants::parse(&read(path)?).map_err(Failure::usage)
}

fn read(path: &Path) -> Result<String, Failure> {
    fs::read_to_string(path).map_err(|error| Failure::usage(format!("{}: {error}", path.display())))
}
