//! `control.yaml`: who may look at rollouts, and who may command them.
//!
//! ```yaml
//! viewers:
//!   dashboard: { token_sha256: 9f86d0… }
//! operators:
//!   alice: { token_sha256: 60303a…, expires: 2027-01-01T00:00:00.000Z }
//! ```
//!
//! In: that file, later a token and the time. Out: a [`Caller`], or one [`Denied`]. A token is in the file by its hash alone, so
//! the file is no secret; and no token reaches a log, because nothing here can show one.

use std::collections::BTreeMap;
use std::fmt;

use schema::pointer::Cause;
use schema::yaml::InvalidYaml;
use schema::{Digest, Limits, Timestamp};
use serde::Deserialize;
use subtle::ConstantTimeEq as _;

/// Everybody who has a token.
#[derive(Debug)]
pub(super) struct Access(Vec<Holder>);

#[derive(Debug)]
struct Holder {
    caller: Caller,
    /// The hash as its 64 hex digits, which is how it is compared.
    sha256: String,
    expires: Option<Timestamp>,
}

/// Whose token came with a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Caller {
    /// The name that goes into the audit log.
    pub(super) name: Box<str>,
    pub(super) role: Role,
}

/// What somebody may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// Look.
    Viewer,
    /// Look and command.
    Operator,
}

/// Says why a request is not answered, whatever it asks for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Denied {
    /// Nothing came with it.
    #[error("a bearer token is needed here")]
    NoToken,
    /// Nobody's token came with it.
    #[error("nobody has this token")]
    Unknown,
    /// An old one came with it.
    #[error("the token of `{name}` expired at {expired}")]
    Expired {
        /// Whose it was.
        name: Box<str>,
        /// When it ceased to count.
        expired: Timestamp,
    },
}

/// Says why a text does not tell who has access.
#[derive(Debug, thiserror::Error)]
pub enum InvalidAccess {
    /// It is not as it must be.
    #[error(transparent)]
    Yaml(#[from] InvalidYaml),
    /// A name that is no name, or not theirs to have.
    #[error("`{}` is not the name of a token: {wrong}", name.escape_debug())]
    Name {
        /// As written, cut to 64 characters.
        name: String,
        /// What is wrong with it.
        wrong: &'static str,
    },
    /// Somebody with two roles: an operator may look anyway.
    #[error("`{name}` is there as viewer and as operator; an operator may look, too")]
    Twice {
        /// The name.
        name: Box<str>,
    },
    /// Two that could not be told from each other.
    #[error("`{one}` and `{other}` have the same token")]
    SameToken {
        /// The one that was read first.
        one: Box<str>,
        /// The other.
        other: Box<str>,
    },
    /// The token of somebody is the empty text, which anybody has.
    #[error("the token of `{name}` is empty")]
    EmptyToken {
        /// Whose it is.
        name: Box<str>,
    },
}

impl Access {
    /// Reads the text of the file called `file`.
    pub(super) fn parse(file: &str, text: &str) -> Result<Access, InvalidAccess> {
        let written: Written = schema::yaml::from_str(file, text, &Limits::DEFAULT)?;
        let mut access = Access(Vec::new());
        for (entries, role) in [(written.viewers, Role::Viewer), (written.operators, Role::Operator)] {
            for (name, entry) in entries {
                access.enter(name, role, entry)?;
            }
        }
        Ok(access)
    }

    fn enter(&mut self, name: String, role: Role, Entry { token_sha256, expires }: Entry) -> Result<(), InvalidAccess> {
        check_name(&name)?;
        let name: Box<str> = name.into();
        if token_sha256 == Digest::of(b"") {
            return Err(InvalidAccess::EmptyToken { name });
        }
        let sha256 = token_sha256.to_string();
        for there in &self.0 {
            if there.caller.name == name {
                return Err(InvalidAccess::Twice { name });
            }
            if there.sha256 == sha256 {
                return Err(InvalidAccess::SameToken { one: there.caller.name.clone(), other: name });
            }
        }
        self.0.push(Holder { caller: Caller { name, role }, sha256, expires });
        Ok(())
    }

    /// Whose `token` it is at `now`.
    pub(super) fn admit(&self, token: Option<&str>, now: Timestamp) -> Result<Caller, Denied> {
        let token = token.filter(|token| !token.is_empty()).ok_or(Denied::NoToken)?;
        let offered = Digest::of(token.as_bytes()).to_string();
        // Every holder is compared, and each in constant time: how long it takes tells nothing of any token.
        let matches = |holder: &&Holder| bool::from(holder.sha256.as_bytes().ct_eq(offered.as_bytes()));
        let found: Vec<&Holder> = self.0.iter().filter(matches).collect();
        let Holder { caller, expires, .. } = found.first().ok_or(Denied::Unknown)?;
        match expires {
            Some(expired) if now >= *expired => Err(Denied::Expired { name: caller.name.clone(), expired: *expired }),
            _ => Ok(caller.clone()),
        }
    }
}

fn check_name(name: &str) -> Result<(), InvalidAccess> {
    let refused = |wrong| InvalidAccess::Name { name: name.chars().take(64).collect(), wrong };
    let is_plain = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.@".contains(&byte));
    if !is_plain || !name.starts_with(|first: char| first.is_ascii_alphanumeric()) || name.len() > NAME_MAX {
        return Err(refused("use 1 to 64 letters, digits, `-`, `_`, `.` and `@`, with a letter or digit first"));
    }
    if name.eq_ignore_ascii_case(Cause::PUBLISHER) {
        return Err(refused("that is what the publisher calls itself in the audit log"));
    }
    Ok(())
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Role::Viewer => "viewer",
            Role::Operator => "operator",
        })
    }
}

/// The file as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    /// Who may look: dashboards, pipelines that wait.
    #[serde(default)]
    viewers: BTreeMap<String, Entry>,
    /// Who may command, and look.
    #[serde(default)]
    operators: BTreeMap<String, Entry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    /// The sha256 of the token, in lower-case hex.
    token_sha256: Digest,
    /// From when on the token no longer counts; never, if this is absent.
    expires: Option<Timestamp>,
}

/// As much as an audit log keeps of a name.
const NAME_MAX: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Access, String> {
        Access::parse("control.yaml", text).map_err(|error| error.to_string())
    }

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_unix_millis(seconds * 1000)
    }

    #[test]
    fn a_token_has_one_name_one_role_and_its_time() {
        let [see, act] = ["see", "act"].map(|token| Digest::of(token.as_bytes()));
        let text = format!(
            "viewers: {{ ci: {{ token_sha256: {see} }} }}\n\
             operators: {{ alice@example.org: {{ token_sha256: {act}, expires: 1970-01-01T00:01:00.000Z }} }}\n"
        );
        let access = parse(&text).expect("it is fine");
        let caller = |name: &str, role| Ok(Caller { name: name.into(), role });
        assert_eq!(access.admit(Some("see"), at(9999)), caller("ci", Role::Viewer));
        assert_eq!(access.admit(Some("act"), at(59)), caller("alice@example.org", Role::Operator));
        let expired = Denied::Expired { name: "alice@example.org".into(), expired: at(60) };
        assert_eq!(access.admit(Some("act"), at(60)), Err(expired));
        assert_eq!(access.admit(Some("guess"), at(0)), Err(Denied::Unknown));
        assert_eq!(access.admit(Some(&see.to_string()), at(0)), Err(Denied::Unknown), "the hash is no token");
        assert_eq!(access.admit(Some(""), at(0)), Err(Denied::NoToken));
        assert_eq!(access.admit(None, at(0)), Err(Denied::NoToken));
    }

    #[test]
    fn a02_what_would_let_in_the_wrong_ones_is_refused() {
        let (one, empty) = (Digest::of(b"one"), Digest::of(b""));
        for (text, words) in [
            (format!("operators: {{ a: {{ token_sha256: {empty} }} }}"), "empty"),
            (format!("viewers: {{ a: {{ token_sha256: {one} }}, b: {{ token_sha256: {one} }} }}"), "same token"),
            (
                format!("viewers: {{ a: {{ token_sha256: {one} }} }}\noperators: {{ b: {{ token_sha256: {one} }} }}"),
                "same token",
            ),
            (
                format!(
                    "viewers: {{ a: {{ token_sha256: {one} }} }}\noperators: {{ a: {{ token_sha256: {empty}0 }} }}"
                ),
                "64 lower-case hex",
            ),
            ("operators: { a: {} }".to_owned(), "token_sha256"),
            ("operators: { a: { token: one } }".to_owned(), "token"),
            (format!("operator: {{ a: {{ token_sha256: {one} }} }}"), "operator"),
            (format!("operators: {{ publisher: {{ token_sha256: {one} }} }}"), "calls itself"),
            (format!("operators: {{ Publisher: {{ token_sha256: {one} }} }}"), "calls itself"),
            (format!("operators: {{ \"a\\e[2J\": {{ token_sha256: {one} }} }}"), "not the name of a token"),
            (format!("operators: {{ \"\": {{ token_sha256: {one} }} }}"), "not the name of a token"),
        ] {
            let refused = parse(&text).map(|_| ()).expect_err(&text);
            assert!(refused.contains(words) && !refused.contains('\u{1b}'), "{text}: {refused}");
        }
        let [one, two] = ["one", "two"].map(|token| Digest::of(token.as_bytes()));
        let twice =
            format!("viewers: {{ a: {{ token_sha256: {one} }} }}\noperators: {{ a: {{ token_sha256: {two} }} }}");
        assert!(parse(&twice).map(|_| ()).expect_err("one name, two roles").contains("viewer and as operator"));
    }
}
