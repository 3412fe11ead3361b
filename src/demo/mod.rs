//! `driftless demo`: the whole story in a temporary folder, on real parts.
//!
//! A repository with signed commits, a publisher, a gateway and many agents, then four acts: a merge, its revert, a bundle
//! with a flipped byte, a commit that nobody signed. With `--rollout` another play: good changes and bad ones, in waves.

mod acts;
mod figures;
mod fleet;
mod keep;
mod repository;
mod rollout;
mod show;
mod world;

use std::time::Instant;

use acts::Acts;
use show::Stage;

use crate::exit::{Failure, Outcome};
use crate::scratch::Scratch;
use crate::{out, shutdown};

/// See it work: a merge, a revert, a tampered bundle and an unsigned commit, on many agents
///
/// Everything runs in a temporary folder and on loopback, and is gone afterwards. Needs nothing but this program.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// How many agents to start [default: 50; with --rollout 200]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=2000))]
    agents: Option<u16>,

    /// Show rollouts instead: changes that fail are caught before anybody switches, or in the first wave (36 agents or more)
    #[arg(long)]
    rollout: bool,

    /// Print the figures as JSON, and nothing else on standard output
    #[arg(long)]
    json: bool,

    /// Leave everything running at the end and say what to type next
    #[arg(long)]
    keep: bool,
}

pub(crate) async fn run(args: Args) -> Outcome {
    shutdown::on_signal(async |stop| {
        let folder = Scratch::new("driftless-demo-")?;
        tokio::select! {
            outcome = play(&args, folder.path(), &stop) => outcome,
            // Agents, publisher and gateway die with this process; what they wrote is in the temporary folder.
            () = interrupted(&args, &stop) => Ok(()),
        }
    })
    .await
}

/// With `--keep` the play itself ends on the signal, tidily.
async fn interrupted(args: &Args, stop: &tokio_util::sync::CancellationToken) {
    if args.keep {
        std::future::pending::<()>().await;
    }
    stop.cancelled().await;
}

async fn play(args: &Args, folder: &std::path::Path, stop: &tokio_util::sync::CancellationToken) -> Outcome {
    let begun = Instant::now();
    let stage = if args.json { Stage::Machine } else { Stage::People };
    if args.rollout {
        return play_rollout(args, stage, folder, stop).await;
    }
    let mut acts = Acts::begin(stage, folder, usize::from(args.agents.unwrap_or(50))).await?;
    acts.merge().await?;
    acts.revert().await?;
    acts.tamper().await?;
    acts.unsigned().await?;
    let (world, mut fleet, mut figures) = acts.end();
    figures.took_ms = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
    stage.heading(&format!("Done in {:.1} s.", begun.elapsed().as_secs_f64()));
    if args.json {
        out::json(&figures);
    }
    if args.keep {
        keep::tell(&world, &fleet)?;
        stop.cancelled().await;
    }
    fleet.stop().await?;
    world.stop().await?;
    stage.say(&format!("Removing {}", folder.display()));
    Ok(())
}

async fn play_rollout(
    args: &Args,
    stage: Stage,
    folder: &std::path::Path,
    stop: &tokio_util::sync::CancellationToken,
) -> Outcome {
    let agents = usize::from(args.agents.unwrap_or(200));
    if agents < rollout::AGENTS_MIN {
        let few = format!("{agents} agents are too few to show a rollout; take {} or more", rollout::AGENTS_MIN);
        return Err(Failure::usage(few));
    }
    let keep = async |world: &world::World, fleet: &fleet::Fleet| {
        if args.keep {
            keep::tell(world, fleet)?;
            stop.cancelled().await;
        }
        Ok(())
    };
    rollout::play(stage, folder, agents, keep).await
}
