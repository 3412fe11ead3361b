//! The running system, watched: whatever an act waits for, every host is looked at meanwhile.

use std::path::Path;
use std::time::{Duration, Instant};

use schema::control::What;
use schema::rollout::Stage as RolloutStage;
use schema::status::RolloutStatus;
use schema::{App, CommitId, Pointer, Region};

use super::hosts::Hosts;
use super::scene::Scene;
use super::watch::{Seen, Watch};
use crate::demo::fleet::{Fleet, Orders};
use crate::demo::show::Stage;
use crate::demo::world::World;
use crate::exit::{Code, Failure};

/// Everything that runs, and somebody who looks at it.
pub(super) struct Play {
    pub(super) stage: Stage,
    pub(super) world: World,
    pub(super) hosts: Hosts,
    pub(super) regions: [Region; 3],
    app: App,
    fleet: Fleet,
    watch: Watch,
}

impl Play {
    /// Starts everything and waits until every agent runs the first commit.
    pub(super) async fn begin(stage: Stage, folder: &Path, agents: usize) -> Result<Play, Failure> {
        let regions = ["eu-west", "us-east", "ap-south"].map(|name| name.parse::<Region>().expect("a valid name"));
        let app: App = "edge-proxy".parse().expect("a valid name");
        let mut world = World::start(folder, Some(include_str!("driftless.yaml"))).await?;
        world.published(None).await?;
        let hosts = Hosts::install(&folder.join("rollout-hooks")).map_err(Failure::unexpected)?;
        let (root, states) = (world.home.root(), world.states());
        let orders = Orders {
            root: &root,
            states: &states,
            gateway: &world.gateway,
            heartbeat: HEARTBEAT,
            apps: &|number| hosts.apps(&app, number),
        };
        let mut fleet = Fleet::new(agents, &regions, &orders);
        fleet.start();
        let watch = Watch::new(&app, &fleet);
        let mut play = Play { stage, world, hosts, regions, app, fleet, watch };
        play.until("every agent runs the first commit", |play| play.all_run_something_new()).await?;
        Ok(play)
    }

    /// Begins an act: all that runs now is old.
    pub(super) fn raise_curtain(&mut self) -> Instant {
        self.watch.begin();
        Instant::now()
    }

    /// What the act showed so far.
    pub(super) fn seen(&self) -> &Seen {
        self.watch.seen()
    }

    /// Waits until `condition` holds.
    pub(super) async fn until(&mut self, what: &str, condition: impl Fn(&Play) -> bool) -> Result<(), Failure> {
        let scene = Scene::new(self.stage, &self.regions, &self.watch);
        let deadline = Instant::now() + PATIENCE;
        while !condition(self) {
            self.look(&scene, deadline, what).await?;
        }
        Ok(())
    }

    /// Watches the rollout of `commit` to its end, and tells of it.
    pub(super) async fn follow(&mut self, commit: &CommitId) -> Result<RolloutStatus, Failure> {
        let mut scene = Scene::new(self.stage, &self.regions, &self.watch);
        let deadline = Instant::now() + PATIENCE;
        loop {
            self.look(&scene, deadline, "the rollout ends").await?;
            let Some(status) = self.rollout(commit) else { continue };
            scene.follow(&status);
            if matches!(status.stage, RolloutStage::Ended(_)) {
                return Ok(status);
            }
        }
    }

    /// The rollout of `commit`, if there is one.
    pub(super) fn rollout(&self, commit: &CommitId) -> Option<RolloutStatus> {
        self.world.rollout(&self.app, commit)
    }

    /// Does what operators do with `driftless freeze` and its like.
    pub(super) async fn command(&self, what: What, why: &str) -> Result<(), Failure> {
        self.world.command(what, why).await
    }

    /// Every region's pointer, as it stands in the store.
    pub(super) fn pointers(&self) -> Vec<Pointer> {
        self.regions.iter().filter_map(|region| self.world.pointer(&self.app, region)).collect()
    }

    /// Whether every agent runs something that nobody ran when the act began.
    pub(super) fn all_run_something_new(&self) -> bool {
        self.watch.new_on() == self.watch.hosts()
    }

    /// Whether every agent runs what was run when the act began.
    pub(super) fn all_run_something_old(&self) -> bool {
        self.watch.old_on() == self.watch.hosts()
    }

    /// How many agents run something new.
    pub(super) fn on_new(&self) -> usize {
        self.watch.new_on()
    }

    /// How many agents there are.
    pub(super) fn agents(&self) -> usize {
        self.watch.hosts()
    }

    /// How many agents there are in `region`.
    pub(super) fn agents_in(&self, region: &Region) -> usize {
        self.watch.hosts_in(region)
    }

    /// Stops agents, gateway and publisher.
    pub(super) async fn stop(mut self) -> Result<(), Failure> {
        self.fleet.stop().await?;
        self.world.stop().await
    }

    /// The world and the agents, still running.
    pub(super) fn parts(&self) -> (&World, &Fleet) {
        (&self.world, &self.fleet)
    }

    /// One look at every host.
    async fn look(&mut self, scene: &Scene, deadline: Instant, what: &str) -> Result<(), Failure> {
        tokio::time::sleep(BETWEEN_LOOKS).await;
        let heard = self.fleet.heard();
        self.watch.look(heard).await?;
        scene.show(&self.watch);
        if Instant::now() < deadline {
            return Ok(());
        }
        let late = format!("waited {} s in vain until {what}", PATIENCE.as_secs());
        Err(Failure::new(Code::Unexpected, late).hint("run again with --log info to see why"))
    }
}

const BETWEEN_LOOKS: Duration = Duration::from_millis(20);
/// Short, so that a publisher counts agents soon; `live_within` in `driftless.yaml` is several times as long.
const HEARTBEAT: Duration = Duration::from_secs(2);
const PATIENCE: Duration = Duration::from_secs(90);
