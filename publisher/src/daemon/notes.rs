//! What is as it should be and yet worth knowing of a tip, in sentences.

use std::time::Duration;

use schema::status::HeldStatus;
use schema::{App, Region, Timestamp, TrustRoot};

use crate::compile::Compilation;
use crate::plan::Held;
use crate::publish::Report;

/// How many days before a trust root expires it is said, and said again.
const WARN_AT_DAYS: [u32; 3] = [7, 30, 60];

const DAY: Duration = Duration::from_secs(24 * 3600);

/// The note on a trust root that expires soon, or did.
pub(super) fn of_root(root: &TrustRoot, now: Timestamp) -> Option<String> {
    let TrustRoot { version, expires, .. } = root;
    let remedy = "sign the next one (`driftless keys rotate`)";
    if root.is_expired(now) {
        return Some(format!(
            "trust root version {version} expired at {expires}, so agents take nothing new: {remedy}"
        ));
    }
    let left = expires.since(now);
    let days = WARN_AT_DAYS.into_iter().find(|days| left < DAY * *days)?;
    Some(format!(
        "trust root version {version} expires at {expires}, in less than {days} days; from then on agents take nothing new: {remedy}"
    ))
}

/// The notes on a tip: of the rules that it was judged by, of what it waits for, and of regions that do not get it.
pub(super) fn of(
    report: &Report,
    of_rules: &[String],
    compilation: &Compilation,
    standing: &[(App, Region)],
) -> Vec<String> {
    let waiting = report.waiting.iter().map(ToString::to_string);
    let elsewhere: Vec<&str> = report.elsewhere.iter().map(Region::as_str).collect();
    let elsewhere = (!elsewhere.is_empty()).then(|| {
        let regions = elsewhere.join(", ");
        format!(
            "left alone, for this publisher has no pointer key that the trust root takes for them: regions {regions}"
        )
    });
    let vanished = standing.iter().filter(|place| !compilation.bundles.contains_key(place)).map(|(app, region)| {
        format!("app `{app}` in region `{region}` is not in the configuration any more; its pointer stays as it is")
    });
    let blocked = report.blocked.iter().map(|blocked| {
        let (app, region, bundle) = (&blocked.app, &blocked.region, blocked.digest.short());
        let why = in_words(&blocked.why);
        format!("app `{app}` in region `{region}` does not get bundle {bundle}: {why}")
    });
    of_rules.iter().cloned().chain(waiting).chain(elsewhere).chain(vanished).chain(blocked).collect()
}

/// The regions that do not get what the tip asks for.
pub(super) fn held(report: &Report) -> Vec<HeldStatus> {
    let held = report.blocked.iter().map(|blocked| HeldStatus {
        app: blocked.app.clone(),
        region: blocked.region.clone(),
        digest: blocked.digest,
        why: in_words(&blocked.why),
        is_pending: blocked.why.is_pending(),
    });
    held.collect()
}

fn in_words(held: &Held) -> String {
    match held {
        Held::ByHand => "it was taken back by hand".to_owned(),
        Held::Failed { why } => {
            format!("its rollout did not succeed, and it stays away until another takes its place: {why}")
        }
        Held::Frozen { why } => format!("everyone stays on what they run until an `unfreeze`: {why}"),
        Held::Waits { why } => why.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use schema::keys::SecretKey;

    use super::*;

    #[test]
    fn a_root_that_expires_is_said_at_60_30_and_7_days_and_after() {
        let root = crate::bench::root(&SecretKey::generate(), &crate::bench::keys());
        let note = |days: u32| {
            of_root(&root, Timestamp::from_unix_millis(root.expires.unix_millis() - i64::from(days) * 86_400_000))
        };
        assert_eq!(note(60), None);
        for (left, said) in [(59, "60"), (30, "60"), (29, "30"), (7, "30"), (6, "7"), (1, "7")] {
            let note = note(left).expect("it expires soon");
            assert!(note.contains(&format!("in less than {said} days")), "{left}: {note}");
        }
        assert!(note(0).is_some_and(|note| note.contains("expired at")));
    }
}
