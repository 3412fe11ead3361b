//! `driftless keys new`: a key pair in the stock format.

use std::fs;
use std::path::PathBuf;

use schema::PublicKey;
use schema::keys::SecretKey;
use zeroize::Zeroizing;

use super::file::{self, Readers};
use super::password::PasswordArgs;
use crate::exit::{Failure, Outcome};
use crate::out;

/// Make a key pair: NAME.key, which is secret, and NAME.pub, which is not
///
/// Both are in minisign's own format, so the stock tool can use them. The secret key is protected by a password, which is what
/// a root key wants; a key that a publisher signs with at night has none, and is kept by file permissions or a key service.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// What the two files are called
    #[arg(value_name = "NAME", value_parser = parse_name)]
    name: String,

    /// Folder for the two files
    #[arg(long, default_value = ".", value_name = "FOLDER")]
    out: PathBuf,

    /// Leave the secret key unprotected: for release and pointer keys
    #[arg(long, conflicts_with_all = ["password_file", "password_command"])]
    no_password: bool,

    #[command(flatten)]
    password: PasswordArgs,
}

pub(super) async fn run(args: &Args) -> Outcome {
    let secret = args.out.join(format!("{}.key", args.name));
    let public = args.out.join(format!("{}.pub", args.name));
    if let Some(taken) = [&secret, &public].into_iter().find(|file| file.exists()) {
        let hint = "nothing is overwritten here; choose another name";
        return Err(Failure::usage(format!("{} exists already", taken.display())).hint(hint));
    }
    fs::create_dir_all(&args.out).map_err(|error| Failure::usage(format!("{}: {error}", args.out.display())))?;
    let (text, key) = if args.no_password { unprotected() } else { protected(&args.password.choose(&secret).await?) };
    file::write_new(&secret, text.as_bytes(), Readers::Owner)?;
    file::write_new(&public, key.to_file_text().as_bytes(), Readers::Everyone)?;
    out::data(&format!("{key} {}", key.fingerprint()));
    out::talk(&format!("secret    {}", secret.display()));
    out::talk(&format!("public    {} (hand this one to whoever drafts the root)", public.display()));
    Ok(())
}

fn unprotected() -> (Zeroizing<String>, PublicKey) {
    let key = SecretKey::generate();
    (key.to_file_text(), key.public().clone())
}

fn protected(password: &str) -> (Zeroizing<String>, PublicKey) {
    SecretKey::generate_protected(password)
}

fn parse_name(text: &str) -> Result<String, String> {
    let is_fine = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if text.starts_with(|c: char| c.is_ascii_alphanumeric()) && text.chars().all(is_fine) {
        Ok(text.to_owned())
    } else {
        Err("use letters, digits, `-`, `_` and `.`, and --out for a folder".to_owned())
    }
}
