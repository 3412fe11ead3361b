//! Overrides: two principals say together that a branch may leave the published commit behind.
//!
//! In: the files of the folder `overrides/` beside the signer policy, the policy, and `now`. Out: the [`Override`]s that
//! count, and why others do not. An override is a file `<name>.override` with one line,
//!
//! ```text
//! driftless override: publish <commit> over <commit> in <repository>/<branch>, expires <time>
//! ```
//!
//! and beside it two or more `<name>.override.<whoever>.sig`, each made by `ssh-keygen -Y sign -n driftless-override` over that
//! file. The signatures must be by different keys of different principals, who are named one by one (a pattern names
//! nobody in particular) and may change every file, all by the policy as it is now. It lifts one move of one branch, from
//! one commit, within a week at most; the commits it brings are judged like any other.

mod lifted;
mod statement;

use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use schema::{CommitId, Timestamp};

pub use lifted::{Lifted, LiftedMoves};
pub use statement::{InvalidStatement, Statement, place};

use crate::signers::{AllowedPaths, SignatureRefusal, Signer, SignerPolicy};

/// The SSHSIG namespace in which a statement is signed.
pub const NAMESPACE: &str = "driftless-override";

/// The largest statement or signature that is read, in bytes.
const FILE_MAX_BYTES: u64 = 16 << 10;

/// The most files that are looked at in the folder.
const FILES_MAX: usize = 256;

/// How many principals have to sign.
const SIGNERS_MIN: usize = 2;

/// A statement that counts now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Override {
    /// The file, without its folder.
    pub name: String,
    /// What it lifts.
    pub statement: Statement,
}

/// A statement that does not count, and why.
#[derive(Debug, thiserror::Error)]
#[error("override `{}` does not count", name.escape_debug())]
pub struct RefusedOverride {
    /// The file, without its folder.
    pub name: String,
    /// Why.
    #[source]
    pub refusal: OverrideRefusal,
}

/// Says why a statement does not count.
#[derive(Debug, thiserror::Error)]
pub enum OverrideRefusal {
    /// The folder or a file in it cannot be read.
    #[error("it cannot be read")]
    Unreadable(#[from] io::Error),
    /// Not a statement.
    #[error(transparent)]
    Invalid(#[from] InvalidStatement),
    /// It has had its time.
    #[error("it expired at {0}")]
    Expired(Timestamp),
    /// It would count for longer than anybody should leave it lying about.
    #[error("it expires at {0}, more than a week from now; sign one that expires sooner")]
    TooLong(Timestamp),
    /// For another repository or branch.
    #[error("it is for `{stated}`, and this is `{here}`", stated = stated.escape_debug())]
    Elsewhere {
        /// As it says.
        stated: String,
        /// As it would have to say.
        here: String,
    },
    /// A signature that does not count.
    #[error("its signature `{}` does not count", name.escape_debug())]
    Signature {
        /// The file.
        name: String,
        /// Why.
        #[source]
        refusal: SignatureRefusal,
    },
    /// Fewer principals than it takes.
    #[error(
        "{} of {SIGNERS_MIN} principals signed it; they must be different people, named one by one in the policy, who may \
         change every file",
        .0
    )]
    TooFewSigners(usize),
}

/// What the folder holds.
#[derive(Debug, Default)]
pub struct Overrides {
    /// Those that count.
    pub good: Vec<Override>,
    /// Those that do not.
    pub refused: Vec<RefusedOverride>,
}

impl Overrides {
    /// Reads all statements beside the policy file at `policy_path`, for the branch `here` (`configs/main`). Blocks.
    ///
    /// There may be no such folder.
    pub fn read(policy_path: &Path, policy: &SignerPolicy, here: &str, now: Timestamp) -> Overrides {
        let folder = policy_path.parent().unwrap_or(Path::new("")).join("overrides");
        let mut overrides = Overrides::default();
        let names = match names_in(&folder) {
            Ok(names) => names,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return overrides,
            Err(error) => {
                overrides.refused.push(RefusedOverride { name: folder.display().to_string(), refusal: error.into() });
                return overrides;
            }
        };
        for name in names.iter().filter(|name| name.ends_with(".override")) {
            let signatures = names.iter().filter(|other| {
                other.strip_prefix(name.as_str()).is_some_and(|rest| rest.starts_with('.') && rest.ends_with(".sig"))
            });
            let files = Files { folder: &folder, name, signatures: signatures.map(String::as_str).collect() };
            match files.judge(policy, here, now) {
                Ok(statement) => overrides.good.push(Override { name: name.clone(), statement }),
                Err(refusal) => overrides.refused.push(RefusedOverride { name: name.clone(), refusal }),
            }
        }
        overrides
    }

    /// The statement that lets the branch leave `over` behind for a tip that is, or comes after, what it publishes.
    pub fn lifting(&self, over: &CommitId, has: impl Fn(&CommitId) -> bool) -> Option<&Override> {
        self.good.iter().find(|good| good.statement.over == *over && has(&good.statement.publish))
    }
}

struct Files<'f> {
    folder: &'f Path,
    name: &'f str,
    signatures: Vec<&'f str>,
}

impl Files<'_> {
    fn judge(&self, policy: &SignerPolicy, here: &str, now: Timestamp) -> Result<Statement, OverrideRefusal> {
        let bytes = read(&self.folder.join(self.name))?;
        let mut signers: Vec<Signer> = Vec::new();
        // The signatures first: nothing else is parsed before it is known whose it is.
        for name in &self.signatures {
            let armoured = read(&self.folder.join(name))?;
            let signer = policy.judge_statement(NAMESPACE, &armoured, &bytes, now);
            let signer = signer.map_err(|refusal| OverrideRefusal::Signature { name: (*name).to_owned(), refusal })?;
            let may = signer.paths == AllowedPaths::Everything && signer.principal.are_names();
            let is_another = signers.iter().all(|known| {
                known.key_fingerprint != signer.key_fingerprint && !known.principal.share_a_name(&signer.principal)
            });
            if may && is_another {
                signers.push(signer);
            }
        }
        if signers.len() < SIGNERS_MIN {
            return Err(OverrideRefusal::TooFewSigners(signers.len()));
        }
        let statement = Statement::parse(&bytes)?;
        statement.check(here, now)?;
        Ok(statement)
    }
}

fn names_in(folder: &Path) -> io::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(folder)?.take(FILES_MAX) {
        names.extend(entry?.file_name().into_string().ok());
    }
    names.sort();
    Ok(names)
}

fn read(path: &PathBuf) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    std::fs::File::open(path)?.take(FILE_MAX_BYTES + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > FILE_MAX_BYTES {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, "it is larger than 16 KiB"));
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests;
