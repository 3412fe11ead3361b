//! The guards in a running publisher: what they hold back, what lifts them, and what they never touch.

use super::*;
use crate::fixture::at;

impl Site {
    /// The app as files with these names and contents.
    fn files(&self, document: &str, files: &[(String, String)]) -> TreeId {
        let paths: Vec<(String, &str)> =
            files.iter().map(|(name, content)| (format!("web/{name}"), content.as_str())).collect();
        let all = paths.iter().map(|(path, content)| (path.as_str(), *content)).chain([("driftless.yaml", document)]);
        self.repo.tree(&all.collect::<Vec<_>>())
    }

    fn commit_saying(&mut self, tree: &TreeId, message: &str) -> CommitId {
        self.seconds += 1;
        let parents: Vec<CommitId> = self.tip.iter().cloned().collect();
        let time = at(self.seconds);
        let id = self.repo.alice.commit(&self.repo.git, "main", &parents, tree, message, time).expect("it commits");
        self.tip = Some(id.clone());
        id
    }

    /// The guard that holds the tip back, and all that is said of it.
    async fn held_back(&self) -> String {
        let before = self.standing().await;
        let error = self.once().await.expect_err("it is not published");
        assert!(matches!(error, LookError::Guarded { .. }) && error.kind() == ErrorKind::Refused, "{error:?}");
        assert!(error.hint().is_some() && error.commit() == self.tip.as_ref());
        assert_eq!(self.standing().await, before, "the last published commit stays");
        error.causes().join(": ")
    }

    async fn published(&self) -> Vec<u64> {
        self.once().await.expect("it is published");
        self.standing().await.into_iter().map(|(generation, _)| generation).collect()
    }
}

/// So many files of a kilobyte each.
fn kilobytes(count: usize) -> Vec<(String, String)> {
    (0..count).map(|at| (format!("{at}.conf"), "x".repeat(1_000))).collect()
}

/// A file of this version, and one that changes every time.
fn features(version: &str, built: usize) -> [(String, String); 2] {
    [("features.conf".to_owned(), version.to_owned()), ("built".to_owned(), built.to_string())]
}

#[tokio::test]
async fn a_shrink_is_held_back_until_a_signed_commit_allows_it() {
    let mut site = Site::new();
    let (large, small) = (site.files(DOCUMENT, &kilobytes(10)), site.files(DOCUMENT, &kilobytes(2)));
    site.commit_tree(&large);
    assert_eq!(site.published().await, [1, 1]);
    site.commit_tree(&small);
    let told = site.held_back().await;
    assert!(
        told.contains(
            "app `web` in eu, us shrinks by more than half, from 10 files with 10000 bytes to 2 with 2000; if that is \
                       meant, say `Driftless-Allow: shrink` in a signed commit"
        ),
        "{told}"
    );
    // What lifts something else, or nothing, lifts nothing here.
    site.commit_saying(&small, "Go on\n\nDriftless-Allow: growth, shrnk\n");
    assert!(site.held_back().await.contains("did you mean `shrink`?"));
    site.commit_saying(&small, "Go on\n\nDriftless-Allow: shrink\n\nThis is no trailer any more.\n");
    site.held_back().await;
    let allowed = site.commit_saying(&small, "Go on\n\nIt is meant.\n\nDriftless-Allow: shrink\n");
    assert_eq!(site.published().await, [2, 2]);
    assert_eq!(site.standing().await[0].1, allowed);
    // And back, by a revert: growth by five times, to what was good before.
    site.commit_tree(&large);
    assert_eq!(site.published().await, [3, 3]);
    // The allowance was for the commits up to that one.
    site.commit_tree(&small);
    site.held_back().await;
}

#[tokio::test]
async fn a28_a_trailer_that_nobody_signed_lifts_nothing() {
    let mut site = Site::new();
    let (large, small) = (site.files(DOCUMENT, &kilobytes(10)), site.files(DOCUMENT, &kilobytes(2)));
    site.commit_tree(&large);
    site.published().await;
    let tip = site.commit_tree(&small);
    let unsigned = site.repo.unsigned(&[&tip], &small, site.seconds + 1, "Go on\n\nDriftless-Allow: shrink\n");
    site.repo.force("main", &unsigned);
    let refused = site.once().await.expect_err("it is not published");
    assert!(matches!(refused, LookError::Proof { .. }), "{refused:?}");
    site.repo.force("main", &tip);
    site.held_back().await;
}

#[tokio::test]
async fn a_generator_that_cannot_make_up_its_mind_is_held_back() {
    let mut site = Site::new();
    for (built, version) in ["good", "bad", "good", "bad"].into_iter().enumerate() {
        site.commit_tree(&site.files(DOCUMENT, &features(version, built)));
        assert_eq!(site.published().await, [built as u64 + 1; 2]);
    }
    let tree = site.files(DOCUMENT, &features("good", 4));
    site.commit_tree(&tree);
    let told = site.held_back().await;
    assert!(told.contains("`features.conf` has come back to an earlier version 3 times in 10 minutes"), "{told}");
    site.commit_saying(&tree, "Keep it\n\nDriftless-Allow: flap\n");
    assert_eq!(site.published().await, [5, 5]);
}

#[tokio::test]
async fn a_revert_is_never_held_back_and_its_revert_is() {
    let mut site = Site::new();
    for (at, version) in ["good", "bad", "good", "bad", "good"].into_iter().enumerate() {
        site.commit_tree(&site.files(DOCUMENT, &features(version, 0)));
        assert_eq!(site.published().await, [at as u64 + 1; 2], "{version}");
    }
    site.commit_tree(&site.files(DOCUMENT, &features("bad", 0)));
    assert!(site.held_back().await.contains("`Driftless-Allow: flap`"));
    // Which lasts until the branch is right again.
    site.commit_tree(&site.files(DOCUMENT, &features("good", 0)));
    assert_eq!(site.published().await, [5, 5]);
}

#[tokio::test]
async fn the_brakes_do_not_come_off_unnoticed() {
    let mut site = Site::new();
    let braked = DOCUMENT.replace("path: web", "path: web, rollout: careful");
    site.commit_tree(&site.files(&braked, &features("1", 0)));
    assert_eq!(site.published().await, [1, 1]);
    let loose = site.files(DOCUMENT, &features("1", 0));
    site.commit_tree(&loose);
    let told = site.held_back().await;
    assert!(
        told.contains("app `web` loses its rollout `careful`") && told.contains("`Driftless-Allow: rollout`"),
        "{told}"
    );
    site.commit_saying(&loose, "Without brakes\n\nDriftless-Allow: rollout\n");
    assert_eq!(site.published().await, [1, 1]);
}

#[tokio::test]
async fn a_guard_holds_after_the_checkpoint_is_lost() {
    let mut site = Site::new();
    site.commit_tree(&site.files(DOCUMENT, &kilobytes(10)));
    site.published().await;
    std::fs::remove_dir_all(site.path("state")).expect("it was there");
    site.commit_tree(&site.files(DOCUMENT, &kilobytes(2)));
    assert!(site.held_back().await.contains("`Driftless-Allow: shrink`"));
}
