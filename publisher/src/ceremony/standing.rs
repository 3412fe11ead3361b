//! Who has signed a draft, who still can, and how many are missing.

use std::fmt;

use schema::seal::SealError;
use schema::{PublicKey, RoleKeys, Sealed, TrustRoot};

/// What one root asks of a draft: the root before, or the draft itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Duty {
    /// Version of the root whose root keys these are.
    pub version: u64,
    /// How many of them must sign.
    pub threshold: usize,
    /// Those that did.
    pub signed: Vec<PublicKey>,
    /// Those that did not.
    pub unsigned: Vec<PublicKey>,
}

impl Duty {
    pub(super) fn new(version: u64, role: &RoleKeys, signers: &[PublicKey]) -> Duty {
        let (signed, unsigned) = role.keys().iter().cloned().partition(|key| signers.contains(key));
        Duty { version, threshold: role.threshold(), signed, unsigned }
    }

    /// How many signatures are still needed.
    pub fn missing(&self) -> usize {
        self.threshold.saturating_sub(self.signed.len())
    }
}

impl fmt::Display for Duty {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Duty { version, threshold, signed, .. } = self;
        write!(f, "root keys of version {version}: {} signed, {threshold} needed", signed.len())
    }
}

/// How far the signing of a draft has come: for a first root one duty, for every other that of the root before as well.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing(pub Vec<Duty>);

impl Standing {
    /// Who signed `sealed`, which says `root`, of the keys that `root` and the root before it ask for.
    pub fn of(before: Option<&TrustRoot>, root: &TrustRoot, sealed: &Sealed) -> Standing {
        let duty = |asking: &TrustRoot| {
            let signers: Vec<PublicKey> = sealed.signers(&asking.root).into_iter().cloned().collect();
            Duty::new(asking.version, &asking.root, &signers)
        };
        Standing(before.into_iter().chain([root]).map(duty).collect())
    }

    /// Whether nothing is missing.
    pub fn is_complete(&self) -> bool {
        self.0.iter().all(|duty| duty.missing() == 0)
    }
}

impl fmt::Display for Standing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let duties: Vec<String> = self.0.iter().map(ToString::to_string).collect();
        f.write_str(&duties.join("; "))
    }
}

/// Says why the signatures at hand make no root of a draft.
#[derive(Debug, thiserror::Error)]
pub enum Incomplete {
    /// One of them is of no use, which somebody should know of before the others are counted.
    #[error("signature {number} is of no use")]
    Signature {
        /// Counting from one, in the order given.
        number: usize,
        /// Why.
        #[source]
        source: NotASignature,
    },
    /// Some are missing.
    #[error("too few signatures: {0}")]
    Missing(Standing),
    /// Readers would refuse the result.
    #[error("the root would be refused")]
    Refused(#[source] schema::root::NotSuccessor),
    /// Readers would refuse the first root.
    #[error("the root would be refused")]
    Unsealed(#[source] SealError),
}

/// Says why a signature does not count.
#[derive(Debug, thiserror::Error)]
pub enum NotASignature {
    /// No signature file, or one with another trusted comment.
    #[error(transparent)]
    Seal(#[from] SealError),
    /// Good for something, but not for this.
    #[error("no root key of this draft or of the root before made it over this very draft")]
    Stranger,
}
