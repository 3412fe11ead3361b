//! What a keeper makes of an observation of its pointer.
//!
//! The [`Ear`] verifies and complains, and writes nothing; [`Keeper::accept`] makes durable what it heard. That is how following
//! goes on while a bundle is fetched ([`Meanwhile`]).

use std::time::Duration;

use follower::{Observation, PointerFollower};
use schema::cycle::{self, NotAccepted};
use schema::succession::Refusal;
use schema::{Digest, Seen, Succession, Timestamp};
use tracing::{debug, error, info, warn};

use super::Keeper;
use crate::apply::{Accepted, Enclosed, Fetched, Host, Site, clock, in_one_line};
use crate::complaint::Complaint;
use crate::journal::JournalError;
use crate::rule::Rule;

/// A pointer that may replace the one in force, and how it relates to that.
type Heard = (Accepted, Succession);

/// What follows a pointer, with all that judging one takes.
pub(super) struct Ear<'a> {
    follower: &'a mut PointerFollower,
    complaint: &'a mut Complaint,
    connection: &'a mut Connection,
    site: Site,
    /// The newest pointer that was accepted.
    seen: Option<Seen>,
    /// When it was signed.
    floor: Option<Timestamp>,
    /// From when to when the pointer in hand counts.
    validity: Option<(Timestamp, Timestamp)>,
}

/// Whether somebody answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Connection {
    Up,
    /// Nobody did, when it was tried last.
    Down,
}

impl Ear<'_> {
    /// Gives a pointer that is accepted, refuses others, and never takes a missing one for a reason to do anything.
    async fn hear(&mut self, observation: Observation) -> Option<Heard> {
        let connection = match observation {
            Observation::Unreachable { .. } => Connection::Down,
            Observation::Changed { .. } | Observation::Unchanged { .. } | Observation::Absent { .. } => Connection::Up,
        };
        match (std::mem::replace(self.connection, connection), connection) {
            (Connection::Up, Connection::Down) => self.site.told.cut_off(),
            (Connection::Down, Connection::Up) => self.site.told.reconnected(),
            _ => {}
        }
        match observation {
            Observation::Changed { bytes, enclosed, from } => {
                let payload = Digest::of(&bytes);
                let fetched = Fetched { bytes, enclosed: Enclosed::new(enclosed), notified_at: clock() };
                // Before the pointer: a key that the newest root no longer lists opens nothing.
                self.site.trust.walk(&self.site.mirrors).await;
                let root = self.site.trust.newest();
                match fetched.verify(&self.site.about, self.seen.as_ref(), &root) {
                    Ok(heard) => return Some(heard),
                    Err(refused) => {
                        self.follower.refused();
                        self.site.refused(Some(Rule::of_pointer(&refused)));
                        self.complain(&format!("{from} {payload}"), &refused, &from.to_string());
                    }
                }
            }
            Observation::Unchanged { .. } => {
                self.complaint.settle();
                let now = cycle::time(clock(), self.floor);
                if self.validity.is_some_and(|(issued, expires)| is_old(issued, expires, now)) {
                    debug!("The pointer is past half of its validity: asking past every cache");
                    self.follower.doubt();
                }
            }
            Observation::Absent { failures, .. } => {
                self.site.refused(Rule::of_no_pointer(&failures));
                if self.complaint.is_new("absent") {
                    warn!("There is no pointer; what runs goes on running: {failures}");
                }
            }
            Observation::Unreachable { failures } => {
                self.site.refused(Rule::of_no_pointer(&failures));
                if self.complaint.is_new("unreachable") {
                    warn!("Nobody gives a pointer; what runs goes on running: {failures}");
                }
            }
        }
        None
    }

    fn complain(&mut self, what: &str, refused: &NotAccepted, from: &str) {
        if !self.complaint.is_new(what) {
            return;
        }
        let reason = in_one_line(refused);
        match refused {
            NotAccepted::Succession(Refusal::Equivocation { offered, seen, .. }) => {
                error!(%offered, %seen, from, "Two signed pointers contradict each other; the first stays: {reason}");
            }
            NotAccepted::Succession(Refusal::Rollback { .. }) => {
                warn!(from, "An older pointer is offered and ignored: {reason}");
            }
            _ => warn!(from, "A pointer is offered and refused: {reason}"),
        }
    }
}

/// Following while the bundle `fetching` is fetched.
pub(super) struct Meanwhile<'a> {
    ear: Ear<'a>,
    fetching: Digest,
    /// What ran when it began.
    runs: Option<Digest>,
    /// The newest pointer that came; to be accepted when the fetching has ended.
    pub(super) heard: Option<Heard>,
}

impl<'a> Meanwhile<'a> {
    pub(super) fn new(ear: Ear<'a>, fetching: Digest, runs: Option<Digest>) -> Meanwhile<'a> {
        Meanwhile { ear, fetching, runs, heard: None }
    }

    /// Ends when a pointer came that asks for something else than what is being fetched.
    pub(super) async fn overtaken(&mut self) {
        loop {
            let observation = self.ear.follower.next().await;
            let Some((accepted, succession)) = self.ear.hear(observation).await else { continue };
            // Nothing is done about it before it is durable, so all that this does is ask for what is newer still.
            self.ear.follower.accepted();
            self.ear.complaint.settle();
            self.ear.seen = Some(Seen::of(&accepted.pointer));
            let is_wanted = self.is_wanted_by(&accepted);
            let newest = match self.heard.take() {
                Some((_, Succession::Newer)) => Succession::Newer,
                _ => succession,
            };
            self.heard = Some((accepted, newest));
            if !is_wanted {
                return;
            }
        }
    }

    /// Whether a newer pointer has nothing to do that should not wait for what is being fetched.
    fn is_wanted_by(&self, newer: &Accepted) -> bool {
        let now = cycle::time(clock(), Some(newer.pointer.issued));
        let asked = newer.pointer.assignment(self.ear.site.about.member(), now);
        let run = asked.run.target().map(|target| target.digest);
        let ready = asked.ready.map(|target| target.digest);
        run == Some(self.fetching) || (ready == Some(self.fetching) && (run.is_none() || run == self.runs))
    }
}

impl Keeper {
    /// Takes note of an observation.
    pub(super) async fn observe(&mut self, host: &mut Host, observation: Observation) -> Result<(), JournalError> {
        match self.ear(host).hear(observation).await {
            Some((accepted, succession)) => self.accept(host, accepted, succession).await,
            None => Ok(()),
        }
    }

    pub(super) fn ear(&mut self, host: &Host) -> Ear<'_> {
        let state = host.ledger.state();
        let in_hand = self.pointer.as_ref().map(|accepted| &accepted.pointer);
        Ear {
            validity: in_hand.map(|pointer| (pointer.issued, pointer.expires)),
            follower: &mut self.follower,
            complaint: &mut self.complaint,
            connection: &mut self.connection,
            site: self.site.clone(),
            seen: state.seen,
            floor: state.floor,
        }
    }

    /// Makes a pointer the one in force, durably.
    pub(super) async fn accept(
        &mut self,
        host: &mut Host,
        accepted: Accepted,
        succession: Succession,
    ) -> Result<(), JournalError> {
        let order = accepted.pointer.order();
        let behind = accepted.pointer.issued.since(clock());
        if behind > CLOCK_BEHIND_MAX {
            warn!(
                behind_s = behind.as_secs(),
                "The clock of this host is behind the newest signature, and is not believed"
            );
        }
        host.moved.add(order, accepted.enclosed.patch_bytes());
        let before = self.pointer.take().filter(|before| before.pointer.order().same_generation(order));
        let accepted = match before {
            // It is the generation that we were told of then, whatever was signed since.
            Some(before) => Accepted { notified_at: before.notified_at, ..accepted },
            None => {
                self.backoff.forget();
                self.resting_until = None;
                accepted
            }
        };
        // In hand before it is durable, so that there is something to tell should it not become so.
        self.pointer = Some(accepted.clone());
        accepted.remember(host).await?;
        self.follower.accepted();
        self.complaint.settle();
        if succession == Succession::Newer {
            let generation = order.generation;
            info!(%generation, bundle = %accepted.pointer.stable.digest, "Generation {generation} is announced");
        }
        Ok(())
    }
}

/// Whether more than half of a pointer's validity is over, by which time an honest publisher has signed it afresh.
fn is_old(issued: Timestamp, expires: Timestamp, now: Timestamp) -> bool {
    now.since(issued) > expires.since(issued) / 2
}

/// How far a host's clock may be behind a signature before it is complained about.
const CLOCK_BEHIND_MAX: Duration = Duration::from_secs(60);
