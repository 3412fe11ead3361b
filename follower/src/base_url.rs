//! The part of a URL that all store paths share.
//!
//! In: text from a configuration file. Out: a [`BaseUrl`] in its one spelling. Knows nothing of what is served there.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use http::Uri;
use http::uri::InvalidUri;
use serde::{Deserialize, Serialize};

/// Where a store is served: `https://cdn.example/config/`.
///
/// `http` or `https`, a host, optionally a port and a path prefix; never a user, a query or a fragment. Scheme and host
/// are in lower case and the last character is `/`, so equal places are equal values.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct BaseUrl(Arc<str>);

impl BaseUrl {
    /// Whether it is reached over TLS.
    pub fn is_https(&self) -> bool {
        self.0.starts_with("https:")
    }
}

impl fmt::Display for BaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl FromStr for BaseUrl {
    type Err = InvalidBaseUrl;

    fn from_str(text: &str) -> Result<Self, InvalidBaseUrl> {
        match normalise(text) {
            Ok(spelling) => Ok(BaseUrl(spelling.into())),
            Err(wrong) => Err(InvalidBaseUrl { offered: without_secrets(text), wrong }),
        }
    }
}

impl TryFrom<String> for BaseUrl {
    type Error = InvalidBaseUrl;

    fn try_from(text: String) -> Result<Self, InvalidBaseUrl> {
        text.parse()
    }
}

impl From<BaseUrl> for String {
    fn from(base: BaseUrl) -> String {
        base.0.as_ref().to_owned()
    }
}

/// Says which text is no base URL, and why.
#[derive(Debug, thiserror::Error)]
#[error("`{}` cannot be a base URL", offered.escape_debug())]
pub struct InvalidBaseUrl {
    /// The text as offered, without what may be a password or a token in it, cut to 200 characters.
    pub offered: String,
    /// What is wrong with it.
    #[source]
    pub wrong: UrlFault,
}

/// What can be wrong with a base URL.
#[derive(Debug, thiserror::Error)]
pub enum UrlFault {
    /// Longer than the limit.
    #[error("it is longer than {max_bytes} bytes")]
    TooLong {
        /// The limit.
        max_bytes: usize,
    },
    /// Blanks, control characters or letters outside ASCII.
    #[error("it holds a character that must be percent-encoded (or, in a host, written in punycode)")]
    Character,
    /// Not a URL.
    #[error("it is not a URL")]
    Syntax(#[source] InvalidUri),
    /// Neither `http` nor `https`.
    #[error("it must start with http:// or https://")]
    Scheme,
    /// No host.
    #[error("it names no host")]
    Host,
    /// A port outside 1 to 65535.
    #[error("its port is not a number from 1 to 65535")]
    Port,
    /// A user or a password.
    #[error("it carries a user or a password; give credentials by file, never in a URL")]
    UserInfo,
    /// A query or a fragment.
    #[error("it carries a query or a fragment; store paths are appended to it, so it must end before `?` and `#`")]
    Query,
    /// An empty component, `.` or `..` in its path.
    #[error("its path holds an empty component, `.` or `..`")]
    Path,
}

/// Leaves room for every store path below the 64 KiB that a URI may have.
const MAX_BYTES: usize = 2048;

fn normalise(text: &str) -> Result<String, UrlFault> {
    if text.len() > MAX_BYTES {
        return Err(UrlFault::TooLong { max_bytes: MAX_BYTES });
    }
    if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(UrlFault::Character);
    }
    // Looked for in the text, because `Uri` drops a fragment without a word.
    if text.contains(['?', '#']) {
        return Err(UrlFault::Query);
    }
    let uri: Uri = text.parse().map_err(UrlFault::Syntax)?;
    let scheme = uri.scheme_str().map(str::to_ascii_lowercase).unwrap_or_default();
    if scheme != "http" && scheme != "https" {
        return Err(UrlFault::Scheme);
    }
    let authority = uri.authority().ok_or(UrlFault::Host)?;
    if authority.as_str().contains('@') {
        return Err(UrlFault::UserInfo);
    }
    if authority.host().is_empty() {
        return Err(UrlFault::Host);
    }
    let has_port = authority.as_str().len() > authority.host().len();
    if has_port && authority.port_u16().is_none_or(|port| port == 0) {
        return Err(UrlFault::Port);
    }
    let prefix = uri.path().trim_end_matches('/');
    if prefix.split('/').skip(1).any(|component| matches!(component, "" | "." | "..")) {
        return Err(UrlFault::Path);
    }
    Ok(format!("{scheme}://{}{prefix}/", authority.as_str().to_ascii_lowercase()))
}

/// What of a refused URL may stand in a log: nothing before an `@`, nothing after a `?` or `#`.
fn without_secrets(text: &str) -> String {
    let open = text.split(['?', '#']).next().unwrap_or_default();
    let shown = match open.rsplit_once('@') {
        Some((_, after)) => format!("…@{after}"),
        None => open.to_owned(),
    };
    shown.chars().take(200).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spelling(text: &str) -> Option<String> {
        text.parse::<BaseUrl>().ok().map(String::from)
    }

    #[test]
    fn a_place_has_one_spelling() {
        for (text, expected) in [
            ("https://cdn.example", "https://cdn.example/"),
            ("HTTPS://CDN.Example:8443/Config", "https://cdn.example:8443/Config/"),
            ("http://[::1]:80/a/b//", "http://[::1]:80/a/b/"),
            ("http://10.0.0.1/", "http://10.0.0.1/"),
        ] {
            assert_eq!(spelling(text).as_deref(), Some(expected));
            assert_eq!(spelling(expected).as_deref(), Some(expected));
        }
    }

    #[test]
    fn what_is_no_base_url_is_refused() {
        for bad in [
            "",
            "/",
            "cdn.example",
            "ftp://cdn.example",
            "file:///etc/passwd",
            "http://",
            "http:///v1",
            "http://:80/",
            "http://cdn.example:",
            "http://cdn.example:0",
            "http://cdn.example:65536",
            "http://cdn.example/?region=eu",
            "http://cdn.example/#top",
            "http://user:password@cdn.example/",
            "http://cdn.example/a/../b",
            "http://cdn.example/a//b",
            "http://cdn.example/a b",
            "http://cdn.exämple/",
            "http://cdn.example/\r\nhost: other",
            &format!("http://cdn.example/{}", "a".repeat(MAX_BYTES)),
        ] {
            assert_eq!(spelling(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn a_refusal_never_shows_a_password_or_a_token() {
        for secret in ["http://user:hunter2@cdn.example/", "https://cdn.example/?token=hunter2", "ftp://h/#hunter2"] {
            let refused = secret.parse::<BaseUrl>().expect_err("carries a secret");
            assert!(!refused.to_string().contains("hunter2"), "{refused}");
        }
    }
}
