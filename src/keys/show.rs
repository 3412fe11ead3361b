//! `driftless keys show`: what a root, a draft, a key or a store's chain of roots says.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use bytes::Bytes;
use publisher::ceremony::{Draft, Standing, differences};
use schema::keys::{InvalidSecretKey, SecretKey};
use schema::seal::Payload;
use schema::{Limits, PublicKey, Sealed, StorePath, Timestamp, TrustRoot, Verified};
use serde::Serialize;
use store::{Store, StoreUrl};
use zeroize::Zeroizing;

use super::before::Before;
use super::view::{KeyView, RootView, State};
use super::{chain, file, key, sign};
use crate::exit::{Code, Failure, Outcome};
use crate::out;

/// Show a trust root, a draft, a key, or the chain of roots in a store
///
/// For each root: who may sign what, what changed, who signed and how many are missing. For a draft, the signatures beside it
/// count. Of a secret key only the public half is shown. Ends with code 3 where a root is not signed by enough.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// A file of any of these kinds, or a store [default: the publisher's root and all that follow it in its store]
    #[arg(value_name = "FILE|STORE")]
    what: Option<String>,

    /// Print JSON
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    before: Before,
}

/// A key file, as `--json` prints it.
#[derive(Serialize)]
struct KeyFileView {
    #[serde(flatten)]
    key: KeyView,
    kind: Kind,
}

/// What kind of key file it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Kind {
    Public,
    Unprotected,
    Protected,
}

pub(super) async fn run(args: &Args) -> Outcome {
    let now = Timestamp::from(SystemTime::now());
    let views = match &args.what {
        None => views_of(&args.before.chain().await?, now),
        Some(what) if is_store(what) => views_of(&chain_in(what, &args.before).await?, now),
        Some(what) => {
            let path = Path::new(what);
            let text = Zeroizing::new(file::read_text(path)?);
            if text.starts_with("untrusted comment:") {
                return show_key(path, &text, args.json);
            }
            vec![root_or_draft(path, Bytes::copy_from_slice(text.as_bytes()), &args.before, now).await?]
        }
    };
    if args.json {
        out::json(&views);
    } else {
        views.iter().for_each(RootView::tell);
    }
    match views.iter().any(|view| view.state == State::Unsigned) {
        true => Err(Failure::new(Code::Refused, "the root is not signed by enough; nobody would follow it")),
        false => Ok(()),
    }
}

fn is_store(what: &str) -> bool {
    what.contains("://") || Path::new(what).is_dir()
}

/// The chain in a store, from the root that was named or else from the first one there.
async fn chain_in(what: &str, before: &Before) -> Result<Vec<Verified<TrustRoot>>, Failure> {
    let url: StoreUrl = what.parse().map_err(Failure::usage)?;
    if url.local_path().is_some_and(|folder| !folder.join(StorePath::TRUST).is_dir()) {
        return Err(Failure::usage(format!(
            "there is no {} in {what}, so it is no store, or an empty one",
            StorePath::TRUST
        )));
    }
    let store = Store::open(&url).map_err(Failure::usage)?;
    if before.names_a_root() {
        return chain::walk(&store, before.first()?).await;
    }
    let versions = store.root_versions().await.map_err(chain::of_store)?;
    let first = versions.first().ok_or_else(|| Failure::usage(format!("there is no trust root in {what}")))?;
    let path = StorePath::Root { version: *first };
    let bytes = chain::read(&store, &path).await?.ok_or_else(|| Failure::unexpected(format!("{path} vanished")))?;
    let root = Verified::pin(bytes, &Limits::DEFAULT).map_err(|error| Failure::new(Code::Refused, error))?;
    out::talk(&format!(
        "note: version {first} is taken at the store's word; compare its sha256, or name yours with --root"
    ));
    chain::walk(&store, root).await
}

/// A chain, each root beside the one before.
fn views_of(chain: &[Verified<TrustRoot>], now: Timestamp) -> Vec<RootView> {
    let befores = std::iter::once(None).chain(chain.iter().map(Some));
    chain
        .iter()
        .zip(befores)
        .map(|(root, before)| signed_view(root.bytes().clone(), root, before.map(|b| &**b), now))
        .collect()
}

fn signed_view(bytes: Bytes, root: &TrustRoot, before: Option<&TrustRoot>, now: Timestamp) -> RootView {
    let sealed = Sealed::parse::<TrustRoot>(bytes, &Limits::DEFAULT).expect("it was parsed before");
    let standing = Standing::of(before, root, &sealed);
    let state = if standing.is_complete() { State::Signed } else { State::Unsigned };
    RootView::new(state, root, sealed.payload_digest(), changes(before, root), &standing.0, now)
}

fn changes(before: Option<&TrustRoot>, root: &TrustRoot) -> Vec<String> {
    before.map(|before| differences(before, root)).unwrap_or_default().iter().map(ToString::to_string).collect()
}

async fn root_or_draft(path: &Path, bytes: Bytes, before: &Before, now: Timestamp) -> Result<RootView, Failure> {
    if bytes.iter().filter(|byte| **byte == b'\n').count() <= 1 {
        let draft = sign::open(path, before).await?;
        let signatures = signatures_beside(path, &draft)?;
        let signatures: Vec<&str> = signatures.iter().map(String::as_str).collect();
        let standing = draft.standing(&signatures).map_err(|error| Failure::new(Code::Refused, error))?;
        let told = changes(draft.before().map(|before| &**before), draft.root());
        return Ok(RootView::new(State::Draft, draft.root(), draft.digest(), told, &standing.0, now));
    }
    let refused =
        |error| Failure::new(Code::Refused, error).hint(format!("{} is no trust root, draft or key", path.display()));
    let sealed = Sealed::parse::<TrustRoot>(bytes.clone(), &Limits::DEFAULT).map_err(refused)?;
    let root = Payload::<TrustRoot>::parse(sealed.payload(), &Limits::DEFAULT).map_err(refused)?.document().clone();
    // Without the root before there is less to tell, and nothing to refuse.
    let before = before.right_before(path, root.version).await.ok().flatten();
    Ok(signed_view(bytes, &root, before.as_deref(), now))
}

/// The signatures in the draft's folder; those of another draft, or of nobody, are told and passed over.
fn signatures_beside(draft_path: &Path, draft: &Draft) -> Result<Vec<String>, Failure> {
    let folder = draft_path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut prefix = draft_path.file_name().map(OsString::from).unwrap_or_default();
    prefix.push(".");
    let is_ours = |path: &PathBuf| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        name.starts_with(&*prefix.to_string_lossy()) && name.ends_with(".minisig") && path.is_file()
    };
    let mut files: Vec<PathBuf> = fs::read_dir(folder)
        .map_err(Failure::usage)?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(is_ours)
        .collect();
    files.sort();
    let mut signatures = Vec::new();
    for file in files {
        match file::read_text(&file) {
            Err(failure) => out::talk(&format!("note: {}", failure.in_words())),
            Ok(text) => match draft.standing(&[&text]) {
                Ok(_) => signatures.push(text),
                Err(error) => out::talk(&format!("note: {}: {}", file.display(), publisher::causes(&error).join(": "))),
            },
        }
    }
    Ok(signatures)
}

fn show_key(path: &Path, text: &str, json: bool) -> Outcome {
    let (key, kind) = match PublicKey::from_file_text(text) {
        Ok(key) => (key, Kind::Public),
        Err(_) => match SecretKey::from_file_text(text) {
            Ok(secret) => (secret.public().clone(), Kind::Unprotected),
            Err(InvalidSecretKey::Protected) => (beside_protected(path)?, Kind::Protected),
            Err(error) => return Err(Failure::usage(format!("{}: {error}", path.display()))),
        },
    };
    let view = KeyFileView { key: KeyView::of(&key), kind };
    if json {
        out::json(&view);
        return Ok(());
    }
    out::data(&format!("{key} {}", key.fingerprint()));
    match kind {
        Kind::Public => {}
        Kind::Unprotected => out::talk("note: the secret half has no password"),
        Kind::Protected => out::talk("note: the secret half has a password; this is what the .pub file beside it says"),
    }
    Ok(())
}

/// A protected key hides its public half, too.
fn beside_protected(path: &Path) -> Result<PublicKey, Failure> {
    let public = path.with_extension("pub");
    let hint = format!("its public half is shown where {} is", public.display());
    key::public_half(&public).map_err(|failure| failure.hint(hint))
}
