//! `driftless keys sign`: one signer's part.

use std::io::{self, IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use publisher::ceremony::{Draft, NotADraft};
use schema::seal::Payload;
use schema::{Limits, Timestamp, TrustRoot};

use super::before::Before;
use super::file::{self, Readers};
use super::password::PasswordArgs;
use super::{draft, key};
use crate::exit::{Code, Failure, Outcome};
use crate::out;

/// Sign a draft with a root key
///
/// Says in words what the draft changes, asks, and writes DRAFT.FINGERPRINT.minisig, exactly as the stock minisign would. The
/// root before the draft is looked for beside it, so two files and a key are all that a signer's own machine needs.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The draft
    #[arg(value_name = "DRAFT")]
    draft: PathBuf,

    /// The secret root key to sign with
    #[arg(long, value_name = "FILE")]
    key: PathBuf,

    /// Sign without asking
    #[arg(long)]
    yes: bool,

    /// The draft begins another chain, as with `rotate --new-chain`
    #[arg(long)]
    new_chain: bool,

    #[command(flatten)]
    password: PasswordArgs,

    #[command(flatten)]
    before: Before,
}

pub(super) async fn run(args: &Args) -> Outcome {
    let draft = open(&args.draft, &args.before).await?;
    let draft = if args.new_chain { draft.anew() } else { draft };
    draft::tell(&draft);
    if let Some(before) = draft.before()
        && let Some(file) = args.before.beside(&args.draft, before.version)
    {
        out::talk(&format!(
            "note: version {} is taken from {}, which came with the draft; compare its sha256 with the one you know, or name your \
             own with --root",
            before.version,
            file.display()
        ));
    }
    if !args.yes {
        confirm()?;
    }
    let key = key::open_secret(&args.key, &args.password).await?;
    let signature = draft
        .sign(&key)
        .map_err(|error| Failure::new(Code::Refused, error).hint("is this the key, and the draft, that was meant?"))?;
    let mut path = args.draft.clone().into_os_string();
    path.push(format!(".{}.minisig", key.public().fingerprint()));
    let path = PathBuf::from(path);
    file::write_new(&path, signature.as_bytes(), Readers::Everyone)?;
    out::data(&path.display().to_string());
    Ok(())
}

/// Opens the draft in a file, after the root that it follows.
pub(super) async fn open(path: &Path, before: &Before) -> Result<Draft, Failure> {
    let line = file::read(path)?;
    let payload =
        Payload::<TrustRoot>::parse(&line, &Limits::DEFAULT).map_err(|error| not_a_draft(path, error.into()))?;
    let before = before.right_before(path, payload.document().version).await?;
    Draft::open(before, &line, Timestamp::from(SystemTime::now())).map_err(|error| not_a_draft(path, error))
}

fn not_a_draft(path: &Path, error: NotADraft) -> Failure {
    Failure::new(Code::Refused, format!("{}: {}", path.display(), publisher::causes(&error).join(": ")))
}

fn confirm() -> Result<(), Failure> {
    if !io::stdin().is_terminal() {
        let hint = "--yes signs without asking";
        return Err(Failure::usage("there is no terminal to ask at whether to sign this").hint(hint));
    }
    let mut terminal = io::stderr().lock();
    let asked = write!(terminal, "Type yes to sign this: ").and_then(|()| terminal.flush());
    asked.map_err(Failure::unexpected)?;
    let mut answer = String::new();
    io::stdin().read_line(&mut answer).map_err(Failure::unexpected)?;
    if answer.trim() == "yes" { Ok(()) } else { Err(Failure::new(Code::Refused, "not signed")) }
}
