//! What the audience sees of a rollout: a bar for each region, and a sentence whenever it comes a step further.

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use schema::Region;
use schema::rollout::{End, Place, Share, Stage as RolloutStage};
use schema::status::{LegStatus, RolloutStatus};
use schema::text::one_line;

use super::watch::Watch;
use crate::demo::show::Stage;

/// The bars of one act. They are gone from the screen when it is dropped.
pub(super) struct Scene {
    stage: Stage,
    all: MultiProgress,
    bars: Vec<(Region, ProgressBar)>,
    told: Option<String>,
}

impl Scene {
    /// A bar for each region, filled with agents that run something new.
    pub(super) fn new(stage: Stage, regions: &[Region], watch: &Watch) -> Scene {
        let all = match stage {
            Stage::People => MultiProgress::new(),
            Stage::Machine => MultiProgress::with_draw_target(ProgressDrawTarget::hidden()),
        };
        let style = ProgressStyle::with_template("  {prefix:<9} {wide_bar} {pos:>4}/{len} agents on the new version");
        let style = style.expect("the template is well-formed");
        let bar = |region: &Region| {
            let bar = all.add(ProgressBar::new(watch.hosts_in(region) as u64));
            bar.set_style(style.clone());
            bar.set_prefix(region.to_string());
            (region.clone(), bar)
        };
        let bars = regions.iter().map(bar).collect();
        Scene { stage, all, bars, told: None }
    }

    /// Shows who runs what now.
    pub(super) fn show(&self, watch: &Watch) {
        self.bars.iter().for_each(|(region, bar)| bar.set_position(watch.new_in(region) as u64));
    }

    /// Says how far the rollout is, if that is news.
    pub(super) fn follow(&mut self, status: &RolloutStatus) {
        let words = in_words(status);
        if self.told.as_ref() != Some(&words) {
            self.say(&words);
            self.told = Some(words);
        }
    }

    /// One line, above the bars.
    pub(super) fn say(&self, text: &str) {
        self.all.suspend(|| self.stage.say(&format!("  {text}")));
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        self.bars.iter().for_each(|(_, bar)| bar.finish_and_clear());
    }
}

/// How far a rollout is, in one sentence.
fn in_words(status: &RolloutStatus) -> String {
    match &status.stage {
        RolloutStage::Waiting { .. } => {
            format!("waiting: {}", status.waits_for.as_deref().unwrap_or("it begins any moment"))
        }
        RolloutStage::Preparing { everyone: false, .. } => {
            "prepare: the first wave's agents download, verify and check it; nobody switches".to_owned()
        }
        RolloutStage::Preparing { everyone: true, .. } => "prepare: now all agents".to_owned(),
        RolloutStage::Wave { index, .. } => {
            format!("wave {} of {}: {}", index + 1, status.waves, reach(status))
        }
        RolloutStage::Ended(End::Complete) => "complete: it is what everybody runs".to_owned(),
        RolloutStage::Ended(End::Failed { why } | End::Aborted { why }) => {
            format!("stopped: {}", one_line(why, 200))
        }
        RolloutStage::Ended(End::Superseded { by }) => format!("commit {} took its place", by.short()),
    }
}

/// Whom a wave means, as far as it is under way.
fn reach(status: &RolloutStatus) -> String {
    let is_reached = |leg: &&LegStatus| matches!(leg.place, Place::Candidate { .. }) && leg.share > Share(0);
    let moving = status.regions.iter().filter(is_reached);
    let shares: Vec<String> = moving.map(|leg| format!("{} of {}", leg.share, leg.region)).collect();
    if shares.is_empty() { "on its way".to_owned() } else { shares.join(", ") }
}
