//! `driftless bench rollback`: back to a bundle that every agent still has on its disk.
//!
//! A change reaches everybody, then its revert does. No byte of a bundle may move for that, and it should take no longer than to
//! notify everybody of a change, and one switch.

use serde::Serialize;

use super::apply::{Applied, Crowd, Disk, Scale, in_words, tell_applied};
use super::figures::rounded;
use super::interruptible;
use super::origin::Origin;
use crate::exit::{Failure, Outcome};
use crate::out;

/// Measure a rollback to a bundle on disk: bytes, and its p99 beside that of a notify and one switch
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    scale: Scale,

    /// Print the figures as JSON
    #[arg(long)]
    json: bool,
}

/// What `--json` prints.
#[derive(Debug, Serialize)]
struct Figures {
    agents: u64,
    disk: Disk,
    /// Bundle bytes that all agents fetched for the revert.
    bundle_bytes: u64,
    /// 99 of 100 agents run the old version again, counted from the pointer in the store.
    rollback_p99_ms: f64,
    /// 99 of 100 agents had heard of the change.
    notify_p99_ms: f64,
    /// The middle one of all switches to the change.
    switch_p50_ms: f64,
    /// The first of these three over the sum of the others.
    rollback_over_notify_and_switch: f64,
    /// The change.
    change: Applied,
    /// Its revert.
    revert: Applied,
}

pub(crate) async fn run(args: Args) -> Outcome {
    interruptible(async { measure(&args.scale).await.map(|figures| tell(&figures, args.json)) }).await
}

async fn measure(scale: &Scale) -> Result<Figures, Failure> {
    let origin = Origin::new(1, 1).await?;
    let mut crowd = Crowd::gather(&origin, scale).await?;
    let disk = crowd.disk()?;
    let change = crowd.change(&origin).await?;
    let revert = crowd.revert(&origin).await?;
    crowd.dismiss().await?;
    let (rollback, notify, switch) = (revert.switched_ms.p99, change.notified_ms.p99, change.switch_ms.p50);
    Ok(Figures {
        agents: scale.agents(),
        disk,
        bundle_bytes: revert.bundle_bytes,
        rollback_p99_ms: rollback,
        notify_p99_ms: notify,
        switch_p50_ms: switch,
        rollback_over_notify_and_switch: rounded(rollback / (notify + switch)),
        change,
        revert,
    })
}

fn tell(figures: &Figures, json: bool) {
    if json {
        return out::json(figures);
    }
    out::data(&format!("{} agents; {}\n\nthe change:", figures.agents, in_words(&figures.disk)));
    tell_applied(&figures.change);
    out::data("\nits revert:");
    tell_applied(&figures.revert);
    let Figures { bundle_bytes, rollback_p99_ms, notify_p99_ms, switch_p50_ms, .. } = figures;
    out::data(&format!(
        "\n{bundle_bytes} bundle bytes moved; 99 of 100 run the old version after {rollback_p99_ms:.1} ms. \
         A notify's p99 is {notify_p99_ms:.1} ms and one switch {switch_p50_ms:.1} ms: {:.2} times their sum",
        figures.rollback_over_notify_and_switch
    ));
}
