//! A report as people read it.

use std::fmt;

use super::{CommitReport, LayerReport, Percentiles, Report};

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let setting = &self.setting;
        writeln!(
            f,
            "{} agents, {} regions, {}, policy {}, {}, loss {}, seed {}",
            number(setting.agents.into()),
            setting.regions,
            setting.topology,
            setting.policy,
            setting.latency,
            setting.loss,
            setting.seed
        )?;
        for commit in &self.commits {
            write_commit(f, commit, setting.fail_share * f64::from(u8::from(commit.commit == setting.commits)))?;
        }
        writeln!(
            f,
            "\n{:<10} {:>6} {:>12} {:>12} {:>12} {:>14}",
            "LAYER", "NODES", "REQUESTS/S", "PEAK/S", "ACKS PEAK/S", "SENT"
        )?;
        for layer in &self.layers {
            write_layer(f, layer)?;
        }
        if let Some(share) = self.patch_hit_share {
            writeln!(f, "patches: {:.2} % of the bundles that agents fetched", share * 100.0)?;
        }
        writeln!(
            f,
            "heartbeats, not in the above: {} acks/s at every layer up to the publisher",
            number(self.heartbeats_per_s.round() as u64)
        )?;
        let made = &self.decisions;
        writeln!(
            f,
            "\nreal decisions: {} of agents (and {} assignments more), {} successions, {} of schedules, {} rests, {} of the controller; {} different journals, {} events, {:.0} s",
            number(made.decide),
            number(made.assignment),
            number(made.succession),
            number(made.schedule),
            number(made.backoff),
            made.controller,
            made.journals,
            number(self.events),
            self.simulated_s
        )?;
        for rule in &self.rules {
            match &rule.first {
                None => writeln!(f, "{:<9} held", rule.rule)?,
                Some(first) => writeln!(f, "{:<9} BROKEN {} times, first: {first}", rule.rule, number(rule.broken))?,
            }
        }
        for note in &self.notes {
            writeln!(f, "note: {note}")?;
        }
        writeln!(f, "\n{:<15} {:>12} {:<8} SOURCE", "CONSTANT", "VALUE", "UNIT")?;
        for (name, constant) in &self.constants {
            writeln!(f, "{name:<15} {:>12} {:<8} {}", constant.value, constant.unit, constant.source)?;
        }
        Ok(())
    }
}

fn write_commit(f: &mut fmt::Formatter<'_>, commit: &CommitReport, fails: f64) -> fmt::Result {
    let CommitReport { commit: which, ended, ended_s, on, allowed, .. } = commit;
    writeln!(f, "\ncommit {which}: {ended}, after {ended_s:.1} s")?;
    if fails > 0.0 {
        let (on, allowed) = (number(*on), number(*allowed));
        writeln!(f, "  it fails on {:.3} % of the agents; {on} ever ran it, {allowed} might have", fails * 100.0)?;
    }
    writeln!(
        f,
        "  {:<34} {:>9} {:>9} {:>9} {:>9} {:>9} {:>9}",
        "FROM THE COMMIT", "AGENTS", "P50", "P90", "P99", "P99.9", "LAST"
    )?;
    write_times(f, "pointer seen", &commit.seen)?;
    write_times(f, "applied", &commit.applied)?;
    if !commit.steps.is_empty() {
        writeln!(f, "  FROM EACH STEP'S RECORD")?;
    }
    for step in &commit.steps {
        write_times(f, &format!("{} ({:.0} s): seen", step.step, step.began_s), &step.seen)?;
        write_times(f, "  done", &step.done)?;
    }
    Ok(())
}

fn write_times(f: &mut fmt::Formatter<'_>, name: &str, times: &Percentiles) -> fmt::Result {
    let Percentiles { agents, p50_ms, p90_ms, p99_ms, p999_ms, last_ms } = *times;
    write!(f, "  {name:<34} {:>9}", number(agents))?;
    for time in [p50_ms, p90_ms, p99_ms, p999_ms, last_ms] {
        write!(f, " {:>9}", length(time))?;
    }
    writeln!(f)
}

fn write_layer(f: &mut fmt::Formatter<'_>, layer: &LayerReport) -> fmt::Result {
    writeln!(
        f,
        "{:<10} {:>6} {:>12} {:>12} {:>12} {:>14}",
        layer.layer,
        layer.nodes,
        number(layer.requests_per_s.round() as u64),
        number(layer.requests_peak_per_s.into()),
        number(layer.acks_peak_per_s.into()),
        bytes(layer.bytes_sent)
    )?;
    let of = layer.transfers.iter().map(|(name, it)| format!("{} {name} {}", number(it.times), bytes(it.bytes)));
    writeln!(f, "  {}", of.collect::<Vec<_>>().join(", "))
}

fn length(ms: f64) -> String {
    match ms {
        ms if ms < 10_000.0 => format!("{ms:.0} ms"),
        ms if ms < 600_000.0 => format!("{:.1} s", ms / 1000.0),
        ms => format!("{:.1} min", ms / 60_000.0),
    }
}

fn bytes(bytes: u64) -> String {
    match bytes as f64 {
        bytes if bytes < 1e4 => format!("{bytes} B"),
        bytes if bytes < 1e7 => format!("{:.1} kB", bytes / 1e3),
        bytes if bytes < 1e10 => format!("{:.1} MB", bytes / 1e6),
        bytes => format!("{:.1} GB", bytes / 1e9),
    }
}

/// With a comma between every three digits.
fn number(number: u64) -> String {
    let digits = number.to_string();
    let groups: Vec<&str> =
        digits.as_bytes().rchunks(3).rev().map(|group| str::from_utf8(group).expect("digits are ASCII")).collect();
    groups.join(",")
}
