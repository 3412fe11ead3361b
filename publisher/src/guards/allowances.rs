//! What signed commits allow: their `Driftless-Allow` trailers.

use std::collections::BTreeSet;

use super::Guard;
use crate::nearest::did_you_mean;
use crate::proof::{Trailer, VerifiedCommit};

const KEY: &str = "driftless-allow";

/// The guards that are lifted, and the words that lift none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Allowances {
    lifted: BTreeSet<Guard>,
    unknown: BTreeSet<String>,
}

impl Allowances {
    /// What the signed commits behind `commit` allow, back to the one published last.
    pub fn of(commit: &VerifiedCommit) -> Allowances {
        Allowances::said(commit.trailers())
    }

    pub(super) fn said(trailers: &[Trailer]) -> Allowances {
        let mut allowances = Allowances::default();
        for trailer in trailers.iter().filter(|trailer| trailer.key == KEY) {
            for word in trailer.value.split([',', ' ']).filter(|word| !word.is_empty()) {
                match Guard::ALL.into_iter().find(|guard| guard.word() == word) {
                    Some(guard) => allowances.lifted.insert(guard),
                    None => allowances.unknown.insert(word.to_owned()),
                };
            }
        }
        allowances
    }

    /// Whether `guard` is lifted.
    pub fn allow(&self, guard: Guard) -> bool {
        self.lifted.contains(&guard)
    }

    /// What is to be said of the first word that lifts no guard, if there is one.
    pub fn unknown(&self) -> Option<String> {
        let word = self.unknown.first()?;
        let known = Guard::ALL.map(Guard::word);
        let (shown, meant) = (word.escape_debug(), did_you_mean(word, known));
        Some(format!("`Driftless-Allow: {shown}` lifts nothing{meant}; there are {}", known.join(", ")))
    }
}
