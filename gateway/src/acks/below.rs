//! What the gateways below this one counted.
//!
//! Each sends a full snapshot of its view under its name; a newer one replaces the older, so a lost or repeated one changes
//! nothing. Who falls silent is forgotten. Nothing in a snapshot is trusted: it is bounded, counted and shown.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use schema::status::{BelowStatus, RegionSummary, Summary};
use schema::text::one_line;
use schema::{AgentId, Timestamp};
use tokio::time::Instant;

use super::tally::GENERATIONS_MAX;
use super::word::REASON_MAX;
use crate::pair::Pair;

/// The newest snapshot of every gateway below.
#[derive(Debug, Default)]
pub(crate) struct Below(Mutex<BTreeMap<AgentId, Kept>>);

/// What one gateway below says, as it came in.
#[derive(Debug)]
pub(crate) struct Snapshot {
    /// In whose name.
    pub(crate) name: AgentId,
    /// Of the body.
    size: usize,
    summary: Summary,
}

#[derive(Debug)]
struct Kept {
    at: Timestamp,
    received: Instant,
    /// Of the body it came in.
    size: usize,
    relays: u64,
    regions: BTreeMap<Pair, RegionSummary>,
}

/// Says why a snapshot was not taken.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotTaken {
    #[error("not a summary")]
    Shape(#[source] serde_json::Error),
    #[error("not the name of a gateway")]
    Name(#[source] schema::name::InvalidName),
    #[error("the summary carries this gateway's own name")]
    OwnName,
    #[error("the gateways below say more than is kept")]
    Full,
}

impl Snapshot {
    /// Reads a body.
    ///
    /// # Errors
    /// [`NotTaken::Shape`] or [`NotTaken::Name`].
    pub(crate) fn read(body: &[u8]) -> Result<Snapshot, NotTaken> {
        let summary: Summary = serde_json::from_slice(body).map_err(NotTaken::Shape)?;
        let name = summary.gateway.parse().map_err(NotTaken::Name)?;
        Ok(Snapshot { name, size: body.len(), summary })
    }
}

impl Below {
    /// Takes `snapshot`, which came in at `now`.
    ///
    /// # Errors
    /// [`NotTaken`]; what was known stays.
    pub(crate) fn take(&self, snapshot: Snapshot, own_name: &AgentId, now: Instant) -> Result<(), NotTaken> {
        let Snapshot { name, size, summary } = snapshot;
        if name == *own_name {
            return Err(NotTaken::OwnName);
        }
        let mut snapshots = self.live(now);
        // An old one that was held up on the way. The sender's clock may have been set back, but not for long.
        if snapshots.get(&name).is_some_and(|known| known.at > summary.at && now < known.received + HELD_UP_MAX) {
            return Ok(());
        }
        let others = snapshots.iter().filter(|(known, _)| **known != name).map(|(_, snapshot)| snapshot.size);
        if others.clone().count() >= GATEWAYS_MAX || others.sum::<usize>() + size > BYTES_MAX {
            return Err(NotTaken::Full);
        }
        let regions = summary.regions.into_iter().map(|count| {
            let mut agents = count.agents;
            agents.generations.truncate(GENERATIONS_MAX);
            agents.worst.truncate(RegionSummary::WORST_MAX);
            for worst in &mut agents.worst {
                worst.reason = worst.reason.as_deref().map(|reason| one_line(reason, REASON_MAX).into());
            }
            (Pair { app: count.app, region: count.region }, agents)
        });
        let regions = regions.collect();
        snapshots.insert(name, Kept { at: summary.at, received: now, size, relays: summary.relays, regions });
        Ok(())
    }

    /// Adds what they said about `pair` to `summary`.
    pub(crate) fn add_to(&self, summary: &mut RegionSummary, pair: &Pair, now: Instant) {
        for snapshot in self.live(now).values() {
            if let Some(theirs) = snapshot.regions.get(pair) {
                summary.merge(theirs);
            }
        }
    }

    /// Who they are, by their own account.
    pub(crate) fn status(&self, now: Instant) -> Vec<BelowStatus> {
        let status = |(name, kept): (&AgentId, &Kept)| BelowStatus {
            gateway: name.to_string(),
            at: kept.at,
            relays: kept.relays,
            counts: kept.regions.values().fold(0, |sum, agents| sum.saturating_add(agents.known)),
        };
        self.live(now).iter().map(status).collect()
    }

    /// Without those who fell silent.
    fn live(&self, now: Instant) -> MutexGuard<'_, BTreeMap<AgentId, Kept>> {
        let mut snapshots = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        snapshots.retain(|_, snapshot| now < snapshot.received + SILENCE_MAX);
        snapshots
    }
}

/// After this long without a word a gateway's agents are taken to be with another one.
const SILENCE_MAX: Duration = Duration::from_secs(180);
const HELD_UP_MAX: Duration = Duration::from_secs(30);
const GATEWAYS_MAX: usize = 256;
const BYTES_MAX: usize = 64 * 1024 * 1024;

#[cfg(test)]
mod tests {
    use schema::status::RegionCount;

    use super::*;

    fn pair() -> Pair {
        Pair { app: "edge-proxy".parse().expect("an app"), region: "eu-west".parse().expect("a region") }
    }

    fn snapshot(gateway: &str, at: i64, known: u64) -> Vec<u8> {
        let Pair { app, region } = pair();
        let agents = RegionSummary { known, ..RegionSummary::default() };
        let at = Timestamp::from_unix_millis(at);
        let summary =
            Summary { gateway: gateway.to_owned(), at, relays: 0, regions: vec![RegionCount { app, region, agents }] };
        serde_json::to_vec(&summary).expect("a summary is JSON")
    }

    fn take(below: &Below, body: &[u8], now: Instant) -> Result<(), NotTaken> {
        below.take(Snapshot::read(body)?, &"top".parse().expect("a name"), now)
    }

    fn known(below: &Below, now: Instant) -> u64 {
        let mut summary = RegionSummary::default();
        below.add_to(&mut summary, &pair(), now);
        summary.known
    }

    #[test]
    fn a_snapshot_replaces_the_one_before_and_repeats_change_nothing() {
        let (below, now) = (Below::default(), Instant::now());
        for body in [
            snapshot("a", 1, 10),
            snapshot("b", 1, 5),
            snapshot("a", 2, 20),
            snapshot("a", 2, 20),
            snapshot("a", 1, 10),
        ] {
            take(&below, &body, now).expect("a snapshot");
        }
        assert_eq!(known(&below, now), 25);
    }

    #[test]
    fn a_silent_gateway_is_forgotten() {
        let (below, now) = (Below::default(), Instant::now());
        take(&below, &snapshot("a", 1, 10), now).expect("a snapshot");
        assert_eq!(known(&below, now + SILENCE_MAX / 2), 10);
        assert_eq!(known(&below, now + SILENCE_MAX), 0);
    }

    #[test]
    fn a_gateway_that_follows_itself_and_names_without_end_are_refused() {
        let (below, now) = (Below::default(), Instant::now());
        assert!(matches!(take(&below, &snapshot("top", 1, 1), now), Err(NotTaken::OwnName)));
        assert!(matches!(take(&below, &snapshot("..", 1, 1), now), Err(NotTaken::Name(_))));
        assert!(matches!(take(&below, b"[]", now), Err(NotTaken::Shape(_))));
        let taken = (0..1000).filter(|n| take(&below, &snapshot(&format!("g{n}"), 1, 1), now).is_ok());
        assert_eq!(taken.count(), GATEWAYS_MAX);
    }
}
