//! Who may sign commits: the signer policy.
//!
//! In: an OpenSSH `allowed_signers` file or a policy file, kept outside the repository, and then signatures, what they sign
//! and when that was first seen. Out: the [`Signer`], or why there is none. Knows nothing of git: whoever calls has split the
//! commit into signature and payload, and compares what it changes with what the signer may change.
//!
//! Both files are read more strictly than OpenSSH does, since what it misreads would publish configuration: see [`allowed`]
//! and [`mod@file`] for the grammars. Validity and revocation are judged at the time a commit was first seen by this publisher,
//! never at the time the commit claims, because whoever holds a retired key can write any date.

pub mod allowed;
pub mod file;
mod fingerprint;
mod grant;
mod load;
mod paths;
#[cfg(feature = "openpgp")]
mod pgp;
mod policy;
mod principals;
mod refusal;
mod revocation;
mod ssh;
mod validity;

pub use fingerprint::{InvalidFingerprint, KeyFingerprint};
pub use grant::{Grant, SigningKey};
pub use load::PolicyError;
pub(crate) use paths::Coverage;
pub use paths::{AllowedPaths, InvalidPathPrefix, PathPrefix};
#[cfg(feature = "openpgp")]
pub use pgp::{Certificate, InvalidCertificate, PgpRefusal};
pub(crate) use policy::NAMESPACE;
pub use policy::{CommitterRule, Mode, SealRule, Signed, Signer, SignerPolicy};
pub use principals::Principals;
pub use refusal::SignatureRefusal;
pub use revocation::{Revocation, Revocations};
pub use validity::{InvalidMoment, Moment, Validity};
