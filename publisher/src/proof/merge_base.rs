//! The one commit at which two histories last were the same.
//!
//! Reads all of both histories, as parents stand in the signed objects: dates may be forged, and caches on disk are no proof.
//! Asked only for merges by somebody who may not change everything.

use std::collections::{BTreeSet, HashMap, HashSet};

use schema::CommitId;

use super::walk::{Commits, WalkError};

/// The common ancestor of `one` and `other` that has all other common ones before it; none where there is no such commit.
pub(super) fn merge_base(
    commits: &Commits<'_>,
    one: &CommitId,
    other: &CommitId,
) -> Result<Option<CommitId>, WalkError> {
    let mut histories = Histories { commits, parents: HashMap::new() };
    let known = histories.all_from(one)?;
    // The first common commit on each way back from the other side: the best ones are among them.
    let mut candidates = BTreeSet::new();
    let mut seen = HashSet::new();
    let mut queue = vec![other.clone()];
    while let Some(id) = queue.pop() {
        if known.contains(&id) {
            candidates.insert(id);
        } else if seen.insert(id.clone()) {
            queue.extend(histories.parents_of(&id)?);
        }
    }
    for candidate in &candidates {
        if candidates.is_subset(&histories.all_from(candidate)?.into_iter().collect()) {
            return Ok(Some(candidate.clone()));
        }
    }
    Ok(None)
}

struct Histories<'c, 'r> {
    commits: &'c Commits<'r>,
    parents: HashMap<CommitId, Vec<CommitId>>,
}

impl Histories<'_, '_> {
    fn parents_of(&mut self, id: &CommitId) -> Result<Vec<CommitId>, WalkError> {
        if let Some(parents) = self.parents.get(id) {
            return Ok(parents.clone());
        }
        let parents = self.commits.read(id)?.parents;
        self.parents.insert(id.clone(), parents.clone());
        Ok(parents)
    }

    /// `start` and all before it.
    fn all_from(&mut self, start: &CommitId) -> Result<HashSet<CommitId>, WalkError> {
        let mut all = HashSet::new();
        let mut queue = vec![start.clone()];
        while let Some(id) = queue.pop() {
            if all.insert(id.clone()) {
                queue.extend(self.parents_of(&id)?);
            }
        }
        Ok(all)
    }
}
