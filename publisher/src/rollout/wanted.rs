//! What a record means for the pointers of its regions.
//!
//! In: a record, and nothing else: so whoever finds it after a crash points exactly what was decided. Out: the stable bundle and
//! the candidate of a region.

use schema::pointer::Cause;
use schema::pointer::{Candidate, FULL_SHARE, Phase, Selector, Slice, Target};
use schema::rollout::{Leg, Place, Rollout, Stage};
use schema::{CommitId, Pointer, Region, Timestamp};

use super::waves;

/// What the pointer of a region is to say; freeze and quarantine stay as they are there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// What everyone runs.
    pub stable: Target,
    /// The commit that the stable bundle is from.
    pub commit: CommitId,
    /// What is rolled out.
    pub candidate: Option<Candidate>,
    /// Who or what led to it.
    pub cause: Cause,
}

impl Wanted {
    /// Whether `pointer` says it already.
    pub fn is_shown_by(&self, pointer: &Pointer) -> bool {
        pointer.stable == self.stable && pointer.candidate == self.candidate
    }
}

/// What `state` means for the pointer of `region`; none: leave it alone.
///
/// A region of a rollout that is over may have gone on since: point it only where [`step`](super::step()) says so of the app's
/// newest rollout.
pub fn wanted(state: &Rollout, region: &Region) -> Option<Wanted> {
    let leg = state.regions.get(region)?;
    let (stable, commit, candidate) = match &leg.place {
        Place::Untouched if state.is_over() => (leg.from, &leg.from_commit, None),
        Place::Untouched => return None,
        Place::Candidate { begun, confirmed, .. } => {
            let candidate = candidate(state, region, leg, *begun, *confirmed)?;
            (leg.from, &leg.from_commit, Some(candidate))
        }
        Place::Stable => (leg.to, &state.commit, None),
        Place::Back { .. } => (leg.from, &leg.from_commit, None),
    };
    Some(Wanted { stable, commit: commit.clone(), candidate, cause: state.cause.clone() })
}

fn candidate(
    state: &Rollout,
    region: &Region,
    leg: &Leg,
    begun: Option<Timestamp>,
    confirmed: bool,
) -> Option<Candidate> {
    let policy = &state.policy;
    let everyone = || vec![Slice { share: FULL_SHARE, when: Selector::default(), not_before: None, confirmed: false }];
    let (phase, slices) = match &state.stage {
        Stage::Waiting { .. } | Stage::Ended(_) => return None,
        Stage::Preparing { everyone: true, .. } => (Phase::Prepare, everyone()),
        Stage::Preparing { everyone: false, .. } => {
            let first = waves::of(policy, region).next()?;
            (Phase::Prepare, vec![slice(state, leg, first, None, false)])
        }
        Stage::Wave { since, .. } if policy.gate.is_none() => {
            (Phase::Activate, timed(state, region, leg, *since, begun, confirmed))
        }
        Stage::Wave { index, .. } => match waves::newest(policy, region, *index) {
            None => (Phase::Prepare, everyone()),
            Some(newest) => {
                let earlier = waves::of(policy, region).filter(|wave| *wave < newest).rev();
                let earlier = earlier.map(|wave| slice(state, leg, wave, None, true));
                let slices = std::iter::once(slice(state, leg, newest, begun, confirmed)).chain(earlier);
                (Phase::Activate, slices.collect())
            }
        },
    };
    let mut slices = slices.into_iter();
    Some(Candidate {
        target: leg.to,
        phase,
        slice: slices.next()?,
        salt: state.salt.clone(),
        spread_s: policy.spread_s(),
        confirm_within_s: policy.confirm_within_s(),
        also: slices.collect(),
    })
}

fn slice(state: &Rollout, leg: &Leg, wave: usize, not_before: Option<Timestamp>, confirmed: bool) -> Slice {
    let when = state.policy.waves[wave].when.clone();
    Slice { share: waves::share(&state.policy, leg, wave).0, when, not_before, confirmed }
}

/// The slices of a plan that agents follow by themselves, with their times.
///
/// A plan that stood still was moved on. Whoever took the candidate before that keeps it: slices that had begun have no time any
/// more, and while it stands still those that had not are not there at all.
fn timed(
    state: &Rollout,
    region: &Region,
    leg: &Leg,
    since: Timestamp,
    begun: Option<Timestamp>,
    confirmed: bool,
) -> Vec<Slice> {
    let was_moved = begun != Some(since);
    let due = waves::of(&state.policy, region).map(|wave| (wave, waves::due(state, since, wave)));
    let kept = due.filter(|(_, due)| state.paused.is_none() || *due <= state.at);
    let slices: Vec<Slice> = kept
        .map(|(wave, due)| {
            let not_before = (!was_moved || due >= state.at).then_some(due);
            slice(state, leg, wave, not_before, confirmed)
        })
        .collect();
    if slices.is_empty() {
        // The plan is held before the first of its agents had its turn.
        return vec![Slice { share: 0, when: Selector::default(), not_before: None, confirmed: false }];
    }
    slices
}
