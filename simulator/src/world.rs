//! What happens when: the loop over all events of a run, and what each of them leads to.
//!
//! In: a [`Scenario`]. Out: a [`Report`]. One file for each part of the play: `world/ask.rs` (followers ask, and are answered),
//! `world/serve.rs` (gateways get, keep and tell), `world/enclose.rs` (what goes along with a pointer), `world/act.rs` (agents decide and apply), `world/tell.rs` (what they say
//! travels up), `world/publish.rs` (commits are made, and rolled out), `world/wiring.rs` (who asks whom).
//!
//! A run begins with a minute in which everyone asks for the first time and nothing is counted. Then come the commits, each
//! once the one before has settled: nobody has anything left to do, everyone has heard of the newest pointer, and all that was
//! said has been counted.
//!
//! Left out: agents follow on while hooks run, which real ones do not; heartbeats are not sent one by one; pointers do not
//! expire; nobody is put into quarantine; a gateway serves however many agents it is given.

mod act;
mod ask;
mod enclose;
mod publish;
mod serve;
mod tell;
mod wiring;

use std::collections::HashMap;
use std::time::Duration;

use schema::Region;

use crate::cdn::Cache;
use crate::clock::{Dial, Moment};
use crate::controller::{Controller, Word};
use crate::fleet::Fleet;
use crate::followers::{Follower, Followers, of_agents, of_gateways};
use crate::gateway::Gateway;
use crate::host::Hosts;
use crate::network::Network;
use crate::origin::Origin;
use crate::policy::policy;
use crate::propagation::Propagation;
use crate::queue::Queue;
use crate::report::{Decisions, Report};
use crate::rules::{Blast, Rules};
use crate::scenario::{Scenario, ScenarioError};
use crate::topology::Edge;
use crate::traffic::Traffic;
pub(crate) use enclose::Enclosed;
use wiring::Wiring;

/// Runs a scenario to its end.
///
/// Takes about a kilobyte of memory for each agent, and a few microseconds for each poll.
///
/// # Errors
/// [`ScenarioError`]; nothing was run. A rule that is broken is no error: see [`Report::is_sound`].
pub fn simulate(scenario: &Scenario) -> Result<Report, ScenarioError> {
    let mut world = World::new(scenario)?;
    world.run();
    Ok(crate::report::report(&world))
}

/// Everything there is.
pub(crate) struct World<'s> {
    pub(crate) scenario: &'s Scenario,
    pub(crate) origin: Origin,
    pub(crate) controller: Controller,
    pub(crate) fleet: Fleet,
    pub(crate) hosts: Hosts,
    pub(crate) followers: Followers,
    pub(crate) gateways: Vec<Gateway>,
    pub(crate) traffic: Traffic,
    pub(crate) propagation: Propagation,
    pub(crate) rules: Rules,
    pub(crate) decisions: Decisions,
    /// When it ended.
    pub(crate) now: Moment,
    /// How many events there were.
    pub(crate) events: u64,
    /// Objects that agents got, as patches and as wholes.
    pub(crate) patched: u64,
    pub(crate) fetched_whole: u64,
    blast: Blast,
    wiring: Wiring,
    caches: Vec<Cache>,
    network: Network,
    dial: Dial,
    queue: Queue<Event>,
    words: Vec<Word>,
    word_numbers: HashMap<Word, u32>,
    /// What gateways have sent upwards and nobody has counted yet.
    parcels: Vec<Vec<(u32, u32)>>,
    /// How many agents of each region hold its newest pointer.
    caught_up: Vec<u32>,
    /// How many agents have something to do.
    busy: u32,
    /// How many words are on their way.
    unheard: u64,
    over: bool,
}

/// What can happen.
#[derive(Clone, Copy, Debug)]
enum Event {
    /// A follower asks.
    Ask(Follower),
    /// Its question arrives.
    Arrive(Follower),
    /// The wait that it asked for is over.
    Expire(Follower, u32),
    /// It has an answer, or knows that there is none.
    Answer(Follower, Answer),
    /// A cache asks the bucket for a region's pointer.
    CacheAsks(u32),
    /// And has it.
    CacheHears(u32, u32),
    /// A pointer is at the publisher's gateway.
    Post(u32, u32),
    /// A gateway tells its region's agents.
    Notify(u32),
    /// An agent has all the bytes of a job.
    Fetched(u32, u32),
    /// A job is done.
    Done(u32, u32),
    /// An agent's turn may have come.
    Again(u32),
    /// What an agent says is at its gateway.
    Said(u32, u32),
    /// The publisher has counted it.
    Counted(u32, u32),
    /// A gateway sends along what it gathered.
    Flush(u32),
    /// That is there.
    Parcel(u32, u32),
    /// And counted.
    CountedAll(u32),
    /// A commit is merged.
    Commit,
    /// It is published.
    Release,
    /// A publisher's turn.
    Turn(u32),
    /// The pointer of a region is written.
    Point(u32),
    /// A look at whether all has settled.
    Look,
}

/// How a question ends.
#[derive(Clone, Copy, Debug)]
enum Answer {
    /// Nothing new; it was held.
    Unchanged,
    /// Silence.
    Nothing,
    Pointer(u32),
    /// With what is small.
    Enclosing(Enclosed),
}

impl<'s> World<'s> {
    fn new(scenario: &'s Scenario) -> Result<World<'s>, ScenarioError> {
        scenario.check()?;
        fastrand::seed(scenario.seed);
        let digits = if scenario.regions < 100 { 2 } else { 3 };
        let name = |number: u16| -> Region { format!("r{number:0digits$}").parse().expect("a name") };
        let regions: Vec<Region> = (1..=scenario.regions).map(name).collect();
        let app = "app".parse().expect("a name");
        let policy = policy(&scenario.policy, &app, &regions)?;
        let origin = Origin::new(app, regions, scenario.commits);
        let mut hosts = Hosts::new();
        let kin: Vec<_> = (0..origin.regions()).map(|region| hosts.settled(origin.pointer(region, 0))).collect();
        let mut fleet = Fleet::new(scenario.agents, &kin);
        let mut network = Network::new(scenario.latency, scenario.loss, scenario.seed);
        for fails in &mut fleet.fails {
            *fails = scenario.fail_share > 0.0 && network.rng.f64() < scenario.fail_share;
        }
        let controller = Controller::new(policy, &origin, |region| {
            let name = |place| format!("{}-{place:08}", origin.region(region)).parse().expect("a name");
            (0..fleet.of(region).len()).map(name).collect()
        });
        let wiring = Wiring::new(scenario);
        let dial = Dial::new();
        let mut world = World {
            gateways: wiring.gateways(),
            caches: (0..wiring.caches()).map(|_| Cache::new(origin.regions())).collect(),
            followers: Followers::new(dial),
            queue: Queue::new(),
            traffic: Traffic::default(),
            propagation: Propagation::default(),
            rules: Rules::default(),
            decisions: Decisions::default(),
            blast: Blast::new(origin.regions()),
            caught_up: (0..origin.regions()).map(|region| fleet.of(region).len() as u32).collect(),
            words: Vec::new(),
            word_numbers: HashMap::new(),
            parcels: Vec::new(),
            now: Moment::START,
            events: 0,
            patched: 0,
            fetched_whole: 0,
            busy: 0,
            unheard: 0,
            over: false,
            scenario,
            origin,
            controller,
            fleet,
            hosts,
            wiring,
            network,
            dial,
        };
        world.assemble();
        Ok(world)
    }

    /// Everyone asks for the first time, at any moment of his first period.
    fn assemble(&mut self) {
        let waits = !matches!(self.scenario.topology.edge, Edge::Direct);
        let (agents, lines) = (self.fleet.len(), self.wiring.lines());
        self.followers.reserve(agents as usize + lines);
        let period = if waits { of_agents().wait } else { of_agents().poll };
        for _ in 0..agents {
            let follower = self.followers.add(self.wiring.agent_bases(), of_agents(), waits);
            self.begins(follower, period);
        }
        for line in 0..lines {
            let waits = self.wiring.line_waits(line);
            let follower = self.followers.add(self.wiring.line_bases(line), of_gateways(), waits);
            self.begins(follower, of_gateways().poll);
        }
        self.queue.put(FIRST_COMMIT, Event::Commit);
    }

    fn begins(&mut self, follower: Follower, period: Duration) {
        let at = Moment::START.after(period.mul_f64(self.network.rng.f64()));
        self.queue.put(at, Event::Ask(follower));
    }

    fn run(&mut self) {
        while !self.over
            && let Some((now, event)) = self.queue.next()
        {
            // What is put at a moment that is over happens now.
            self.now = self.now.max(now);
            self.events += 1;
            self.happens(event);
        }
        self.look_back();
    }

    fn happens(&mut self, event: Event) {
        match event {
            Event::Ask(follower) => self.ask(follower),
            Event::Arrive(follower) => self.arrive(follower),
            Event::Expire(follower, question) => self.expire(follower, question),
            Event::Answer(follower, answer) => self.hear(follower, answer),
            Event::CacheAsks(page) => self.cache_asks(page),
            Event::CacheHears(page, version) => self.cache_hears(page, version),
            Event::Post(region, version) => self.post(0, region as usize, version),
            Event::Notify(gateway) => self.notify_agents(gateway as usize),
            Event::Fetched(agent, job) => self.fetched(agent, job),
            Event::Done(agent, job) => self.done(agent, job),
            Event::Again(agent) => self.again(agent),
            Event::Said(agent, word) => self.said(agent, word),
            Event::Counted(agent, word) => self.counted(&[(agent, word)]),
            Event::Flush(gateway) => self.flush(gateway as usize),
            Event::Parcel(gateway, parcel) => self.parcel(gateway as usize, parcel),
            Event::CountedAll(parcel) => {
                let parcel = std::mem::take(&mut self.parcels[parcel as usize]);
                self.counted(&parcel);
            }
            Event::Commit => self.commit(),
            Event::Release => self.release(),
            Event::Turn(turn) => self.take_turn(turn),
            Event::Point(region) => self.point(region as usize),
            Event::Look => self.look(),
        }
    }
}

/// When the first commit is made: everyone has asked by then.
pub(crate) const FIRST_COMMIT: Moment = Moment::FIRST_MINUTE;
