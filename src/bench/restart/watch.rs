//! What is seen of a gateway while its agents come back.

use std::time::{Duration, Instant};

use super::probe::Probes;
use crate::bench::process::{Processes, Spent};

/// A gateway that is being watched.
pub(super) struct Watch {
    processes: Option<Processes>,
    before: Spent,
    killed: Instant,
    /// How many waited, and when.
    seen: Vec<(Instant, usize)>,
}

/// What was seen.
pub(super) struct Watched {
    /// From the end of the old process until everybody waited.
    pub(super) back: Duration,
    /// Agents that came back in a second, in the best half of one.
    pub(super) peak_rate: f64,
    /// Processor time meanwhile.
    pub(super) spent: Duration,
    pub(super) probes: Probes,
}

impl Watch {
    pub(super) fn begin(processes: Option<Processes>, killed: Instant) -> Watch {
        let before = processes.as_ref().map(Processes::spent).unwrap_or_default();
        Watch { processes, before, killed, seen: Vec::new() }
    }

    /// Notes that so many wait now.
    pub(super) fn saw(&mut self, waiting: usize) {
        self.seen.push((Instant::now(), waiting));
    }

    pub(super) fn end(self, probes: Probes) -> Watched {
        let spent = self.processes.as_ref().map(|processes| processes.spent().since(&self.before)).unwrap_or_default();
        let back = self.seen.last().map_or(Duration::ZERO, |(at, _)| at.duration_since(self.killed));
        Watched { back, peak_rate: peak_rate(&self.seen), spent, probes }
    }
}

/// The most that came in a second, over stretches of at least [`STRETCH`].
fn peak_rate(seen: &[(Instant, usize)]) -> f64 {
    let from = |at: usize| {
        let (begun, waiting) = seen[at];
        let (end, then) = seen[at..].iter().find(|(end, _)| end.duration_since(begun) >= STRETCH)?;
        Some(then.saturating_sub(waiting) as f64 / end.duration_since(begun).as_secs_f64())
    };
    (0..seen.len()).filter_map(from).fold(0.0, f64::max)
}

const STRETCH: Duration = Duration::from_millis(500);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_half_second_is_found() {
        let begun = Instant::now();
        let at = |ms| begun + Duration::from_millis(ms);
        let seen = [(at(0), 0), (at(250), 0), (at(500), 100), (at(750), 400), (at(1000), 400)];
        assert!((peak_rate(&seen) - 800.0).abs() < 1e-6);
        assert_eq!(peak_rate(&seen[..1]).to_bits(), 0.0_f64.to_bits());
    }
}
