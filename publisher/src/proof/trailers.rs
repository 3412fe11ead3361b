//! The trailers by which a commit speaks to the publisher: `Driftless-…: value`.
//!
//! In: a commit's message, as it was signed. Out: its trailers of that name, found by git's own rules: lines of the last
//! paragraph, which is all trailers or nearly so. Whether the commit may say so is told by the proof.

use schema::CommitId;

/// What a trailer's name begins with, in any case.
const PREFIX: &str = "driftless-";

/// The longest value that is kept, in characters.
const VALUE_MAX: usize = 256;

/// One trailer of one commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trailer {
    /// The commit that has it.
    pub commit: CommitId,
    /// Its name in lower case, like `driftless-allow`.
    pub key: String,
    /// Its value, on one line.
    pub value: String,
}

/// The trailers in the `message` of `commit` that are for the publisher.
pub(super) fn trailers(commit: &CommitId, message: &[u8]) -> Vec<Trailer> {
    // A message that git takes for none has none.
    let Ok(found) = git2::message_trailers_bytes(message) else { return Vec::new() };
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).split_whitespace().collect::<Vec<_>>().join(" ");
    let all = found.iter().map(|(key, value)| (text(key).to_lowercase(), text(value)));
    let ours = all.filter(|(key, _)| key.starts_with(PREFIX));
    ours.map(|(key, value)| Trailer { commit: commit.clone(), key, value: value.chars().take(VALUE_MAX).collect() })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trailers_are_lines_of_the_last_paragraph() {
        let commit: CommitId = "4b825dc642cb6eb9a060e54bf8d69288fbee4904".parse().expect("an id");
        let table: [(&str, &[(&str, &str)]); 9] = [
            ("Shrink\n\nDriftless-Allow: shrink\n", &[("driftless-allow", "shrink")]),
            (
                "Shrink\n\nwords\n\nSigned-off-by: A <a@x>\nDRIFTLESS-ALLOW:shrink, empty\n",
                &[("driftless-allow", "shrink, empty")],
            ),
            ("Shrink\n\nDriftless-Allow: shrink,\n  empty\n", &[("driftless-allow", "shrink, empty")]),
            (
                "Shrink\n\nDriftless-Allow: a\nDriftless-Allow: b\n",
                &[("driftless-allow", "a"), ("driftless-allow", "b")],
            ),
            ("Shrink\n\nDriftless-Allow: shrink\n\nbut not at the end\n", &[]),
            ("Driftless-Allow: shrink\n", &[]),
            ("Shrink\nDriftless-Allow: shrink\n", &[]),
            ("Shrink\n\nHe says\nthat with\nDriftless-Allow: shrink\nit goes\nthrough\n", &[]),
            ("", &[]),
        ];
        for (message, expected) in table {
            let found = trailers(&commit, message.as_bytes());
            let found: Vec<_> = found.iter().map(|found| (found.key.as_str(), found.value.as_str())).collect();
            assert_eq!(found, expected, "{message:?}");
        }
        assert_eq!(trailers(&commit, b"Shrink\n\nDriftless-Allow: \xff\x1b[2J\n").len(), 1);
    }
}
