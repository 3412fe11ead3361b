//! `driftless keys assemble`: enough signatures make a draft a root.

use std::path::{Path, PathBuf};

use publisher::ceremony::{Draft, Incomplete};
use schema::{TrustRoot, Verified};

use super::before::Before;
use super::{file, install, sign};
use crate::exit::{Code, Failure, Outcome};
use crate::out;

/// Put a draft and its signatures together into a trust root
///
/// Checks them as every agent will: enough keys of the root before, and enough of the root itself. If any is missing it says
/// which could sign, and does nothing.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The draft
    #[arg(value_name = "DRAFT")]
    draft: PathBuf,

    /// The signatures, from `driftless keys sign` or the stock minisign
    #[arg(required = true, value_name = "SIGNATURE")]
    signatures: Vec<PathBuf>,

    /// Write the root here [default: the draft's name without .draft]
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,

    /// Put the root into the store, where agents and gateways find it
    #[arg(long)]
    publish: bool,

    /// Make it the root of the publisher as well: into the folder of its `root:`, and into publisher.yaml
    #[arg(long)]
    install: bool,

    /// The draft begins another chain, as with `rotate --new-chain`
    #[arg(long)]
    new_chain: bool,

    #[command(flatten)]
    before: Before,
}

pub(super) async fn run(args: &Args) -> Outcome {
    let draft = sign::open(&args.draft, &args.before).await?;
    let draft = if args.new_chain { draft.anew() } else { draft };
    let root = assemble(&draft, &args.signatures)?;
    let path = args.out.clone().unwrap_or_else(|| file::beside(&args.draft, root.version));
    // Both settled before anything is written: an unreadable configuration should not be met half-way.
    let store = if args.publish { Some(store_of(args)?) } else { None };
    let publisher = if args.install { Some(args.before.configuration_file()?) } else { None };
    file::keep_root(&path, &root)?;
    out::data(&path.display().to_string());
    out::talk(&format!("root      version {}, sha256 {}", root.version, root.payload_digest()));
    if let Some(store) = store {
        install::publish(&store, draft.before(), &root).await?;
        out::talk(&format!("published to {store}"));
    }
    if let Some(publisher) = publisher {
        let installed = install::install(&publisher, &root)?;
        out::talk(&format!(
            "installed as {}, and in {}; restart the publisher",
            installed.display(),
            publisher.display()
        ));
    }
    Ok(())
}

fn assemble(draft: &Draft, files: &[PathBuf]) -> Result<Verified<TrustRoot>, Failure> {
    let texts = files.iter().map(|file| file::read_text(file)).collect::<Result<Vec<String>, Failure>>()?;
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    draft.assemble(&texts).map_err(|incomplete| refused(incomplete, draft, files))
}

fn store_of(args: &Args) -> Result<store::Store, Failure> {
    let without = || Failure::usage("there is no store to publish to").hint("name it with --store");
    args.before.store()?.ok_or_else(without)
}

fn refused(incomplete: Incomplete, draft: &Draft, files: &[PathBuf]) -> Failure {
    match incomplete {
        Incomplete::Signature { number, source } => {
            let file: &Path = &files[number - 1];
            let causes = publisher::causes(&source).join(": ");
            let comment = draft.trusted_comment();
            let hint = format!("leave it out, or have the draft signed again, with the trusted comment `{comment}`");
            Failure::new(Code::Refused, format!("{} is of no use: {causes}", file.display())).hint(hint)
        }
        Incomplete::Missing(standing) => {
            let lacking = standing.0.iter().filter(|duty| duty.missing() > 0).map(|duty| {
                let keys: Vec<String> = duty.unsigned.iter().map(|key| key.fingerprint().to_string()).collect();
                format!("{} more of version {}'s root keys {}", duty.missing(), duty.version, keys.join(", "))
            });
            let hint = format!("missing: {}", lacking.collect::<Vec<_>>().join("; and "));
            Failure::new(Code::Refused, Incomplete::Missing(standing)).hint(hint)
        }
        other => Failure::new(Code::Refused, other),
    }
}
