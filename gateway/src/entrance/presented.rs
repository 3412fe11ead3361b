//! What a request brings along to say who sends it.
//!
//! In: the certificate of its connection, and its `Authorization` lines. Out: a name, or the hash of a token. A token is
//! hashed where it is read, so that nothing behind this file could log one; but for those of `/v1/control`, which are passed on.

use std::net::IpAddr;

use http::HeaderMap;
use http::header::AUTHORIZATION;
use schema::{AgentId, Digest};

use crate::tls::Unnamed;

/// The other end of a connection.
#[derive(Clone, Debug)]
pub(crate) struct Peer {
    /// Where it calls from, as connections are counted.
    pub(crate) address: IpAddr,
    /// Whom the certificate names that it showed, which one of our authorities signed.
    pub(crate) certificate: Option<Result<AgentId, Unnamed>>,
}

/// The sha256 of a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TokenHash(pub(crate) Digest);

/// What stands in `Authorization`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bearer<T> {
    Token(T),
    /// Something else than one bearer token.
    Unreadable,
    Nothing,
}

/// Reads the `Authorization` line (RFC 6750). Two of them are none: they might be read differently elsewhere.
pub(crate) fn bearer(headers: &HeaderMap) -> Bearer<TokenHash> {
    match bearer_text(headers) {
        Bearer::Token(token) => Bearer::Token(TokenHash(Digest::of(token.as_bytes()))),
        Bearer::Unreadable => Bearer::Unreadable,
        Bearer::Nothing => Bearer::Nothing,
    }
}

/// The same for a token that is another's to judge.
pub(crate) fn bearer_text(headers: &HeaderMap) -> Bearer<&str> {
    let mut lines = headers.get_all(AUTHORIZATION).iter();
    let Some(line) = lines.next() else { return Bearer::Nothing };
    let token = line.to_str().ok().and_then(|line| line.split_once(' ')).filter(|_| lines.next().is_none());
    let token = token.filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer")).map(|(_, token)| token.trim());
    match token {
        Some(token) if !token.is_empty() => Bearer::Token(token),
        _ => Bearer::Unreadable,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(lines: &[&str]) -> Bearer<TokenHash> {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(AUTHORIZATION, line.parse().expect("a header value"));
        }
        bearer(&headers)
    }

    #[test]
    fn a_token_is_what_follows_the_scheme() {
        let expected = Bearer::Token(TokenHash(Digest::of(b"secret")));
        for line in ["Bearer secret", "bearer secret", "BEARER  secret "] {
            assert_eq!(read(&[line]), expected, "{line:?}");
        }
        assert_eq!(read(&[]), Bearer::Nothing);
    }

    #[test]
    fn what_is_not_one_token_is_none() {
        for lines in
            [&["Bearer"][..], &["Bearer "], &["Basic c2VjcmV0"], &["secret"], &["Bearer secret", "Bearer secret"]]
        {
            assert_eq!(read(lines), Bearer::Unreadable, "{lines:?}");
        }
    }
}
