//! The names of what an agent refuses: one for each rule that an offer can break, as its metrics have them.
//!
//! In: the typed errors of the rules. Out: a [`Rule`], or nothing where the host itself is at fault and nobody offered anything
//! wrong. The one place that knows which error has which name.

use follower::{Failures, Reason};
use schema::cycle::{NotAccepted, NotVouched};
use schema::succession::Refusal;

use crate::apply::Setback;
use crate::tree::UnpackError;

/// What was refused, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Rule {
    /// Nobody gave a pointer, whatever they gave instead.
    PointerFetch,
    /// A pointer that is not signed by those who may.
    PointerSeal,
    /// A pointer of another app or region.
    MixAndMatch,
    /// A pointer of another epoch than the trust root's.
    WrongEpoch,
    /// A pointer older than the newest one accepted.
    Rollback,
    /// A pointer too far ahead.
    FastForward,
    /// A pointer that contradicts the one in force.
    Equivocation,
    /// Nobody even said that there is no next trust root.
    RootFetch,
    /// A trust root that does not follow the one in force.
    Root,
    /// Nobody gave a manifest, whatever they gave instead.
    ManifestFetch,
    /// A manifest that is not signed by those who may.
    ManifestSeal,
    /// Another manifest than the one that the pointer names, or of another bundle.
    ManifestOther,
    /// A release below the floor of the trust root.
    BelowFloor,
    /// A bundle that the trust root takes back.
    Revoked,
    /// Nobody gave the bytes of the bundle that were signed.
    Bundle,
    /// Bytes that were signed, and are no bundle, or not that of the manifest.
    Archive,
}

impl Rule {
    /// The value of the label `rule`.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Rule::PointerFetch => "pointer_fetch",
            Rule::PointerSeal => "pointer_seal",
            Rule::MixAndMatch => "mix_and_match",
            Rule::WrongEpoch => "wrong_epoch",
            Rule::Rollback => "rollback",
            Rule::FastForward => "fast_forward",
            Rule::Equivocation => "equivocation",
            Rule::RootFetch => "root_fetch",
            Rule::Root => "root",
            Rule::ManifestFetch => "manifest_fetch",
            Rule::ManifestSeal => "manifest_seal",
            Rule::ManifestOther => "manifest_other",
            Rule::BelowFloor => "below_floor",
            Rule::Revoked => "revoked",
            Rule::Bundle => "bundle",
            Rule::Archive => "archive",
        }
    }

    /// The rule that a pointer breaks.
    pub(crate) fn of_pointer(refused: &NotAccepted) -> Rule {
        match refused {
            NotAccepted::Seal(_) => Rule::PointerSeal,
            NotAccepted::Succession(Refusal::MixAndMatch { .. }) => Rule::MixAndMatch,
            NotAccepted::Succession(Refusal::WrongEpoch { .. }) => Rule::WrongEpoch,
            NotAccepted::Succession(Refusal::Rollback { .. }) => Rule::Rollback,
            NotAccepted::Succession(Refusal::FastForward { .. }) => Rule::FastForward,
            NotAccepted::Succession(Refusal::Equivocation { .. }) => Rule::Equivocation,
        }
    }

    /// Nothing where all that is wrong is that what was given was refused, which counted when it was.
    pub(crate) fn of_no_pointer<E>(failures: &Failures<E>) -> Option<Rule> {
        refused(failures).count().lt(&failures.iter().count()).then_some(Rule::PointerFetch)
    }

    /// The rule that keeps a generation back; nothing where it is the host's own disk, or the agent's end.
    pub(crate) fn of_setback(setback: &Setback) -> Option<Rule> {
        match setback {
            Setback::Manifest { source, .. } => {
                Some(refused(&source.failures).next().map_or(Rule::ManifestFetch, Rule::of_manifest))
            }
            Setback::Bundle { source, .. } => source.is_retryable().then_some(Rule::Bundle),
            Setback::Unpack { source: UnpackError::Disk(_), .. } => None,
            Setback::Unpack { .. } => Some(Rule::Archive),
            Setback::Disk(_) | Setback::Journal(_) | Setback::Overtaken | Setback::Shutdown => None,
        }
    }

    /// The rule that a manifest breaks.
    pub(crate) fn of_manifest(refused: &NotVouched) -> Rule {
        match refused {
            NotVouched::Seal(_) => Rule::ManifestSeal,
            NotVouched::Other { .. } | NotVouched::OtherBundle { .. } => Rule::ManifestOther,
            NotVouched::BelowFloor { .. } => Rule::BelowFloor,
            NotVouched::Revoked { .. } => Rule::Revoked,
        }
    }
}

/// What those gave who gave something.
fn refused<E>(failures: &Failures<E>) -> impl Iterator<Item = &E> {
    failures.iter().filter_map(|failure| match &failure.reason {
        Reason::Refused(refused) => Some(refused),
        Reason::Fault(_) => None,
    })
}
