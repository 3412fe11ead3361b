//! Rounds, their medians, and the ratios between two that were measured in one run.
//!
//! In: when things arrived. Out: plain figures that serialise. Knows neither processes nor sockets.

use std::time::Duration;

use serde::Serialize;

/// What one round of notifications came to. Times are counted from just before the change was made.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub(super) struct Round {
    /// Until the first, the median, the 99th percentile and the last of the clients had the whole answer in their kernel.
    pub(super) first_ms: Option<f64>,
    pub(super) p50_ms: Option<f64>,
    pub(super) p99_ms: Option<f64>,
    pub(super) last_ms: Option<f64>,
    /// Until 99 of 100 clients had read it; nothing where they slept meanwhile.
    pub(super) read_p99_ms: Option<f64>,
    /// Clients that got nothing, or something else.
    pub(super) lost: u64,
    /// The server's processor time for each client; nothing where the server runs elsewhere.
    pub(super) cpu_us: Option<f64>,
}

impl Round {
    /// Medians over all of `rounds`; what was lost is summed up.
    pub(super) fn medians_of(rounds: &[Round]) -> Round {
        let middle = |field: fn(&Round) -> Option<f64>| median(rounds.iter().filter_map(field).collect());
        Round {
            first_ms: middle(|round| round.first_ms),
            p50_ms: middle(|round| round.p50_ms),
            p99_ms: middle(|round| round.p99_ms),
            last_ms: middle(|round| round.last_ms),
            read_p99_ms: middle(|round| round.read_p99_ms),
            lost: rounds.iter().map(|round| round.lost).sum(),
            cpu_us: middle(|round| round.cpu_us),
        }
    }
}

/// The least time that at least `percent` of a hundred `times` took; nothing where there are none.
pub(super) fn percentile(times: &mut [Duration], percent: usize) -> Option<Duration> {
    times.sort_unstable();
    nearest_rank(times, percent)
}

/// The least of the figures, which are `sorted`, that at least `percent` of a hundred do not exceed; nothing where there are none.
pub(super) fn nearest_rank<T: Copy>(sorted: &[T], percent: usize) -> Option<T> {
    let rank = (sorted.len() * percent).div_ceil(100);
    sorted.get(rank.saturating_sub(1)).copied()
}

/// `time` in milliseconds, to the microsecond.
pub(super) fn ms(time: Duration) -> f64 {
    (time.as_secs_f64() * 1e6).round() / 1e3
}

/// How many times `floor` a figure is, where there are both.
pub(super) fn over(figure: Option<f64>, floor: Option<f64>) -> Option<f64> {
    let floor = floor.filter(|floor| *floor > 0.0)?;
    Some(rounded(figure? / floor))
}

/// To three decimals.
pub(super) fn rounded(figure: f64) -> f64 {
    (figure * 1e3).round() / 1e3
}

/// The middle one, or the mean of the two in the middle.
pub(super) fn median(mut figures: Vec<f64>) -> Option<f64> {
    figures.sort_unstable_by(f64::total_cmp);
    let (low, high) = (figures.get(figures.len().checked_sub(1)? / 2)?, figures.get(figures.len() / 2)?);
    Some(rounded(f64::midpoint(*low, *high)))
}

/// A cell of a table; a dash where there is no figure.
pub(super) fn cell(figure: Option<f64>, decimals: usize) -> String {
    figure.map_or_else(|| "-".to_owned(), |figure| format!("{figure:.decimals$}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_of_what_was_measured() {
        let mut times: Vec<Duration> = (1..=200).rev().map(Duration::from_millis).collect();
        assert_eq!(percentile(&mut times, 0), Some(Duration::from_millis(1)));
        assert_eq!(percentile(&mut times, 50), Some(Duration::from_millis(100)));
        assert_eq!(percentile(&mut times, 99), Some(Duration::from_millis(198)));
        assert_eq!(percentile(&mut times, 100), Some(Duration::from_millis(200)));
        assert_eq!(percentile(&mut [], 50), None);
    }

    #[test]
    fn medians_are_in_the_middle() {
        assert_eq!(median(vec![]), None);
        assert_eq!(median(vec![3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(vec![4.0, 1.0, 2.0, 3.0]), Some(2.5));
    }

    #[test]
    fn there_is_no_ratio_to_nothing() {
        assert_eq!(over(Some(3.0), Some(2.0)), Some(1.5));
        assert_eq!(over(Some(3.0), Some(0.0)), None);
        assert_eq!(over(None, Some(2.0)), None);
    }
}
