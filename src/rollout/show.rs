//! `driftless rollout status`: how far it is, once or live.

use std::io::IsTerminal as _;
use std::time::Duration;

use schema::App;
use schema::rollout::{End, Stage};
use schema::status::{RolloutStatus, Status};
use tokio::time::sleep;

use super::{live::Live, picture};
use crate::exit::{Code, Failure, Outcome};
use crate::operator::Operator;
use crate::{out, status};

/// Show how far the newest rollout of each app is, what it waits for, and what its agents say
///
/// Ends with code 3 where a commit is blocked because its rollout failed or was given up, and with 0 where none is.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Only this app
    #[arg(long, value_name = "APP")]
    app: Option<App>,

    /// Go on showing it until it ends; where nothing is rolled out, until something was
    #[arg(long)]
    watch: bool,

    /// Print JSON; with --watch, one line for each change
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    operator: Operator,
}

pub(crate) async fn run(args: Args) -> Outcome {
    let mut rollouts = ask(&args).await?;
    if !args.watch {
        if args.json {
            out::json(&rollouts);
        } else if rollouts.is_empty() {
            out::talk(
                "nothing was ever rolled out in waves: commits go straight to all agents, unless driftless.yaml names a policy",
            );
        } else {
            out::data(&text_of(&rollouts));
        }
        return verdict(&rollouts);
    }
    let mut view = View::new(&args);
    if rollouts.iter().all(is_over) {
        out::talk("nothing is being rolled out; waiting for the next (Ctrl-C ends this)");
        view.show(&rollouts);
        while rollouts.iter().all(is_over) {
            sleep(EVERY).await;
            rollouts = again(&args, &mut view).await?.unwrap_or(rollouts);
        }
    }
    loop {
        view.show(&rollouts);
        if rollouts.iter().all(is_over) {
            view.end();
            return verdict(&rollouts);
        }
        sleep(EVERY).await;
        rollouts = again(&args, &mut view).await?.unwrap_or(rollouts);
    }
}

fn is_over(rollout: &RolloutStatus) -> bool {
    matches!(rollout.stage, Stage::Ended(_))
}

/// Asks the control API; and where that is not open to us, the status, which says the same.
async fn ask(args: &Args) -> Result<Vec<RolloutStatus>, Failure> {
    let query = args.app.as_ref().map_or_else(String::new, |app| format!("?app={app}"));
    let refused = match args.operator.ask(&format!("rollouts{query}")).await {
        Ok(rollouts) => return Ok(rollouts),
        Err(failure) if failure.code() == Code::Refused => failure,
        Err(failure) => return Err(failure),
    };
    let (url, reach) = args.operator.url_and_reach();
    let Ok(Status { publisher: Some(publisher), .. }) = status::ask(url, reach).await else { return Err(refused) };
    let mut rollouts = publisher.rollouts;
    rollouts.retain(|rollout| args.app.as_ref().is_none_or(|app| rollout.app == *app));
    Ok(rollouts)
}

/// The next look; none where nobody answered for a moment, which a restart of the publisher is.
async fn again(args: &Args, view: &mut View) -> Result<Option<Vec<RolloutStatus>>, Failure> {
    match ask(args).await {
        Ok(rollouts) => {
            view.silence = 0;
            Ok(Some(rollouts))
        }
        Err(failure) if failure.code() == Code::Unreachable && view.silence < SILENCE_MAX => {
            view.silence += 1;
            Ok(None)
        }
        Err(failure) => Err(failure),
    }
}

/// Where the looks go.
struct View {
    to: Kind,
    last: Vec<Vec<String>>,
    /// How often in a row nobody answered.
    silence: u32,
}

enum Kind {
    Terminal(Live),
    Lines,
    Json,
}

impl View {
    fn new(args: &Args) -> View {
        let to = match (args.json, std::io::stdout().is_terminal()) {
            (true, _) => Kind::Json,
            (false, true) => Kind::Terminal(Live::begin()),
            (false, false) => Kind::Lines,
        };
        View { to, last: Vec::new(), silence: 0 }
    }

    /// Shows what is new.
    fn show(&mut self, rollouts: &[RolloutStatus]) {
        let blocks: Vec<Vec<String>> = rollouts.iter().map(picture::block).collect();
        if blocks == self.last {
            return;
        }
        match &self.to {
            Kind::Terminal(live) => live.show(&text_of(rollouts)),
            Kind::Lines => {
                blocks.iter().filter(|block| !self.last.contains(block)).for_each(|block| out::data(&block.join("\n")))
            }
            Kind::Json => out::data(&serde_json::to_string(rollouts).expect("our answers have string keys")),
        }
        self.last = blocks;
    }

    fn end(self) {
        if let Kind::Terminal(live) = self.to {
            live.end();
        }
    }
}

fn text_of(rollouts: &[RolloutStatus]) -> String {
    let blocks: Vec<String> = rollouts.iter().map(|rollout| picture::block(rollout).join("\n")).collect();
    blocks.join("\n\n")
}

fn verdict(rollouts: &[RolloutStatus]) -> Outcome {
    let Some(rollout) = rollouts.iter().find(|rollout| rollout.blocked) else { return Ok(()) };
    let how = match &rollout.stage {
        Stage::Ended(End::Aborted { .. }) => "was aborted",
        _ => "failed",
    };
    let says = format!("the rollout of commit {} of app {} {how}", rollout.commit.short(), rollout.app);
    Err(Failure::new(Code::Refused, says)
        .hint("commit what mends it, or revert that commit; either goes out as any other"))
}

const EVERY: Duration = Duration::from_millis(500);
/// A publisher is restarted within so many looks.
const SILENCE_MAX: u32 = 60;
