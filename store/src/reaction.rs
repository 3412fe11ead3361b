//! Decides what follows from the answer to a conditional write: the reaction table, as one pure function.
//!
//! In: the [`Answer`] and what a read [`Shown`] since. Out: one [`Reaction`]. Knows nothing of storage, time or bytes; the
//! loop around it is in `pursuit.rs`. Until a read has shown what stands, nothing is written.
//!
//! | answer | on the wire | what it tells |
//! | --- | --- | --- |
//! | [`Done`](Answer::Done) | 200 | we won |
//! | [`Contested`](Answer::Contested) | 412, 409, 404 on `If-Match`, file exists | someone won, perhaps an earlier try of ours, perhaps nobody yet |
//! | [`Silent`](Answer::Silent) | time-out, cut connection, 5xx, 429 | nothing: it may have taken effect |
//! | [`Refused`](Answer::Refused) | 401, 403, no such bucket, disk full | it will not take effect |
//!
//! Trying again is safe because every try is the same bytes under a condition: at most one of them takes effect, and once
//! one has, all others are contested.

/// What came back for a conditional write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    Done,
    Contested,
    Silent,
    Refused,
}

/// What a read showed after a write was not simply done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shown {
    /// Not read since the write.
    NotYet,
    /// The bytes we wrote.
    Ours,
    /// What stood there before we wrote: the object the caller had seen, or nothing if it had seen nothing.
    AsSeen,
    /// Other bytes, or nothing where something had been seen.
    Other,
    /// No answer to the read either.
    Silence,
    /// A read that will never show it: denied, or an object too large to be one of ours.
    Refusal,
}

/// What to do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reaction {
    /// Report success.
    Succeed,
    /// Report what stands there instead.
    Yield,
    /// Read what stands there.
    Read,
    /// Write again, under the condition that what was just shown still stands.
    Write,
    /// Report the error.
    Fail,
}

/// What follows from `answer`, given what was `shown` since.
pub(crate) fn react(answer: Answer, shown: Shown) -> Reaction {
    match (answer, shown) {
        (Answer::Done, _) => Reaction::Succeed,
        (Answer::Refused, _) => Reaction::Fail,
        (Answer::Contested | Answer::Silent, shown) => match shown {
            Shown::NotYet | Shown::Silence => Reaction::Read,
            Shown::Ours => Reaction::Succeed,
            // Contested by nobody: a delete or another conditional write was in flight, or the condition named an ETag
            // that changed while the bytes did not. Silent: the request was lost. Either way our turn comes again.
            Shown::AsSeen => Reaction::Write,
            Shown::Other => Reaction::Yield,
            Shown::Refusal => Reaction::Fail,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reaction_table() {
        use Reaction::{Fail, Read, Succeed, Write, Yield};
        let shown = [Shown::NotYet, Shown::Ours, Shown::AsSeen, Shown::Other, Shown::Silence, Shown::Refusal];
        for (answer, row) in [
            (Answer::Done, [Succeed, Succeed, Succeed, Succeed, Succeed, Succeed]),
            (Answer::Contested, [Read, Succeed, Write, Yield, Read, Fail]),
            (Answer::Silent, [Read, Succeed, Write, Yield, Read, Fail]),
            (Answer::Refused, [Fail, Fail, Fail, Fail, Fail, Fail]),
        ] {
            for (shown, reaction) in shown.into_iter().zip(row) {
                assert_eq!(react(answer, shown), reaction, "{answer:?}, {shown:?}");
            }
        }
    }

    #[test]
    fn nothing_is_written_before_a_read_has_shown_what_stands() {
        for answer in [Answer::Done, Answer::Contested, Answer::Silent, Answer::Refused] {
            assert_ne!(react(answer, Shown::NotYet), Reaction::Write);
            assert_ne!(react(answer, Shown::Silence), Reaction::Write);
        }
    }
}
