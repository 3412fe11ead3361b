//! `driftless quarantine`: agents that are left out, and why.

use schema::control::{Quarantined, What};
use schema::text::one_line;
use schema::{AgentId, App, Region};

use crate::exit::Outcome;
use crate::operator::{Deed, Operator};
use crate::{out, table};

/// Show the agents that are pinned to their last good bundle, put one there, or let one go
///
/// An agent that fails again and again is put there by the publisher, and comes back by itself after a good check. Whoever is
/// there is not counted by gates.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    what: Subcommand,
}

#[derive(Debug, clap::Subcommand)]
enum Subcommand {
    List(List),
    Add(Add),
    Release(Release),
}

/// Show who is in quarantine, since when and why
#[derive(Debug, clap::Args)]
struct List {
    /// Only this app
    #[arg(long, value_name = "APP")]
    app: Option<App>,

    /// Print JSON
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    operator: Operator,
}

/// Pin an agent to what it runs
#[derive(Debug, clap::Args)]
struct Add {
    #[command(flatten)]
    whom: Whom,

    #[command(flatten)]
    deed: Deed,
}

/// Let an agent go where the pointer says again
#[derive(Debug, clap::Args)]
struct Release {
    #[command(flatten)]
    whom: Whom,

    #[command(flatten)]
    deed: Deed,
}

#[derive(Debug, clap::Args)]
struct Whom {
    /// The agent
    #[arg(value_name = "AGENT")]
    agent: AgentId,

    /// For which app
    #[arg(long, value_name = "APP")]
    app: App,

    /// In which region
    #[arg(long, value_name = "REGION")]
    region: Region,
}

pub(crate) async fn run(args: Args) -> Outcome {
    match args.what {
        Subcommand::List(list) => show(list).await,
        Subcommand::Add(Add { whom: Whom { agent, app, region }, deed }) => {
            deed.run(What::Quarantine { app, region, agent }).await
        }
        Subcommand::Release(Release { whom: Whom { agent, app, region }, deed }) => {
            deed.run(What::Release { app, region, agent }).await
        }
    }
}

async fn show(List { app, json, operator }: List) -> Outcome {
    let query = app.map_or_else(String::new, |app| format!("?app={app}"));
    let all: Vec<Quarantined> = operator.ask(&format!("quarantine{query}")).await?;
    if json {
        out::json(&all);
    } else if all.is_empty() {
        out::talk("nobody is in quarantine");
    } else {
        out::data(&lay_out(&all));
    }
    Ok(())
}

fn lay_out(all: &[Quarantined]) -> String {
    let row = |one: &Quarantined| {
        vec![
            one.app.to_string(),
            one.region.to_string(),
            one.agent.to_string(),
            one.since.to_string(),
            one_line(&one.who, 64),
            one.runs.as_ref().map_or("?", |commit| commit.short()).to_owned(),
            one_line(&one.why, LINE_MAX_CHARS),
            one_line(one.last_word.as_deref().unwrap_or("not heard of"), LINE_MAX_CHARS),
        ]
    };
    let rows: Vec<Vec<String>> = all.iter().map(row).collect();
    table::lay_out(&["APP", "REGION", "AGENT", "SINCE", "BY", "RUNS", "WHY", "SAID LAST"], &rows)
}

/// Untrusted text is shown on one line of at most this.
const LINE_MAX_CHARS: usize = 300;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a48_what_an_agent_said_last_moves_no_cursor() {
        let one = Quarantined {
            app: "web".parse().expect("an app"),
            region: "eu".parse().expect("a region"),
            agent: "web-1".parse().expect("an agent"),
            generation: schema::Generation::new(7),
            since: schema::Timestamp::from_unix_millis(0),
            who: "publisher".into(),
            why: "3 generations in a row failed".into(),
            last_word: Some("failed generation 7 at reload: \u{1b}[2J\u{202e}no\nspace".into()),
            runs: None,
        };
        let expected = "\
APP  REGION  AGENT  SINCE                     BY         RUNS  WHY                            SAID LAST
web  eu      web-1  1970-01-01T00:00:00.000Z  publisher  ?     3 generations in a row failed  failed generation 7 at reload: [2J no space";
        assert_eq!(lay_out(&[one]), expected);
    }
}
