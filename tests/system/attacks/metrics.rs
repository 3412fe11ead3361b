//! What the agent under attack counts, and under which name each refusal must be counted.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use schema::ack::Step;

use super::arena::Refusal;
use super::forge::app;

/// The samples of an agent's metrics at one time, by name and labels.
#[derive(Clone, Debug, Default)]
pub(crate) struct Metrics(BTreeMap<String, f64>);

impl Metrics {
    /// Reads what the agent of `state` wrote last; nothing where it wrote nothing yet.
    pub(crate) fn of(state: &Path) -> Metrics {
        let text = fs::read_to_string(state.join(FILE)).unwrap_or_default();
        let samples = text.lines().filter(|line| !line.starts_with('#'));
        let sample = |line: &str| {
            let (name, value) = line.rsplit_once(' ').expect("a name and a value");
            (name.to_owned(), value.parse().expect("a number"))
        };
        Metrics(samples.map(sample).collect())
    }

    /// Forgets what an agent wrote that has ended.
    pub(crate) fn remove(state: &Path) {
        // It may have ended before it wrote anything.
        let _ = fs::remove_file(state.join(FILE));
    }

    /// The value of a sample; nothing has happened where there is none.
    pub(crate) fn value(&self, sample: &str) -> f64 {
        self.0.get(sample).copied().unwrap_or_default()
    }

    pub(crate) fn generation(&self) -> f64 {
        self.value(&format!("driftless_agent_generation{{app=\"{}\"}}", app()))
    }
}

/// The sample that grows when `refusal` is met.
pub(crate) fn sample_of(refusal: Refusal<'_>) -> String {
    let rule = match refusal {
        Refusal::Pointer(words) => named(words, &POINTERS, "pointer_seal"),
        Refusal::NoPointer(_) => "pointer_fetch",
        Refusal::Root(_) => return "driftless_agent_refused_total{rule=\"root\"}".to_owned(),
        Refusal::Generation(Step::Verify, words) => named(words, &MANIFESTS, "manifest_seal"),
        Refusal::Generation(Step::Fetch, _) => "bundle",
        Refusal::Generation(step, _) => unreachable!("no attack here gets as far as {step:?}"),
        Refusal::Stale => return format!("driftless_agent_stale{{app=\"{}\"}}", app()),
    };
    format!("driftless_agent_refused_total{{app=\"{}\",rule=\"{rule}\"}}", app())
}

/// The rule of the first words that are among `words`.
fn named(words: &str, rules: &[(&str, &'static str)], otherwise: &'static str) -> &'static str {
    rules.iter().find(|(part, _)| words.contains(part)).map_or(otherwise, |(_, rule)| rule)
}

const POINTERS: [(&str, &str); 5] = [
    ("rollback", "rollback"),
    ("fast-forward", "fast_forward"),
    ("equivocation", "equivocation"),
    ("mix-and-match", "mix_and_match"),
    ("is not epoch", "wrong_epoch"),
];
const MANIFESTS: [(&str, &str); 7] = [
    ("mix-and-match", "manifest_other"),
    ("below the floor", "below_floor"),
    ("revokes", "revoked"),
    ("has no such object", "manifest_fetch"),
    ("no answer", "manifest_fetch"),
    ("redirects to", "manifest_fetch"),
    ("sends more than", "manifest_fetch"),
];
const FILE: &str = "metrics.prom";
