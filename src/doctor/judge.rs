//! From facts to findings: pure, time among the facts.

mod control;
mod host;
mod keys;
mod root;
mod store;
#[cfg(test)]
mod tests;

use super::facts::Facts;
use super::finding::Finding;

/// Every check, in the order in which people think: who is trusted, with which keys, what is published, on what host.
pub(super) fn judge(facts: &Facts) -> Vec<Finding> {
    let mut findings = root::judge(&facts.root, facts.now);
    findings.extend(keys::judge(facts));
    findings.extend(store::judge(&facts.store, facts.now));
    findings.extend(host::judge(facts));
    findings.extend(control::judge(facts));
    findings
}

/// A length of time to the unit that matters.
fn roughly(millis: i64) -> String {
    let seconds = millis.unsigned_abs() / 1000;
    match seconds {
        0..=119 => format!("{seconds} s"),
        120..=7199 => format!("{} min", seconds / 60),
        7200..=172_799 => format!("{} h", seconds / 3600),
        _ => format!("{} days", seconds / 86_400),
    }
}
