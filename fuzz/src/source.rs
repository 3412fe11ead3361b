//! What comes out of a config repository and of the signer policy beside it.

pub mod commit;
pub mod document;
#[cfg(feature = "openpgp")]
pub mod openpgp;
pub mod signers;
pub mod sshsig;
