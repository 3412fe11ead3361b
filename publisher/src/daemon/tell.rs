//! Says what happened: in the status, as events, and in the log once and not at every look.

use schema::status::{PublisherProblem, PublisherStatus, RolloutStatus};
use schema::{CommitId, Timestamp};
use tokio::sync::{mpsc, watch};

use super::error::LookError;
use super::following::Looked;
use super::notes;
use crate::causes::causes;
use crate::kind::ErrorKind;
use crate::publish::{Moved, Report};
use crate::rollout::driver::{DriveError, Turned};

/// Something that happened, for whoever shows it.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// Pointers moved to new generations.
    Published {
        /// The commit.
        commit: CommitId,
        /// Which pointers moved.
        moved: Vec<Moved>,
    },
    /// The tip is not published, for a new reason.
    Refused {
        /// Why.
        problem: PublisherProblem,
    },
    /// Pointers were signed afresh.
    Refreshed {
        /// Which pointers.
        refreshed: Vec<Moved>,
    },
}

/// Holds the status and tells of changes to it.
pub(super) struct Teller {
    status: watch::Sender<PublisherStatus>,
    events: Option<mpsc::UnboundedSender<Event>>,
    /// The note on the trust root, which comes with time and not with a tip.
    of_root: Option<String>,
    /// What keeps rollouts from going on.
    of_rollouts: Vec<String>,
}

impl Teller {
    pub(super) fn new(
        source: String,
        status: watch::Sender<PublisherStatus>,
        events: Option<mpsc::UnboundedSender<Event>>,
    ) -> Teller {
        status.send_modify(|status| status.source = source);
        Teller { status, events, of_root: None, of_rollouts: Vec::new() }
    }

    /// What was published before, also where nothing of this process was.
    pub(super) fn stands(&self, published: Option<&CommitId>) {
        self.status.send_if_modified(|status| {
            let is_news = status.published.is_none() && published.is_some();
            if is_news {
                status.published = published.cloned();
            }
            is_news
        });
    }

    /// What is worth knowing of the trust root by now.
    pub(super) fn root(&mut self, note: Option<String>) {
        if note == self.of_root {
            return;
        }
        if let Some(note) = &note {
            tracing::warn!("Note: {note}");
        }
        let before = std::mem::replace(&mut self.of_root, note);
        self.status.send_modify(|status| {
            status.notes.retain(|standing| Some(standing) != before.as_ref());
            status.notes.extend(self.of_root.clone());
        });
    }

    /// The branch is at the tip that is published everywhere.
    pub(super) fn looked(&self, now: Timestamp) {
        self.status.send_modify(|status| status.last_look = Some(now));
        if self.status.borrow().problem.is_some() {
            self.well();
        }
    }

    /// The branch is at a tip that was refused a moment ago.
    pub(super) fn still_refused(&self, now: Timestamp) {
        self.status.send_modify(|status| status.last_look = Some(now));
    }

    /// The tip is published everywhere.
    pub(super) fn published(&self, looked: &Looked, now: Timestamp) {
        self.status.send_modify(|status| {
            status.last_look = Some(now);
            status.published = Some(looked.commit.clone());
            status.published_at = Some(now);
            status.held = notes::held(&looked.report);
        });
        self.moved(&looked.commit, &looked.report.moved);
        self.refreshed(&looked.report.refreshed);
        self.noted(&looked.commit, &looked.notes);
        self.well();
    }

    /// The tip waits for other signers: no problem of ours, but worth a note.
    pub(super) fn waiting(&self, looked: &Looked, now: Timestamp) {
        self.status.send_modify(|status| {
            status.last_look = Some(now);
            status.held = notes::held(&looked.report);
        });
        self.moved(&looked.commit, &looked.report.moved);
        self.refreshed(&looked.report.refreshed);
        self.noted(&looked.commit, &looked.notes);
        self.well();
    }

    /// The tip is not published, or not everywhere.
    pub(super) fn failed(&self, error: &LookError, now: Timestamp) {
        if let Some(commit) = error.commit() {
            self.status.send_modify(|status| status.last_look = Some(now));
            self.moved(commit, error.moved());
        }
        let mut problem = PublisherProblem {
            commit: error.commit().cloned(),
            is_refusal: error.kind() == ErrorKind::Refused,
            since: now,
            causes: error.causes(),
            hint: error.hint(),
        };
        if let Some(since) = self.known_since(&problem, error.kind()) {
            problem.since = since;
            self.status.send_modify(|status| status.problem = Some(problem));
            return;
        }
        let causes = problem.causes.join(": ");
        match error.kind() {
            ErrorKind::Unreachable | ErrorKind::LostRace => tracing::warn!("{causes}; trying again"),
            ErrorKind::Refused | ErrorKind::Unexpected => tracing::error!("{causes}"),
        }
        self.send(Event::Refused { problem: problem.clone() });
        self.status.send_modify(|status| status.problem = Some(problem));
    }

    /// How far rollouts are by now, and what is in their way.
    pub(super) fn turned(&mut self, turned: Turned) {
        let Turned { mut rollouts, completed, failed, .. } = turned;
        self.status.send_if_modified(|status| {
            // What could not be read this time is still shown as it was.
            let missing =
                |known: &&RolloutStatus| !failed.is_empty() && rollouts.iter().all(|new| new.app != known.app);
            let kept: Vec<RolloutStatus> = status.rollouts.iter().filter(missing).cloned().collect();
            rollouts.extend(kept);
            rollouts.sort_by(|one, other| one.app.cmp(&other.app));
            let is_news = status.rollouts != rollouts;
            status.rollouts = rollouts;
            is_news
        });
        for (commit, moved) in completed {
            self.moved(&commit, &[moved]);
        }
        self.in_the_way(&failed);
    }

    fn in_the_way(&mut self, failed: &[DriveError]) {
        let said: Vec<String> = failed
            .iter()
            .map(|error| {
                let causes = causes(error).join(": ");
                error.hint().map_or(causes.clone(), |hint| format!("{causes}; {hint}"))
            })
            .collect();
        if said == self.of_rollouts {
            return;
        }
        said.iter().filter(|said| !self.of_rollouts.contains(said)).for_each(|said| tracing::error!("{said}"));
        self.status.send_modify(|status| {
            status.notes.retain(|note| !self.of_rollouts.contains(note));
            status.notes.extend(said.iter().cloned());
        });
        self.of_rollouts = said;
    }

    /// Pointers were looked after.
    pub(super) fn kept(&self, report: &Report) {
        if let Some(published) = self.status.borrow().published.clone() {
            self.moved(&published, &report.moved);
        }
        self.refreshed(&report.refreshed);
        for failed in &report.failed {
            tracing::warn!("{}", causes(failed).join(": "));
        }
    }

    /// Keeps what is worth knowing in the status, and says in the log what is new of it.
    fn noted(&self, commit: &CommitId, notes: &[String]) {
        let known = self.status.borrow().notes.clone();
        for note in notes.iter().filter(|note| !known.contains(note)) {
            tracing::warn!("Note on commit {}: {note}", commit.short());
        }
        self.status.send_modify(|status| {
            status.notes = notes.iter().chain(&self.of_root).chain(&self.of_rollouts).cloned().collect()
        });
    }

    fn well(&self) {
        if let Some(problem) = self.status.borrow().problem.clone() {
            tracing::info!("All is well again after a problem since {}", problem.since);
        }
        self.status.send_modify(|status| status.problem = None);
    }

    /// Since when the status has had `problem`; nothing if it is news.
    fn known_since(&self, problem: &PublisherProblem, kind: ErrorKind) -> Option<Timestamp> {
        let gist = |causes: &[String]| match kind {
            // Clients of a store tell how long they tried, which is never the same twice.
            ErrorKind::Unreachable => causes.iter().map(|cause| without_figures(cause)).collect(),
            _ => causes.to_vec(),
        };
        let status = self.status.borrow();
        let known = status.problem.as_ref().filter(|known| known.commit == problem.commit)?;
        (gist(&known.causes) == gist(&problem.causes)).then_some(known.since)
    }

    fn moved(&self, commit: &CommitId, moved: &[Moved]) {
        if !moved.is_empty() {
            self.send(Event::Published { commit: commit.clone(), moved: moved.to_vec() });
        }
    }

    fn refreshed(&self, refreshed: &[Moved]) {
        if !refreshed.is_empty() {
            tracing::debug!("Signed {} pointers afresh", refreshed.len());
            self.send(Event::Refreshed { refreshed: refreshed.to_vec() });
        }
    }

    fn send(&self, event: Event) {
        if let Some(events) = &self.events {
            // Whoever listened may be gone; the status has it all the same.
            let _gone = events.send(event);
        }
    }
}

/// The words that have no digit in them.
fn without_figures(text: &str) -> String {
    let words = text.split_whitespace().filter(|word| !word.contains(|letter: char| letter.is_ascii_digit()));
    words.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::daemon::BaseError;
    use crate::source::SourceError;

    #[test]
    fn the_same_problem_is_said_once_and_a_new_one_again() {
        let (status, watched) = watch::channel(PublisherStatus::default());
        let (events, mut received) = mpsc::unbounded_channel();
        let teller = Teller::new("a repository".to_owned(), status, Some(events));
        let apart = |digit: &str| {
            let commits = [digit.repeat(40).parse().expect("an id")].into();
            LookError::Base(BaseError::Apart { commits })
        };
        let since = |seconds: i64| Timestamp::from_unix_millis(seconds * 1000);
        let problem = || watched.borrow().problem.clone();
        teller.failed(&apart("a"), since(1));
        teller.failed(&apart("a"), since(2));
        assert_eq!(problem().map(|problem| problem.since), Some(since(1)));
        teller.failed(&apart("b"), since(3));
        assert_eq!(problem().map(|problem| problem.since), Some(since(3)));
        teller.looked(since(4));
        assert_eq!((problem(), watched.borrow().last_look), (None, Some(since(4))));
        teller.failed(&apart("b"), since(5));
        let said = std::iter::from_fn(|| received.try_recv().ok()).count();
        assert_eq!(said, 3, "a, then b, then b after all was well");
    }

    #[test]
    fn a_note_on_the_root_comes_and_goes_with_time_whatever_the_tip_has() {
        let (status, watched) = watch::channel(PublisherStatus::default());
        let mut teller = Teller::new("a repository".to_owned(), status, None);
        let commit: CommitId = "a".repeat(40).parse().expect("an id");
        let notes = || watched.borrow().notes.clone();
        teller.root(Some("in less than 60 days".to_owned()));
        teller.noted(&commit, &["of the tip".to_owned()]);
        assert_eq!(notes(), ["of the tip", "in less than 60 days"]);
        teller.root(Some("in less than 30 days".to_owned()));
        assert_eq!(notes(), ["of the tip", "in less than 30 days"]);
        teller.root(None);
        assert_eq!(notes(), ["of the tip"]);
    }

    #[test]
    fn a_store_that_stays_away_is_one_problem_however_long_each_try_took() {
        let (status, watched) = watch::channel(PublisherStatus::default());
        let (events, mut received) = mpsc::unbounded_channel();
        let teller = Teller::new("a repository".to_owned(), status, Some(events));
        let slow = |seconds: u64| {
            let (branch, repository) = ("main".parse().expect("a branch"), "/srv/config".parse().expect("a path"));
            LookError::Source(SourceError::TooSlow { branch, repository, deadline: Duration::from_secs(seconds) })
        };
        let since = |seconds: i64| Timestamp::from_unix_millis(seconds * 1000);
        teller.failed(&slow(7), since(1));
        teller.failed(&slow(9), since(2));
        let problem = watched.borrow().problem.clone().expect("it failed");
        assert_eq!(problem.since, since(1));
        assert!(problem.causes[1].contains("9 s"), "and yet the latest is told: {problem:?}");
        assert_eq!(std::iter::from_fn(|| received.try_recv().ok()).count(), 1);
    }
}
