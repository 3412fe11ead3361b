//! Who may sign commits: the signer policy.
//!
//! In: the text of an OpenSSH `allowed_signers` file kept outside the repository, and then signatures, what they sign and
//! when that was first seen. Out: the [`Signer`], or why there is none. Knows nothing of git: whoever calls has split the
//! commit into signature and payload.
//!
//! The file is read more strictly than OpenSSH does, since what it misreads would publish configuration: see [`allowed`]
//! for the grammar. Validity is judged at the time a commit was first seen by this publisher, never at the time the commit
//! claims, because whoever holds a retired key can write any date.

pub mod allowed;
mod policy;
mod principals;
mod validity;

pub(crate) use policy::NAMESPACE;
pub use policy::{CommitterRule, SignatureRefusal, Signed, Signer, SignerPolicy};
pub use principals::Principals;
pub use validity::Validity;
