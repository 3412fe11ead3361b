//! `driftless rollout`: how a commit reaches the fleet, and the hand on its brake.

mod live;
mod picture;
mod show;

use schema::App;
use schema::control::What;

use crate::exit::Outcome;
use crate::operator::Deed;

pub(crate) use picture::{in_short, of_app};

/// Show how a commit reaches the fleet, or hold it, push it on, or give it up
///
/// Every deed here is signed into the pointers and records of the store, with your token's name and your reason.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    what: Subcommand,
}

#[derive(Debug, clap::Subcommand)]
enum Subcommand {
    Status(show::Args),
    Pause(Pause),
    Resume(Resume),
    Promote(Promote),
    Abort(Abort),
    Confirm(Confirm),
}

macro_rules! deeds {
    ($($(#[$doc:meta])* $deed:ident),+) => {$(
        $(#[$doc])*
        #[derive(Debug, clap::Args)]
        struct $deed {
            /// The app whose rollout it is
            #[arg(value_name = "APP")]
            app: App,

            #[command(flatten)]
            deed: Deed,
        }
    )+};
}

deeds!(
    /// Hold a rollout where it is: nobody switches who has not been told to
    Pause,
    /// Let it go on, with the time that its gates had left
    Resume,
    /// Go to the next wave now, without waiting for gate, soak or window
    Promote,
    /// Give a rollout up: its regions go back to what they had, and its commit is blocked
    Abort,
    /// Let agents keep the candidate that they run, though its gate has not passed (the dead man's switch)
    Confirm
);

pub(crate) async fn run(args: Args) -> Outcome {
    match args.what {
        Subcommand::Status(args) => show::run(args).await,
        Subcommand::Pause(Pause { app, deed }) => deed.run(What::Pause { app }).await,
        Subcommand::Resume(Resume { app, deed }) => deed.run(What::Resume { app }).await,
        Subcommand::Promote(Promote { app, deed }) => deed.run(What::Promote { app }).await,
        Subcommand::Abort(Abort { app, deed }) => deed.run(What::Abort { app }).await,
        Subcommand::Confirm(Confirm { app, deed }) => deed.run(What::Confirm { app }).await,
    }
}
