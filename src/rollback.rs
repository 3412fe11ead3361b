//! `driftless rollback`: break-glass, when there is no time for `git revert`.

use publisher::Publisher;
use publisher::rollback::{RollbackTarget, at_newest, rollback};
use schema::pointer::{Cause, Deed};
use schema::{App, Generation, Region};

use crate::exit::{Code, Failure, Outcome};
use crate::out;
use crate::which::Which;

/// Go back to an earlier bundle without git: a new generation that names it
///
/// The normal way back is `git revert`. This one is for when the repository or the people who sign are out of reach. The
/// publisher leaves the region alone until a newer commit changes the app.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    which: Which,

    /// The app
    #[arg(long, value_name = "APP")]
    app: App,

    /// The region (can be repeated) [default: those that run the commit which changed the app last]
    #[arg(long = "region", value_name = "REGION")]
    regions: Vec<Region>,

    /// Where to go back to: `previous`, a generation, a bundle's digest or a commit
    #[arg(long, default_value = "previous", value_name = "TARGET", value_parser = target)]
    to: RollbackTarget,

    /// Why, for the audit log: `driftless history` shows it
    #[arg(long, visible_alias = "why", value_name = "TEXT")]
    reason: String,

    /// Who goes back, for the audit log [default: your name on this host]
    #[arg(long = "as", value_name = "NAME", value_parser = clap::builder::NonEmptyStringValueParser::new())]
    who: Option<String>,
}

pub(crate) async fn run(args: Args) -> Outcome {
    let mut publisher = Publisher::open(&args.which.load()?).map_err(Failure::of_publisher)?;
    publisher.follow_roots().await.map_err(Failure::of_publisher)?;
    let mut regions = args.regions;
    if regions.is_empty() {
        let every = publisher.store().regions(&args.app).await;
        let every = every.map_err(|error| Failure::new(Code::Unreachable, error))?;
        regions = at_newest(&publisher, &args.app, every).await.map_err(Failure::of_publisher)?;
    }
    if regions.is_empty() {
        return Err(Failure::new(Code::Refused, format!("nothing was ever published for {}", args.app)));
    }
    let who = args.who.unwrap_or_else(name_on_host);
    let cause = Cause::new(&who, Deed::Rollback, &args.reason);
    let moved = rollback(&publisher, &args.app, &regions, &args.to, &cause).await;
    let moved = moved.map_err(Failure::of_publisher)?;
    for pointer in &moved {
        out::data(&format!("{} {} {} {}", pointer.app, pointer.region, pointer.order, pointer.digest));
    }
    if moved.is_empty() {
        return Err(Failure::usage("no region went back: each runs that bundle already"));
    }
    out::talk("Now revert the commit in the repository, too: the next change of this app would bring it back.");
    Ok(())
}

/// Who runs this, as far as the system tells: for the log, and proof of nothing. Who holds the pointer key could write any name.
fn name_on_host() -> String {
    let user = std::env::var("USER").unwrap_or_else(|_| format!("uid {}", rustix::process::getuid().as_raw()));
    format!("{user}@{}", rustix::system::uname().nodename().to_string_lossy())
}

/// A target as people write it: they are told apart by their length.
fn target(text: &str) -> Result<RollbackTarget, String> {
    if text == "previous" {
        return Ok(RollbackTarget::Previous);
    }
    if let Ok(number) = text.parse() {
        return Ok(RollbackTarget::Generation(Generation::new(number)));
    }
    let digest = text.parse().map(RollbackTarget::Digest);
    let commit = || text.parse().map(RollbackTarget::Commit);
    digest.or_else(|_| commit()).map_err(|_| {
        "write `previous`, a generation's number, a bundle's 64-digit digest or a commit's 40-digit id".to_owned()
    })
}
