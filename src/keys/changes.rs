//! What the arguments ask to change in a root.

use std::path::PathBuf;
use std::time::Duration;

use publisher::ceremony::{Change, RoleName, Term};
use schema::time::Length;
use schema::{Timestamp, TrustRoot};

use super::key::KeyName;
use crate::exit::Failure;

/// Keys that come and go, thresholds, and the term.
#[derive(Debug, clap::Args)]
pub(super) struct ChangeArgs {
    /// Add a key to a role: root, release, pointer or pointer:REGION (can be repeated); KEY is a .pub file or the key itself
    #[arg(long, value_name = "ROLE=KEY", value_parser = parse_key)]
    add: Vec<(RoleName, KeyName)>,

    /// How many of a role's keys must sign (can be repeated) [default: as before; in a new role one, of new root keys more than half]
    #[arg(long, value_name = "ROLE=N", value_parser = parse_threshold)]
    threshold: Vec<(RoleName, usize)>,

    /// How long the root counts; then agents hold what they run until there is a newer one
    #[arg(long, value_name = "TIME", default_value = "365d", value_parser = parse_length)]
    expires: Duration,

    /// Folder for the draft
    #[arg(long, default_value = ".", value_name = "FOLDER")]
    pub(super) out: PathBuf,
}

impl ChangeArgs {
    /// The changes to `before`, if there is one.
    pub(super) fn changes(&self, before: Option<&TrustRoot>) -> Result<Vec<Change>, Failure> {
        let added = self.add.iter().map(|(role, key)| {
            let key = key.find(before)?;
            Ok(Change::Add { role: role.clone(), key })
        });
        let thresholds = self
            .threshold
            .iter()
            .map(|(role, threshold)| Ok(Change::Threshold { role: role.clone(), threshold: *threshold }));
        added.chain(thresholds).collect()
    }

    pub(super) fn term(&self) -> Term {
        Term { now: Timestamp::from(std::time::SystemTime::now()), valid_for: self.expires }
    }
}

/// `root=alice.pub`
pub(super) fn parse_key(text: &str) -> Result<(RoleName, KeyName), String> {
    let (role, key) = text.split_once('=').ok_or("write it as ROLE=KEY, like root=alice.pub")?;
    Ok((role.parse().map_err(|error: publisher::ceremony::InvalidRoleName| error.to_string())?, KeyName::parse(key)))
}

fn parse_threshold(text: &str) -> Result<(RoleName, usize), String> {
    let (role, number) = text.split_once('=').ok_or("write it as ROLE=N, like root=2")?;
    let role = role.parse().map_err(|error: publisher::ceremony::InvalidRoleName| error.to_string())?;
    Ok((role, number.parse().map_err(|_| format!("`{}` is no number", number.escape_debug()))?))
}

fn parse_length(text: &str) -> Result<Duration, String> {
    Length::try_from(text.to_owned()).map(|length| length.0).map_err(|error| error.to_string())
}
