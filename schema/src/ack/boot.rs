//! One run of an agent, told apart from all its other runs.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A number drawn at the start of an agent, in 32 lower-case hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Boot(u128);

impl Boot {
    /// Wraps a number drawn at random.
    pub const fn new(drawn: u128) -> Boot {
        Boot(drawn)
    }
}

impl fmt::Display for Boot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

/// Says that a text does not name a run of an agent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{}` is not a run of an agent in 32 lower-case hex digits", .0.escape_debug())]
pub struct InvalidBoot(String);

impl FromStr for Boot {
    type Err = InvalidBoot;

    fn from_str(text: &str) -> Result<Self, InvalidBoot> {
        let parsed = u128::from_str_radix(text, 16).ok().map(Boot);
        // One spelling: no sign, no upper case, no missing zero.
        parsed.filter(|boot| boot.to_string() == text).ok_or_else(|| InvalidBoot(text.chars().take(64).collect()))
    }
}

impl TryFrom<String> for Boot {
    type Error = InvalidBoot;

    fn try_from(text: String) -> Result<Self, InvalidBoot> {
        text.parse()
    }
}

impl From<Boot> for String {
    fn from(boot: Boot) -> String {
        boot.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_has_one_spelling() {
        let boot = Boot::new(0xabc);
        assert_eq!(boot.to_string().parse(), Ok(boot));
        for bad in ["", "abc", "00000000000000000000000000000ABC", "+0000000000000000000000000000abc"] {
            assert!(bad.parse::<Boot>().is_err(), "{bad:?}");
        }
    }
}
