use schema::CommitId;

use super::*;
use crate::fixture::{RawEntry, Repo, commit_id, oid, tree_id};
use crate::signers::PathPrefix;

fn allowed(paths: &[&str]) -> AllowedPaths {
    AllowedPaths::Below(paths.iter().map(|path| PathPrefix::try_from((*path).to_owned()).unwrap()).collect())
}

fn changes(repo: &Repo, id: &CommitId, paths: &[&str]) -> Changes {
    let commits = Commits::of(&repo.git, id).unwrap();
    compare(&commits, id, &commits.read(id).unwrap(), &allowed(paths)).unwrap()
}

fn outside(path: &str) -> Changes {
    Changes::Outside(path.to_owned())
}

/// A commit of these files, by nobody: who signed is not asked here.
fn commit(repo: &Repo, parents: &[&CommitId], files: &[(&str, &str)]) -> CommitId {
    repo.unsigned(parents, &repo.tree(files), 1, &format!("{files:?}"))
}

#[test]
fn added_changed_removed_and_retyped_files_are_told_apart() {
    let repo = Repo::new();
    let first = commit(&repo, &[], &[("apps/web/a", "1"), ("apps/other/b", "1"), ("top", "1")]);
    assert_eq!(changes(&repo, &first, &["apps/web"]), outside("apps/other/b"), "a first commit adds everything");
    assert_eq!(changes(&repo, &first, &["apps/", "top"]), Changes::Allowed);
    for (files, found) in [
        (&[("apps/web/a", "2"), ("apps/other/b", "1"), ("top", "1")][..], Changes::Allowed),
        (&[("apps/web/a", "1"), ("apps/web/new", "1"), ("apps/other/b", "1"), ("top", "1")], Changes::Allowed),
        (&[("apps/other/b", "1"), ("top", "1")], Changes::Allowed),
        (&[("apps/web/a", "1"), ("apps/other/b", "2"), ("top", "1")], outside("apps/other/b")),
        (&[("apps/web/a", "1"), ("apps/other/c", "1"), ("apps/other/b", "1"), ("top", "1")], outside("apps/other/c")),
        (&[("apps/web/a", "1"), ("apps/other/b", "1")], outside("top")),
        (&[("apps/web/a", "1"), ("apps/other/b*", "1"), ("top", "1")], outside("apps/other/b")),
        (&[("apps/web/a", "1"), ("apps/other", "1"), ("top", "1")], outside("apps/other")),
        (&[("apps/web/a", "1"), ("apps/other/b/deep", "1"), ("top", "1")], outside("apps/other/b")),
        (&[("apps/web/a", "1"), ("apps/other/b", "1"), ("top", "1"), ("apps/website", "1")], outside("apps/website")),
    ] {
        let next = commit(&repo, &[&first], files);
        assert_eq!(changes(&repo, &next, &["apps/web"]), found, "{files:?}");
    }
}

#[test]
fn a33_a_merge_may_not_choose_an_older_version_either() {
    let repo = Repo::new();
    let base = commit(&repo, &[], &[("web", "1"), ("other", "1")]);
    let ours = commit(&repo, &[&base], &[("web", "2"), ("other", "1")]);
    let theirs = commit(&repo, &[&base], &[("web", "1"), ("other", "2")]);
    let merge = |parents: &[&CommitId], web: &str, other: &str| {
        let merge = commit(&repo, parents, &[("web", web), ("other", other)]);
        changes(&repo, &merge, &["web"])
    };
    assert_eq!(merge(&[&ours, &theirs], "2", "2"), Changes::Allowed, "what git itself would make of it");
    assert_eq!(merge(&[&theirs, &ours], "3", "2"), Changes::Allowed, "web may be anything");
    assert_eq!(merge(&[&ours, &theirs], "2", "3"), outside("other"));
    // `ours` still has the old one, and taking it would undo what `theirs` did.
    assert_eq!(merge(&[&ours, &theirs], "2", "1"), outside("other"));
    assert_eq!(merge(&[&theirs, &base], "1", "1"), outside("other"), "an ancestor as a second parent is no excuse");

    // Both sides changed it: there is no answer that is nobody's choice.
    let conflicting = commit(&repo, &[&base], &[("web", "1"), ("other", "4")]);
    assert_eq!(merge(&[&theirs, &conflicting], "1", "2"), outside("other"));
    // Three parents, or none in common, have to agree.
    assert_eq!(merge(&[&ours, &theirs, &base], "2", "2"), outside("other"));
    let unrelated = commit(&repo, &[], &[("web", "1")]);
    assert_eq!(merge(&[&theirs, &unrelated], "1", "2"), outside("other"));
    let agreeing = commit(&repo, &[], &[("web", "9"), ("other", "2")]);
    assert_eq!(merge(&[&theirs, &agreeing], "1", "2"), Changes::Allowed);
}

#[test]
fn a33_a_merge_may_not_slip_in_what_neither_side_has() {
    let repo = Repo::new();
    let base = commit(&repo, &[], &[("web", "1"), ("other", "1"), ("calm/file", "1")]);
    let ours = commit(&repo, &[&base], &[("web", "2"), ("other", "1"), ("calm/file", "1")]);
    let theirs = commit(&repo, &[&base], &[("web", "1"), ("other", "2"), ("calm/file", "1")]);
    let merge = |parents: &[&CommitId], files: &[(&str, &str)]| {
        let merge = commit(&repo, parents, files);
        changes(&repo, &merge, &["web"])
    };
    let both: &[&CommitId] = &[&ours, &theirs];
    assert_eq!(merge(both, &[("web", "2"), ("other", "2"), ("calm/file", "1")]), Changes::Allowed);
    // Neither side touched it since they parted, so only the merge can have.
    assert_eq!(merge(both, &[("web", "2"), ("other", "2"), ("calm/file", "9")]), outside("calm/file"));
    assert_eq!(merge(both, &[("web", "2"), ("other", "2")]), outside("calm/file"));
    assert_eq!(merge(both, &[("web", "2"), ("other", "2"), ("calm", "1")]), outside("calm"));
    // One parent twice, or a parent and its own child that changed nothing: then both have what they began with.
    let empty = repo.unsigned(&[&base], &repo.tree(&[("web", "1"), ("other", "1"), ("calm/file", "1")]), 2, "empty");
    for parents in [[&base, &base], [&base, &empty], [&empty, &base]] {
        assert_eq!(merge(&parents, &[("web", "1"), ("other", "1"), ("calm/file", "9")]), outside("calm/file"));
        assert_eq!(merge(&parents, &[("web", "9"), ("other", "1"), ("calm/file", "1")]), Changes::Allowed);
    }
}

#[test]
fn the_nearest_common_ancestor_is_found_and_two_of_them_are_none() {
    let repo = Repo::new();
    let commits = Commits::of(&repo.git, &commit_id(oid(&"a".repeat(40)))).unwrap();
    let make = |parents: &[&CommitId], name: &str| commit(&repo, parents, &[(name, name)]);
    let root = make(&[], "root");
    let main = make(&[&root], "main");
    let side = make(&[&root], "side");
    let caught_up = make(&[&side, &main], "caught up");
    let later = make(&[&main], "later");
    let base = |one, other| merge_base(&commits, one, other).unwrap();
    assert_eq!(base(&main, &side), Some(root.clone()));
    assert_eq!(base(&later, &caught_up), Some(main.clone()), "and not the older one, which is common too");
    assert_eq!(base(&caught_up, &later), Some(main.clone()));
    assert_eq!(base(&main, &later), Some(main.clone()));
    assert_eq!(base(&main, &main), Some(main.clone()));
    let (left, right) = (make(&[&main, &side], "left"), make(&[&side, &main], "right"));
    assert_eq!(base(&left, &right), None, "a criss-cross has two");
    assert_eq!(base(&main, &make(&[], "alone")), None);
}

#[test]
fn a38_a41_trees_that_cannot_be_compared_are_told() {
    let repo = Repo::new();
    let blob = repo.blob(b"x");
    let twice = ["a", "a"].map(|name| RawEntry { mode: "100644", name: name.as_bytes(), id: blob });
    let first = commit(&repo, &[], &[("y", "1")]);
    let of_tree = |id| repo.unsigned(&[&first], &tree_id(id), 2, "odd");
    assert_eq!(
        changes(&repo, &of_tree(repo.raw_tree(&twice)), &["web"]),
        Changes::Untold,
        "a name that stands there twice"
    );

    // Trees folded into one another: 100 folders deep, and two names each, which is more than can be counted.
    let mut folded = repo.raw_tree(&[RawEntry { mode: "100644", name: b"web", id: blob }]);
    for _ in 0..100 {
        let entries = ["web", "x"].map(|name| RawEntry { mode: "40000", name: name.as_bytes(), id: folded });
        folded = repo.raw_tree(&entries);
    }
    assert_eq!(changes(&repo, &of_tree(folded), &["web/web/web"]), Changes::Untold);
    // A blob where a folder is said to be.
    let wrong = repo.raw_tree(&[RawEntry { mode: "40000", name: b"x", id: blob }]);
    assert_eq!(changes(&repo, &of_tree(wrong), &["web"]), Changes::Untold);
}
