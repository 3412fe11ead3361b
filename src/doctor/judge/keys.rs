//! Secret keys: whether those that sign are the right ones, and who else could use them.

use publisher::keys::Role;
use schema::TrustRoot;

use crate::doctor::facts::{Facts, KeyFile, Protection};
use crate::doctor::finding::Finding;

pub(super) fn judge(facts: &Facts) -> Vec<Finding> {
    let mut findings = vec![signing(&facts.signing), processes(&facts.roles), readable(&facts.key_files)];
    if let Ok(root) = &facts.root {
        findings.push(root_keys(&facts.key_files, &root.newest));
    }
    findings
}

fn signing(signing: &Result<(), String>) -> Finding {
    match signing {
        Ok(()) => Finding::ok("keys.roles", "the trust root takes what the keys here sign"),
        Err(why) => {
            let mend = "name keys under `keys:` that are in the root, or have a root signed that lists these";
            Finding::broken("keys.roles", why, mend)
        }
    }
}

fn processes(roles: &[Role]) -> Finding {
    if let [role] = roles {
        return Finding::ok("keys.apart", format!("this process has keys of role {role} alone"));
    }
    let mend = "fine for one host; else run two, with `driftless publisher --role release` and `--role pointer`";
    Finding::weak("keys.apart", "one process has both release and pointer keys", mend)
}

fn readable(files: &[KeyFile]) -> Finding {
    let open: Vec<String> = files
        .iter()
        .filter(|file| file.mode & OTHERS != 0)
        .map(|file| format!("{} has mode {:04o}", file.path.display(), file.mode & 0o7777))
        .collect();
    if open.is_empty() {
        return Finding::ok("keys.files", format!("{} key files, for their owner alone", files.len()));
    }
    let paths: Vec<String> =
        files.iter().filter(|file| file.mode & OTHERS != 0).map(|file| file.path.display().to_string()).collect();
    Finding::weak("keys.files", open.join("; "), format!("chmod 600 {}", paths.join(" ")))
}

fn root_keys(files: &[KeyFile], root: &TrustRoot) -> Finding {
    let here: Vec<&KeyFile> = files
        .iter()
        .filter(|file| file.public.as_ref().is_some_and(|public| root.root.keys().contains(public)))
        .collect();
    let named =
        |files: &[&KeyFile]| files.iter().map(|file| file.path.display().to_string()).collect::<Vec<_>>().join(", ");
    let bare: Vec<&KeyFile> = here.iter().copied().filter(|file| file.protection == Protection::None).collect();
    if !bare.is_empty() {
        let says = format!("{} is a root key without a password, on the publisher's host", named(&bare));
        let mend =
            "replace it by a key with a password (`driftless keys new`), kept offline; docs/guide/keys.md says how";
        return Finding::weak("keys.root", says, mend);
    }
    if here.is_empty() {
        return Finding::ok("keys.root", "no root key lies here");
    }
    Finding::ok("keys.root", format!("{} has a password; it would be better off this host", named(&here)))
}

/// Whether anybody but the owner may do anything with a file.
const OTHERS: u32 = 0o077;
