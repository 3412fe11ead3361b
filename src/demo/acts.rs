//! The acts of the demo, in order. Each does one thing to the running system and waits for every agent's answer.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use schema::text::one_line;
use schema::{Ack, App, Outcome, Region};

use super::figures::{Figures, Percentiles, Propagation, millis};
use super::fleet::{Fleet, Orders, example_apps};
use super::repository::Pushed;
use super::show::Stage;
use super::world::{Moves, World};
use crate::exit::Failure;

/// The play so far.
pub(super) struct Acts {
    stage: Stage,
    world: World,
    fleet: Fleet,
    figures: Figures,
    app: App,
}

impl Acts {
    /// Starts everything and waits until every agent runs the first commit.
    pub(super) async fn begin(stage: Stage, folder: &Path, agents: usize) -> Result<Acts, Failure> {
        let regions = ["eu-west", "us-east", "ap-south"].map(|name| name.parse::<Region>().expect("a valid name"));
        stage.say(&format!(
            "A config repository, a publisher, a gateway and {agents} agents in {} regions.",
            regions.len()
        ));
        let mut world = World::start(folder, None).await?;
        let moves = world.published(None).await?;
        let (root, states, hooks) = (world.home.root(), world.states(), world.hooks());
        let orders = Orders {
            root: &root,
            states: &states,
            gateway: &world.gateway,
            heartbeat: HEARTBEAT,
            apps: &|_| example_apps(&hooks),
        };
        let mut fleet = Fleet::new(agents, &regions, &orders);
        let app: App = APP.parse().expect("a valid name");
        let figures = Figures { agents, regions: regions.len(), ..Figures::default() };
        let bar = stage.bar(fleet.len(), "start");
        fleet.start();
        let answers = fleet.answers(&app, &moves, Outcome::Applied, &bar).await?;
        bar.finish();
        stage.say(&format!("  {} of {agents} agents run the first commit", answers.len()));
        Ok(Acts { stage, world, fleet, figures, app })
    }

    /// A signed change is merged; every agent applies it.
    pub(super) async fn merge(&mut self) -> Result<(), Failure> {
        self.stage.heading("1. Merge: raise the request limit of the edge proxy");
        let pushed = self.world.repository.merge(FILE, "rate=10r/s", "rate=20r/s", "Raise the request limit")?;
        self.figures.publish = self.follow(&pushed, "merge").await?;
        self.stage.propagation(&self.figures.publish);
        Ok(())
    }

    /// The merge is reverted; every agent has that version on disk.
    pub(super) async fn revert(&mut self) -> Result<(), Failure> {
        self.stage.heading("2. git revert: the same digest as before, which every agent still has");
        let pushed = self.world.repository.revert()?;
        self.figures.rollback = self.follow(&pushed, "revert").await?;
        self.stage.propagation(&self.figures.rollback);
        Ok(())
    }

    /// A byte of the new bundles, and of the patches to them, is flipped in the store before the agents come for them.
    pub(super) async fn tamper(&mut self) -> Result<(), Failure> {
        self.stage.heading("3. Tampering: one byte of each new bundle and of each patch to it is flipped in the store");
        // The agents are away while it happens, so that none has fetched the good bytes before.
        self.fleet.stop().await?;
        let pushed = self.world.repository.merge(FILE, "rate=10r/s", "rate=30r/s", "Raise the request limit again")?;
        let moves = self.world.published(Some(&pushed.commit)).await?;
        let frames = self.world.frames(&moves).map_err(Failure::unexpected)?;
        flip(&frames)?;
        let bar = self.stage.bar(self.fleet.len(), "refuse");
        self.fleet.start();
        let answers = self.fleet.answers(&self.app, &moves, Outcome::Refused, &bar).await?;
        bar.finish();
        self.figures.tampered_refused = answers.iter().filter(|ack| keeps_running(ack)).count();
        self.figures.tampered_applied = answers.len() - self.figures.tampered_refused;
        let reason = answers.first().and_then(|ack| ack.reason.clone()).unwrap_or_default();
        self.stage.say(&format!("  {} agents refused it and keep what they run", self.figures.tampered_refused));
        self.stage.say(&format!("  {}: {}", answers[0].agent, one_line(&reason, 200)));
        flip(&frames)?;
        let bar = self.stage.bar(self.fleet.len(), "repair");
        let answers = self.fleet.answers(&self.app, &moves, Outcome::Applied, &bar).await?;
        bar.finish();
        self.figures.repaired_applied = answers.len();
        self.stage.say(&format!("  the byte is put back: {} agents applied it by themselves", answers.len()));
        Ok(())
    }

    /// A commit that nobody signed is pushed.
    pub(super) async fn unsigned(&mut self) -> Result<(), Failure> {
        self.stage.heading("4. An unsigned commit is pushed");
        let pushed = self.world.repository.push_unsigned(FILE, "rate=30r/s", "rate=9999r/s")?;
        let (refused, causes) = self.world.refused(&pushed).await?;
        self.figures.unsigned_refused = refused;
        self.stage.say(if refused { "  refused; no pointer moved" } else { "  PUBLISHED: this is a bug" });
        causes.iter().for_each(|cause| self.stage.say(&format!("  {}", one_line(cause, 200))));
        self.world.repository.drop_tip()
    }

    /// What is left at the end.
    pub(super) fn end(self) -> (World, Fleet, Figures) {
        (self.world, self.fleet, self.figures)
    }

    /// Waits until every agent runs what `pushed` brought.
    async fn follow(&mut self, pushed: &Pushed, label: &'static str) -> Result<Propagation, Failure> {
        let bar = self.stage.bar(self.fleet.len(), label);
        let moves = self.world.published(Some(&pushed.commit)).await?;
        let answers = self.fleet.answers(&self.app, &moves, Outcome::Applied, &bar).await?;
        bar.finish();
        Ok(propagation(pushed, &moves, &answers))
    }
}

/// Flips the lowest bit of the middle byte of each file: twice is as if nothing had been.
fn flip(files: &BTreeSet<PathBuf>) -> Result<(), Failure> {
    for file in files {
        let mut bytes = fs::read(file).map_err(Failure::unexpected)?;
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        fs::write(file, bytes).map_err(Failure::unexpected)?;
    }
    Ok(())
}

/// Whether the agent runs something other than what it was offered.
fn keeps_running(ack: &Ack) -> bool {
    ack.active.is_some_and(|active| active.digest != ack.attempted)
}

fn propagation(pushed: &Pushed, moves: &Moves, answers: &[Ack]) -> Propagation {
    let since_pointer = |ack: &Ack, at| moves.of(&ack.app, &ack.region).map(|moved| millis(moved.at, at));
    Propagation {
        commit_to_pointer_ms: moves.last_at().map_or(0, |at| millis(pushed.at, at)),
        pointer_to_notified_ms: Percentiles::of(
            answers.iter().filter_map(|ack| since_pointer(ack, ack.notified_at)).collect(),
        ),
        pointer_to_applied_ms: Percentiles::of(answers.iter().filter_map(|ack| since_pointer(ack, ack.at)).collect()),
        bundle_bytes: answers.iter().map(|ack| ack.bundle_bytes).sum(),
    }
}

const APP: &str = "edge-proxy";
/// As agents do it where nobody says otherwise.
const HEARTBEAT: Duration = Duration::from_secs(30);
const FILE: &str = "apps/edge-proxy/conf.d/limits.conf";
