//! Work on many things of one kind, on all cores. Blocks until all of it is done.

use std::num::NonZero;
use std::sync::{Mutex, PoisonError};
use std::thread;

/// Runs `work` on each of `all`, on as many threads as there are cores, and gives what came of each, in their order.
pub(crate) fn side_by_side<T: Sync, R: Send>(all: &[T], work: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let threads = thread::available_parallelism().map_or(1, NonZero::get).min(all.len());
    if threads <= 1 {
        return all.iter().map(work).collect();
    }
    let next = Mutex::new(all.iter().enumerate());
    let done = Mutex::new(Vec::with_capacity(all.len()));
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let Some((at, one)) = next.lock().unwrap_or_else(PoisonError::into_inner).next() else { break };
                    let result = work(one);
                    done.lock().unwrap_or_else(PoisonError::into_inner).push((at, result));
                }
            });
        }
    });
    let mut done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
    done.sort_by_key(|(at, _)| *at);
    done.into_iter().map(|(_, result)| result).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_come_in_the_order_of_what_was_asked() {
        let all: Vec<u32> = (0..1000).collect();
        assert_eq!(side_by_side(&all, |one| one * 2), all.iter().map(|one| one * 2).collect::<Vec<_>>());
        assert!(side_by_side(&[], |one: &u32| *one).is_empty());
    }
}
