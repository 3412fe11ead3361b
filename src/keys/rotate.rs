//! `driftless keys rotate`: the draft of the root after the one in force.

use publisher::ceremony::{Change, Draft, RoleName};

use super::before::Before;
use super::changes::{self, ChangeArgs};
use super::draft;
use super::key::KeyName;
use crate::exit::Outcome;

/// Draft the next trust root: keys that come and go, or only a new term
///
/// Starts from the newest root in the store. Without any change it renews the term of the root.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    changes: ChangeArgs,

    /// Take a key out of a role (can be repeated); KEY is a .pub file, the key itself, or its fingerprint
    #[arg(long, value_name = "ROLE=KEY", value_parser = changes::parse_key)]
    remove: Vec<(RoleName, KeyName)>,

    /// Let generations start anew: agents forget every pointer that was signed so far
    #[arg(long)]
    epoch_bump: bool,

    /// Refuse bundles with a lower release_seq from now on
    #[arg(long, value_name = "RELEASE_SEQ")]
    floor: Option<u64>,

    /// Begin another chain, signed by the new root keys alone, because too many of the old ones are lost. No agent follows by
    /// itself: each is given the root by `driftless-agent trust replace-root`
    #[arg(long)]
    new_chain: bool,

    #[command(flatten)]
    before: Before,
}

pub(super) async fn run(args: &Args) -> Outcome {
    let before = args.before.newest().await?;
    let mut changes = args.changes.changes(Some(&before))?;
    for (role, key) in &args.remove {
        changes.push(Change::Remove { role: role.clone(), key: key.find(Some(&before))? });
    }
    changes.extend(args.epoch_bump.then_some(Change::BumpEpoch));
    changes.extend(args.floor.map(Change::Floor));
    let draft = Draft::next(before, &changes, args.changes.term()).map_err(draft::refused)?;
    let draft = if args.new_chain { draft.anew() } else { draft };
    draft::write(&draft, &args.changes.out)
}
