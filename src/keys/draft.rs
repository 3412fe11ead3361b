//! A draft in its file, and what its signers have to type.

use std::fs;
use std::path::Path;

use publisher::ceremony::{Draft, Refused};

use super::file::{self, Readers};
use super::view;
use crate::exit::{Code, Failure};
use crate::out;

/// Writes the draft and says what to do with it. Prints the file's path.
pub(super) fn write(draft: &Draft, folder: &Path) -> Result<(), Failure> {
    let name = format!("{}.draft", file::root_name(draft.root().version));
    fs::create_dir_all(folder).map_err(|error| Failure::usage(format!("{}: {error}", folder.display())))?;
    let path = folder.join(&name);
    if let Some(before) = draft.before() {
        // Whoever signs wants to see what changes, and may be on a host that has nothing but these files.
        file::keep_root(&file::beside(&path, before.version), before)?;
    }
    file::write_new(&path, draft.line(), Readers::Everyone)?;
    out::data(&path.display().to_string());
    tell(draft);
    tell_what_to_type(draft, &name);
    Ok(())
}

/// What is to be signed, in words.
pub(super) fn tell(draft: &Draft) {
    out::talk(&format!("root      version {}, epoch {}", draft.root().version, draft.root().epoch));
    out::talk(&format!("sha256    {}", draft.digest()));
    if let Some(before) = draft.before() {
        out::talk(&format!("after     version {}, sha256 {}", before.version, before.payload_digest()));
        draft.differences().iter().for_each(|change| out::talk(&format!("changes   {change}")));
    }
    if begins_a_chain(draft) {
        out::talk("changes   a new chain: its own keys sign it, and nobody follows who is not given it by hand");
    }
    // All of it, and not only what changes: a root before that somebody made up hides changes.
    view::in_words(draft.root()).iter().for_each(|line| out::talk(&format!("says      {line}")));
}

/// Whether the draft leaves the root before behind.
fn begins_a_chain(draft: &Draft) -> bool {
    draft.before().is_some() && draft.asking().count() == 1
}

fn tell_what_to_type(draft: &Draft, name: &str) {
    for root in draft.asking() {
        let keys: Vec<String> = root.root.keys().iter().map(|key| key.fingerprint().to_string()).collect();
        let (threshold, version) = (root.root.threshold(), root.version);
        out::talk(&format!("signers   {threshold} of these root keys of version {version}: {}", keys.join(" ")));
    }
    let flag = if begins_a_chain(draft) { " --new-chain" } else { "" };
    let along = draft.before().map_or_else(String::new, |before| format!(" and {}", file::root_name(before.version)));
    out::talk("");
    out::talk(&format!("Each signer takes {name}{along} along, checks what it says, and types"));
    out::talk(&format!("    driftless keys sign {name} --key SIGNER.key{flag}"));
    out::talk("or, with the stock tool alone, where `sha256sum` prints the same as above,");
    let comment = draft.trusted_comment();
    out::talk(&format!("    minisign -S -s SIGNER.key -m {name} -t \"{comment}\" -x {name}.SIGNER.minisig"));
    out::talk("Then, where the signatures are brought together,");
    out::talk(&format!("    driftless keys assemble {name} {name}.*.minisig{flag}"));
}

/// A plan that was refused, and what to do about it.
pub(super) fn refused(refused: Refused) -> Failure {
    let hint = match &refused {
        Refused::Role { .. } => Some("add a key with --add, or set --threshold, in the same draft"),
        Refused::NotListed { .. } | Refused::InNoRole(_) => Some("`driftless keys show` lists the keys of each role"),
        Refused::NoKeys(_) => Some("give the region a key of its own with --add"),
        _ => None,
    };
    let failure = Failure::new(Code::Refused, refused);
    match hint {
        Some(hint) => failure.hint(hint),
        None => failure,
    }
}
