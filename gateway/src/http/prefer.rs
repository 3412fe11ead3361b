//! Reads `Prefer: wait=N` (RFC 7240): for how long a client is willing to have its answer held.
//!
//! In: every `Prefer` line of a request. Out: whole seconds, or nothing. A preference is never an error: what cannot be
//! read is passed over, and of several `wait`s the first one counts, as the RFC says.

use std::time::Duration;

use http::HeaderMap;
use http::header::HeaderName;

/// The request header.
pub(crate) const PREFER: HeaderName = HeaderName::from_static("prefer");
/// The answer header that tells a client that its preference was honoured.
pub(crate) const PREFERENCE_APPLIED: HeaderName = HeaderName::from_static("preference-applied");

/// How long the client wants its answer held, cut to `longest`.
pub(crate) fn wait(headers: &HeaderMap, longest: Duration) -> Option<Duration> {
    let lines = headers.get_all(PREFER).iter().filter_map(|line| line.to_str().ok());
    let seconds = lines.flat_map(preferences).find_map(wait_of)?;
    Some(Duration::from_secs(seconds).min(longest))
}

/// The preferences of one line. Commas and semicolons inside quotes do not part them.
fn preferences(line: &str) -> impl Iterator<Item = &str> {
    let mut quoted = false;
    let mut escaped = false;
    line.split(move |c| {
        let parts = c == ',' && !quoted;
        quoted ^= c == '"' && !escaped;
        escaped = quoted && c == '\\' && !escaped;
        parts
    })
}

/// The seconds of one preference that is a `wait`; its parameters mean nothing to us.
fn wait_of(preference: &str) -> Option<u64> {
    let bare = preference.split(';').next().unwrap_or_default();
    let (name, value) = bare.split_once('=')?;
    if !name.trim().eq_ignore_ascii_case("wait") {
        return None;
    }
    let value = value.trim();
    let value = value.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(value);
    let digits = !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit());
    // More digits than a u64 has is still a wait, and a long one.
    digits.then(|| value.parse().unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONGEST: Duration = Duration::from_secs(120);

    fn seconds(lines: &[&str]) -> Option<u64> {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(PREFER, line.parse().expect("a header value"));
        }
        wait(&headers, LONGEST).map(|wait| wait.as_secs())
    }

    #[test]
    fn a_wait_is_found_wherever_the_rfc_allows_it() {
        for lines in [
            &["wait=55"][..],
            &["WAIT=55"],
            &["wait = 55"],
            &["wait=\"55\""],
            &["respond-async, wait=55"],
            &["respond-async", "wait=55"],
            &["wait=55; foo=bar, wait=1"],
            &["wait=55", "wait=1"],
            &["foo=\"a, wait=1\", wait=55"],
            &["foo=\"a\\\", wait=1\", wait=55"],
        ] {
            assert_eq!(seconds(lines), Some(55), "{lines:?}");
        }
    }

    #[test]
    fn what_is_no_wait_is_passed_over() {
        for lines in
            [&[][..], &[""], &["wait"], &["wait="], &["wait=-1"], &["wait=1.5"], &["await=9"], &["foo=\"wait=9\""]]
        {
            assert_eq!(seconds(lines), None, "{lines:?}");
        }
    }

    #[test]
    fn the_longest_wait_is_ours_to_say() {
        assert_eq!(seconds(&["wait=121"]), Some(120));
        assert_eq!(seconds(&["wait=99999999999999999999999999"]), Some(120));
        assert_eq!(seconds(&["wait=0"]), Some(0));
    }
}
