//! The pointers in a store, watched from outside: when do their bytes change?

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use tokio::time::{Instant, sleep};

use super::child::Child;
use crate::exit::{Code, Failure};

/// Pointers as they were.
pub(in crate::bench) struct Pointers(Vec<(PathBuf, Option<Vec<u8>>)>);

impl Pointers {
    /// The files as they are now; those that are not there yet count as well.
    pub(super) fn as_they_are(files: Vec<PathBuf>) -> Pointers {
        Pointers(
            files.into_iter().map(|file| (fs::read(&file).ok(), file)).map(|(bytes, file)| (file, bytes)).collect(),
        )
    }

    /// Waits until every one of them is another, and gives the moment when the last was seen to be. Looks every millisecond.
    /// Fails when `publisher` ends meanwhile, or after `patience`.
    pub(in crate::bench) async fn moved(
        mut self,
        publisher: &mut Child,
        patience: Duration,
    ) -> Result<SystemTime, Failure> {
        let begun = Instant::now();
        loop {
            self.0.retain(|(file, before)| match fs::read(file) {
                Ok(now) => Some(&now) == before.as_ref(),
                Err(_) => true,
            });
            if self.0.is_empty() {
                return Ok(SystemTime::now());
            }
            publisher.is_alive()?;
            if begun.elapsed() > patience {
                let left = format!("{} pointers did not move within {} s", self.0.len(), patience.as_secs());
                return Err(Failure::new(Code::TimedOut, left));
            }
            sleep(LOOK_EVERY).await;
        }
    }
}

const LOOK_EVERY: Duration = Duration::from_millis(1);
