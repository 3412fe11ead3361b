//! `driftless history`: every pointer that was ever published.

use publisher::Publisher;
use publisher::history::{HistoryRecord, RecordKind, Scope, history};
use schema::{App, CommitId, Digest, Epoch, Generation, Region, Serial, Timestamp};
use serde::Serialize;

use crate::exit::{Failure, Outcome};
use crate::which::Which;
use crate::{out, table};

/// Show the pointers that were published for an app and region, newest first
///
/// Reads the store itself and verifies every record.
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
        let cells: Vec<Vec<String>> = rows.iter().map(Row::cells).collect();
        out::data(&table::lay_out(&["GENERATION", "SERIAL", "ISSUED", "COMMIT", "DIGEST", "KIND"], &cells));
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
        }
    }
}

impl Row {
    fn cells(&self) -> Vec<String> {
        vec![
            self.generation.to_string(),
            self.serial.to_string(),
            self.issued.to_string(),
            self.commit.short().to_owned(),
            self.digest.short(),
            self.kind.to_owned(),
        ]
    }
}
