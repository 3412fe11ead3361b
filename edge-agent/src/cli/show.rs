//! What `driftless-agent` prints: for people, or as JSON.

use std::error::Error as _;
use std::io::{self, Write};

use edge_agent::journal::Held;
use edge_agent::{AppProof, AppStatus, Condition, Finding, Freshness, Role};
use serde::Serialize;

/// What one app runs, and what came of its newest generation.
pub(super) fn status(out: &mut impl Write, app: &AppStatus) -> io::Result<()> {
    let active = app.active.map_or_else(|| "nothing yet".to_owned(), |digest| digest.short());
    let role = if app.role == Some(Role::Candidate) { ", the candidate" } else { "" };
    writeln!(out, "{}: runs {active}{role}", app.app)?;
    if let Some(confirm_by) = app.confirm_by {
        writeln!(out, "  on trial: goes back by itself unless it is confirmed by {confirm_by}")?;
    }
    if let Some(prepared) = app.prepared {
        writeln!(out, "  prepared: {}", prepared.short())?;
    }
    match app.held {
        Some(Held::Frozen) => writeln!(out, "  FROZEN: everybody stays on what they run")?,
        Some(Held::Quarantined) => writeln!(out, "  QUARANTINED: this agent stays on what it runs")?,
        None => {}
    }
    if app.failures > 0 {
        writeln!(out, "  hooks refused {} generations in a row", app.failures)?;
    }
    if let Some(told) = &app.told {
        let step = told.step.map(|step| format!(" at {step}")).unwrap_or_default();
        let answered = if app.unanswered == 0 { "" } else { ", not answered yet" };
        writeln!(out, "  generation {}: {}{step} ({}{answered})", told.generation, told.outcome, told.at)?;
        if let Some(reason) = &told.reason {
            writeln!(out, "  because: {}", reason.escape_debug())?;
        }
    }
    if let Some(seen) = app.seen {
        let expires = app.expires.map(|expires| format!(", counts until {expires}")).unwrap_or_default();
        writeln!(out, "  newest pointer: {seen}{expires}")?;
    }
    if app.freshness == Freshness::Stale {
        writeln!(out, "  STALE: nothing new is applied, nothing is removed")?;
    }
    if let Some(behind) = app.clock_behind_ms {
        writeln!(out, "  CLOCK: {} s behind the newest signature", behind / 1000)?;
    }
    writeln!(out, "  versions on disk: {}", app.versions.len())?;
    if let Some(scrub) = &app.scrub {
        let result = match scrub.result {
            Condition::Sound => "sound",
            Condition::Mended => "damage was mended",
            Condition::Damaged => "DAMAGED",
        };
        writeln!(out, "  last scrub: {result}, {} versions ({})", scrub.versions, scrub.last)?;
        if let Some(problem) = &scrub.problem {
            writeln!(out, "  because: {}", problem.escape_debug())?;
        }
    }
    if let Some(problem) = &app.problem {
        writeln!(out, "  PROBLEM: {problem}")?;
    }
    Ok(())
}

/// What the tree of one app turned out to be.
pub(super) fn proof(out: &mut impl Write, proof: &AppProof) -> io::Result<()> {
    let app = &proof.app;
    match &proof.finding {
        Finding::Nothing => writeln!(out, "{app}: runs nothing yet"),
        Finding::Proven { digest } => writeln!(out, "{app}: every byte is that of {digest}"),
        Finding::Changed { expected, found } => writeln!(out, "{app}: CHANGED: found {found}, expected {expected}"),
        Finding::Unprovable { problem } => {
            writeln!(out, "{app}: NOT PROVEN: {problem}")?;
            let mut cause = problem.source();
            while let Some(error) = cause {
                writeln!(out, "  caused by: {error}")?;
                cause = error.source();
            }
            Ok(())
        }
    }
}

pub(super) fn json(out: &mut impl Write, value: &impl Serialize) -> io::Result<()> {
    serde_json::to_writer_pretty(&mut *out, value).map_err(io::Error::from)?;
    writeln!(out)
}
