//! Now and then: every version on the disk is read again, and what is damaged is put right.
//!
//! The reading goes on beside the keeper, at a low pace; whatever follows from it is done by the keeper, one thing at a time with
//! everything else it does.

use std::time::Duration;

use schema::Digest;
use schema::ack::{Outcome, Step};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;
use tracing::{debug, error, info, warn};

use super::Keeper;
use super::observe::Meanwhile;
use crate::apply::{self, Host, Setback, Verdict, clock};
use crate::backoff::around;
use crate::blocking::blocking;
use crate::journal::JournalError;
use crate::rule::Rule;
use crate::scrub::{Condition, Found, Scrub, read_versions};
use crate::state::AppFolder;

/// When to read, and what is being read.
pub(super) struct Scrubbing {
    every: Duration,
    /// How soon to try again to put right what could not be.
    seldom: Duration,
    due: Instant,
    reading: JoinSet<Found>,
}

impl Scrubbing {
    pub(super) fn new(every: Duration, seldom: Duration) -> Scrubbing {
        // A host that never scrubbed begins anywhere in the first period, so that a fleet that was set up together does not read
        // together.
        let due = Instant::now() + every.mul_f64(fastrand::f64());
        Scrubbing { every, seldom, due, reading: JoinSet::new() }
    }

    /// Goes by when the last scrub was, be it before the start.
    pub(super) async fn resume(&mut self, folder: &AppFolder) {
        let folder = folder.clone();
        if let Some(last) = blocking(move || Scrub::read(&folder)).await {
            let wait = if last.result == Condition::Damaged { self.seldom.min(self.every) } else { self.every };
            self.due = Instant::now() + around(wait).saturating_sub(clock().since(last.last));
        }
    }

    /// Begins to read when it is time, and ends when all was read. May be dropped and called again at any time.
    pub(super) async fn found(&mut self, folder: &AppFolder, stop: &CancellationToken) -> Found {
        loop {
            if let Some(read) = self.reading.join_next().await {
                return read.unwrap_or_else(|bug| Found { problem: Some(bug.to_string().into()), ..Found::default() });
            }
            sleep_until(self.due).await;
            self.due = Instant::now() + around(self.every);
            let (folder, stop) = (folder.clone(), stop.clone());
            self.reading.spawn_blocking(move || read_versions(&folder, &stop));
        }
    }
}

impl Keeper {
    /// Puts right what was found to be damaged, and leaves word of it.
    pub(super) async fn put_right(&mut self, host: &mut Host, found: Found) -> Result<(), JournalError> {
        let versions = found.sound.len() + found.suspect.len();
        host.sound.extend(found.sound);
        let (mut repaired, mut removed, mut problem) = (None, Vec::new(), found.problem);
        for digest in found.suspect {
            // It may have been collected, or put in place, while it was read.
            if !host.has(digest).await || host.reads_sound(&digest).await {
                continue;
            }
            host.site.metrics.damaged(&host.site.about.app);
            let runs = host.active().await.ok().flatten() == Some(digest);
            let mended = match runs {
                true => self.repair(host, digest).await.map(|()| repaired = Some(digest)),
                false => apply::remove_damaged(host, digest).await.map(|()| removed.push(digest)),
            };
            match mended {
                Ok(()) if runs => {
                    warn!(bundle = %digest, "REPAIRED: what runs was damaged, and was fetched and put in place again")
                }
                Ok(()) => warn!(bundle = %digest, "Removed a damaged version that does not run"),
                Err(Setback::Shutdown) => return Ok(()),
                Err(Setback::Journal(error)) => return Err(error),
                Err(setback) => {
                    host.site.refused(Rule::of_setback(&setback));
                    let reason = setback.reason(&host.site.folder);
                    error!(bundle = %digest, "A damaged version cannot be put right yet, and stays: {reason}");
                    problem = Some(format!("{} is damaged: {reason}", digest.short()).into());
                }
            }
        }
        let result = match (&problem, repaired.is_some() || !removed.is_empty()) {
            (Some(_), _) => Condition::Damaged,
            (None, true) => Condition::Mended,
            (None, false) => Condition::Sound,
        };
        if result == Condition::Damaged {
            self.scrubbing.due = self.scrubbing.due.min(Instant::now() + around(self.scrubbing.seldom));
        }
        debug!(versions, ?result, "Scrubbed");
        self.leave_word(host, Scrub { last: clock(), versions, result, repaired, removed, problem }).await
    }

    /// Repairs what runs, and goes on following meanwhile: a pointer that asks for something else mends it as well.
    async fn repair(&mut self, host: &mut Host, digest: Digest) -> Result<(), Setback> {
        let mut meanwhile = Meanwhile::new(self.ear(host), digest, Some(digest));
        let repaired = apply::repair(host, digest, meanwhile.overtaken()).await;
        if let Some((newer, succession)) = meanwhile.heard {
            self.accept(host, newer, succession).await?;
        }
        repaired
    }

    /// Remembers what a scrub found, and tells whoever gathers acks of damage that stays, and of its end.
    async fn leave_word(&self, host: &mut Host, scrub: Scrub) -> Result<(), JournalError> {
        let (folder, writing) = (host.site.folder.clone(), scrub.clone());
        let (before, written) = blocking(move || (Scrub::read(&folder), writing.write(&folder))).await;
        if let Err(error) = written {
            warn!(%error, "What the scrub found cannot be written down");
        }
        let was_damaged = before.as_ref().is_some_and(|before| before.result == Condition::Damaged);
        match scrub.problem {
            Some(problem) if before.is_none_or(|before| before.problem.as_ref() != Some(&problem)) => {
                self.tell_damage(host, problem).await
            }
            None if was_damaged => {
                info!("What was damaged is whole again");
                host.tell_again().await
            }
            _ => Ok(()),
        }
    }

    async fn tell_damage(&self, host: &mut Host, problem: Box<str>) -> Result<(), JournalError> {
        let current = host.active().await.ok().flatten();
        let Some(about) = self.asked(host, current) else { return Ok(()) };
        let active = current.map(|digest| host.as_active(digest, about.order));
        let (outcome, step, reason) = (Outcome::Failed, Some(Step::Disk), Some(problem));
        host.tell(&about, Verdict { outcome, active, step, reason, bundle_bytes: 0 }).await
    }
}

impl Host {
    /// Whether the version is on the disk, as far as one can tell.
    async fn has(&self, digest: Digest) -> bool {
        let folder = self.site.folder.clone();
        blocking(move || folder.has(&digest).unwrap_or(true)).await
    }
}
