//! `driftless freeze`: nothing moves any more, until somebody says so.

use schema::control::What;
use schema::{App, Region};

use crate::exit::Outcome;
use crate::operator::Deed;

/// Have every agent stay on what it runs, and publish nothing, until `driftless unfreeze`
///
/// Everywhere, or for one app or in one region. It is in the signed pointer, so it outlives restarts of everything; a rollout
/// stands still meanwhile, and its gates' clocks with it.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    scope: Scope,

    #[command(flatten)]
    deed: Deed,
}

/// What a freeze is about.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Scope {
    /// Only this app [default: all]
    #[arg(long, value_name = "APP")]
    pub(crate) app: Option<App>,

    /// Only this region [default: all]
    #[arg(long, value_name = "REGION")]
    pub(crate) region: Option<Region>,
}

pub(crate) async fn run(Args { scope: Scope { app, region }, deed }: Args) -> Outcome {
    deed.run(What::Freeze { app, region }).await
}
