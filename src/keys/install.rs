//! A finished root on its way to those who need it: the store, and the publisher's own configuration.

use std::fs;
use std::path::{Path, PathBuf};

use schema::{Limits, Sealed, StorePath, TrustRoot, Verified};
use store::{Created, Store};

use super::{chain, file};
use crate::exit::{Code, Failure};
use crate::yaml;

/// Creates `root` in `store`, after `before`, which agents that are further behind walk over.
///
/// # Errors
/// Where another root has one of the two places: two ceremonies were held, or the store is not ours.
pub(super) async fn publish(
    store: &Store,
    before: Option<&Verified<TrustRoot>>,
    root: &Verified<TrustRoot>,
) -> Result<(), Failure> {
    for root in before.into_iter().chain([root]) {
        let path = StorePath::Root { version: root.version };
        let Created::Taken(standing) = store.create(&path, root.bytes().clone()).await.map_err(chain::of_store)? else {
            continue;
        };
        // One root may have been assembled twice from its signers' blocks, so what counts is what they signed.
        let standing = Sealed::parse::<TrustRoot>(standing, &Limits::DEFAULT).map(|sealed| sealed.payload_digest());
        if standing.ok() != Some(root.payload_digest()) {
            let hint = "agents follow the one in the store; draft the next root after that one, with its keys";
            return Err(Failure::new(Code::LostRace, format!("{path} in {store} is another root")).hint(hint));
        }
    }
    Ok(())
}

/// Puts `root` into the folder of the publisher's root, and its name into the configuration file. Gives the root's path.
///
/// # Errors
/// Where the file has no plain `root:` line, which then is for its owner to change.
pub(super) fn install(publisher_yaml: &Path, root: &Verified<TrustRoot>) -> Result<PathBuf, Failure> {
    let config = publisher::Config::load(publisher_yaml).map_err(Failure::usage)?;
    let installed = file::beside(&config.root, root.version);
    file::keep_root(&installed, root)?;
    let text = file::read_text(publisher_yaml)?;
    let folder = publisher_yaml.parent().unwrap_or(Path::new(""));
    let named = installed.strip_prefix(folder).unwrap_or(&installed);
    let line = format!("root: {}", yaml::scalar(&named.to_string_lossy()));
    let edited = with_root_line(&text, &line).ok_or_else(|| {
        Failure::usage(format!("{} has no line that begins with `root:`", publisher_yaml.display()))
            .hint(format!("write `{line}` into it yourself; the root is in {}", installed.display()))
    })?;
    replace(publisher_yaml, &edited)?;
    let reread = publisher::Config::load(publisher_yaml).map_err(Failure::unexpected)?;
    publisher::trust::load(&reread.root).map_err(Failure::unexpected)?;
    Ok(installed)
}

/// `text` with its one top-level `root:` line replaced. Comments and everything else stay as they are.
fn with_root_line(text: &str, line: &str) -> Option<String> {
    let mut lines: Vec<&str> = text.lines().collect();
    let mut places = (0..lines.len()).filter(|place| lines[*place].starts_with("root:"));
    let (Some(place), None) = (places.next(), places.next()) else { return None };
    lines[place] = line;
    Some(lines.join("\n") + "\n")
}

/// In one step, so that a publisher that starts meanwhile reads the one or the other.
fn replace(path: &Path, text: &str) -> Result<(), Failure> {
    let failed = |error: std::io::Error| Failure::usage(format!("{}: {error}", path.display()));
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let fresh = tempfile::NamedTempFile::new_in(folder).map_err(failed)?;
    fs::write(fresh.path(), text).map_err(failed)?;
    let permissions = fs::metadata(path).map_err(failed)?.permissions();
    fs::set_permissions(fresh.path(), permissions).map_err(failed)?;
    fresh.as_file().sync_all().map_err(failed)?;
    fresh.persist(path).map_err(|error| failed(error.error))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_root_line_changes() {
        let text = "# root: in a comment\nstore: s\nroot: trust/1.root # mine\nkeys:\n  root: no\n";
        let edited = with_root_line(text, "root: trust/2.root").expect("one line");
        assert_eq!(edited, "# root: in a comment\nstore: s\nroot: trust/2.root\nkeys:\n  root: no\n");
        assert_eq!(with_root_line("{ root: a }\n", "root: b"), None);
        assert_eq!(with_root_line("root: a\nroot: b\n", "root: c"), None);
    }
}
