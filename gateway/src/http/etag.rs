//! Entity tags: what names the bytes of an answer, and the question "do you have these already?".
//!
//! Our tags are strong and follow the bytes alone. They save transfers; nothing is ever believed because of one.

use http::header::IF_NONE_MATCH;
use http::{HeaderMap, HeaderValue};
use schema::Digest;

/// A strong tag: the first 32 hex digits of a sha256, in quotes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ETag(HeaderValue);

impl ETag {
    /// The tag of `bytes`.
    pub(crate) fn of(bytes: &[u8]) -> ETag {
        ETag::of_digest(Digest::of(bytes))
    }

    /// The tag of bytes whose sha256 is known.
    pub(crate) fn of_digest(digest: Digest) -> ETag {
        let hex = digest.to_string();
        let value = HeaderValue::try_from(format!("\"{}\"", &hex[..32])).expect("hex in quotes is a header value");
        ETag(value)
    }

    /// As it stands in an `ETag` header.
    pub(crate) fn header(&self) -> &HeaderValue {
        &self.0
    }
}

/// What a client says it has: its `If-None-Match` lines.
#[derive(Clone, Debug, Default)]
pub(crate) struct Held {
    anything: bool,
    tags: Vec<HeaderValue>,
}

impl Held {
    /// Reads the request's `If-None-Match` lines; nothing where there are none.
    pub(crate) fn of(headers: &HeaderMap) -> Option<Held> {
        let lines = headers.get_all(IF_NONE_MATCH);
        let mut held = None;
        for line in lines {
            let held = held.get_or_insert_with(Held::default);
            held.anything |= line.as_bytes().trim_ascii() == b"*";
            // Tags hold no comma of ours, so a tag that does can only fail to match.
            let tags = line.as_bytes().split(|byte| *byte == b',').map(opaque);
            held.tags.extend(tags.take(TAGS_MAX).filter_map(|tag| HeaderValue::from_bytes(tag).ok()));
            held.tags.truncate(TAGS_MAX);
        }
        held
    }

    /// Whether it is one tag, so that who covers a pointer covers no other.
    pub(crate) fn is_one(&self) -> bool {
        !self.anything && self.tags.len() == 1
    }

    /// Whether the client has the bytes that `tag` names (weak comparison, as `GET` wants it).
    pub(crate) fn covers(&self, tag: &ETag) -> bool {
        self.anything || self.tags.contains(&tag.0)
    }
}

fn opaque(tag: &[u8]) -> &[u8] {
    let tag = tag.trim_ascii();
    tag.strip_prefix(b"W/").unwrap_or(tag)
}

/// A client has one pointer in hand; a few more are allowed to proxies that ask for several.
const TAGS_MAX: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    fn covers(lines: &[&str], tag: &ETag) -> Option<bool> {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(IF_NONE_MATCH, line.parse().expect("a header value"));
        }
        Held::of(&headers).map(|held| held.covers(tag))
    }

    #[test]
    fn a_tag_is_32_hex_digits_in_quotes() {
        assert_eq!(ETag::of(b"").header(), "\"e3b0c44298fc1c149afbf4c8996fb924\"");
    }

    #[test]
    fn any_spelling_of_our_tag_covers_it() {
        let tag = ETag::of(b"pointer");
        let text = tag.header().to_str().expect("ascii").to_owned();
        for lines in [
            vec![text.clone()],
            vec!["*".to_owned()],
            vec![format!("W/{text}")],
            vec![format!("\"other\" ,  {text}")],
            vec!["\"other\"".to_owned(), text.clone()],
        ] {
            let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
            assert_eq!(covers(&lines, &tag), Some(true), "{lines:?}");
        }
    }

    #[test]
    fn other_tags_and_broken_ones_do_not() {
        let tag = ETag::of(b"pointer");
        let bare = tag.header().to_str().expect("ascii").trim_matches('"').to_owned();
        for line in ["", "\"other\"", "W/", &bare, "\"*\""] {
            assert_eq!(covers(&[line], &tag), Some(false), "{line:?}");
        }
        assert_eq!(covers(&[], &tag), None);
    }
}
