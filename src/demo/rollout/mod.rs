//! `driftless demo --rollout`: many agents, a careful policy, good changes and bad ones.
//!
//! What the publisher says of a rollout is shown; what is *judged* is what agents run, by their own folders and words.

mod acts;
mod figures;
mod hosts;
mod play;
mod scene;
mod watch;

use std::path::Path;
use std::time::Instant;

use figures::Figures;
use play::Play;

use super::show::Stage;
use crate::exit::Outcome;
use crate::out;

/// Plays all acts with `agents` agents in `folder`; `kept` runs at the end, while everything still does.
pub(super) async fn play(
    stage: Stage,
    folder: &Path,
    agents: usize,
    kept: impl AsyncFnOnce(&super::world::World, &super::fleet::Fleet) -> Outcome,
) -> Outcome {
    let begun = Instant::now();
    stage.say(&format!(
        "{agents} agents in 3 regions, and a policy named `careful`: prepare everywhere, then 10% of eu-west, all of it, the world."
    ));
    let mut play = Play::begin(stage, folder, agents).await?;
    let mut figures = Figures { agents, regions: play.regions.len(), ..Figures::default() };
    figures.took("start", begun);
    let good = acts::good(&mut play, &mut figures).await?;
    acts::prepare(&mut play, &mut figures).await?;
    acts::reload(&mut play, &mut figures).await?;
    acts::revert(&mut play, &mut figures, &good).await?;
    acts::freeze(&mut play, &mut figures).await?;
    acts::quarantine(&mut play, &mut figures).await?;
    figures.took("all", begun);
    stage.heading(&format!("Done in {:.1} s.", begun.elapsed().as_secs_f64()));
    if stage == Stage::Machine {
        out::json(&figures);
    }
    let (world, fleet) = play.parts();
    kept(world, fleet).await?;
    play.stop().await?;
    figures.judge()
}

/// With fewer the one host that may fail is as much of the fleet as those that must be noticed.
pub(super) const AGENTS_MIN: usize = 36;
