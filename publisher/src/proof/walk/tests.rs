use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;
use crate::fixture::{Repo, commit_id, oid};

fn nobody(_: &CommitId, _: &CommitObject) -> bool {
    false
}

/// What git itself would call new, by the plain definition.
fn plain_difference(parents: &[Vec<usize>], base: Option<usize>, tip: usize) -> BTreeSet<usize> {
    let reach = |from: usize| {
        let mut reached = BTreeSet::new();
        let mut queue = vec![from];
        while let Some(at) = queue.pop() {
            if reached.insert(at) {
                queue.extend(&parents[at]);
            }
        }
        reached
    };
    let old = base.map(reach).unwrap_or_default();
    reach(tip).difference(&old).copied().collect()
}

/// Writes a history; the commit at each place has the parents and the date given there.
fn write(repo: &Repo, parents: &[Vec<usize>], dates: &[i64]) -> Vec<CommitId> {
    let tree = repo.tree(&[("a", "a")]);
    let mut ids: Vec<CommitId> = Vec::new();
    for (at, of) in parents.iter().enumerate() {
        let of: Vec<&CommitId> = of.iter().map(|&parent| &ids[parent]).collect();
        ids.push(repo.unsigned(&of, &tree, dates[at], &format!("commit {at}")));
    }
    ids
}

fn history() -> impl Strategy<Value = Vec<Vec<usize>>> {
    proptest::collection::vec(proptest::collection::vec(0..1000_usize, 1..4), 1..14).prop_map(|rows| {
        let places = rows.into_iter().enumerate();
        places
            .map(|(at, row)| {
                if at == 0 {
                    vec![]
                } else {
                    row.into_iter().map(|parent| parent % at).collect::<BTreeSet<_>>().into_iter().collect()
                }
            })
            .collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    /// With dates in order (ties included) the difference is exact; with forged ones nothing new is ever left out.
    #[test]
    fn a29_no_new_commit_is_left_out(parents in history(), steps in proptest::collection::vec(0..2_i64, 14), forged in proptest::collection::vec(0..9_i64, 14), pick in 0..1000_usize) {
        let repo = Repo::new();
        let tip = parents.len() - 1;
        let mut now = 1_000;
        let ordered: Vec<i64> = steps.iter().map(|step| { now += step; now }).collect();
        for (dates, exact) in [(ordered, true), (forged, false)] {
            let ids = write(&repo, &parents, &dates);
            let commits = Commits::of(&repo.git, &ids[tip]).unwrap();
            let everything = plain_difference(&parents, None, tip);
            prop_assert_eq!(new_commits(&commits, Known::Nothing, &ids[tip], &mut nobody).unwrap().len(), everything.len());
            prop_assert_eq!(count(&commits, &ids[tip]).unwrap(), everything.len() as u64);

            let base = pick % parents.len();
            let walked = new_commits(&commits, Known::Continued(&ids[base]), &ids[tip], &mut nobody);
            if !everything.contains(&base) {
                let forced = matches!(walked, Err(WalkError::ForcePush { .. }));
                prop_assert!(forced);
                continue;
            }
            let walked: BTreeSet<CommitId> = walked.unwrap().into_iter().collect();
            let wanted: BTreeSet<CommitId> = plain_difference(&parents, Some(base), tip).into_iter().map(|at| ids[at].clone()).collect();
            prop_assert!(walked.is_superset(&wanted));
            if exact {
                prop_assert_eq!(walked, wanted);
            }
        }
    }
}

#[test]
fn f32_each_kind_of_force_push_is_named() {
    let repo = Repo::new();
    // 0 - 1 - 2, and 3 from 0, and 4 from nowhere.
    let ids = write(&repo, &[vec![], vec![0], vec![1], vec![0], vec![]], &[1, 2, 3, 4, 5]);
    let commits = Commits::of(&repo.git, &ids[0]).unwrap();
    let gone = commit_id(oid(&"a".repeat(40)));
    for (base, tip, wanted) in [
        (&ids[2], &ids[1], ForcedTo::Rewound),
        (&ids[2], &ids[0], ForcedTo::Rewound),
        (&ids[2], &ids[3], ForcedTo::Diverged),
        (&ids[2], &ids[4], ForcedTo::Diverged),
        (&gone, &ids[2], ForcedTo::Unrelated),
    ] {
        match new_commits(&commits, Known::Continued(base), tip, &mut nobody) {
            Err(WalkError::ForcePush { to, .. }) => assert_eq!(to, wanted),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(new_commits(&commits, Known::Continued(&ids[2]), &ids[2], &mut nobody).unwrap(), []);
}

#[test]
fn commits_of_the_same_second_are_told_apart() {
    let repo = Repo::new();
    let tree = repo.tree(&[("a", "a")]);
    // Which of two commits of one second is read first depends on their ids, so this is tried with many.
    for round in 0..40 {
        let write = |parents: &[&CommitId], name: &str| repo.unsigned(parents, &tree, 7, &format!("{name} {round}"));
        let root = write(&[], "root");
        let old = write(&[&root], "old");
        let base = write(&[&old], "base");
        let tip = write(&[&base, &old], "tip");
        let commits = Commits::of(&repo.git, &tip).unwrap();
        assert_eq!(new_commits(&commits, Known::Continued(&base), &tip, &mut nobody).unwrap(), [tip], "round {round}");
    }
}

#[test]
fn the_cost_follows_the_change() {
    let repo = Repo::new();
    let mut parents = vec![vec![]];
    parents.extend((0..200).map(|at| vec![at]));
    let dates: Vec<i64> = (0..201).collect();
    let ids = write(&repo, &parents, &dates);
    let commits = Commits::of(&repo.git, &ids[200]).unwrap();
    let mut seals = nobody;
    let mut walk = Walk::new(&commits, &mut seals);
    walk.meet(&ids[200], Reached { from_tip: true, from_base: false }).unwrap();
    walk.meet(&ids[197], Reached { from_tip: false, from_base: true }).unwrap();
    walk.run().unwrap();
    assert_eq!(walk.walked.len(), 3);
    assert!(walk.met.len() <= 6, "{} commits were read", walk.met.len());
}

#[test]
fn what_is_missing_or_no_commit_is_named() {
    let repo = Repo::new();
    let tree = repo.tree(&[("a", "a")]);
    let commits = Commits::of(&repo.git, &commit_id(oid(tree.as_str()))).unwrap();
    assert!(matches!(
        new_commits(&commits, Known::Nothing, &commit_id(oid(tree.as_str())), &mut nobody),
        Err(WalkError::NotACommit { .. })
    ));
    assert!(matches!(
        new_commits(&commits, Known::Nothing, &commit_id(oid(&"a".repeat(40))), &mut nobody),
        Err(WalkError::Unreadable { .. })
    ));
    let large = repo.unsigned(&[], &tree, 1, &"x".repeat(COMMIT_MAX_BYTES));
    assert!(matches!(new_commits(&commits, Known::Nothing, &large, &mut nobody), Err(WalkError::NotACommit { .. })));
}
