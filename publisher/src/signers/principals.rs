//! The principals of a line: a list of patterns that names match or do not.

use std::fmt;

/// A comma-separated list of names and patterns, as in `alice@example.com,*@ops.example.com,!guest@ops.example.com`.
///
/// `*` stands for any characters, `?` for one. A name is admitted when some pattern matches it and no pattern that
/// starts with `!` does. Case counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Principals {
    text: Box<str>,
}

impl Principals {
    /// Parses the list.
    ///
    /// # Errors
    /// What is wrong with it, as a fragment: an empty pattern, white space, or nothing but negations.
    pub fn parse(text: &str) -> Result<Principals, &'static str> {
        let mut patterns = text.split(',');
        if text.chars().any(|c| c.is_control() || c.is_whitespace() || c == '"') {
            return Err("has white space, quotes or control characters in its list of principals");
        }
        if patterns.clone().any(|pattern| pattern.trim_start_matches('!').is_empty() || pattern.starts_with("!!")) {
            return Err("has an empty principal; write a name like alice@example.com");
        }
        if patterns.all(|pattern| pattern.starts_with('!')) {
            return Err("has only negated principals, so it admits nobody; add whom it is for");
        }
        Ok(Principals { text: text.into() })
    }

    /// The names and patterns as they are written, `!` included.
    pub(super) fn patterns(&self) -> impl Iterator<Item = &str> {
        self.text.split(',')
    }

    /// Whether each of them names somebody: no wildcard, and nobody taken out.
    pub(crate) fn are_names(&self) -> bool {
        !self.text.contains(['*', '?', '!'])
    }

    /// Whether some name stands in both lists.
    pub(crate) fn share_a_name(&self, other: &Principals) -> bool {
        self.patterns().any(|name| other.patterns().any(|another| name == another))
    }

    /// Whether `name` is one of them.
    pub fn admit(&self, name: &str) -> bool {
        let mut admitted = false;
        for pattern in self.text.split(',') {
            match pattern.strip_prefix('!') {
                Some(negated) if matches(negated.as_bytes(), name.as_bytes()) => return false,
                Some(_) => {}
                None => admitted |= matches(pattern.as_bytes(), name.as_bytes()),
            }
        }
        admitted
    }
}

impl fmt::Display for Principals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.text)
    }
}

/// Glob matching in linear space and at most quadratic time: on a mismatch only the last `*` takes one character more.
fn matches(pattern: &[u8], name: &[u8]) -> bool {
    let (mut at, mut in_name) = (0, 0);
    let mut star = None;
    while in_name < name.len() {
        match pattern.get(at) {
            Some(b'*') => {
                star = Some((at, in_name));
                at += 1;
            }
            Some(&wanted) if wanted == b'?' || wanted == name[in_name] => {
                at += 1;
                in_name += 1;
            }
            _ => match &mut star {
                Some((star_at, taken_to)) => {
                    *taken_to += 1;
                    (at, in_name) = (*star_at + 1, *taken_to);
                }
                None => return false,
            },
        }
    }
    pattern[at..].iter().all(|&byte| byte == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_as_in_openssh() {
        let table = [
            ("alice", "alice", true),
            ("alice", "alic", false),
            ("alice", "alicee", false),
            ("Alice", "alice", false),
            ("*", "", true),
            ("*@x", "a@x", true),
            ("*@x", "a@xy", false),
            ("a*b*c", "a12b34c", true),
            ("a*b*c", "abcb", false),
            ("a?c", "abc", true),
            ("a?c", "ac", false),
            ("?*", "", false),
            ("*,!bob", "alice", true),
            ("*,!bob", "bob", false),
            ("!bob,*", "bob", false),
            ("alice,bob", "bob", true),
            ("*a*a*a*a*a*a*b", &"a".repeat(400), false),
        ];
        for (list, name, admitted) in table {
            let principals = Principals::parse(list).expect("a good list");
            assert_eq!(principals.admit(name), admitted, "{list} on {name}");
        }
    }

    #[test]
    fn lists_that_admit_nobody_or_confuse_are_refused() {
        for bad in ["", ",", "a,", "!", "!!a,b", "!a", "!a,!b", "a b", "a\tb", "a\u{7}", "a\"b"] {
            assert!(Principals::parse(bad).is_err(), "{bad:?}");
        }
    }
}
