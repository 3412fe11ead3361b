//! The apply path: from a pointer in hand to a result that is durable.
//!
//! Each step is a type that consumes the one before, so none can be left out, and each is durable before the next begins:
//!
//! | step | done when | a crash after it finds |
//! | --- | --- | --- |
//! | [`Fetched`] → [`Accepted`] | signatures held, not a rollback, **seen durable** | the same question, answered no worse |
//! | → [`Intended`] | **intent durable** | nothing switched: the pointer in force decides |
//! | → [`Vouched`] | the manifest verified | as above |
//! | → [`Staged`] | the bundle hashed, unpacked, synced, renamed into `versions/`, synced; or a version on the disk read again | the version on the disk: no download |
//! | → [`Checked`] | the `check` hook agreed | as above; the hook runs again |
//! | → [`Activated`] | `current` switched, synced, **applied durable** | `current` tells; the switch is finished, not repeated |
//! | → result | `reload` and `probe` agreed, **result durable** | nothing left to do but to tell it |
//!
//! Getting a candidate ready goes the same way as far as [`Checked`], without an intent, and is answered there, see [`prepare`].
//!
//! A hook that says no is a result too, see [`verdict`]. Everything else that goes wrong is a [`Setback`]: nothing was switched,
//! and it is tried again.

mod accept;
mod activate;
mod check;
mod collect;
mod enclosed;
mod host;
mod intend;
mod marks;
mod patched;
mod prepare;
mod prove;
mod repair;
mod setback;
mod stage;
mod verdict;
mod vouch;

pub(crate) use accept::{Accepted, Fetched};
pub(crate) use activate::{Activated, finish_switch};
#[cfg(doc)]
use check::Checked;
pub(crate) use enclosed::Enclosed;
pub(crate) use host::{About, Host, Site, Told, Verdict, clock};
use intend::Intended;
pub use marks::STEPS;
pub(crate) use marks::{ACKED, reached};
pub(crate) use prepare::{foresee, prepare};
pub(crate) use repair::{remove_damaged, repair};
pub(crate) use setback::{Setback, brief, in_one_line};
#[cfg(doc)]
use stage::Staged;
pub(crate) use verdict::{decline, go_back, judge};
#[cfg(doc)]
use vouch::Vouched;

use schema::pointer::{Phase, Target};
use schema::time::Length;

use crate::decide::Source;

/// Applies `target`, from the first record to the last, and tells the result. Gives up fetching when `overtaken` ends.
///
/// # Errors
/// [`Setback`]: nothing was switched, or the switch is there to be finished.
pub(crate) async fn apply(
    host: &mut Host,
    accepted: &Accepted,
    attempt: Attempt,
    overtaken: impl Future<Output = ()>,
) -> Result<(), Setback> {
    let Attempt { target, source, confirm_within } = attempt;
    let intended = Intended::record(host, accepted, target, confirm_within).await?;
    let vouched = intended.vouch(host).await?;
    if source == Source::Running {
        return vouched.confirm(host).await;
    }
    match vouched.stage(host, source, overtaken).await?.check(host, Phase::Activate).await? {
        Ok(checked) => checked.activate(host).await?.prove(host).await,
        Err(bad) => verdict::judge(host, bad).await,
    }
}

/// What is to be applied, and how.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Attempt {
    pub(crate) target: Target,
    pub(crate) source: Source,
    /// How long it may run unless somebody confirms it.
    pub(crate) confirm_within: Option<Length>,
}
