//! How a question for a pointer was put, as far as the answer depends on it.
//!
//! In: the headers of a request. Out: a [`Form`], small enough to be kept for each of those who wait. All who ask for the same
//! pointer in the same form get the same bytes.

use http::HeaderMap;
use http::header::HeaderName;
use schema::{Digest, enclosed};

/// How a question that may wait was put.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Form {
    /// For how many seconds at most.
    pub(crate) wait_s: u32,
    /// The bundle that the agent runs, where it says so.
    pub(crate) have: Option<Digest>,
}

/// The bundle that a request says is there already: one line that holds one digest. Anything else is passed over, since
/// it saves a round trip and no more.
pub(super) fn have(headers: &HeaderMap) -> Option<Digest> {
    let mut lines = headers.get_all(HAVE).iter();
    let line = lines.next().filter(|_| lines.next().is_none())?;
    line.to_str().ok()?.trim().parse().ok()
}

const HAVE: HeaderName = HeaderName::from_static(enclosed::HAVE);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bundle_is_had_if_one_digest_says_so() {
        let digest = Digest::of(b"bundle").to_string();
        for (lines, had) in [
            (vec![digest.clone()], true),
            (vec![format!(" {digest} ")], true),
            (vec![], false),
            (vec![String::new()], false),
            (vec![digest[1..].to_owned()], false),
            (vec![digest.clone(), digest.clone()], false),
            (vec![format!("{digest}, {digest}")], false),
        ] {
            let mut headers = HeaderMap::new();
            for line in &lines {
                headers.append(HAVE, line.parse().expect("a header value"));
            }
            assert_eq!(have(&headers), had.then(|| Digest::of(b"bundle")), "{lines:?}");
        }
    }
}
