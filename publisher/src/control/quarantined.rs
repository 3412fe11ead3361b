//! Who is in quarantine, since when, and why: read from pointers, their history, and what the agents said last.
//!
//! In: the store, by a reader without keys, and the agents' newest words. Out: a list for people. Only reads. The names come
//! from the signed pointers; the history tells with which generation each came in, as far as it is looked at.

use std::collections::BTreeMap;

use futures_util::{StreamExt as _, TryStreamExt as _};
use schema::control::Quarantined;
use schema::fleet::AgentReport;
use schema::pointer::Cause;
use schema::text::one_line;
use schema::{AgentId, App, CommitId, Digest, Pointer, Region, Serial};
use store::StoreError;

use crate::history;
use crate::kind::ErrorKind;
use crate::publisher::Publisher;
use crate::region::RegionFault;
use crate::rollout::Fleet;
use crate::trust::TrustError;

/// How many generations are looked at, newest first. Who has been in for longer is told to be in since the last of them.
const LOOKED_AT_MAX: usize = 500;

/// Says why the list cannot be made.
#[derive(Debug, thiserror::Error)]
pub(super) enum QuarantineError {
    #[error(transparent)]
    Trust(#[from] TrustError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("pointers of app `{app}` in region `{region}` cannot be read")]
    Region {
        app: App,
        region: Region,
        #[source]
        fault: Box<RegionFault>,
    },
}

impl QuarantineError {
    /// What the caller decides by.
    pub(super) fn kind(&self) -> ErrorKind {
        match self {
            QuarantineError::Trust(error) => error.kind(),
            QuarantineError::Store(error) => ErrorKind::from(error),
            QuarantineError::Region { fault, .. } => fault.kind(),
        }
    }
}

/// Everybody in quarantine, by app, region and name; of `only` one app if that is named.
pub(super) async fn list(
    mut reader: Publisher,
    fleet: &dyn Fleet,
    only: Option<&App>,
) -> Result<Vec<Quarantined>, QuarantineError> {
    reader.walk_roots().await?;
    let mut all = Vec::new();
    for app in reader.store().apps().await?.into_iter().filter(|app| only.is_none_or(|only| app == only)) {
        for region in reader.store().regions(&app).await? {
            let pointers = newest_first(&reader, &app, &region).await;
            let pointers = pointers.map_err(|fault| QuarantineError::Region {
                app: app.clone(),
                region: region.clone(),
                fault: Box::new(fault),
            })?;
            all.extend(entries(&pointers, &fleet.reports(&app, &region)));
        }
    }
    Ok(all)
}

/// The pointers of a region, one for each generation, back to where nobody is in quarantine who is now.
async fn newest_first(reader: &Publisher, app: &App, region: &Region) -> Result<Vec<Pointer>, RegionFault> {
    let orders = reader.store().history_after(app, region, None).await?;
    let orders = orders.into_iter().rev().filter(|order| order.serial == Serial::FIRST).take(LOOKED_AT_MAX);
    let records = history::records(reader.store(), reader.roots(), (app, region), orders);
    let mut records = std::pin::pin!(records.map_ok(|pointer| Pointer::clone(&pointer)));
    let mut pointers: Vec<Pointer> = Vec::new();
    while let Some(pointer) = records.next().await.transpose()? {
        let mut now = pointers.first().unwrap_or(&pointer).quarantine.iter();
        let is_beyond = !now.any(|agent| pointer.quarantine.contains(agent));
        pointers.push(pointer);
        if is_beyond {
            break;
        }
    }
    Ok(pointers)
}

/// One entry for each agent that the first of `pointers`, newest first, has in quarantine.
fn entries(pointers: &[Pointer], reports: &[AgentReport]) -> Vec<Quarantined> {
    let Some(newest) = pointers.first() else { return Vec::new() };
    let commits = commits(pointers);
    let entry = |agent: &AgentId| {
        // There is one: it is in the newest.
        let came_in = pointers.iter().take_while(|pointer| pointer.quarantine.contains(agent)).last().unwrap_or(newest);
        let report = reports.iter().find(|report| report.agent == *agent);
        let runs = report.and_then(|report| commits.get(&report.active.as_ref()?.digest).copied().cloned());
        let (who, why) = match &came_in.cause {
            Some(Cause { who, why, .. }) => (who.clone(), why.clone()),
            None => (Cause::PUBLISHER.into(), "".into()),
        };
        Quarantined {
            app: newest.app.clone(),
            region: newest.region.clone(),
            agent: agent.clone(),
            generation: came_in.generation,
            since: came_in.issued,
            who,
            why,
            last_word: report.map(last_word),
            runs,
        }
    };
    let mut entries: Vec<Quarantined> = newest.quarantine.iter().map(entry).collect();
    entries.sort_by(|one, other| one.agent.cmp(&other.agent));
    entries
}

/// Which commit brought each bundle that was stable.
fn commits(pointers: &[Pointer]) -> BTreeMap<Digest, &CommitId> {
    // Oldest last, so the commit that brought it first stands.
    pointers.iter().map(|pointer| (pointer.stable.digest, &pointer.commit)).collect()
}

/// What an agent said last, in one line.
fn last_word(report: &AgentReport) -> Box<str> {
    let step = report.step.map_or_else(String::new, |step| format!(" at {step}"));
    let reason = report.reason.as_ref().map_or_else(String::new, |reason| format!(": {reason}"));
    let word = format!("{} generation {}{step}{reason}", report.outcome, report.generation);
    one_line(&word, LAST_WORD_MAX_CHARS).into()
}

const LAST_WORD_MAX_CHARS: usize = 300;

#[cfg(test)]
mod tests;
