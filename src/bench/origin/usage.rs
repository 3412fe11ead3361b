//! What the kernel says that a process has used.

use std::fs;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use serde::Serialize;

use crate::bench::process::{Processes, Spent, number};
use crate::exit::Failure;

/// A process at one moment; what is counted is counted since it began.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub(in crate::bench) struct Usage {
    /// Hundredths of a second on a processor, in and for the process.
    pub(in crate::bench) cpu_ticks: u64,
    /// Nanoseconds on a processor, of the threads that live.
    pub(in crate::bench) on_cpu_ns: u64,
    /// How often one of those threads gave up its processor, or lost it: every wake-up is one.
    pub(in crate::bench) switches: u64,
    /// Memory that is resident.
    pub(in crate::bench) resident_kib: u64,
    /// The most that ever was.
    pub(in crate::bench) peak_kib: u64,
}

impl Usage {
    /// Reads what there is to read of the process `id`.
    pub(in crate::bench) fn of(id: u32) -> Result<Usage, Failure> {
        read(id).map_err(|error| Failure::unexpected(format!("/proc/{id} cannot be read: {error}")))
    }

    /// Milliseconds on a processor, to 10 ms.
    pub(in crate::bench) fn cpu_ms(&self) -> u64 {
        self.cpu_ticks * 10
    }

    /// What was used since `before`; memory as it is now.
    pub(in crate::bench) fn since(&self, before: &Usage) -> Usage {
        Usage {
            cpu_ticks: self.cpu_ticks.saturating_sub(before.cpu_ticks),
            on_cpu_ns: self.on_cpu_ns.saturating_sub(before.on_cpu_ns),
            switches: self.switches.saturating_sub(before.switches),
            ..*self
        }
    }
}

fn read(id: u32) -> io::Result<Usage> {
    let place = PathBuf::from(format!("/proc/{id}"));
    let stat = fs::read_to_string(place.join("stat"))?;
    // The name, in parentheses, may hold anything; what comes after the last one is numbers.
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let field = |at: usize| fields.get(at).and_then(|field| field.parse::<u64>().ok()).unwrap_or(0);
    let status = fs::read_to_string(place.join("status"))?;
    let mut usage = Usage {
        cpu_ticks: field(11) + field(12),
        on_cpu_ns: nanoseconds(Processes::alone(id).spent().since(&Spent::default())),
        resident_kib: number(&status, "VmRSS"),
        peak_kib: number(&status, "VmHWM"),
        ..Usage::default()
    };
    for thread in fs::read_dir(place.join("task"))? {
        let thread = thread?.path();
        // A thread may end while it is looked at.
        let status = fs::read_to_string(thread.join("status")).unwrap_or_default();
        usage.switches += number(&status, "voluntary_ctxt_switches") + number(&status, "nonvoluntary_ctxt_switches");
    }
    Ok(usage)
}

fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_very_process_uses_something() {
        let usage = Usage::of(std::process::id()).expect("/proc is mounted");
        assert!(usage.resident_kib > 0 && usage.peak_kib >= usage.resident_kib && usage.on_cpu_ns > 0, "{usage:?}");
        assert!(usage.switches > 0);
    }
}
