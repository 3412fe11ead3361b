//! What the kernel says of a process and of those that it started: processor time and resident memory.
//!
//! In: a process id. Out: plain numbers, read from `/proc`. A process that is gone has spent nothing and holds nothing.

use std::collections::BTreeMap;
use std::fs;
use std::time::Duration;

/// A process and all that it started, as they are now.
#[derive(Clone, Debug)]
pub(super) struct Processes(Vec<u32>);

/// Processor time of each thread, in nanoseconds, by the ids of process and thread.
#[derive(Clone, Debug, Default)]
pub(super) struct Spent(BTreeMap<(u32, u32), u64>);

impl Processes {
    /// `root` and its descendants.
    pub(super) fn under(root: u32) -> Processes {
        let parents: Vec<(u32, u32)> = numbers_in("/proc").filter_map(|id| Some((id, parent(id)?))).collect();
        let mut family = vec![root];
        let mut at = 0;
        while at < family.len() {
            let of = family[at];
            family.extend(parents.iter().filter(|(_, parent)| *parent == of).map(|(id, _)| *id));
            at += 1;
        }
        Processes(family)
    }

    /// `root` alone.
    pub(super) fn alone(root: u32) -> Processes {
        Processes(vec![root])
    }

    /// The processor time that each thread has spent so far, in the kernel and out of it.
    pub(super) fn spent(&self) -> Spent {
        let threads = self.0.iter().flat_map(|id| numbers_in(&format!("/proc/{id}/task")).map(|thread| (*id, thread)));
        Spent(threads.filter_map(|(id, thread)| Some(((id, thread), nanoseconds(id, thread)?))).collect())
    }

    /// Resident memory in KiB. What the processes share is counted once.
    pub(super) fn resident_kib(&self) -> u64 {
        let of = |field: &'static str| self.0.iter().map(move |id| kib(*id, field));
        of("RssAnon").sum::<u64>() + of("RssFile").max().unwrap_or(0) + of("RssShmem").max().unwrap_or(0)
    }

    /// The most that the first of them ever had resident, in KiB.
    pub(super) fn peak_kib(&self) -> u64 {
        self.0.first().map_or(0, |id| kib(*id, "VmHWM"))
    }
}

impl Spent {
    /// What was spent from `before` until now. A thread that ended in between takes its time with it.
    pub(super) fn since(&self, before: &Spent) -> Duration {
        let spent = self.0.iter().map(|(thread, now)| now.saturating_sub(before.0.get(thread).copied().unwrap_or(0)));
        Duration::from_nanos(spent.sum())
    }
}

fn nanoseconds(id: u32, thread: u32) -> Option<u64> {
    let text = fs::read_to_string(format!("/proc/{id}/task/{thread}/schedstat")).ok()?;
    text.split_whitespace().next()?.parse().ok()
}

fn kib(id: u32, field: &str) -> u64 {
    number(&fs::read_to_string(format!("/proc/{id}/status")).unwrap_or_default(), field)
}

/// The number that a status gives for `field`; zero where there is none.
pub(super) fn number(status: &str, field: &str) -> u64 {
    let line = status.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}

fn parent(id: u32) -> Option<u32> {
    // The name in brackets may hold anything, brackets too.
    let stat = fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse().ok()
}

fn numbers_in(folder: &str) -> impl Iterator<Item = u32> + use<> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_spends_time_and_holds_memory() {
        let here = Processes::under(std::process::id());
        let before = here.spent();
        let mut sum = 0_u64;
        while here.spent().since(&before) < Duration::from_millis(5) {
            sum = (0..1000).fold(sum, |sum, number| sum.wrapping_mul(31).wrapping_add(number));
        }
        assert!(here.resident_kib() > 0 && here.peak_kib() > 0, "{sum}");
    }

    #[test]
    fn a_field_is_found_by_its_whole_name() {
        let status = "nonvoluntary_ctxt_switches:\t7\nvoluntary_ctxt_switches:\t5\nVmRSS:\t  1234 kB\n";
        assert_eq!((number(status, "voluntary_ctxt_switches"), number(status, "VmRSS")), (5, 1234));
        assert_eq!(number(status, "Vm"), 0);
    }

    #[test]
    fn a_process_that_is_gone_holds_nothing() {
        let gone = Processes(vec![u32::MAX]);
        assert_eq!((gone.resident_kib(), gone.spent().0.len()), (0, 0));
    }
}
