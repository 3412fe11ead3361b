//! `driftless keys revoke`: the draft of a root that no longer trusts a key, or a bundle.

use publisher::ceremony::{Change, Draft, RoleName};
use schema::{Digest, PublicKey, TrustRoot};

use super::before::Before;
use super::changes::ChangeArgs;
use super::draft;
use super::key::KeyName;
use crate::exit::{Failure, Outcome};
use crate::out;

/// Draft a trust root that no longer trusts a stolen key, or a bundle
///
/// A key leaves every role that it is in; give the role another with --add where it needs one. If the key signed pointers, the
/// epoch grows as well: a thief can sign generations so far ahead that nothing honest would ever count as newer. A revoked
/// bundle is refused whoever signed it; agents that run it keep it until another is published.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// A bundle's digest, or a key: its .pub file, the key itself, or its fingerprint
    #[arg(required = true, value_name = "DIGEST|KEY")]
    what: Vec<String>,

    #[command(flatten)]
    changes: ChangeArgs,

    #[command(flatten)]
    before: Before,
}

pub(super) async fn run(args: &Args) -> Outcome {
    let before = args.before.newest().await?;
    let mut changes = args.changes.changes(Some(&before))?;
    for what in &args.what {
        changes.push(revoked(what, &before)?);
    }
    if let Some(key) = changes.iter().find_map(|change| pointer_key(change, &before)) {
        out::talk(&format!(
            "note: key {} signs pointers, so the epoch grows: what it may have signed ahead must not count",
            key.fingerprint()
        ));
        changes.push(Change::BumpEpoch);
    }
    let draft = Draft::next(before, &changes, args.changes.term()).map_err(draft::refused)?;
    draft::write(&draft, &args.changes.out)
}

fn revoked(what: &str, before: &TrustRoot) -> Result<Change, Failure> {
    Ok(match what.parse::<Digest>() {
        Ok(digest) => Change::Revoke(digest),
        Err(_) => Change::Expel(KeyName::parse(what).find(Some(before)).map_err(|failure| {
            failure.hint(
                "a key is named by its .pub file, itself, or its fingerprint, and a bundle by its digest of 64 digits",
            )
        })?),
    })
}

/// The key that `change` expels, if it signs pointers anywhere.
fn pointer_key<'c>(change: &'c Change, before: &TrustRoot) -> Option<&'c PublicKey> {
    let Change::Expel(key) = change else { return None };
    let mut roles = RoleName::all_of(before).filter(|(role, _)| role.signs_pointers());
    roles.any(|(_, keys)| keys.keys().contains(key)).then_some(key)
}
