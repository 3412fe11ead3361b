//! `driftless unfreeze`: what stood still goes on.

use schema::control::What;

use crate::exit::Outcome;
use crate::freeze::Scope;
use crate::operator::Deed;

/// End a freeze: agents go where the pointers say, and publishing goes on
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    scope: Scope,

    #[command(flatten)]
    deed: Deed,
}

pub(crate) async fn run(Args { scope: Scope { app, region }, deed }: Args) -> Outcome {
    deed.run(What::Unfreeze { app, region }).await
}
