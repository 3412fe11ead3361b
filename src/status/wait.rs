//! `driftless status --wait`: ends when a commit has arrived, or never will. For pipelines.

use std::time::{Duration, Instant};

use schema::CommitId;
use schema::rollout::Share;
use schema::time::Length;
use tokio::time::sleep;

use super::judge::{Awaited, CommitPrefix, Seen, Verdict, judge};
use super::{Args, ask};
use crate::exit::{Code, Failure, Outcome};
use crate::out;

/// What to wait for.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Waiting for a commit")]
pub(super) struct Waiting {
    /// End when the commit has arrived: 0 yes, 3 it is refused, blocked, rolled back or overtaken, 6 not in time
    #[arg(long, requires = "commit")]
    wait: bool,

    /// The commit to wait for, or its first 7 digits or more
    #[arg(long, value_name = "SHA", requires = "wait")]
    commit: Option<CommitPrefix>,

    /// How many of the agents that are known in each region must say that they run it
    #[arg(long, value_name = "PERCENT", default_value = "99", value_parser = percent, requires = "wait")]
    percent: Share,

    /// How long to wait at most
    #[arg(long, value_name = "TIME", default_value = "10m", value_parser = length, requires = "wait")]
    timeout: Length,
}

impl Waiting {
    /// The commit, where there is one to wait for.
    pub(super) fn commit(&self) -> Option<&CommitPrefix> {
        self.commit.as_ref().filter(|_| self.wait)
    }
}

/// Waits until the commit has arrived in each region that `args` means.
pub(super) async fn wait(args: &Args, commit: CommitPrefix) -> Outcome {
    let Waiting { percent, timeout, .. } = args.waiting;
    let awaited = Awaited { commit, apps: args.apps.clone(), regions: args.regions.clone(), share: percent };
    let deadline = Instant::now() + timeout.0;
    let mut seen = Seen::default();
    let mut told = Vec::new();
    // Whoever does not answer the first time is not there; afterwards it may just be starting again.
    let mut status = Ok(ask(&args.url, &args.reach).await?);
    loop {
        let missing = match status {
            Err(failure) if Instant::now() >= deadline => return Err(failure),
            Err(failure) => vec![failure.in_words()],
            Ok(status) => match judge(&status, &awaited, &mut seen) {
                Verdict::Yes => {
                    if args.json {
                        out::json(&status);
                    } else {
                        out::talk("the commit has arrived");
                    }
                    return Ok(());
                }
                Verdict::No(why) => return Err(no(why)),
                Verdict::Ambiguous(commits) => return Err(ambiguous(&commits)),
                Verdict::NotYet(missing) => missing,
            },
        };
        if missing != told {
            missing.iter().for_each(|line| out::talk(line));
            told = missing;
        }
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            let says = format!("the commit did not arrive within {}: {}", String::from(timeout), told.join("; "));
            return Err(
                Failure::new(Code::TimedOut, says).hint("`driftless status` and `driftless rollout status` show more")
            );
        }
        sleep(EVERY.min(left)).await;
        status = ask(&args.url, &args.reach).await;
    }
}

fn no(why: String) -> Failure {
    Failure::new(Code::Refused, format!("the commit will not arrive: {why}"))
}

fn ambiguous(commits: &[CommitId]) -> Failure {
    let commits: Vec<String> = commits.iter().map(CommitId::to_string).collect();
    Failure::usage(format!("more than one commit begins like that: {}", commits.join(", ")))
}

/// A share as people write it: `99`, `99.5` or `99%`.
fn percent(text: &str) -> Result<Share, String> {
    let wrong = || "write a share like 99 or 99.5, above 0 and at most 100".to_owned();
    let number: f64 = text.trim_end_matches('%').parse().map_err(|_| wrong())?;
    let points = (number * 100.0).round();
    if !(1.0..=f64::from(Share::FULL.0)).contains(&points) {
        return Err(wrong());
    }
    // Within 1 and 10,000, so nothing is lost.
    Ok(Share(points as u16))
}

fn length(text: &str) -> Result<Length, String> {
    Length::try_from(text.to_owned()).map_err(|error| error.to_string())
}

const EVERY: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_read_to_the_hundredth_and_nonsense_is_not() {
        let read = |text| percent(text).ok().map(|share| share.0);
        assert_eq!(
            [read("99"), read("99.95%"), read("100"), read("0.01")],
            [Some(9900), Some(9995), Some(10_000), Some(1)]
        );
        assert_eq!([read("0"), read("101"), read("-1"), read("NaN"), read("inf"), read("all")], [None; 6]);
    }
}
