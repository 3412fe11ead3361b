//! What a whole replay came to. Pure.

use serde::Serialize;

use super::Replayed;
use crate::bench::figures::{median, nearest_rank, rounded};

/// Over all commits.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub(super) struct Sums {
    /// Commits that changed the app.
    pub(super) changed: u64,
    /// Commits that changed nothing that is distributed: nothing is published, and nobody fetches anything.
    pub(super) unchanged: u64,
    /// Bundle bytes to an agent that fetches every version whole.
    pub(super) whole_bytes: u64,
    /// Bundle bytes to an agent that uses what it has.
    pub(super) fetched_bytes: u64,
    /// The second over the first.
    pub(super) share: f64,
    /// Pointers and manifests, which come with either.
    pub(super) signed_bytes: u64,
    pub(super) median_whole_bytes: f64,
    pub(super) median_fetched_bytes: f64,
    /// Fetched over whole, commit by commit: the middle one, and the one that nine of ten do not exceed.
    pub(super) median_share: f64,
    pub(super) p90_share: f64,
}

impl Sums {
    pub(super) fn of(replayed: &[Replayed], unchanged: u64) -> Sums {
        let (whole, fetched): (u64, u64) = (
            replayed.iter().map(|commit| commit.whole_bytes).sum(),
            replayed.iter().map(|commit| commit.fetched_bytes).sum(),
        );
        let middle = |field: fn(&Replayed) -> f64| median(replayed.iter().map(field).collect()).unwrap_or_default();
        let mut shares: Vec<f64> = replayed.iter().map(Replayed::share).collect();
        shares.sort_unstable_by(f64::total_cmp);
        let p90 = nearest_rank(&shares, 90).unwrap_or_default();
        Sums {
            changed: replayed.len() as u64,
            unchanged,
            whole_bytes: whole,
            fetched_bytes: fetched,
            share: if whole == 0 { 0.0 } else { fine(fetched as f64 / whole as f64) },
            signed_bytes: replayed.iter().map(|commit| commit.signed_bytes).sum(),
            median_whole_bytes: middle(|commit| commit.whole_bytes as f64),
            median_fetched_bytes: middle(|commit| commit.fetched_bytes as f64),
            median_share: fine(median(shares.iter().map(|share| share * 1e3).collect()).unwrap_or_default() / 1e3),
            p90_share: fine(p90),
        }
    }
}

impl Replayed {
    /// Fetched over whole.
    fn share(&self) -> f64 {
        self.fetched_bytes as f64 / self.whole_bytes.max(1) as f64
    }
}

/// Shares are small: to six decimals.
fn fine(share: f64) -> f64 {
    rounded(share * 1e3) / 1e3
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_and_shares_are_over_all_commits() {
        let commit = |whole_bytes, fetched_bytes| Replayed {
            commit: String::new(),
            archive_bytes: 0,
            whole_bytes,
            patch_bytes: None,
            fetched_bytes,
            signed_bytes: 7,
            publish_ms: 0.0,
        };
        let sums = Sums::of(&[commit(100, 10), commit(100, 0), commit(200, 200)], 4);
        assert_eq!((sums.changed, sums.unchanged, sums.whole_bytes, sums.fetched_bytes), (3, 4, 400, 210));
        assert_eq!((sums.share, sums.median_share, sums.p90_share, sums.signed_bytes), (0.525, 0.1, 1.0, 21));
        assert_eq!(Sums::of(&[], 4), Sums { unchanged: 4, ..Sums::default() });
    }
}
