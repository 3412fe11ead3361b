//! Key ceremonies: what the next trust root says, who has to sign it, and whether enough of them did.
//!
//! In: the root in force, what is to change, signatures, and the time. Out: a [`Draft`], and from a draft that enough have
//! signed a root. Knows nothing of files, terminals or stores: people carry drafts and signatures about, on paper if they like.
//!
//! ```text
//! root in force ── changes ──> Draft ── signatures, by anyone with the stock tool ──> root after it
//! ```
//!
//! A draft holds no secret and is worth nothing by itself, so its form is the plainest there is: the payload line that every
//! signer signs. Whoever opens one has it checked again, because it came by hand.

mod change;
mod difference;
mod draft;
mod role;
mod roster;
mod rules;
mod standing;

pub use change::{Change, Refused};
pub use difference::{Difference, differences};
pub use draft::{Draft, NotADraft, NotASigner, Term};
pub use role::{InvalidRoleName, RoleName};
pub use rules::BrokenRule;
pub use standing::{Duty, Incomplete, NotASignature, Standing};

#[cfg(test)]
mod tests;
