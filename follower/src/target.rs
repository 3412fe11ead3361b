//! One URL that may be asked, and whether a secret may be told there.
//!
//! In: a base URL and a path below it. Out: a [`Target`], which is the only thing that `exchange.rs` can ask, so that
//! whatever a server answers, nobody but a configured base URL is ever asked or told anything.

use std::net::{Ipv4Addr, Ipv6Addr};

use http::Uri;
use http::uri::InvalidUri;
use schema::StorePath;

use crate::base_url::BaseUrl;

/// A URL below a base URL.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    pub(crate) uri: Uri,
    pub(crate) privacy: Privacy,
}

/// Who can listen on the way to a base URL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Privacy {
    /// Nobody: TLS, or the loopback interface.
    Private,
    /// Anybody. No token is sent there.
    Open,
}

impl BaseUrl {
    /// Whether a token is sent there: over `https`, and over `http` to this same host, written as `localhost` or as a
    /// loopback address.
    pub fn takes_tokens(&self) -> bool {
        self.privacy() == Privacy::Private
    }

    /// Where `path` is served.
    pub(crate) fn object(&self, path: &StorePath) -> Target {
        self.join(&path.to_string()).expect("a store path is short and made of letters, digits, `-`, `.` and `/`")
    }

    /// The URL of a path below, which may carry a query.
    pub(crate) fn join(&self, path: &str) -> Result<Target, InvalidUri> {
        let uri = format!("{self}{}", path.trim_start_matches('/')).parse()?;
        Ok(Target { uri, privacy: self.privacy() })
    }

    fn privacy(&self) -> Privacy {
        let uri: Uri = self.to_string().parse().expect("a base URL is a URL");
        let host = uri.host().expect("a base URL has a host");
        if self.is_https() || is_loopback(host) { Privacy::Private } else { Privacy::Open }
    }
}

/// Spellings of loopback that no name server and no other reader of URLs sees differently.
fn is_loopback(host: &str) -> bool {
    let v6 = || host.strip_prefix('[')?.strip_suffix(']')?.parse::<Ipv6Addr>().ok();
    host == "localhost"
        || host.parse::<Ipv4Addr>().is_ok_and(|address| address.is_loopback())
        || v6().is_some_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn base(text: &str) -> BaseUrl {
        text.parse().expect("a base URL")
    }

    #[test]
    fn a13_a_token_is_told_over_tls_and_on_this_host_only() {
        for private in [
            "https://cdn.example",
            "HTTPS://10.0.0.1:8443/config",
            "http://127.0.0.1:8080",
            "http://127.1.2.3",
            "http://[::1]:80/a",
            "http://LocalHost",
        ] {
            assert!(base(private).takes_tokens(), "{private}");
        }
        for open in [
            "http://cdn.example",
            "http://10.0.0.1",
            "http://0.0.0.0",
            "http://169.254.169.254",
            "http://localhost.example",
            "http://127.0.0.1.example",
            "http://127.1",
            "http://2130706433",
            "http://[::ffff:127.0.0.1]",
            "http://[::]",
        ] {
            assert!(!base(open).takes_tokens(), "{open}");
        }
    }

    #[test]
    fn store_paths_are_appended_to_the_prefix() {
        let base = base("https://cdn.example/config");
        let root = base.object(&StorePath::Root { version: 7 });
        assert_eq!(root.uri, "https://cdn.example/config/v1/trust/0000000007.root");
        assert_eq!(base.join("/v1/acks").expect("a path").uri, "https://cdn.example/config/v1/acks");
    }

    #[test]
    fn no_path_leads_to_another_host() {
        let base = base("https://cdn.example/config");
        for path in ["@evil.example/", "//evil.example/", "/../../", "https://evil.example/", ":80/", "?a@b/", "#@c/"] {
            if let Ok(target) = base.join(path) {
                assert_eq!(target.uri.authority().map(|authority| authority.as_str()), Some("cdn.example"), "{path}");
            }
        }
    }
}
