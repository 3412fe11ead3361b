//! Agents decide, fetch and apply.

use std::time::Duration;

use edge_agent::backoff::Backoff;
use edge_agent::decide::{Next, Source};
use schema::pointer::{Run, Target};
use schema::{Generation, Outcome, Timestamp};

use super::ask::ANSWER_WITHIN;
use super::{Event, World};
use crate::clock::Moment;
use crate::controller::Word;
use crate::fleet::{Aim, Job, Stage};
use crate::followers::of_agents;
use crate::gateway::Object;
use crate::host::{Attempt, Turn};

impl World<'_> {
    /// The pointer that an agent holds is newer than before: it is made durable, and then something may be to be done.
    pub(super) fn accept(&mut self, agent: u32) {
        let place = agent as usize;
        let (region, version) = (self.region_of(agent), self.followers.held[place]);
        let pointer = self.origin.pointer(region, version);
        let held = pointer.quarantine.contains(self.controller.agent(region, self.fleet.place(agent)));
        self.fleet.kin[place] = self.hosts.goes(self.fleet.kin[place], Turn::Accepts { version, held }, pointer);
        let commit = self.propagation.newest();
        let is_named = pointer.names(&self.origin.bundle(commit).digest);
        self.caught_up[region] += u32::from(version == self.origin.newest(region));
        if self.fleet.saw[place] < commit && is_named {
            self.fleet.saw[place] = commit;
            if let Some(spread) = self.propagation.of(commit) {
                spread.saw(self.now);
            }
        }
        match self.fleet.jobs[place].stage {
            Stage::Idle => self.decide(agent),
            Stage::Fetching => {
                if !self.is_wanted(agent) {
                    self.finish(agent);
                    self.decide(agent);
                }
            }
            // It is looked at again when that is done.
            Stage::Applying => {}
        }
    }

    /// Whether the newest pointer, too, wants what the agent is fetching.
    fn is_wanted(&mut self, agent: u32) -> bool {
        let place = agent as usize;
        let region = self.region_of(agent);
        let pointer = self.origin.pointer(region, self.followers.held[place]);
        let name = self.controller.agent(region, self.fleet.place(agent));
        let asked = pointer.assignment(self.hosts.member(name), self.now.timestamp());
        self.decisions.assignment += 1;
        let fetching = self.origin.bundle(self.fleet.jobs[place].bundle).digest;
        let runs = self.hosts.host(self.fleet.kin[place]).current();
        let run = asked.run.target().map(|target| target.digest);
        let ready = asked.ready.map(|target| target.digest);
        run == Some(fetching) || (ready == Some(fetching) && (run.is_none() || run == runs))
    }

    /// Decides until there is something to do that takes time, or nothing to do.
    fn decide(&mut self, agent: u32) {
        let place = agent as usize;
        let region = self.region_of(agent);
        loop {
            let (kin, version) = (self.fleet.kin[place], self.followers.held[place]);
            let pointer = self.origin.pointer(region, version);
            let name = self.controller.agent(region, self.fleet.place(agent));
            let now = self.now.timestamp();
            let (next, again) = self.hosts.decide(kin, name, pointer, &self.origin.root, now);
            self.decisions.decide += 1;
            let turn = match next {
                Next::Apply(target, source) => return self.begin(agent, target, source, Aim::Run, 0),
                Next::Try(target, source, within) => {
                    let seconds = u32::try_from(within.0.as_secs()).unwrap_or(u32::MAX);
                    return self.begin(agent, target, source, Aim::Run, seconds);
                }
                Next::Prepare(target, source) => return self.begin(agent, target, source, Aim::Ready, 0),
                Next::GiveUp(bad) => {
                    let target = Target { digest: bad.applied.intent.target, manifest: bad.applied.intent.target };
                    return self.begin(agent, target, Source::Disk, Aim::GoBack, 0);
                }
                Next::Confirm(digest) => Turn::Confirmed(digest),
                Next::Decline(target) => {
                    self.say(agent, version, self.origin.number(&target.digest), Outcome::Failed);
                    Turn::Declines(self.attempt(agent, target, version, 0), Outcome::Failed)
                }
                Next::Foresee(target, _) => {
                    self.say(agent, version, self.origin.number(&target.digest), Outcome::Unprepared);
                    Turn::Declines(self.attempt(agent, target, version, 0), Outcome::Unprepared)
                }
                Next::Nothing | Next::Hold(_) => {
                    if let Some(again) = again {
                        self.queue.put(self.now.after(again + TICK), Event::Again(agent));
                    }
                    return;
                }
                // Nothing expires in a run, and nobody loses power.
                Next::Report(_) | Next::FinishSwitch(_) | Next::RunHooks(_) | Next::Return(_) => return,
            };
            let pointer = self.origin.pointer(region, version);
            self.fleet.kin[place] = self.hosts.goes(kin, turn, pointer);
        }
    }

    pub(super) fn again(&mut self, agent: u32) {
        if self.fleet.jobs[agent as usize].stage == Stage::Idle {
            self.decide(agent);
        }
    }

    fn attempt(&self, agent: u32, target: Target, version: u32, confirm_within_s: u32) -> Attempt {
        let pointer = self.origin.pointer(self.region_of(agent), version);
        let trial = (confirm_within_s > 0).then(|| {
            // Whoever switched within the same second went through the same.
            let second = i64::try_from(self.now.second() + 1).expect("a run is not that long") * 1000;
            let at = Timestamp::from_unix_millis(Moment::START.timestamp().unix_millis() + second);
            (Duration::from_secs(confirm_within_s.into()), at)
        });
        Attempt { order: pointer.order(), target: target.digest, trial, issued: pointer.issued }
    }

    fn begin(&mut self, agent: u32, target: Target, source: Source, aim: Aim, confirm_within_s: u32) {
        let place = agent as usize;
        let bundle = self.origin.number(&target.digest);
        let step = self.propagation.step();
        let version = self.followers.held[place];
        let number = self.fleet.jobs[place].number + 1;
        let stage = if source == Source::Store { Stage::Fetching } else { Stage::Applying };
        self.fleet.jobs[place] = Job { number, version, bundle, stage, aim, step, source, confirm_within_s };
        self.busy += 1;
        if source != Source::Running && self.fleet.asked_by[place] < step {
            self.fleet.asked_by[place] = step;
            if let Some(stride) = self.propagation.in_step(step) {
                stride.saw(self.now);
            }
        }
        if source == Source::Store {
            let at = self.fetch(agent, bundle, version);
            self.queue.put(at, Event::Fetched(agent, number));
        } else {
            self.apply(agent, self.scenario.constants.apply_disk.length());
        }
    }

    /// When an agent has manifest and bundle. What came along with the pointer is there already.
    fn fetch(&mut self, agent: u32, bundle: u16, version: u32) -> Moment {
        let enclosed = self.fleet.enclosed[agent as usize];
        let is_of_this = version > 0 && enclosed.version == version;
        let region = self.region_of(agent);
        let came = if is_of_this { self.enclosed(region, enclosed) } else { Vec::new() };
        let manifest = Object::Manifest(bundle);
        let vouched = if came.contains(&manifest) { self.now } else { self.get(agent, manifest, self.now) };
        if came.contains(&Object::Patch { to: bundle, from: enclosed.have }) {
            self.patched += 1;
            return vouched;
        }
        match self.base_of(agent, bundle) {
            Some(from) => {
                self.patched += 1;
                self.get(agent, Object::Patch { to: bundle, from }, vouched)
            }
            None => {
                self.fetched_whole += 1;
                self.get(agent, Object::Whole(bundle), vouched)
            }
        }
    }

    /// The bundle on the agent's disk that there is a patch from, the newest if there are several.
    fn base_of(&self, agent: u32, bundle: u16) -> Option<u16> {
        let on_disk = self.hosts.host(self.fleet.kin[agent as usize]).on_disk().iter();
        on_disk.map(|base| self.origin.number(base)).filter(|from| self.is_patched(*from, bundle)).max()
    }

    /// When an agent has an object that it asks for at `at`: one base URL after the other, and all of them again after a rest.
    fn get(&mut self, agent: u32, object: Object, at: Moment) -> Moment {
        let first = self.followers.schedules[agent as usize].step().base;
        let bases = self.wiring.agent_bases();
        let mut asked = at;
        let mut backoff = Backoff::new(of_agents().poll);
        for attempt in 0.. {
            let (server, link) = self.agent_server(agent, (first + attempt) % bases);
            if !(self.network.loses() | self.network.loses()) {
                let there = self.give(server, link, object, asked);
                let (_, size) = self.cargo(object);
                return there.after(self.scenario.constants.agent_line.carries(size));
            }
            asked = asked.after(ANSWER_WITHIN);
            if (attempt + 1) % bases == 0 {
                self.decisions.backoff += 1;
                asked = asked.after(backoff.failed());
            }
        }
        asked
    }

    pub(super) fn fetched(&mut self, agent: u32, number: u32) {
        let job = &mut self.fleet.jobs[agent as usize];
        if job.number != number || job.stage != Stage::Fetching {
            return;
        }
        job.stage = Stage::Applying;
        let bundle = job.bundle;
        let constants = &self.scenario.constants;
        let is_patch = self.base_of(agent, bundle).is_some();
        let length = if is_patch { &constants.apply_patch } else { &constants.apply_whole }.length();
        self.apply(agent, length);
    }

    /// From here on the job is seen through.
    fn apply(&mut self, agent: u32, length: Duration) {
        let place = agent as usize;
        let job = self.fleet.jobs[place];
        if job.aim == Aim::Run && job.source != Source::Running && self.fleet.switched[place] < job.bundle {
            self.fleet.switched[place] = job.bundle;
            let region = self.region_of(agent);
            if let Some((allowed, on)) = self.blast.runs(region) {
                let region = self.origin.region(region);
                self.rules.beyond.note(|| format!("{on} agents of {region} run commit {}, {allowed} may", job.bundle));
            }
        }
        let length = self.network.around(length, self.scenario.constants.apply_spread.value);
        self.queue.put(self.now.after(length), Event::Done(agent, job.number));
    }

    pub(super) fn done(&mut self, agent: u32, number: u32) {
        let place = agent as usize;
        let job = self.fleet.jobs[place];
        if job.number != number {
            return;
        }
        let target = self.origin.bundle(job.bundle);
        let attempt = self.attempt(agent, target, job.version, job.confirm_within_s);
        let is_bad = job.bundle == self.scenario.commits && self.fleet.fails[place];
        let (turn, outcome) = match job.aim {
            Aim::Ready => (Turn::Readies(attempt), Outcome::Prepared),
            Aim::Run if is_bad => (Turn::Fails(attempt), Outcome::Failed),
            Aim::Run => (Turn::Runs(attempt), Outcome::Applied),
            Aim::GoBack => (Turn::GaveUp(attempt.target), Outcome::Failed),
        };
        // Whatever is accepted meanwhile is about the next job; a journal is folded in the order in which it is written.
        let pointer = self.origin.pointer(self.region_of(agent), self.followers.held[place]);
        self.fleet.kin[place] = self.hosts.goes(self.fleet.kin[place], turn, pointer);
        if outcome == Outcome::Applied {
            self.check_order(agent, attempt.order.generation);
        }
        if job.source != Source::Running && matches!(outcome, Outcome::Applied | Outcome::Prepared) {
            self.note_done(&job);
        }
        self.say(agent, job.version, job.bundle, outcome);
        self.finish(agent);
        self.decide(agent);
    }

    fn note_done(&mut self, job: &Job) {
        if job.aim == Aim::Run
            && let Some(spread) = self.propagation.of(job.bundle)
        {
            spread.done(self.now);
        }
        if let Some(stride) = self.propagation.in_step(job.step) {
            stride.done(self.now);
        }
    }

    /// MONO: what an agent runs is never because of an older generation than before.
    fn check_order(&mut self, agent: u32, generation: Generation) {
        let before = &mut self.fleet.generation[agent as usize];
        let now = u32::try_from(generation.number()).expect("a run has fewer generations than that");
        if now < *before {
            let before = *before;
            self.rules.backward.note(|| format!("agent {agent} ran generation {now} after generation {before}"));
        }
        *before = now;
    }

    fn finish(&mut self, agent: u32) {
        let job = &mut self.fleet.jobs[agent as usize];
        job.stage = Stage::Idle;
        job.number += 1;
        self.busy -= 1;
    }

    fn say(&mut self, agent: u32, version: u32, bundle: u16, outcome: Outcome) {
        let host = self.hosts.host(self.fleet.kin[agent as usize]);
        let runs = host.current().map_or(0, |digest| self.origin.number(&digest));
        let is_no = matches!(outcome, Outcome::Failed | Outcome::Unprepared);
        let step = is_no.then_some(schema::ack::Step::Probe);
        let region = self.region_of(agent);
        self.tell(agent, Word { region, version, bundle, outcome, step, runs, failures: u32::from(is_no) });
    }

    /// CONVERGE: at the end every agent is where the newest pointer of its region wants it, or has refused to be.
    pub(super) fn look_back(&mut self) {
        for agent in 0..self.fleet.len() {
            let place = agent as usize;
            let region = self.region_of(agent);
            let newest = self.origin.newest(region);
            let pointer = self.origin.pointer(region, newest);
            let name = self.controller.agent(region, self.fleet.place(agent));
            let asked = pointer.assignment(self.hosts.member(name), self.now.timestamp()).run;
            self.decisions.assignment += 1;
            let host = self.hosts.host(self.fleet.kin[place]);
            let is_there = match asked {
                Run::Stay => true,
                Run::Stable(target) | Run::Candidate { target, .. } => {
                    host.current() == Some(target.digest) || host.has_refused(&target.digest)
                }
            };
            let held = self.followers.held[place];
            if !is_there || held != newest {
                let name = name.to_string();
                self.rules.astray.note(|| format!("agent {name} holds pointer {held} of {newest}"));
            }
        }
    }
}

/// The clock of an agent may be a little ahead.
const TICK: Duration = Duration::from_millis(5);
