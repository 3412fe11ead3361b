//! Reads `Range: bytes=…` of one part. Several parts at once are answered with the whole object, as RFC 9110 allows.

use http::HeaderMap;
use http::header::{IF_RANGE, RANGE};

use super::etag::ETag;

/// Which bytes of an object to answer with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// All of them: 200.
    Whole,
    /// From `start` on, `len` of them, at least one: 206.
    Part { start: u64, len: u64 },
    /// A part that the object does not have: 416.
    Nothing,
}

/// What the headers ask of an object of `size` bytes whose tag is `tag`.
pub(crate) fn wanted(headers: &HeaderMap, size: u64, tag: &ETag) -> Wanted {
    let mut lines = headers.get_all(RANGE).iter();
    let (Some(line), None) = (lines.next(), lines.next()) else { return Wanted::Whole };
    // A part only makes sense to a client that has the rest of these very bytes.
    if headers.get(IF_RANGE).is_some_and(|condition| condition != tag.header()) {
        return Wanted::Whole;
    }
    line.to_str().ok().and_then(|line| part(line, size)).unwrap_or(Wanted::Whole)
}

/// Reads one line; nothing where it is no single range of bytes.
fn part(line: &str, size: u64) -> Option<Wanted> {
    let (unit, spec) = line.split_once('=')?;
    if !unit.trim().eq_ignore_ascii_case("bytes") {
        return None;
    }
    let (first, last) = spec.trim().split_once('-')?;
    let (start, end) = match (first.is_empty(), last.is_empty()) {
        (true, true) => return None,
        (true, false) => (size.saturating_sub(number(last)?), size),
        (false, true) => (number(first)?, size),
        (false, false) => {
            let (first, last) = (number(first)?, number(last)?);
            if last < first {
                return None;
            }
            (first, last.saturating_add(1).min(size))
        }
    };
    Some(if start < end { Wanted::Part { start, len: end - start } } else { Wanted::Nothing })
}

fn number(digits: &str) -> Option<u64> {
    let plain = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    plain.then(|| digits.parse().unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(line: &str, size: u64) -> Wanted {
        let mut headers = HeaderMap::new();
        headers.insert(RANGE, line.parse().expect("a header value"));
        wanted(&headers, size, &ETag::of(b"object"))
    }

    #[test]
    fn single_ranges_are_cut_to_the_object() {
        let part = |start, len| Wanted::Part { start, len };
        let table = [
            ("bytes=0-0", part(0, 1)),
            ("bytes=0-99", part(0, 100)),
            ("bytes=10-", part(10, 90)),
            ("bytes=-10", part(90, 10)),
            ("bytes=-1000", part(0, 100)),
            ("bytes=90-1000", part(90, 10)),
            ("bytes=0-18446744073709551615", part(0, 100)),
            ("Bytes=5-6", part(5, 2)),
            ("bytes=100-", Wanted::Nothing),
            ("bytes=100-200", Wanted::Nothing),
            ("bytes=-0", Wanted::Nothing),
            ("bytes=99999999999999999999-", Wanted::Nothing),
        ];
        for (line, expected) in table {
            assert_eq!(of(line, 100), expected, "{line}");
        }
        assert_eq!(of("bytes=0-", 0), Wanted::Nothing);
    }

    #[test]
    fn what_is_no_single_range_means_the_whole_object() {
        for line in
            ["", "bytes", "bytes=", "bytes=-", "bytes=a-b", "bytes=5-4", "bytes=+1-2", "items=0-1", "bytes=0-1,4-5"]
        {
            assert_eq!(of(line, 100), Wanted::Whole, "{line}");
        }
    }

    #[test]
    fn a_part_of_other_bytes_is_not_wanted() {
        let tag = ETag::of(b"object");
        let mut headers = HeaderMap::new();
        headers.insert(RANGE, "bytes=0-0".parse().expect("a header value"));
        headers.insert(IF_RANGE, tag.header().clone());
        assert_eq!(wanted(&headers, 10, &tag), Wanted::Part { start: 0, len: 1 });
        assert_eq!(wanted(&headers, 10, &ETag::of(b"another")), Wanted::Whole);
    }
}
