//! `driftless audit`: whether a store holds together, seen from outside.

use std::io::IsTerminal as _;
use std::path::PathBuf;
use std::time::SystemTime;

use ::audit::{AuditError, Counts, Finding, Progress, Report, Severity, Standing, Verdict};
use indicatif::{ProgressBar, ProgressStyle};
use schema::text::one_line;
use serde::Serialize;
use store::{Store, StoreUrl};

use crate::exit::{Code, Failure, Outcome};
use crate::which::Which;
use crate::{out, table};

/// Prove from outside that a store was not tampered with
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    Verify(Verify),
}

/// Check every trust root, history record, pointer, manifest and bundle of a store
///
/// Needs nothing but a trust root that you got from a trusted hand: give it with --root, and the store with --store. Start from
/// the first root to prove everything by signatures; from a later one, what is older is held by digests. Ends with code 3 where
/// something was changed, removed or forged.
#[derive(Debug, clap::Args)]
struct Verify {
    #[command(flatten)]
    which: Which,

    /// The store: a folder, or s3://bucket/prefix. Default: the publisher's
    #[arg(long, value_name = "URL")]
    store: Option<StoreUrl>,

    /// The trust root to begin with. Default: the publisher's
    #[arg(long, value_name = "FILE")]
    root: Option<PathBuf>,

    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(crate) async fn run(args: Args) -> Outcome {
    let Command::Verify(args) = args.command;
    let (url, root) = match (args.store, args.root) {
        (Some(url), Some(root)) => (url, root),
        (url, root) => {
            let config = args.which.load()?;
            (url.unwrap_or(config.store), root.unwrap_or(config.root))
        }
    };
    if let Some(folder) = url.local_path().filter(|folder| !folder.is_dir()) {
        return Err(Failure::new(Code::Unreachable, format!("there is no store at {}", folder.display())));
    }
    let root = publisher::trust::load(&root).map_err(Failure::usage)?;
    let store = Store::open(&url).map_err(Failure::usage)?;
    let bar = bar(args.json);
    let report = ::audit::verify(&store, root, SystemTime::now().into(), |Progress { done, of }| {
        bar.set_length(of);
        bar.set_position(done);
    });
    let report = report.await.map_err(no_verdict)?;
    bar.finish_and_clear();
    if args.json {
        out::json(&Answer::from(&report));
    } else {
        tell(&report);
    }
    match report.verdict() {
        Verdict::Sound | Verdict::Weak => Ok(()),
        Verdict::Broken => {
            let broken = report.findings.iter().filter(|finding| finding.severity() == Severity::Broken).count();
            let failure = Failure::new(Code::Refused, format!("{url} does not hold together: {broken} broken"));
            Err(failure.hint(
                "agents refuse what is forged; find out who could write to the store, then repair it from a copy",
            ))
        }
    }
}

fn no_verdict(error: AuditError) -> Failure {
    let code = match error {
        AuditError::Store(_) => Code::Unreachable,
        AuditError::TooMuch { .. } => Code::Refused,
        AuditError::Panicked(_) => Code::Unexpected,
    };
    Failure::new(code, error)
}

fn bar(quiet: bool) -> ProgressBar {
    if quiet || !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("{bar:40} {pos}/{len} objects, {eta} left").expect("a fixed template");
    ProgressBar::new(0).with_style(style)
}

fn tell(report: &Report) {
    let Counts { objects, bytes, roots, records, states, bundles } = report.counts;
    let rows: Vec<Vec<String>> = report.standing.iter().map(row).collect();
    if !rows.is_empty() {
        out::data(&table::lay_out(&["APP", "REGION", "POINTER", "DIGEST", "EXPIRES"], &rows));
        out::data("");
    }
    for finding in &report.findings {
        out::data(&format!(
            "{:<7}{}: {}",
            word(finding.severity()),
            finding.object,
            one_line(&finding.in_one_line(), 400)
        ));
    }
    let verdict = match report.verdict() {
        Verdict::Sound => "sound",
        Verdict::Weak => "sound, with something to look at",
        Verdict::Broken => "BROKEN",
    };
    let looked_at = [
        count(objects, "object"),
        format!("{bytes} bytes"),
        format!("{} up to version {}", count(roots, "trust root"), report.root),
        count(records, "history record"),
        count(states, "rollout state"),
        count(bundles, "bundle"),
    ];
    out::data(&format!("{verdict}: {}", looked_at.join(", ")));
}

fn count(number: u64, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}

fn row(standing: &Standing) -> Vec<String> {
    let Standing { app, region, epoch, generation, serial, digest, expires } = standing;
    let order = format!("e{epoch} g{generation} s{serial}");
    vec![app.to_string(), region.to_string(), order, digest.short(), expires.to_string()]
}

fn word(severity: Severity) -> &'static str {
    match severity {
        Severity::Note => "note",
        Severity::Weak => "weak",
        Severity::Broken => "BROKEN",
    }
}

/// What `--json` prints.
#[derive(Serialize)]
struct Answer<'r> {
    verdict: Verdict,
    /// The newest trust root that was reached.
    root: u64,
    counts: Counts,
    standing: &'r [Standing],
    findings: Vec<Told<'r>>,
}

#[derive(Serialize)]
struct Told<'r> {
    severity: &'static str,
    flaw: &'static str,
    object: &'r str,
    message: String,
}

impl<'r> From<&'r Report> for Answer<'r> {
    fn from(report: &'r Report) -> Answer<'r> {
        let told = |finding: &'r Finding| Told {
            severity: match finding.severity() {
                Severity::Note => "note",
                Severity::Weak => "weak",
                Severity::Broken => "broken",
            },
            flaw: finding.flaw.name(),
            object: &finding.object,
            message: finding.in_one_line(),
        };
        Answer {
            verdict: report.verdict(),
            root: report.root,
            counts: report.counts,
            standing: &report.standing,
            findings: report.findings.iter().map(told).collect(),
        }
    }
}
