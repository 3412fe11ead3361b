//! Reads the OpenSSH `allowed_signers` format, line by line.
//!
//! ```text
//! principals [options] key-type base64-key [comment]
//! ```
//!
//! `#` starts a comment line. Options are separated by commas, with their values in double quotes: `namespaces="git"`,
//! `valid-after="20260101Z"`, `valid-before="20270101Z"`. Stricter than OpenSSH: an option that is unknown, repeated or not
//! supported here (`cert-authority`) is an error and not a line skipped, and so is a time without `Z`, a key for other
//! namespaces only, and a key too weak to trust.

use schema::yaml::InvalidYaml;
use ssh_key::PublicKey;

use super::grant::{Grant, SigningKey};
use super::paths::AllowedPaths;
use super::principals::Principals;
use super::ssh::check_strength;
use super::validity::{Validity, parse_moment};

/// One line: who signs with which key, and when.
#[derive(Clone, Debug)]
pub struct AllowedSigner {
    /// Whose key it is.
    pub principals: Principals,
    /// When it may sign.
    pub validity: Validity,
    /// The key.
    pub key: PublicKey,
    /// Where the line is, counting from one.
    pub line: usize,
}

/// Says why a signer policy cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidPolicy {
    /// It admits nobody.
    #[error(
        "the signer policy names no key, so nothing could ever be published; add a line `alice@example.com ssh-ed25519 AAAA…`"
    )]
    Empty,
    /// A line is wrong.
    #[error("line {line} of the signer policy {wrong}")]
    Line {
        /// Counting from one.
        line: usize,
        /// What is wrong, and what to write.
        wrong: String,
    },
    /// A policy file is not as it must be.
    #[error(transparent)]
    Yaml(#[from] InvalidYaml),
}

impl From<AllowedSigner> for Grant {
    fn from(line: AllowedSigner) -> Grant {
        let AllowedSigner { principals, validity, key, line: _ } = line;
        Grant { principals, validity, paths: AllowedPaths::Everything, key: SigningKey::Ssh(key) }
    }
}

/// Parses the whole file.
///
/// # Errors
/// The first line that is wrong, or that there is none.
pub fn parse(text: &str) -> Result<Vec<AllowedSigner>, InvalidPolicy> {
    let mut signers = Vec::new();
    for (at, line) in text.lines().enumerate() {
        let line_number = at + 1;
        let line = line.trim_matches([' ', '\t']);
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let signer = parse_line(line_number, line).map_err(|wrong| InvalidPolicy::Line { line: line_number, wrong })?;
        signers.push(signer);
    }
    if signers.is_empty() { Err(InvalidPolicy::Empty) } else { Ok(signers) }
}

fn parse_line(line: usize, text: &str) -> Result<AllowedSigner, String> {
    let (principals, rest) = word(text)?;
    if is_key_type(principals) {
        return Err("starts with the key; write whose it is before it, like alice@example.com".to_owned());
    }
    let principals = Principals::parse(unquoted(principals))?;
    let (next, after_next) = word(rest)?;
    let (options, key) = if is_key_type(next) { ("", rest) } else { (next, after_next) };
    let validity = parse_options(options)?;
    if key.is_empty() {
        return Err("has no key; write it as `principals [options] key-type base64-key`".to_owned());
    }
    let key = PublicKey::from_openssh(key)
        .map_err(|error| format!("has a key that cannot be read ({error}); copy the whole line of the `.pub` file"))?;
    check_strength(&key)?;
    Ok(AllowedSigner { principals, validity, key, line })
}

fn is_key_type(word: &str) -> bool {
    ["ssh-", "ecdsa-sha2-", "sk-"].iter().any(|prefix| word.starts_with(prefix))
}

fn parse_options(text: &str) -> Result<Validity, String> {
    let mut validity = Validity::default();
    let mut seen = Vec::new();
    for option in split_outside_quotes(text, ',').filter(|_| !text.is_empty()) {
        let (name, value) = match option.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (option, None),
        };
        let name = name.to_ascii_lowercase();
        if seen.contains(&name) {
            return Err(format!("gives `{}` twice", name.escape_debug()));
        }
        let value = value.map(|value| quoted_value(&name, value)).transpose()?;
        match (name.as_str(), value) {
            ("namespaces", Some(list)) => {
                if !list.split(',').any(|namespace| namespace == "git") {
                    return Err(
                        "is for other namespaces only; add `git` to `namespaces`, or remove the line".to_owned()
                    );
                }
            }
            ("valid-after", Some(moment)) => validity.after = Some(parse_moment(moment)?),
            ("valid-before", Some(moment)) => validity.before = Some(parse_moment(moment)?),
            ("namespaces" | "valid-after" | "valid-before", None) => {
                return Err(format!("has `{name}` without a value; write `{name}=\"…\"`"));
            }
            ("cert-authority", _) => {
                return Err(
                    "has `cert-authority`; certificates are not supported by this version, list each key".to_owned()
                );
            }
            _ => {
                let name = name.escape_debug();
                return Err(format!(
                    "has the unknown option `{name}`; known are namespaces, valid-after and valid-before"
                ));
            }
        }
        seen.push(name);
    }
    if let (Some(after), Some(before)) = (validity.after, validity.before)
        && after > before
    {
        return Err("has a key that is never valid: `valid-after` is later than `valid-before`".to_owned());
    }
    Ok(validity)
}

fn quoted_value<'t>(name: &str, value: &'t str) -> Result<&'t str, String> {
    value
        .strip_prefix('"')
        .and_then(|value| value.strip_suffix('"'))
        .filter(|value| !value.is_empty() && !value.contains('"'))
        .ok_or_else(|| format!("has a value of `{}` that is not in double quotes, or empty", name.escape_debug()))
}

fn unquoted(word: &str) -> &str {
    word.strip_prefix('"').and_then(|word| word.strip_suffix('"')).unwrap_or(word)
}

/// The first word, in which double quotes hide blanks, and what follows the blanks after it.
fn word(text: &str) -> Result<(&str, &str), String> {
    let mut quoted = false;
    for (at, character) in text.char_indices() {
        match character {
            '"' => quoted = !quoted,
            ' ' | '\t' if !quoted => return Ok((&text[..at], text[at..].trim_start_matches([' ', '\t']))),
            _ => {}
        }
    }
    if quoted { Err("has a double quote that is not closed".to_owned()) } else { Ok((text, "")) }
}

fn split_outside_quotes(text: &str, separator: char) -> impl Iterator<Item = &str> {
    let mut quoted = false;
    text.split(move |character| {
        quoted ^= character == '"';
        character == separator && !quoted
    })
}
