//! `driftless doctor`: what is weak or broken in a publisher's set-up, and how to mend it.
//!
//! [`gather`] looks and judges nothing; [`judge`] judges and looks at nothing.

mod facts;
mod finding;
mod gather;
mod judge;

use follower::BaseUrl;
use serde::Serialize;

use crate::exit::{Code, Failure, Outcome};
use crate::out;
use crate::reach::Reach;
use crate::which::Which;
use finding::{Finding, Verdict};

/// Say what is weak or broken in a publisher's set-up, and how to mend it
///
/// Looks at the configuration, the keys, the trust root, the signer policy, the store and the clock, and changes nothing. Weak:
/// it works, and somebody should mend it. Broken: agents refuse it, or it does not start. Ends with code 3 if anything is broken.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    which: Which,

    /// A gateway to compare the clock with
    #[arg(long, value_name = "URL")]
    url: Option<BaseUrl>,

    #[command(flatten)]
    reach: Reach,

    /// End with code 3 if anything is weak, too
    #[arg(long)]
    strict: bool,

    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// The answer as `--json` prints it.
#[derive(Serialize)]
struct Answer {
    /// The worst of all.
    verdict: Verdict,
    findings: Vec<Finding>,
}

pub(crate) async fn run(args: Args) -> Outcome {
    let file = args.which.file()?;
    let config = args.which.load()?;
    let facts = gather::gather(&config, &file, args.url.as_ref().map(|url| (url, &args.reach))).await;
    let findings = judge::judge(&facts);
    let verdict = findings.iter().map(|finding| finding.verdict).max().unwrap_or(Verdict::Ok);
    let answer = Answer { verdict, findings };
    if args.json {
        out::json(&answer);
    } else {
        answer.findings.iter().flat_map(Finding::lines).for_each(|line| out::data(&line));
    }
    let bar = if args.strict { Verdict::Weak } else { Verdict::Broken };
    let short = answer.findings.iter().filter(|finding| finding.verdict >= bar).count();
    match short {
        0 => Ok(()),
        1 => Err(Failure::new(Code::Refused, "one check is not as it should be")),
        many => Err(Failure::new(Code::Refused, format!("{many} checks are not as they should be"))),
    }
}
