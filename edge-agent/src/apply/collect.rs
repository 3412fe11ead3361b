//! Removes the versions that nobody goes back to any more.

use std::collections::BTreeSet;
use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt as _;

use schema::Digest;

use super::Host;
use super::marks::{COLLECTED, reached};
use super::stage::clear_stage;
use crate::blocking::blocking;
use crate::disk;
use crate::journal::JournalState;
use crate::state::AppFolder;
use crate::tree;

impl Host {
    /// Removes all versions but the last [`keep`](super::host::Site::keep) that ran, what runs and what ran before it always among
    /// them. What the newest pointer names stays besides, be it got ready or to be gone back to.
    ///
    /// What cannot be removed stays until the next time; it is only space.
    pub(crate) async fn collect(&self) {
        let (folder, state, keep) = (self.site.folder.clone(), self.ledger.state().clone(), self.site.keep);
        let collected = blocking(move || {
            let kept = kept(&state, folder.active()?, keep);
            for digest in folder.on_disk()?.difference(&kept) {
                take_out(&folder, digest)?;
            }
            io::Result::Ok(())
        });
        if let Err(error) = collected.await {
            tracing::warn!(%error, "Old versions cannot be removed");
        }
        reached(COLLECTED);
    }

    /// Removes what an earlier run of the agent left half done.
    pub(crate) async fn clear_stage(&self) {
        let folder = self.site.folder.clone();
        if let Err(error) = blocking(move || clear_stage(&folder)).await {
            tracing::warn!(error = &error as &dyn std::error::Error, "The stage cannot be cleared");
        }
    }
}

fn kept(state: &JournalState, current: Option<Digest>, keep: usize) -> BTreeSet<Digest> {
    let previous = state.applied.and_then(|applied| applied.intent.previous);
    // Of an attempt without a result, both may still be switched to: forwards or back.
    let begun = state.intent.filter(|intent| state.result_of(intent.order, &intent.target).is_none());
    let both = begun.map(|intent| [Some(intent.target), intent.previous]).unwrap_or_default();
    let mut kept: BTreeSet<Digest> = [current, previous].into_iter().chain(both).flatten().collect();
    for digest in state.history.iter().rev() {
        if kept.len() >= keep {
            break;
        }
        kept.insert(*digest);
    }
    let named = state.until.map(|until| [Some(until.stable), until.candidate]).unwrap_or_default();
    kept.extend(named.into_iter().flatten());
    kept
}

/// Takes the version out of `versions/` first, so that whatever is in there is whole at any time.
pub(super) fn take_out(folder: &AppFolder, digest: &Digest) -> io::Result<()> {
    let (version, stage) = (folder.version(digest), folder.stage().join(format!("{digest}.old")));
    fs::set_permissions(&version, Permissions::from_mode(0o700))?;
    disk::rename(&version, &stage)?;
    tree::remove(&stage)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::tests::{bundle, order};
    use crate::journal::{Applied, Intent, Record, Until};
    use schema::Timestamp;

    #[test]
    fn the_last_versions_stay_and_what_runs_is_always_one_of_them() {
        let mut state = JournalState::default();
        for (generation, target, previous) in
            [(1, 1, None), (2, 2, Some(1)), (3, 3, Some(2)), (4, 1, Some(3)), (5, 4, Some(1))]
        {
            let intent =
                Intent::unrecorded(order(generation), bundle(target), previous.map(bundle), Timestamp::UNIX_EPOCH);
            state.fold(&Record::Applied(Applied { intent, bundle_bytes: 0, at: Timestamp::UNIX_EPOCH }));
        }
        let sorted = |numbers: &[u64]| numbers.iter().map(|number| bundle(*number)).collect::<BTreeSet<_>>();
        assert_eq!(kept(&state, Some(bundle(4)), 2), sorted(&[4, 1]));
        assert_eq!(kept(&state, Some(bundle(4)), 3), sorted(&[4, 1, 3]));
        assert_eq!(kept(&state, Some(bundle(2)), 2), sorted(&[2, 1]));
        assert_eq!(kept(&state, None, 9), sorted(&[1, 2, 3, 4]));
    }

    #[test]
    fn f01_of_an_attempt_without_a_result_both_ways_stay_open() {
        let attempt = |generation, target, previous| {
            Intent::unrecorded(order(generation), bundle(target), Some(bundle(previous)), Timestamp::UNIX_EPOCH)
        };
        let mut state = JournalState::default();
        state.fold(&Record::Applied(Applied { intent: attempt(2, 2, 1), bundle_bytes: 0, at: Timestamp::UNIX_EPOCH }));
        state.fold(&Record::Intent(attempt(3, 3, 2)));
        for current in [2, 3] {
            let kept = kept(&state, Some(bundle(current)), 2);
            assert!(kept.contains(&bundle(2)) && kept.contains(&bundle(3)), "while {current} runs");
        }
    }

    #[test]
    fn what_the_newest_pointer_names_stays_whether_or_not_it_ever_ran() {
        let mut state = JournalState::default();
        for (generation, target, previous) in [(1, 1, None), (2, 2, Some(1)), (3, 3, Some(2))] {
            let intent =
                Intent::unrecorded(order(generation), bundle(target), previous.map(bundle), Timestamp::UNIX_EPOCH);
            state.fold(&Record::Applied(Applied { intent, bundle_bytes: 0, at: Timestamp::UNIX_EPOCH }));
        }
        let seen = schema::Seen { order: order(4), payload: bundle(0), manifest: bundle(0) };
        let names = |stable, candidate: Option<u64>| {
            let candidate = candidate.map(bundle);
            let until = Until { expires: Timestamp::UNIX_EPOCH, stable: bundle(stable), candidate, held: None };
            Record::Seen { seen, issued: Timestamp::UNIX_EPOCH, until: Some(until) }
        };
        state.fold(&names(1, Some(9)));
        let sorted = |numbers: &[u64]| numbers.iter().map(|number| bundle(*number)).collect::<BTreeSet<_>>();
        assert_eq!(kept(&state, Some(bundle(3)), 2), sorted(&[3, 2, 1, 9]));
        state.fold(&names(3, None));
        assert_eq!(kept(&state, Some(bundle(3)), 2), sorted(&[3, 2]));
    }
}
