//! Seal commits: a signed commit that takes the history before it as it is.
//!
//! ```text
//! Driftless-Seal: <the whole id of its one parent>
//! ```
//!
//! as a line in the last paragraph of the message. It holds only where nothing was published before, only if the policy
//! says `seal: allowed` or names who may, and only if the commit has one parent, is signed by such a principal at the time
//! it was first seen, and that principal may change every file. Then its parent and all before it are not judged; the seal
//! commit and all after it are, like any other. The id is in the signed bytes, so a seal cannot be moved onto another history,
//! and once something is published a seal means nothing, so it never lets new unsigned commits in.

use schema::{CommitId, Timestamp};

use super::first_seen::FirstSeen;
use super::object::CommitObject;
use crate::signers::{SealRule, SignatureRefusal, SignerPolicy};

const TRAILER: &str = "Driftless-Seal:";

/// Says why a commit that asks to seal the history before it does not.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SealRefusal {
    /// The policy has no seals.
    #[error(
        "the signer policy does not allow seals; say `seal: allowed` in it, or `adopt:` in the publisher's configuration"
    )]
    NotAllowed,
    /// It does not name what it seals.
    #[error("its `Driftless-Seal` is not the whole id of its one parent, and nothing else can be sealed")]
    NotItsParent,
    /// Signed by somebody who may not seal.
    #[error("{principal} may not seal a history; the signer policy says who may")]
    NotBy {
        /// Who signed.
        principal: String,
    },
    /// Not signed by anybody who counts.
    #[error("its signature does not count")]
    Signature(#[source] SignatureRefusal),
}

/// A seal that does not hold.
pub(super) struct RefusedSeal {
    pub(super) commit: CommitId,
    pub(super) summary: String,
    pub(super) refusal: SealRefusal,
}

/// Whether `commit` seals the history before it; a refusal where it asks to and may not.
pub(super) fn judge(
    commit: &CommitObject,
    policy: &SignerPolicy,
    first_seen: Timestamp,
) -> Result<Sealing, SealRefusal> {
    let Some(named) = trailer(commit.message()) else { return Ok(Sealing::Nothing) };
    if *policy.seals() == SealRule::Refused {
        return Err(SealRefusal::NotAllowed);
    }
    match &commit.parents[..] {
        [parent] if named == Trailer::Once(parent.as_str()) => {}
        _ => return Err(SealRefusal::NotItsParent),
    }
    let signer = policy.judge(commit.signed(), first_seen).map_err(SealRefusal::Signature)?;
    if policy.may_seal(&signer) {
        tracing::info!(principal = %signer.principal, "A seal takes the history before commit {}", commit.parents[0].short());
        Ok(Sealing::History)
    } else {
        Err(SealRefusal::NotBy { principal: signer.principal.to_string() })
    }
}

/// What a commit seals.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sealing {
    Nothing,
    History,
}

/// Judges seals on a walk, and keeps those that do not hold.
pub(super) struct Sealed<'p> {
    pub(super) policy: &'p SignerPolicy,
    pub(super) first_seen: &'p FirstSeen,
    pub(super) now: Timestamp,
    pub(super) refused: Vec<RefusedSeal>,
}

impl Sealed<'_> {
    pub(super) fn holds(&mut self, id: &CommitId, commit: &CommitObject) -> bool {
        match judge(commit, self.policy, self.first_seen.of(id).unwrap_or(self.now)) {
            Ok(sealing) => sealing == Sealing::History,
            Err(refusal) => {
                self.refused.push(RefusedSeal { commit: id.clone(), summary: commit.summary(), refusal });
                false
            }
        }
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Trailer<'t> {
    Once(&'t str),
    Twice,
}

fn trailer(message: &[u8]) -> Option<Trailer<'_>> {
    let message = str::from_utf8(message).ok()?;
    let last_paragraph = message.trim_end().rsplit("\n\n").next()?;
    let mut values = last_paragraph.lines().filter_map(|line| line.strip_prefix(TRAILER));
    let first = values.next()?;
    Some(if values.next().is_some() { Trailer::Twice } else { Trailer::Once(first.trim_matches(' ')) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seal_is_a_line_of_the_last_paragraph() {
        for (message, found) in [
            ("Begin\n\nDriftless-Seal: abc\n", Some(Trailer::Once("abc"))),
            ("Begin\n\nDriftless-Seal:abc\nSigned-off-by: A <a@x>\n\n", Some(Trailer::Once("abc"))),
            ("Begin\n\nDriftless-Seal: abc\nDriftless-Seal: def\n", Some(Trailer::Twice)),
            ("Begin\n\nDriftless-Seal: abc\n\nmore words\n", None),
            ("Begin\n\n Driftless-Seal: abc\n", None),
            ("Begin\n", None),
            ("", None),
        ] {
            assert_eq!(trailer(message.as_bytes()), found, "{message:?}");
        }
    }
}
