//! How a commit reaches the agents of an app, step by step: the rollout controller.
//!
//! In: the newest record of a rollout, the newest pointers of its regions, what agents signed, the verdicts of checks, the time.
//! Out: the next record, and the regions whose pointers must follow it. Everything here but the driver is pure: no store, no
//! network, no clock. So a publisher that starts in the middle of a rollout goes on exactly where the records say it is, and
//! the same functions run in the daemon, in the property tests and in the exhaustive model.
//!
//! ```text
//! Waiting ──> Preparing (first wave's agents) ──> Preparing (everyone) ──> Wave 0 ──> Wave 1 ──> … ──> Ended(Complete)
//!    │            └──────── a gate says no, abort, a foreign hand, a newer commit ───────┴──> Ended(…), regions go back
//! ```
//!
//! Where to start reading: [`step`](step()) (what happens next), `gate` (when a wave may go on), [`wanted`](wanted()) (what a
//! record means for a pointer).

mod advance;
mod begin;
mod blocked;
mod census;
pub(crate) mod checks;
mod command;
pub(crate) mod driver;
mod fleet;
mod gate;
mod hand;
mod hold;
mod known;
mod look;
pub(crate) mod meet;
mod observed;
pub(crate) mod point;
mod preparing;
mod quarantine;
mod quarantined;
mod record;
pub(crate) mod records;
mod salt;
pub(crate) mod stands;
mod status;
mod step;
mod timed;
mod waiting;
mod wanted;
mod wave;
mod waves;
pub mod window;

pub use begin::{Departure, Start, begin};
pub use blocked::blocks;
pub use checks::{Check, InvalidCheck};
pub use command::{CommandRefused, command, supersede};
pub use driver::POINTS;
pub use fleet::{Fleet, NoFleet};
pub use known::is_known_good;
pub use observed::{CheckVerdict, Observed, RegionView};
pub use quarantine::{QuarantineChange, quarantine};
pub use records::{NotTheState, RecordError, RecordFault};
pub use status::status;
pub use step::{Step, step};
pub use wanted::{Wanted, wanted};

#[cfg(test)]
mod fixture;
#[cfg(test)]
mod model;
#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;
