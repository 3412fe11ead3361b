//! `driftless history`: every pointer that was ever published.

use publisher::Publisher;
use publisher::history::{HistoryRecord, RecordKind, Scope, history};
use schema::pointer::Cause;
use schema::text::one_line;
use schema::{App, CommitId, Digest, Epoch, Generation, Region, Serial, Timestamp};
use serde::Serialize;

use crate::exit::{Failure, Outcome};
use crate::which::Which;
use crate::{out, table};

/// Show the pointers that were published for an app and region, newest first
///
/// Reads the store itself and verifies every record. What is printed as generation, commit or bundle is what
/// `driftless rollback --to` takes. Where a generation was not simply the next commit, it says who made it, and why.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    which: Which,

    /// The app
    #[arg(long, value_name = "APP")]
    app: App,

    /// The region
    #[arg(long, value_name = "REGION")]
    region: Region,

    /// How many records
    #[arg(short = 'n', long, default_value_t = 20, value_name = "N")]
    newest: usize,

    /// Show freshness re-signings, too
    #[arg(long)]
    all: bool,

    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// One record as `--json` prints it.
#[derive(Serialize)]
struct Row {
    epoch: Epoch,
    generation: Generation,
    serial: Serial,
    kind: &'static str,
    digest: Digest,
    commit: CommitId,
    issued: Timestamp,
    expires: Timestamp,
    withdrawn: Vec<Digest>,
    #[serde(skip_serializing_if = "Option::is_none")]
    candidate: Option<Digest>,
    freeze: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    cause: Option<Cause>,
}

pub(crate) async fn run(args: Args) -> Outcome {
    let mut publisher = Publisher::open_to_read(&args.which.load()?).map_err(Failure::of_publisher)?;
    publisher.walk_roots().await.map_err(Failure::of_publisher)?;
    let scope = if args.all { Scope::Everything } else { Scope::Changes };
    let records = history(publisher.store(), publisher.roots(), &args.app, &args.region, scope, args.newest).await;
    let records = records.map_err(Failure::of_publisher)?;
    let rows: Vec<Row> = records.into_iter().map(Row::from).collect();
    if args.json {
        out::json(&rows);
    } else if rows.is_empty() {
        out::talk(&format!("nothing was ever published for {} in {}", args.app, args.region));
    } else {
        out::data(&lay_out(&rows));
    }
    Ok(())
}

impl From<HistoryRecord> for Row {
    fn from(record: HistoryRecord) -> Row {
        Row {
            epoch: record.order.epoch,
            generation: record.order.generation,
            serial: record.order.serial,
            kind: match record.kind {
                RecordKind::Publish => "publish",
                RecordKind::Rollback => "rollback",
                RecordKind::Refresh => "refresh",
            },
            digest: record.digest,
            commit: record.commit,
            issued: record.issued,
            expires: record.expires,
            withdrawn: record.withdrawn,
            candidate: record.candidate.map(|candidate| candidate.target.digest),
            freeze: record.freeze,
            cause: record.cause,
        }
    }
}

fn lay_out(rows: &[Row]) -> String {
    let header = ["EPOCH", "GENERATION", "SERIAL", "ISSUED", "COMMIT", "BUNDLE", "KIND", "CANDIDATE", "WHO", "WHY"];
    let cells: Vec<Vec<String>> = rows.iter().map(Row::cells).collect();
    table::lay_out(&header, &cells)
}

impl Row {
    /// Commit and bundle in full, however wide that is: they are there to be copied.
    fn cells(&self) -> Vec<String> {
        let kind = self.cause.as_ref().map_or_else(|| self.kind.to_owned(), |cause| cause.deed.to_string());
        let kind = if self.serial == Serial::FIRST { kind } else { self.kind.to_owned() };
        let (who, why) = self.cause.as_ref().map_or(("", ""), |cause| (&cause.who, &cause.why));
        vec![
            self.epoch.to_string(),
            self.generation.to_string(),
            self.serial.to_string(),
            self.issued.to_string(),
            self.commit.to_string(),
            self.digest.to_string(),
            if self.freeze { format!("{kind}, frozen") } else { kind },
            self.candidate.as_ref().map(Digest::short).unwrap_or_default(),
            one_line(who, WHO_MAX_CHARS),
            one_line(why, Cause::WHY_MAX),
        ]
    }
}

const WHO_MAX_CHARS: usize = 64;

#[cfg(test)]
mod tests {
    use schema::pointer::Deed;

    use super::*;

    #[test]
    fn a48_every_id_is_whole_and_no_reason_moves_a_cursor() {
        let row = |generation, cause| Row {
            epoch: Epoch::FIRST,
            generation: Generation::new(generation),
            serial: Serial::FIRST,
            kind: "publish",
            digest: Digest::of(b"a"),
            commit: "c".repeat(40).parse().expect("a commit"),
            issued: Timestamp::UNIX_EPOCH,
            expires: Timestamp::UNIX_EPOCH,
            withdrawn: Vec::new(),
            candidate: None,
            freeze: generation == 2,
            cause,
        };
        let hostile = Cause { who: "al\u{1b}[2Jice".into(), deed: Deed::Freeze, why: "fire\nFAKE LINE\u{202e}".into() };
        let text = lay_out(&[row(2, Some(hostile)), row(1, None)]);
        let expected = format!(
            "EPOCH  GENERATION  SERIAL  ISSUED                    {:<40}  {:<64}  KIND            CANDIDATE  WHO        WHY\n\
             1      2           1       1970-01-01T00:00:00.000Z  {commit}  {digest}  freeze, frozen             al [2Jice  fire FAKE LINE\n\
             1      1           1       1970-01-01T00:00:00.000Z  {commit}  {digest}  publish",
            "COMMIT",
            "BUNDLE",
            commit = "c".repeat(40),
            digest = Digest::of(b"a"),
        );
        assert_eq!(text, expected);
    }
}
