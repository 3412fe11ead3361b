//! Waits until a server has nothing left to do, by the processor time that it spends; so nobody has to ask it.

use std::time::{Duration, Instant, SystemTime};

use crate::bench::process::Processes;

/// Waits until a server has spent next to nothing for a while, and gives the moment at which that became known; at the latest
/// [`LONGEST`] after `begun`. Of a server that runs elsewhere nothing is known, and a fixed time is waited for.
pub(in crate::bench) async fn quiet(processes: Option<&Processes>, begun: SystemTime) -> SystemTime {
    let Some(processes) = processes else {
        tokio::time::sleep(BLIND).await;
        return SystemTime::now();
    };
    let deadline = Instant::now() + LONGEST;
    let mut before = processes.spent();
    let mut calm = 0;
    while calm < LOOKS && Instant::now() < deadline {
        tokio::time::sleep(BETWEEN).await;
        let now = processes.spent();
        let is_calm = now.since(&before) < CALM && begun.elapsed().is_ok_and(|elapsed| elapsed > BETWEEN);
        calm = if is_calm { calm + 1 } else { 0 };
        before = now;
    }
    SystemTime::now()
}

const BETWEEN: Duration = Duration::from_millis(40);
const LOOKS: u32 = 6;
/// Of the time between two looks; less than a hundred notifications cost.
const CALM: Duration = Duration::from_micros(800);
const LONGEST: Duration = Duration::from_secs(8);
const BLIND: Duration = Duration::from_secs(2);
