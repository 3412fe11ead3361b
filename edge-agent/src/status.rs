//! What an agent's state folder says, read from outside while the agent runs or when it does not.
//!
//! In: a state folder. Out: one [`AppStatus`] for each app in it. Takes no lock and changes nothing.

use std::io;
use std::path::{Path, PathBuf};

use schema::{Ack, App, Digest, Order, Outcome, Seen, Timestamp};
use serde::Serialize;

use crate::apply::{clock, in_one_line};
use crate::journal::{Held, Journal, JournalState};
use crate::scrub::Scrub;
use crate::state::AppFolder;

/// One app on one host. As JSON, the data of `driftless-agent status --json`.
#[derive(Clone, Debug, Serialize)]
pub struct AppStatus {
    /// The app.
    pub app: App,
    /// The version that `current` resolves to.
    pub active: Option<Digest>,
    /// What the newest pointer takes the version that runs for; absent where nothing runs, or no pointer is known.
    pub role: Option<Role>,
    /// When the host goes back by itself unless somebody confirms what runs; absent where nothing waits for that, or it is put off
    /// because the agent is held.
    pub confirm_by: Option<Timestamp>,
    /// The candidate that is ready and does not run.
    pub prepared: Option<Digest>,
    /// Why the agent is to stay on what it runs.
    pub held: Option<Held>,
    /// Generations in a row that a hook refused.
    pub failures: u32,
    /// The newest pointer that was accepted.
    pub seen: Option<Order>,
    /// Whether that pointer still counts.
    pub freshness: Freshness,
    /// When it expires, or did.
    pub expires: Option<Timestamp>,
    /// By how many milliseconds this host's clock is behind the newest signature it accepted; absent where it is not.
    pub clock_behind_ms: Option<u64>,
    /// The result of the newest generation that has one.
    pub settled: Option<Ack>,
    /// What was told last, result or not.
    pub told: Option<Ack>,
    /// How many acks were not answered yet.
    pub unanswered: usize,
    /// Bundles that a hook refused, or nobody confirmed, and that have not gone through since.
    pub bad: Vec<Digest>,
    /// The versions on the disk.
    pub versions: Vec<Digest>,
    /// What the last scrub found; absent before the first.
    pub scrub: Option<Scrub>,
    /// Why the journal or the folder cannot be relied on; the app holds.
    pub problem: Option<String>,
}

/// What a pointer takes the version that runs for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// What everybody runs.
    Stable,
    /// What is being rolled out.
    Candidate,
    /// Something else, from before.
    Older,
}

/// Whether the newest pointer that was accepted still counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Freshness {
    /// It has not expired.
    Fresh,
    /// It, or the trust root, expired: nothing new is applied, nothing is removed.
    Stale,
    /// None was accepted yet, or only by a version of the agent that did not keep when it expires.
    Unknown,
}

/// Reads the status of every app under `state`, sorted by name.
///
/// # Errors
/// [`StatusError`] where the state folder itself cannot be read; what is wrong with one app is in its [`AppStatus::problem`].
pub fn status(state: &Path) -> Result<Vec<AppStatus>, StatusError> {
    let unreadable = |source| StatusError { path: state.to_owned(), source };
    // Otherwise a mistyped path would look like an agent without apps.
    state.metadata().map_err(unreadable)?;
    let apps = AppFolder::all(state).map_err(unreadable)?;
    Ok(apps.into_iter().map(|(app, folder)| of_app(app, &folder)).collect())
}

/// Says that there is no state folder to read.
#[derive(Debug, thiserror::Error)]
#[error("state folder `{}` cannot be read; is it the `state` of this agent's configuration?", path.display())]
pub struct StatusError {
    /// The folder.
    pub path: PathBuf,
    /// What the system says.
    #[source]
    pub source: io::Error,
}

fn of_app(app: App, folder: &AppFolder) -> AppStatus {
    let mut problems = Vec::new();
    let journal = Journal::read(&folder.journal()).unwrap_or_else(|error| {
        problems.push(in_one_line(&error));
        None
    });
    let active = folder.active().unwrap_or_else(|error| {
        problems.push(in_one_line(&error));
        None
    });
    let versions = folder.on_disk().unwrap_or_else(|error| {
        problems.push(in_one_line(&error));
        Default::default()
    });
    let journal = journal.unwrap_or_default();
    let clock = clock();
    let freshness = freshness(&journal, clock);
    let behind = journal.floor.map(|floor| floor.since(clock)).filter(|behind| !behind.is_zero());
    let prepared = journal.prepared().filter(|digest| versions.contains(digest) && active != Some(*digest));
    let confirm_by = journal.confirm_by();
    let JournalState { seen, until, settled, told, unanswered, bad, failures, .. } = journal;
    AppStatus {
        app,
        active,
        role: active.zip(until).map(|(active, until)| match active {
            active if active == until.stable => Role::Stable,
            active if Some(active) == until.candidate => Role::Candidate,
            _ => Role::Older,
        }),
        confirm_by,
        prepared,
        held: until.and_then(|until| until.held),
        failures,
        seen: seen.map(|seen| seen.order),
        freshness,
        expires: until.map(|until| until.expires),
        clock_behind_ms: behind.map(|behind| u64::try_from(behind.as_millis()).unwrap_or(u64::MAX)),
        settled,
        told,
        unanswered: unanswered.len(),
        bad: bad.iter().map(|bad| bad.applied.intent.target).collect(),
        versions: versions.into_iter().collect(),
        scrub: Scrub::read(folder),
        problem: (!problems.is_empty()).then(|| problems.join("; ")),
    }
}

/// By the same clock and floor as the agent's own, and besides by what it told last: it knows the trust root, too.
fn freshness(journal: &JournalState, clock: Timestamp) -> Freshness {
    let told_stale = |seen: Seen| journal.told_of(seen.order).is_some_and(|ack| ack.outcome == Outcome::Stale);
    match (journal.seen, journal.until) {
        (Some(seen), _) if told_stale(seen) => Freshness::Stale,
        (_, Some(until)) if journal.time(clock) >= until.expires => Freshness::Stale,
        (_, Some(_)) => Freshness::Fresh,
        (_, None) => Freshness::Unknown,
    }
}
