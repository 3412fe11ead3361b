//! Keys that do not count any more, remembered for good.
//!
//! In: the revocations that a policy file has today. Out: those, and all that it ever had: one line
//! `<fingerprint> <since> <when it was read>` each in a file that only grows. A merge, a stale copy or a hasty edit of the policy
//! thus cannot bring a revoked key back; a person can, by taking the line out of the file.

use std::collections::BTreeMap;
use std::path::Path;

use schema::Timestamp;

use super::fingerprint::KeyFingerprint;
use crate::ledger::{Ledger, LedgerError, LedgerName};

/// A key that does not count for what was first seen at `since` or later.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Revocation {
    /// The key. An OpenPGP primary key takes its subkeys with it.
    pub key: KeyFingerprint,
    /// From this moment on, itself included.
    pub since: Timestamp,
}

/// All revocations that were ever read.
#[derive(Debug)]
pub struct Revocations {
    ledger: Ledger,
    since: BTreeMap<KeyFingerprint, Timestamp>,
}

const NAME: LedgerName = LedgerName {
    of: "revoked keys",
    remedy: "restore the file from a backup: without it, only what the policy file revokes today is revoked",
};

impl Revocations {
    /// Opens the record at `path`, making it where there is none.
    ///
    /// # Errors
    /// [`LedgerError`]: the file is out of reach or damaged. Nothing may be judged then.
    pub fn open(path: &Path) -> Result<Revocations, LedgerError> {
        let (ledger, lines) = Ledger::open(path, NAME, parse_line)?;
        let mut since = BTreeMap::new();
        for Revocation { key, since: from } in lines {
            earliest(&mut since, key, from);
        }
        Ok(Revocations { ledger, since })
    }

    /// Remembers what of `revoked` is new or earlier than known, read at `now`.
    ///
    /// # Errors
    /// [`LedgerError::Io`]; nothing is remembered then.
    pub fn remember(&mut self, revoked: &[Revocation], now: Timestamp) -> Result<(), LedgerError> {
        let fresh: Vec<&Revocation> = revoked
            .iter()
            .filter(|Revocation { key, since }| self.since.get(key).is_none_or(|known| since < known))
            .collect();
        let lines: String = fresh.iter().map(|Revocation { key, since }| format!("{key} {since} {now}\n")).collect();
        self.ledger.append(&lines)?;
        for Revocation { key, since } in fresh {
            tracing::warn!(%key, %since, "Key {key} is revoked since {since}");
            earliest(&mut self.since, key.clone(), *since);
        }
        Ok(())
    }

    /// Everything that is revoked.
    pub fn all(&self) -> Vec<Revocation> {
        self.since.iter().map(|(key, since)| Revocation { key: key.clone(), since: *since }).collect()
    }

    /// One sentence for each key that is revoked and that `file` does not revoke any more, or only later.
    pub fn missing_from(&self, file: &[Revocation]) -> Vec<String> {
        let stands = |key: &KeyFingerprint, since: Timestamp| {
            file.iter().any(|revocation| revocation.key == *key && revocation.since <= since)
        };
        let missing = self.since.iter().filter(|(key, since)| !stands(key, **since));
        missing
            .map(|(key, since)| {
                format!(
                    "the policy file does not revoke key {key} since {since} any more, and it stays revoked; put the \
                     revocation back, or, to lift it, remove its line from `{}`",
                    self.ledger.path().display()
                )
            })
            .collect()
    }
}

fn earliest(known: &mut BTreeMap<KeyFingerprint, Timestamp>, key: KeyFingerprint, since: Timestamp) {
    known.entry(key).and_modify(|known| *known = since.min(*known)).or_insert(since);
}

fn parse_line(line: &str) -> Option<Revocation> {
    let mut words = line.split(' ');
    let (key, since) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
    let _read_at: Timestamp = words.next()?.parse().ok()?;
    words.next().is_none().then_some(Revocation { key, since })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(digit: &str) -> KeyFingerprint {
        digit.repeat(40).parse().expect("a fingerprint")
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_unix_millis(second * 1000)
    }

    #[test]
    fn a32_a_revocation_outlives_the_policy_that_had_it() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("revoked");
        let revoked = |key, second| Revocation { key, since: at(second) };
        let mut known = Revocations::open(&path).expect("a new file");
        known.remember(&[revoked(key("a"), 10), revoked(key("b"), 20)], at(30)).expect("it can be written");

        // The policy lost one and moved the other; both stay as they were, also for the next process.
        let mut known = Revocations::open(&path).expect("it is there");
        let today = [revoked(key("b"), 99)];
        known.remember(&today, at(40)).expect("it can be written");
        assert_eq!(known.all(), [revoked(key("a"), 10), revoked(key("b"), 20)]);
        let notes = known.missing_from(&today);
        assert!(notes.len() == 2 && notes[0].contains("remove its line from"), "{notes:?}");
        assert_eq!(known.missing_from(&known.all()), Vec::<String>::new());

        // Earlier is stricter, so it counts.
        known.remember(&[revoked(key("a"), 5)], at(50)).expect("it can be written");
        assert_eq!(Revocations::open(&path).expect("it is there").all()[0], revoked(key("a"), 5));

        // A person can lift it by hand; a damaged file is no licence.
        let text = std::fs::read_to_string(&path).expect("text");
        let kept: String = text.lines().filter(|line| !line.starts_with('A')).map(|line| format!("{line}\n")).collect();
        std::fs::write(&path, kept).expect("writable");
        assert_eq!(Revocations::open(&path).expect("it is there").all(), [revoked(key("b"), 20)]);
        std::fs::write(&path, "nonsense\n").expect("writable");
        assert!(matches!(Revocations::open(&path), Err(LedgerError::Damaged { line: 1, .. })));
    }
}
