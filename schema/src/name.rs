//! Names of apps, regions and agents: parsed once, valid ever after.
//!
//! Each type has `FromStr` and `TryFrom<String>` as its only ways in, so a name in hand can go into a store path, a
//! trusted comment or a terminal without further checks.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Says why a text is not a name, and what a name looks like.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{}` is not a valid {kind} name: {grammar}", offered.escape_debug())]
pub struct InvalidName {
    /// What was to be named: `app`, `region`, `agent` or `label`.
    pub kind: &'static str,
    /// The text as offered, cut to 64 characters.
    pub offered: String,
    /// The grammar in words.
    pub grammar: &'static str,
}

macro_rules! name {
    ($(#[$doc:meta])* $type:ident, $kind:literal, $grammar:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $type(Box<str>);

        impl $type {
            /// The name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $type {
            type Err = InvalidName;

            fn from_str(text: &str) -> Result<Self, InvalidName> {
                if $grammar.admits(text) {
                    Ok($type(text.into()))
                } else {
                    Err(InvalidName { kind: $kind, offered: text.chars().take(64).collect(), grammar: $grammar.in_words })
                }
            }
        }

        impl TryFrom<String> for $type {
            type Error = InvalidName;

            fn try_from(text: String) -> Result<Self, InvalidName> {
                text.parse()
            }
        }

        impl From<$type> for String {
            fn from(name: $type) -> String {
                name.0.into()
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }
    };
}

name! {
    /// Name of an app: 1 to 64 bytes of `a-z`, `0-9` and `-`, a letter or digit at both ends.
    App, "app", SLUG
}
name! {
    /// Name of a region: 1 to 64 bytes of `a-z`, `0-9` and `-`, a letter or digit at both ends.
    Region, "region", SLUG
}
name! {
    /// Name of an agent, usually its host's: 1 to 128 bytes of letters, digits, `-`, `_` and `.`, a letter or digit first.
    AgentId, "agent", HOST
}
name! {
    /// Key or value of a label: the grammar of an agent's name.
    Label, "label", HOST
}

struct Grammar {
    max_bytes: usize,
    body: fn(u8) -> bool,
    edges: fn(&str) -> bool,
    in_words: &'static str,
}

impl Grammar {
    fn admits(&self, text: &str) -> bool {
        !text.is_empty() && text.len() <= self.max_bytes && text.bytes().all(self.body) && (self.edges)(text)
    }
}

const SLUG: Grammar = Grammar {
    max_bytes: 64,
    body: |byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-',
    edges: |text| !text.starts_with('-') && !text.ends_with('-'),
    in_words: "use 1 to 64 of a-z, 0-9 and `-`, with a letter or digit at both ends",
};

const HOST: Grammar = Grammar {
    max_bytes: 128,
    body: |byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'),
    edges: |text| text.starts_with(|first: char| first.is_ascii_alphanumeric()),
    in_words: "use 1 to 128 letters, digits, `-`, `_` and `.`, with a letter or digit first",
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_could_leave_a_path_or_a_line_are_refused() {
        for bad in ["", "-", "a-", "-a", "A", "a_b", "a/b", "..", ".", "a b", "a\nb", "é", "a\0", &"a".repeat(65)] {
            assert!(bad.parse::<App>().is_err(), "{bad:?} must not be an app");
            assert!(bad.parse::<Region>().is_err(), "{bad:?} must not be a region");
        }
        for bad in ["", ".", "..", "-x", "_x", "a/b", "a b", "a\u{1b}[2J", &"a".repeat(129)] {
            assert!(bad.parse::<AgentId>().is_err(), "{bad:?} must not be an agent");
        }
    }

    #[test]
    fn ordinary_names_are_kept_as_they_are() {
        assert_eq!("edge-proxy".parse::<App>().map(|app| app.to_string()), Ok("edge-proxy".to_owned()));
        assert_eq!("web-0173.eu_1".parse::<AgentId>().map(String::from), Ok("web-0173.eu_1".to_owned()));
    }

    #[test]
    fn the_message_never_carries_control_characters() {
        let refused = "a\u{1b}[2J".parse::<App>().expect_err("an escape sequence is no name");
        assert!(!refused.to_string().contains('\u{1b}'));
    }
}
