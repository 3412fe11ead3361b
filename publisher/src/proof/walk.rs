//! Finds the commits that are new: those a tip has and what is known has not.
//!
//! In: commit objects by id, and which of them seal what is below. Out: the new ones, oldest first as far as their dates tell. Walks back from both ends, the
//! later date first, and stops when all that is left to read is reached from the base, so the cost follows the change.
//!
//! Dates are whatever a committer wrote. They order the walk and nothing else: a commit is left out only when it was
//! reached from the base through parents, so forged dates can make the walk longer and more commits judged, never fewer.

use std::collections::{BinaryHeap, HashMap, HashSet};

use schema::CommitId;

use super::object::{COMMIT_MAX_BYTES, CommitObject, MalformedCommit};
use super::tree::{self, Nodes};

/// The most commits that are judged at once.
pub(super) const NEW_COMMITS_MAX: usize = 100_000;

/// What moved a branch to where the published commit is not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ForcedTo {
    /// To an older commit of the same history.
    Rewound,
    /// To a commit that does not descend from the published one, which is still there.
    Diverged,
    /// To a history without the published commit.
    Unrelated,
}

impl std::fmt::Display for ForcedTo {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            ForcedTo::Rewound => "an older commit of the same history",
            ForcedTo::Diverged => "another line of the same history",
            ForcedTo::Unrelated => "a history that does not have it",
        })
    }
}

/// Says why the history cannot be walked.
#[derive(Debug, thiserror::Error)]
pub enum WalkError {
    /// An object is missing or cannot be read: the copy is damaged or shallow.
    #[error("commit {} cannot be read; the repository may be damaged, or a shallow clone", id.short())]
    Unreadable {
        /// The commit.
        id: CommitId,
        /// What git says.
        #[source]
        source: git2::Error,
    },
    /// The object is there and is not a commit that can be believed.
    #[error("commit {} cannot be believed", id.short())]
    Malformed {
        /// The commit.
        id: CommitId,
        /// What is wrong.
        #[source]
        source: MalformedCommit,
    },
    /// Not a commit, or one that is too large.
    #[error("object {} is {what}", id.short())]
    NotACommit {
        /// The object.
        id: CommitId,
        /// What it is instead.
        what: String,
    },
    /// More new commits than are judged at once.
    #[error("there are more than {NEW_COMMITS_MAX} commits to judge; adopt a recent commit as the beginning")]
    TooMany,
    /// The tip does not descend from the base.
    #[error("the tip {} does not descend from the published commit {}: the branch was moved to {to}", tip.short(), base.short())]
    ForcePush {
        /// What was published.
        base: CommitId,
        /// What the branch points to now.
        tip: CommitId,
        /// How they are related.
        to: ForcedTo,
    },
}

/// Commits as raw objects.
pub(super) struct Commits<'r> {
    odb: git2::Odb<'r>,
}

impl<'r> Commits<'r> {
    pub(super) fn of(repository: &'r git2::Repository, tip: &CommitId) -> Result<Commits<'r>, WalkError> {
        let odb = repository.odb().map_err(|source| WalkError::Unreadable { id: tip.clone(), source })?;
        Ok(Commits { odb })
    }

    pub(super) fn read(&self, id: &CommitId) -> Result<CommitObject, WalkError> {
        let unreadable = |source| WalkError::Unreadable { id: id.clone(), source };
        let oid = git2::Oid::from_str(id.as_str()).map_err(unreadable)?;
        let (size, kind) = self.odb.read_header(oid).map_err(unreadable)?;
        if kind != git2::ObjectType::Commit {
            return Err(WalkError::NotACommit { id: id.clone(), what: format!("a {kind}, not a commit") });
        }
        if size > COMMIT_MAX_BYTES {
            let what = format!("a commit of {size} bytes, the limit is {COMMIT_MAX_BYTES}");
            return Err(WalkError::NotACommit { id: id.clone(), what });
        }
        let object = self.odb.read(oid).map_err(unreadable)?;
        CommitObject::parse(object.data()).map_err(|source| WalkError::Malformed { id: id.clone(), source })
    }

    /// What the tree object `id`, which `commit` has, names. None where it is no tree that git could have written.
    pub(super) fn tree(&self, commit: &CommitId, id: git2::Oid) -> Result<Option<Nodes>, WalkError> {
        let object = self.odb.read(id).map_err(|source| WalkError::Unreadable { id: commit.clone(), source })?;
        Ok(if object.kind() == git2::ObjectType::Tree { tree::parse(object.data()) } else { None })
    }

    pub(super) fn has(&self, id: &CommitId) -> bool {
        git2::Oid::from_str(id.as_str()).is_ok_and(|oid| self.odb.exists(oid))
    }
}

/// What is known before a tip is looked at.
#[derive(Clone, Copy, Debug)]
pub(super) enum Known<'k> {
    /// Nothing.
    Nothing,
    /// A commit and its history, which the tip must continue.
    Continued(&'k CommitId),
    /// Commits and their histories, which the tip may leave behind.
    LeftBehind(&'k [&'k CommitId]),
}

/// Tells whether a new commit vouches for everything before it.
pub(super) type Seals<'s> = dyn FnMut(&CommitId, &CommitObject) -> bool + 's;

/// All commits that `tip` has, that are not `known`, and that no commit among them for which `seals` says yes has before it;
/// those with earlier dates first.
///
/// # Errors
/// [`WalkError::ForcePush`] where `tip` does not continue what it must.
pub(super) fn new_commits(
    commits: &Commits<'_>,
    known: Known<'_>,
    tip: &CommitId,
    seals: &mut Seals<'_>,
) -> Result<Vec<CommitId>, WalkError> {
    let forced = |base: &CommitId, to| WalkError::ForcePush { base: base.clone(), tip: tip.clone(), to };
    let mut walk = Walk::new(commits, seals);
    let known_commits = match &known {
        Known::Nothing => &[][..],
        Known::Continued(base) if !commits.has(base) => return Err(forced(base, ForcedTo::Unrelated)),
        Known::Continued(base) => std::slice::from_ref(base),
        Known::LeftBehind(bases) => bases,
    };
    // First, so that what is known is never asked whether it seals.
    for base in known_commits {
        walk.meet(base, Reached { from_tip: false, from_base: true })?;
    }
    walk.meet(tip, Reached { from_tip: true, from_base: false })?;
    walk.run()?;
    if let Known::Continued(base) = known
        && !walk.met[base].reached.from_tip
    {
        let rewound = walk.met[tip].reached.from_base;
        return Err(forced(base, if rewound { ForcedTo::Rewound } else { ForcedTo::Diverged }));
    }
    let mut found = walk.walked;
    found.retain(|id| !walk.met[id].reached.from_base);
    found.reverse();
    Ok(found)
}

/// How many commits are reachable from `tip`, itself included.
pub(super) fn count(commits: &Commits<'_>, tip: &CommitId) -> Result<u64, WalkError> {
    let mut seen = HashSet::from([tip.clone()]);
    let mut queue = vec![tip.clone()];
    while let Some(id) = queue.pop() {
        for parent in commits.read(&id)?.parents {
            if seen.insert(parent.clone()) {
                queue.push(parent);
            }
        }
    }
    Ok(seen.len() as u64)
}

/// From which ends a commit was reached so far.
#[derive(Clone, Copy)]
struct Reached {
    from_tip: bool,
    from_base: bool,
}

impl Reached {
    /// New, as far as is known.
    fn only_from_tip(self) -> bool {
        self.from_tip && !self.from_base
    }
}

struct Met {
    reached: Reached,
    parents: Vec<CommitId>,
    /// Whether its parents are known because it vouches for them.
    seals: bool,
    expanded: bool,
}

struct Walk<'w, 'r, 's> {
    commits: &'w Commits<'r>,
    seals: &'w mut Seals<'s>,
    met: HashMap<CommitId, Met>,
    /// What was met and is not expanded, the latest date on top.
    queue: BinaryHeap<(i64, CommitId)>,
    /// How many in the queue were reached from the tip only.
    new_in_queue: usize,
    /// What was expanded while it was reached from the tip only, in that order.
    walked: Vec<CommitId>,
    /// The earliest date in `walked`.
    earliest: i64,
}

impl<'w, 'r, 's> Walk<'w, 'r, 's> {
    fn new(commits: &'w Commits<'r>, seals: &'w mut Seals<'s>) -> Walk<'w, 'r, 's> {
        Walk {
            commits,
            seals,
            met: HashMap::new(),
            queue: BinaryHeap::new(),
            new_in_queue: 0,
            walked: Vec::new(),
            earliest: i64::MAX,
        }
    }

    fn run(&mut self) -> Result<(), WalkError> {
        while let Some((committed, id)) = self.queue.pop() {
            // What is left was reached from the base. While its dates are not yet below those of the commits held to be
            // new, it may still turn out to lead to one of them.
            if self.new_in_queue == 0 && committed < self.earliest {
                break;
            }
            self.expand(&id, committed)?;
            if self.walked.len() > NEW_COMMITS_MAX {
                return Err(WalkError::TooMany);
            }
        }
        Ok(())
    }

    fn expand(&mut self, id: &CommitId, committed: i64) -> Result<(), WalkError> {
        let met = self.met.get_mut(id).expect("what is in the queue was met");
        met.expanded = true;
        let (mut reached, parents) = (met.reached, met.parents.clone());
        let seals = met.seals;
        if reached.only_from_tip() {
            self.new_in_queue -= 1;
            self.walked.push(id.clone());
            self.earliest = self.earliest.min(committed);
        }
        reached.from_base |= seals;
        parents.iter().try_for_each(|parent| self.meet(parent, reached))
    }

    /// Notes that `id` was reached, and, where that is news for commits expanded before, all that they lead to.
    fn meet(&mut self, id: &CommitId, from: Reached) -> Result<(), WalkError> {
        let mut to_note = vec![id.clone()];
        while let Some(id) = to_note.pop() {
            let Some(met) = self.met.get_mut(&id) else {
                let commit = self.commits.read(&id)?;
                let seals = from.only_from_tip() && (self.seals)(&id, &commit);
                self.queue.push((commit.committed, id.clone()));
                self.new_in_queue += usize::from(from.only_from_tip());
                self.met.insert(id, Met { reached: from, parents: commit.parents, seals, expanded: false });
                continue;
            };
            let before = met.reached;
            met.reached.from_tip |= from.from_tip;
            met.reached.from_base |= from.from_base;
            if !met.expanded {
                self.new_in_queue += usize::from(met.reached.only_from_tip());
                self.new_in_queue -= usize::from(before.only_from_tip());
            } else if met.reached.from_base && !before.from_base {
                to_note.extend(met.parents.iter().cloned());
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
