//! `driftless keys init`: the draft of a first root.

use publisher::ceremony::Draft;

use super::changes::ChangeArgs;
use super::draft;
use crate::exit::Outcome;

/// Draft a first trust root
///
/// Root keys belong to different people and are used on no server; release and pointer keys are the publisher's. Two of three is a good
/// start: --add root=alice.pub --add root=bob.pub --add root=carol.pub --add release=release.pub --add pointer=pointer.pub
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    changes: ChangeArgs,
}

pub(super) fn run(args: &Args) -> Outcome {
    let draft = Draft::first(&args.changes.changes(None)?, args.changes.term()).map_err(draft::refused)?;
    draft::write(&draft, &args.changes.out)
}
