//! `driftless init`: a config repository with keys and a signer policy, or what an existing one lacks.

mod next;
mod preview;
mod signer;
mod site;
mod starter;

use std::path::PathBuf;

use git2::Repository;
use publisher::signers::SignerPolicy;
use publisher::source::BranchName;
use schema::{App, Region, Timestamp};

use crate::exit::{Failure, Outcome};
use crate::home::{Home, Plan};
use crate::out;
use preview::Preview;
use signer::Signer;
use site::Site;
use starter::Choice;
use store::StoreUrl;

/// Make a config repository with keys and a signer policy, or prepare an existing repository
///
/// In a new or empty folder: makes the repository, a first signed commit, and keys. In a git repository: writes
/// `driftless.yaml` for you to review and commit, and takes the history so far as it is. Keys, signer policy and
/// configuration go into a folder beside the repository, never into it.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The repository: a new folder, or a git repository that exists
    #[arg(default_value = ".", value_name = "REPOSITORY")]
    repository: PathBuf,

    /// Folder for keys, policy and configuration [default: REPOSITORY.driftless, beside it]
    #[arg(long, value_name = "FOLDER")]
    home: Option<PathBuf>,

    /// The branch that is published [default: the one checked out, or main]
    #[arg(long)]
    branch: Option<String>,

    /// A region where agents live (can be repeated) [default: local]
    #[arg(long = "region", value_name = "NAME")]
    regions: Vec<Region>,

    /// An app and its folder in the repository (can be repeated) [default: the whole repository as one app]
    #[arg(long = "app", value_name = "NAME=FOLDER", value_parser = parse_app)]
    apps: Vec<(App, String)>,

    /// SSH public key of somebody who may sign commits (can be repeated) [default: git's user.signingKey, else a fresh key]
    #[arg(long = "signer", value_name = "FILE.pub")]
    signers: Vec<PathBuf>,

    /// Where bundles and pointers are stored: a folder, or s3://bucket/prefix
    #[arg(long, default_value = "store", value_name = "PATH|URL")]
    store: String,

    /// Where `driftless up` will listen
    #[arg(long, default_value = "127.0.0.1:7878", value_name = "ADDRESS")]
    listen: std::net::SocketAddr,
}

pub(crate) fn run(args: &Args) -> Outcome {
    let now = Timestamp::from(std::time::SystemTime::now());
    let site = Site::find(&args.repository)?;
    let home = match &args.home {
        Some(dir) => Home::at(std::path::absolute(dir).map_err(Failure::usage)?),
        None => Home::of_repository(&site.folder).map_err(Failure::unexpected)?,
    };
    if home.publisher_yaml().exists() {
        let taken = format!("{} exists already", home.publisher_yaml().display());
        let hint = "choose another folder with --home, or remove that one if it is not in use";
        return Err(Failure::usage(taken).hint(hint));
    }
    let branch = args.branch.clone().unwrap_or_else(|| site.current_branch());
    let adopt = site.tip_of(&branch);
    let choice = Choice::new(&args.regions, &args.apps, &site)?;
    let signer = Signer::choose(&args.signers, &site.repository)?;
    check(&branch, &args.store, &signer)?;
    let plan = Plan {
        repository: &site.folder.to_string_lossy(),
        branch: &branch,
        adopt: adopt.as_ref(),
        store: &args.store,
        listen: &args.listen.to_string(),
        signers: signer.policy_lines(),
        region: choice.first_region(),
        apps: &choice.app_names(),
    };
    home.create(&plan, now).map_err(Failure::unexpected)?;
    signer.keep(&home).map_err(Failure::unexpected)?;
    if site.is_new {
        starter::commit_first(&site.repository, &branch, &choice, &signer, &home, now)?;
    } else {
        starter::write_yaml(&site.repository, &choice)?;
        tell_preview(&site.repository, &branch, &choice);
    }
    next::tell(&next::Made {
        args,
        site: &site,
        home: &home,
        branch: &branch,
        adopt,
        signer: &signer,
        choice: &choice,
    });
    Ok(())
}

/// Refuses what the publisher would refuse, before a home is made.
fn check(branch: &str, store: &str, signer: &Signer) -> Result<(), Failure> {
    branch.parse::<BranchName>().map_err(Failure::usage)?;
    store.parse::<StoreUrl>().map_err(Failure::usage)?;
    match SignerPolicy::parse(&signer.policy_lines().join("\n")) {
        Ok(_) => Ok(()),
        Err(error) => {
            let hint = "the principal is the comment of the key, or git's user.email; name other keys with --signer";
            Err(Failure::usage(error).hint(hint))
        }
    }
}

/// Says what would be published, or what stands in the way. Nothing here ends the command: the repository can be mended later.
fn tell_preview(repository: &Repository, branch: &str, choice: &Choice) {
    match preview::preview(repository, branch, &starter::yaml_in(repository, choice)) {
        Ok(Preview::Fine(lines)) => lines.iter().for_each(|line| out::talk(&format!("compiles  {line}"))),
        Ok(Preview::Refused(why)) => {
            out::talk(&format!("warning   this would be refused: {why}"));
            out::talk("          mend it, or name folders that can be published with --app NAME=FOLDER");
        }
        // A repository without a commit has nothing to preview.
        Err(_) => {}
    }
}

fn parse_app(text: &str) -> Result<(App, String), String> {
    let (name, folder) = text.split_once('=').ok_or("write it as NAME=FOLDER, like edge-proxy=apps/edge-proxy")?;
    let folder = folder.trim_end_matches('/').trim_start_matches("./");
    let folder = if folder.is_empty() { "." } else { folder };
    Ok((name.parse().map_err(|error: schema::name::InvalidName| error.to_string())?, folder.to_owned()))
}
