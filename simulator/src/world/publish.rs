//! Commits are made, published, and rolled out.

use std::time::Duration;

use super::{Event, World};
use crate::clock::Moment;
use crate::controller::{end_in_words, in_words};
use crate::rules::Blast;

impl World<'_> {
    /// A commit is merged.
    pub(super) fn commit(&mut self) {
        if self.propagation.newest() == 0 {
            self.traffic.begin();
        }
        self.propagation.commit(self.now);
        self.blast = Blast::new(self.origin.regions());
        let at = self.now.after(self.scenario.constants.publish.length());
        self.queue.put(at, Event::Release);
        self.queue.put(at.after(LOOK_EVERY), Event::Look);
    }

    /// It is compiled, signed and stored, and now either everyone gets it, or a rollout begins.
    pub(super) fn release(&mut self) {
        let number = self.propagation.newest();
        if self.controller.policy().is_some() {
            self.controller.begin(&self.origin, number, self.scenario.seed, self.now);
            return self.want_turn(self.now);
        }
        let (fleet, blast) = (&self.fleet, &mut self.blast);
        blast.allow_all(|region| fleet.of(region).len() as u64);
        for region in 0..self.origin.regions() {
            self.announce(region, self.origin.at_once(number));
        }
        let now = self.now;
        if let Some(spread) = self.propagation.of(number) {
            spread.ended = Some((now, "published to everyone at once".into()));
        }
    }

    fn announce(&mut self, region: usize, wanted: publisher::rollout::Wanted) {
        let version = self.origin.announce(region, wanted, self.now);
        self.origin.store(region, version);
        self.caught_up[region] = 0;
        let number = u32::try_from(region).expect("there are few regions");
        self.queue.put(self.now.after(HINT), Event::Post(number, version));
    }

    /// Lets the publisher take a turn at `at`, unless one is due sooner.
    pub(super) fn want_turn(&mut self, at: Moment) {
        if self.controller.due.is_some_and(|due| due <= at) {
            return;
        }
        self.controller.turn += 1;
        self.controller.due = Some(at);
        self.queue.put(at, Event::Turn(self.controller.turn));
    }

    /// One step of the controller, and what a publisher does about it, one after the other.
    pub(super) fn take_turn(&mut self, turn: u32) {
        if turn != self.controller.turn {
            return;
        }
        self.controller.due = None;
        let step = self.controller.step(&self.origin, self.now);
        let took = self.scenario.constants.count.length() * self.fleet.len();
        let mut at = self.now.after(took);
        let acts = step.state.is_some() || !step.point.is_empty();
        if let Some(next) = step.state {
            at = at.after(self.scenario.constants.record.length());
            let fleet = &self.fleet;
            self.blast.allow(&next, |region| fleet.of(region).len() as u64);
            self.note_step(&next, at);
            self.controller.record(next);
        }
        for region in &step.point {
            at = at.after(self.scenario.constants.point.length());
            let region = (0..self.origin.regions()).find(|number| self.origin.region(*number) == region);
            let region = region.expect("a rollout reaches no region that is not there");
            self.queue.put(at, Event::Point(u32::try_from(region).expect("there are few regions")));
        }
        if acts {
            self.controller.writes(at);
            return self.want_turn(at);
        }
        self.controller.rest(at, took);
        if let Some(again) = step.again_at {
            self.want_turn(Moment::at(again).max(at.after(SOONEST)));
        }
    }

    pub(super) fn point(&mut self, region: usize) {
        if let Some(wanted) = self.controller.wanted(self.origin.region(region)) {
            self.announce(region, wanted);
        }
    }

    fn note_step(&mut self, next: &schema::Rollout, at: Moment) {
        let before = self.controller.state().and_then(in_words);
        if let Some(name) = in_words(next).filter(|name| before.as_ref() != Some(name)) {
            self.propagation.begin(&name, at);
        }
        let (on, number) = (end_in_words(next), self.propagation.newest());
        if let (Some(words), Some(spread)) = (on, self.propagation.of(number)) {
            spread.ended.get_or_insert((at, words));
        }
    }

    /// Goes on with the next commit once all has settled, and ends the run after the last one.
    pub(super) fn look(&mut self) {
        let all_know =
            (0..self.origin.regions()).all(|region| self.caught_up[region] as usize == self.fleet.of(region).len());
        let has_settled = all_know && self.busy == 0 && self.unheard == 0 && self.controller.is_idle();
        let is_patient = self.now.since(self.began()) < PATIENCE;
        if !has_settled && is_patient {
            return self.queue.put(self.now.after(LOOK_EVERY), Event::Look);
        }
        let ((on, allowed), number) = (self.blast.sum(), self.propagation.newest());
        if let Some(spread) = self.propagation.of(number) {
            (spread.on, spread.allowed) = (on, allowed);
        }
        if number < self.scenario.commits && has_settled {
            self.queue.put(self.now.after(BETWEEN_COMMITS), Event::Commit);
        } else {
            self.over = true;
        }
    }

    /// When the newest commit was made.
    fn began(&self) -> Moment {
        self.propagation.commits.last().map_or(Moment::START, |spread| spread.committed)
    }
}

/// Longer than a publisher's own gateway takes to be told of what the same process wrote.
const HINT: Duration = Duration::from_millis(5);
const SOONEST: Duration = Duration::from_millis(20);
const LOOK_EVERY: Duration = Duration::from_millis(100);
const BETWEEN_COMMITS: Duration = Duration::from_secs(10);
/// A commit that has not settled by then never will.
const PATIENCE: Duration = Duration::from_secs(12 * 60 * 60);
