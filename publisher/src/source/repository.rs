//! Where a repository is, by a grammar of what is allowed.

use std::fmt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// Where a repository is: `https://host/path`, `ssh://user@host/path`, `user@host:path`, or a local path.
///
/// Nothing else: no other protocol, no credentials in the URL, no query, nothing that starts with `-` at a place where
/// some program might take it for an option, no control character in any spelling.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RepositoryUrl(Location);

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Location {
    Local(PathBuf),
    Remote { protocol: Protocol, url: Box<str> },
}

/// How a remote repository is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Protocol {
    /// Over TLS.
    Https,
    /// Over SSH, with host keys that are known beforehand.
    Ssh,
}

impl Protocol {
    /// Git's name for it.
    pub fn name(self) -> &'static str {
        match self {
            Protocol::Https => "https",
            Protocol::Ssh => "ssh",
        }
    }
}

/// Says why a text is no place of a repository.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{}` cannot be the config repository: {wrong}", offered.escape_debug())]
pub struct InvalidRepositoryUrl {
    /// The text as offered, cut to 120 characters.
    pub offered: String,
    /// What is wrong, and what to write.
    pub wrong: &'static str,
}

impl RepositoryUrl {
    /// The path, if the repository is on this machine.
    pub fn local_path(&self) -> Option<&Path> {
        match &self.0 {
            Location::Local(path) => Some(path),
            Location::Remote { .. } => None,
        }
    }

    /// The protocol and the URL, if the repository is elsewhere.
    pub fn remote(&self) -> Option<(Protocol, &str)> {
        match &self.0 {
            Location::Local(_) => None,
            Location::Remote { protocol, url } => Some((*protocol, url)),
        }
    }

    /// The same, with a relative local path taken to start at `folder`.
    pub fn relative_to(self, folder: &Path) -> RepositoryUrl {
        match self.0 {
            Location::Local(path) => RepositoryUrl(Location::Local(folder.join(path))),
            remote @ Location::Remote { .. } => RepositoryUrl(remote),
        }
    }
}

impl std::str::FromStr for RepositoryUrl {
    type Err = InvalidRepositoryUrl;

    fn from_str(text: &str) -> Result<RepositoryUrl, InvalidRepositoryUrl> {
        let location = parse(text);
        location.map(RepositoryUrl).map_err(|wrong| {
            // What stands before an `@` may be a password, and a message may end up anywhere.
            let shown = match text.split_once("://") {
                Some((scheme, rest)) => match rest.rsplit_once('@') {
                    Some((_, host)) => format!("{scheme}://…@{host}"),
                    None => text.to_owned(),
                },
                None => text.to_owned(),
            };
            InvalidRepositoryUrl { offered: shown.chars().take(120).collect(), wrong }
        })
    }
}

fn parse(text: &str) -> Result<Location, &'static str> {
    if text.is_empty() || text.len() > 2048 {
        return Err("write an https:// or ssh:// URL, user@host:path, or a path");
    }
    if text.chars().any(char::is_control) {
        return Err("it has control characters");
    }
    if text.starts_with('-') {
        return Err("it starts with `-` and could be taken for an option; write a path as `./-…`");
    }
    if let Some(rest) = text.strip_prefix("https://") {
        let (authority, path) = split_at_slash(rest)?;
        if authority.contains('@') {
            return Err("credentials do not belong into it; use a git credential helper, or ssh");
        }
        check_host_and_port(authority)?;
        check_remote_path(path)?;
        return Ok(Location::Remote { protocol: Protocol::Https, url: text.into() });
    }
    if let Some(rest) = text.strip_prefix("ssh://") {
        let (authority, path) = split_at_slash(rest)?;
        if let Some((user, _)) = authority.split_once('@') {
            check_user(user)?;
        }
        check_host_and_port(authority.split_once('@').map_or(authority, |(_, host)| host))?;
        check_remote_path(path)?;
        return Ok(Location::Remote { protocol: Protocol::Ssh, url: text.into() });
    }
    if text.starts_with("file:") {
        return Err("write the path itself, without `file:`");
    }
    if text.contains("://") || text.contains("::") {
        return Err("only https:// and ssh:// are supported");
    }
    let first = text.split('/').next().unwrap_or_default();
    if let Some((authority, start)) = first.split_once(':') {
        let Some((user, host)) = authority.split_once('@') else {
            return Err("write user@host:path for a repository elsewhere, and `./` before a path with a colon");
        };
        check_user(user)?;
        check_host(host)?;
        check_remote_path(&text[authority.len() + 1..])?;
        if start.is_empty() && !text[authority.len() + 1..].starts_with('/') {
            return Err("there is no path after the host");
        }
        return Ok(Location::Remote { protocol: Protocol::Ssh, url: text.into() });
    }
    if text.starts_with('~') {
        return Err("`~` is not expanded; write the whole path");
    }
    Ok(Location::Local(PathBuf::from(text)))
}

fn split_at_slash(rest: &str) -> Result<(&str, &str), &'static str> {
    let at = rest.find('/').ok_or("there is no path after the host")?;
    Ok(rest.split_at(at))
}

fn check_user(user: &str) -> Result<(), &'static str> {
    let good = user.starts_with(|first: char| first.is_ascii_alphanumeric() || first == '_')
        && user.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte));
    if good { Ok(()) } else { Err("the user may have letters, digits, `.`, `_` and `-` only, a letter or digit first") }
}

fn check_host_and_port(authority: &str) -> Result<(), &'static str> {
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host, Some(port)),
        _ => (authority, None),
    };
    check_host(host)?;
    match port {
        Some(port)
            if !port.bytes().all(|byte| byte.is_ascii_digit()) || port.parse::<u16>().map_or(0, u16::from) == 0 =>
        {
            Err("the port is not a number from 1 to 65535")
        }
        _ => Ok(()),
    }
}

fn check_host(host: &str) -> Result<(), &'static str> {
    if let Some(address) = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
        return address.parse::<std::net::Ipv6Addr>().map(drop).map_err(|_| "what is in brackets is no IPv6 address");
    }
    let good = host.len() <= 253
        && host.split('.').all(|label| {
            label.starts_with(|first: char| first.is_ascii_alphanumeric())
                && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
        });
    if good { Ok(()) } else { Err("the host may have letters, digits, `-` and `.` only, a letter or digit first") }
}

/// Checks what stands after the host: `/group/project.git`, or `group/project.git` after a colon.
fn check_remote_path(path: &str) -> Result<(), &'static str> {
    if path.is_empty() || path == "/" {
        return Err("there is no path after the host");
    }
    if !path.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"/._-+~@%".contains(&byte)) {
        return Err("the path may have letters, digits and `/._-+~@%` only");
    }
    let mut escapes = path.split('%');
    let plain_start = escapes.next();
    let hides = |escape: &str| {
        let byte = escape.get(..2).and_then(|digits| u8::from_str_radix(digits, 16).ok());
        byte.is_none_or(|byte| byte < b' ' || byte == 0x7f || byte == b'/' || byte == b'\\')
    };
    if plain_start.is_some() && escapes.any(hides) {
        return Err("the path has a `%` that hides a control character or a slash, or is not an escape");
    }
    if path.split('/').any(|part| part.starts_with('-') || part == "..") {
        return Err("a part of the path is `..` or starts with `-`");
    }
    Ok(())
}

impl TryFrom<String> for RepositoryUrl {
    type Error = InvalidRepositoryUrl;

    fn try_from(text: String) -> Result<RepositoryUrl, InvalidRepositoryUrl> {
        text.parse()
    }
}

impl From<RepositoryUrl> for String {
    fn from(url: RepositoryUrl) -> String {
        url.to_string()
    }
}

impl fmt::Display for RepositoryUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Location::Local(path) => f.pad(&path.to_string_lossy()),
            Location::Remote { url, .. } => f.pad(url),
        }
    }
}

#[cfg(test)]
mod tests;
