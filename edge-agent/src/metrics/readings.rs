//! The values that an agent's metrics have now, and their text in the Prometheus exposition format, version 0.0.4.
//!
//! Pure. Names are fixed, label values are letters, digits, `-` and `_`, so nothing needs escaping. Written by hand because the
//! collector that reads the file wants this format, and the encoder that gateways use writes OpenMetrics, in whose declarations
//! counters have another name.

use std::collections::BTreeMap;
use std::fmt;

use schema::{App, Epoch, Timestamp};

use crate::rule::Rule;

/// How one app is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Reading {
    /// Epoch and generation that brought what runs; nothing before the first.
    pub(crate) active: Option<(Epoch, u64)>,
    /// When the newest pointer that was accepted expires, or did; nothing before the first.
    pub(crate) expires: Option<Timestamp>,
    /// Whether it did, or the trust root: then nothing new is applied.
    pub(crate) stale: bool,
    /// Whether the newest pointer keeps the agent on what it runs.
    pub(crate) held: bool,
    /// Whether what runs waits for a confirmation.
    pub(crate) on_trial: bool,
    /// Generations in a row that a hook refused.
    pub(crate) failures: u32,
}

/// All of one agent.
#[derive(Debug, Default)]
pub(super) struct Readings {
    refused: BTreeMap<(Option<App>, Rule), u64>,
    damaged: BTreeMap<App, u64>,
    apps: BTreeMap<App, Reading>,
    root: Option<u64>,
}

impl Readings {
    pub(super) fn refused(&mut self, app: Option<&App>, rule: Rule) {
        *self.refused.entry((app.cloned(), rule)).or_default() += 1;
    }

    pub(super) fn damaged(&mut self, app: &App) {
        *self.damaged.entry(app.clone()).or_default() += 1;
    }

    /// Says whether that changed anything.
    pub(super) fn read(&mut self, app: &App, reading: Reading) -> bool {
        // From the start on, so that the first one that is damaged is seen as growth.
        self.damaged.entry(app.clone()).or_default();
        self.apps.insert(app.clone(), reading) != Some(reading)
    }

    /// Says whether that changed anything.
    pub(super) fn root(&mut self, version: u64) -> bool {
        self.root.replace(version) != Some(version)
    }
}

impl fmt::Display for Readings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut family = |name: &str, kind: &str, help: &str, samples: Vec<(String, String)>| {
            if samples.is_empty() {
                return Ok(());
            }
            writeln!(f, "# HELP driftless_agent_{name} {help}\n# TYPE driftless_agent_{name} {kind}")?;
            samples.iter().try_for_each(|(labels, value)| writeln!(f, "driftless_agent_{name}{labels} {value}"))
        };
        let of = |app: &App| format!("{{app=\"{app}\"}}");
        let gauge = |value: &dyn Fn(&Reading) -> Option<String>| -> Vec<(String, String)> {
            self.apps.iter().filter_map(|(app, reading)| Some((of(app), value(reading)?))).collect()
        };
        let refused = self.refused.iter().map(|((app, rule), count)| {
            let app = app.as_ref().map(|app| format!("app=\"{app}\",")).unwrap_or_default();
            (format!("{{{app}rule=\"{}\"}}", rule.name()), count.to_string())
        });
        let help = "What was offered and refused, or could not be had, since the start, by the rule that it broke.";
        family("refused_total", "counter", help, refused.collect())?;
        let damaged = self.damaged.iter().map(|(app, count)| (of(app), count.to_string()));
        let help = "Times since the start that a version on the disk was found not to be what was signed.";
        family("scrub_damaged_total", "counter", help, damaged.collect())?;
        let active = gauge(&|reading| reading.active.map(|(_, generation)| generation.to_string()));
        family("generation", "gauge", "Generation that brought what runs.", active)?;
        let epoch = gauge(&|reading| reading.active.map(|(epoch, _)| epoch.to_string()));
        family("epoch", "gauge", "Epoch of that generation.", epoch)?;
        let stale = gauge(&|reading| Some(u8::from(reading.stale).to_string()));
        family(
            "stale",
            "gauge",
            "1 while the newest pointer or the trust root is expired, and nothing new applied.",
            stale,
        )?;
        let held = gauge(&|reading| Some(u8::from(reading.held).to_string()));
        let help = "1 while the newest pointer keeps the agent on what it runs: a freeze, or a quarantine.";
        family("held", "gauge", help, held)?;
        let on_trial = gauge(&|reading| Some(u8::from(reading.on_trial).to_string()));
        family("on_trial", "gauge", "1 while what runs goes by itself unless it is confirmed.", on_trial)?;
        let failures = gauge(&|reading| Some(reading.failures.to_string()));
        family("hook_failures", "gauge", "Generations in a row that a hook refused.", failures)?;
        let expires = gauge(&|reading| reading.expires.map(seconds));
        let help = "When the newest pointer that was accepted expires, in seconds since 1970.";
        family("pointer_expires_timestamp_seconds", "gauge", help, expires)?;
        let root = self.root.iter().map(|version| (String::new(), version.to_string()));
        family("root_version", "gauge", "Version of the trust root in force.", root.collect())
    }
}

fn seconds(at: Timestamp) -> String {
    let since = at.since(Timestamp::UNIX_EPOCH);
    format!("{}.{:03}", since.as_secs(), since.subsec_millis())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn app(name: &str) -> App {
        name.parse().expect("a name")
    }

    const NEW: Reading =
        Reading { active: None, expires: None, stale: false, held: false, on_trial: false, failures: 0 };

    #[test]
    fn the_text_is_what_a_collector_reads() {
        let mut readings = Readings::default();
        assert_eq!(readings.to_string(), "", "nothing is made up");
        let expires = Some(Timestamp::UNIX_EPOCH.after(Duration::from_millis(1_800_000_000_050)));
        readings.root(3);
        readings.read(
            &app("web"),
            Reading {
                active: Some((Epoch::new(2), 41)),
                expires,
                stale: true,
                held: true,
                on_trial: true,
                failures: 2,
            },
        );
        readings.read(&app("flags"), NEW);
        readings.refused(Some(&app("web")), Rule::Rollback);
        readings.refused(Some(&app("web")), Rule::Rollback);
        readings.refused(None, Rule::Root);
        readings.damaged(&app("web"));
        let samples: Vec<String> =
            readings.to_string().lines().filter(|line| !line.starts_with('#')).map(str::to_owned).collect();
        let expected = [
            "driftless_agent_refused_total{rule=\"root\"} 1",
            "driftless_agent_refused_total{app=\"web\",rule=\"rollback\"} 2",
            "driftless_agent_scrub_damaged_total{app=\"flags\"} 0",
            "driftless_agent_scrub_damaged_total{app=\"web\"} 1",
            "driftless_agent_generation{app=\"web\"} 41",
            "driftless_agent_epoch{app=\"web\"} 2",
            "driftless_agent_stale{app=\"flags\"} 0",
            "driftless_agent_stale{app=\"web\"} 1",
            "driftless_agent_held{app=\"flags\"} 0",
            "driftless_agent_held{app=\"web\"} 1",
            "driftless_agent_on_trial{app=\"flags\"} 0",
            "driftless_agent_on_trial{app=\"web\"} 1",
            "driftless_agent_hook_failures{app=\"flags\"} 0",
            "driftless_agent_hook_failures{app=\"web\"} 2",
            "driftless_agent_pointer_expires_timestamp_seconds{app=\"web\"} 1800000000.050",
            "driftless_agent_root_version 3",
        ];
        assert_eq!(samples, expected);
        let declared = readings.to_string().lines().filter(|line| line.starts_with("# TYPE ")).count();
        assert_eq!(declared, 10, "each family once");
    }

    #[test]
    fn what_says_the_same_changes_nothing() {
        let mut readings = Readings::default();
        assert!(readings.read(&app("web"), NEW) && readings.root(1));
        assert!(!readings.read(&app("web"), NEW) && !readings.root(1));
        assert!(readings.read(&app("web"), Reading { stale: true, ..NEW }) && readings.root(2));
    }
}
