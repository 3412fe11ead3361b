//! Rollouts over random fleets, with agents that are late, silent, fickle or lying, and publishers that die: what must hold holds
//! after every step.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use schema::control::What;
use schema::pointer::{Member, Phase};
use schema::rollout::{Place, Prepare, Stage};
use schema::{AgentId, Outcome, Region};

use super::command;
use super::fixture::{World, percent, policy, region, wave};

/// What happens next in a history.
#[derive(Clone, Debug)]
enum Event {
    /// Some of the agents read their pointers and answer; each says yes with this chance in a hundred.
    Answers { some: u8, well: u8 },
    /// Some of the agents say once more what they said about an older pointer.
    Late { some: u8 },
    /// One in a hundred says yes, whatever it did, or no.
    Lies { yes: bool },
    /// The publisher takes a step, and dies after so many of its writes.
    Step { writes: usize },
    /// Time passes.
    Pass { seconds: u64 },
    /// An operator does something.
    Command { which: u8 },
    /// Somebody is put into quarantine, or a region is frozen or not: a generation that changes nothing else.
    Generation { which: u8 },
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        4 => (0..=100u8, prop_oneof![Just(100u8), 0..=100u8]).prop_map(|(some, well)| Event::Answers { some, well }),
        1 => (0..=100u8).prop_map(|some| Event::Late { some }),
        1 => any::<bool>().prop_map(|yes| Event::Lies { yes }),
        6 => (0..5usize).prop_map(|writes| Event::Step { writes }),
        1 => (1..400u64).prop_map(|seconds| Event::Pass { seconds }),
        1 => (0..5u8).prop_map(|which| Event::Command { which }),
        1 => (0..3u8).prop_map(|which| Event::Generation { which }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn no_history_lets_more_agents_run_it_than_its_wave_allows(
        eu in 1..40usize,
        us in 0..20usize,
        first in 1..30u16,
        second in 30..60u16,
        prepares in any::<bool>(),
        events in prop::collection::vec(event(), 1..60),
    ) {
        let mut policy = policy(vec![wave(&["eu"], first, 0), wave(&[], second, 60), wave(&[], 100, 0)]);
        policy.prepare = if prepares { Prepare::Yes } else { Prepare::No };
        let mut history = History::new(World::new(policy, &[("eu", eu), ("us", us)]));
        for (number, event) in events.into_iter().enumerate() {
            history.happens(event, number);
        }
    }
}

struct History {
    world: World,
    /// Who was ever told to run the candidate, by the pointers as agents read them.
    told: BTreeMap<Region, BTreeSet<AgentId>>,
    /// Of all records so far: the largest share that a region may have.
    most: BTreeMap<Region, u16>,
    earlier: BTreeMap<Region, Vec<schema::AgentReport>>,
    frozen: bool,
}

impl History {
    fn new(world: World) -> History {
        let earlier = world.reports.clone();
        History { world, told: BTreeMap::new(), most: BTreeMap::new(), earlier, frozen: false }
    }

    fn happens(&mut self, event: Event, number: usize) {
        // Evenly spread, and another spread for every event.
        let lot = |agent: &AgentId| (schema::Digest::of(format!("{agent} {number}").as_bytes()).lot() % 100) as u8;
        match event {
            Event::Answers { some, well } => {
                self.earlier = self.world.reports.clone();
                for region in self.world.agents.keys().cloned().collect::<Vec<_>>() {
                    self.world.answer(&region, |agent, _| (lot(agent) < some).then(|| lot(agent) <= well));
                }
            }
            Event::Late { some } => {
                for (region, words) in &self.earlier {
                    let again = words.iter().filter(|word| lot(&word.agent) < some);
                    self.world.reports.entry(region.clone()).or_default().extend(again.cloned());
                }
            }
            Event::Lies { yes } => self.lies(yes),
            Event::Step { writes } => self.step(writes),
            Event::Pass { seconds } => self.world.pass(seconds),
            Event::Command { which } => self.command(which),
            Event::Generation { which } => self.generation(which),
        }
        self.check();
    }

    fn lies(&mut self, yes: bool) {
        let outcome = if yes { Outcome::Applied } else { Outcome::Failed };
        for (region, agents) in &self.world.agents {
            let pointer = &self.world.pointers[region];
            let asked = pointer.candidate.as_ref().map_or(pointer.stable, |candidate| candidate.target);
            for liar in agents.iter().take(agents.len() / 100) {
                let word = super::fixture::word(liar, pointer, asked.digest, outcome, self.world.now);
                self.world.reports.entry(region.clone()).or_default().push(word);
            }
        }
    }

    fn step(&mut self, writes: usize) {
        let next = self.world.step();
        let mut left = writes;
        if let Some(state) = next.state {
            if left == 0 {
                return;
            }
            left -= 1;
            assert_eq!(state.n, self.world.rollout.n + 1);
            self.passes(&state);
            self.world.rollout = state;
        }
        for region in next.point.iter().take(left) {
            let before = self.selected(region);
            self.world.point(region);
            let is_on = self.world.pointers[region].candidate.as_ref().is_some_and(|it| it.phase == Phase::Activate);
            let after = self.selected(region);
            assert!(!is_on || before.is_subset(&after), "a later wave leaves somebody out");
        }
    }

    /// No pass without a yes: of those that the pointer means, as many as it takes said so about this very pointer.
    fn passes(&self, next: &schema::Rollout) {
        let now = &self.world.rollout;
        let (Stage::Wave { index: was, .. }, Some(gate)) = (&now.stage, &now.policy.gate) else { return };
        for (region, leg) in &now.regions {
            let wave = &now.policy.waves[*was];
            let under_way = wave.regions.contains(region) && matches!(leg.place, Place::Candidate { .. });
            let goes_on = match (&next.stage, &next.regions[region].place) {
                (Stage::Wave { index, .. }, _) if index > was => true,
                (_, place) => *place == Place::Stable,
            };
            if !under_way || !goes_on {
                continue;
            }
            let pointer = &self.world.pointers[region];
            let meant = self.selected(region);
            let words = self.world.reports.get(region).map_or(&[][..], Vec::as_slice);
            let yes: BTreeSet<&AgentId> = words
                .iter()
                .filter(|it| it.generation == pointer.generation && it.outcome == Outcome::Applied)
                .filter(|it| it.attempted == leg.to.digest && meant.contains(&it.agent))
                .map(|it| &it.agent)
                .collect();
            let n = meant.iter().filter(|agent| !pointer.quarantine.contains(agent)).count() as u64;
            let missing = (n - gate.applied.of_rounded_up(n)).max(gate.failed_at_most.allows(n));
            assert!(!yes.is_empty() && yes.len() as u64 >= n - missing, "{} of {n} said yes in {region}", yes.len());
        }
    }

    fn command(&mut self, which: u8) {
        let app = self.world.rollout.app.clone();
        let what = match which {
            0 => What::Pause { app },
            1 => What::Resume { app },
            2 => What::Promote { app },
            3 => What::Confirm { app },
            _ => What::Abort { app },
        };
        let next = command(&self.world.rollout, &what, "alice", "", &self.world.seen(), self.world.now);
        if let Ok(Some(next)) = next {
            self.world.rollout = next;
        }
    }

    fn generation(&mut self, which: u8) {
        let (eu, agent) = (region("eu"), self.world.agents[&region("eu")][0].clone());
        self.frozen ^= which == 0;
        let frozen = self.frozen;
        self.world.generation(&eu, |pointer| match which {
            0 => pointer.freeze = frozen,
            1 => pointer.quarantine = vec![agent],
            _ => pointer.quarantine.clear(),
        });
    }

    fn selected(&self, region: &Region) -> BTreeSet<AgentId> {
        let labels = BTreeMap::new();
        let candidate = self.world.pointers[region].candidate.as_ref();
        let active = candidate.filter(|it| it.phase == Phase::Activate);
        let agents = self.world.agents[region].iter();
        agents.filter(|agent| active.is_some_and(|it| it.selects(Member { agent, labels: &labels }))).cloned().collect()
    }

    /// BLAST, over everything that was ever pointed.
    fn check(&mut self) {
        let state = &self.world.rollout;
        for (region, leg) in &state.regions {
            let share = match (&leg.place, &state.stage) {
                (Place::Stable, _) => 10_000,
                (Place::Candidate { .. }, Stage::Wave { index, .. }) => {
                    let here = state.policy.waves[..=*index].iter().filter(|wave| wave.regions.contains(region));
                    here.map(|wave| wave.share.0).max().unwrap_or(0)
                }
                _ => 0,
            };
            let most = self.most.entry(region.clone()).or_default();
            *most = share.max(*most);
        }
        for region in self.world.agents.keys().cloned().collect::<Vec<_>>() {
            let selected = self.selected(&region);
            let told = self.told.entry(region.clone()).or_default();
            told.extend(selected);
            let share = schema::rollout::Share(self.most.get(&region).copied().unwrap_or(0));
            let most = share.of_rounded_up(self.world.agents[&region].len() as u64);
            assert!(told.len() as u64 <= most, "BLAST: {} of {most} in {region}", told.len());
        }
        let is_stable = |region: &Region| self.world.pointers[region].stable == super::fixture::target("new");
        for region in self.world.agents.keys() {
            let share = self.most.get(region).copied().unwrap_or(0);
            assert!(!is_stable(region) || share == percent(100).0, "stable in {region} before its last wave");
        }
    }
}
