use std::fs;
use std::process::Command;

use tempfile::TempDir;

use super::*;
use crate::causes;

/// A folder with a policy of Alice, Bob, a group, and Carol who may not change everything; each has a real key file.
struct Desk {
    folder: TempDir,
    policy: SignerPolicy,
}

const NOW: &str = "2026-08-01T09:30:00.000Z";
const LINE: &str = "driftless override: publish aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa over \
                    bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb in configs/main, expires 2026-08-02T00:00:00Z\n";

impl Desk {
    fn new() -> Desk {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("overrides")).unwrap();
        let key = |name: &str| {
            ssh_keygen(&folder, &["-q", "-t", "ed25519", "-N", "", "-f", name]);
            fs::read_to_string(folder.path().join(format!("{name}.pub"))).unwrap().trim().to_owned()
        };
        let text = format!(
            "principals:\n  - {{ name: alice, ssh: [{}, {}] }}\n  - {{ name: bob, ssh: [{}] }}\n  - {{ name: \"*@ops\", ssh: [{}] }}\n\
             \x20 - {{ name: carol, ssh: [{}], paths: [web/] }}\n  - {{ name: dave, ssh: [{}], not_after: 2026-07-01T00:00:00Z }}\n",
            key("alice"),
            key("alice2"),
            key("bob"),
            key("ops"),
            key("carol"),
            key("dave"),
        );
        ssh_keygen(&folder, &["-q", "-t", "ed25519", "-N", "", "-f", "mallory"]);
        let path = folder.path().join("policy.yaml");
        fs::write(&path, text).unwrap();
        let policy = SignerPolicy::load(&path).unwrap();
        Desk { folder, policy }
    }

    fn state(&self, line: &str) {
        fs::remove_dir_all(self.folder.path().join("overrides")).unwrap();
        fs::create_dir(self.folder.path().join("overrides")).unwrap();
        fs::write(self.folder.path().join("overrides/back.override"), line).unwrap();
    }

    /// By the recipe of the guide: each signs, and gives the signature a name of their own.
    fn sign(&self, who: &str, namespace: &str) {
        let file = "overrides/back.override";
        ssh_keygen(&self.folder, &["-q", "-Y", "sign", "-n", namespace, "-f", who, file]);
        let path = |name: String| self.folder.path().join(name);
        fs::rename(path(format!("{file}.sig")), path(format!("{file}.{who}.sig"))).unwrap();
    }

    fn read(&self) -> Overrides {
        let path = self.folder.path().join("policy.yaml");
        Overrides::read(&path, &self.policy, "configs/main", NOW.parse().unwrap())
    }
}

fn ssh_keygen(folder: &TempDir, arguments: &[&str]) {
    let done = Command::new("ssh-keygen").args(arguments).current_dir(folder.path()).output();
    let done = done.expect("ssh-keygen is installed");
    assert!(done.status.success(), "{arguments:?}: {done:?}");
}

#[test]
fn two_principals_lift_one_move() {
    let desk = Desk::new();
    assert!(desk.read().good.is_empty(), "an empty folder");
    desk.state(LINE);
    desk.sign("alice", NAMESPACE);
    desk.sign("bob", NAMESPACE);
    let read = desk.read();
    assert!(read.refused.is_empty(), "{:?}", read.refused);
    let (publish, over) = ("a".repeat(40).parse().unwrap(), "b".repeat(40).parse().unwrap());
    assert!(read.lifting(&over, |commit| *commit == publish).is_some());
    assert!(read.lifting(&publish, |_| true).is_none(), "not over another commit");
    assert!(read.lifting(&over, |_| false).is_none(), "not for a tip without that commit");

    fs::remove_dir_all(desk.folder.path().join("overrides")).unwrap();
    assert!(desk.read().good.is_empty() && desk.read().refused.is_empty(), "no folder, no override");
}

#[test]
fn one_person_alone_lifts_nothing() {
    let desk = Desk::new();
    for signers in [
        &[][..],
        &["alice"],
        &["alice", "alice2"], // two keys of one person
        &["alice", "ops"],    // a pattern names nobody in particular
        &["alice", "carol"],  // who may not change everything
    ] {
        desk.state(LINE);
        signers.iter().for_each(|who| desk.sign(who, NAMESPACE));
        let read = desk.read();
        assert!(read.good.is_empty(), "{signers:?}");
        assert!(matches!(read.refused[0].refusal, OverrideRefusal::TooFewSigners(found) if found < 2), "{signers:?}");
    }
    // The same signature under two names is one signature.
    desk.state(LINE);
    desk.sign("alice", NAMESPACE);
    let path = |name: &str| desk.folder.path().join("overrides").join(name);
    fs::copy(path("back.override.alice.sig"), path("back.override.bob.sig")).unwrap();
    assert!(matches!(desk.read().refused[0].refusal, OverrideRefusal::TooFewSigners(1)));
}

#[test]
fn a34_signatures_of_strangers_for_other_things_or_over_other_words_do_not_count() {
    let desk = Desk::new();
    let refusal = |prepare: &dyn Fn()| {
        desk.state(LINE);
        desk.sign("alice", NAMESPACE);
        prepare();
        let read = desk.read();
        assert!(read.good.is_empty());
        causes(&read.refused[0]).join(": ")
    };
    for (words, prepare) in [
        ("not in the signer policy", &(|| desk.sign("mallory", NAMESPACE)) as &dyn Fn()),
        ("signed it for `git`", &|| desk.sign("bob", "git")),
        ("was valid until", &|| desk.sign("dave", NAMESPACE)),
        ("does not fit", &|| {
            desk.sign("bob", NAMESPACE);
            fs::write(desk.folder.path().join("overrides/back.override"), LINE.replace("configs", "others")).unwrap();
        }),
    ] {
        let said = refusal(prepare);
        assert!(said.contains(words), "{words}: {said}");
    }
    for (line, words) in [
        (LINE.replace("publish", "please publish"), "not one line"),
        (LINE.replace("configs/main", "configs/release"), "configs/release"),
        (LINE.replace("08-02", "08-01"), "expired"),
        (LINE.replace("2026-08-02", "2026-09-02"), "more than a week"),
    ] {
        desk.state(&line);
        desk.sign("alice", NAMESPACE);
        desk.sign("bob", NAMESPACE);
        let read = desk.read();
        let said = causes(&read.refused[0]).join(": ");
        assert!(read.good.is_empty() && said.contains(words), "{words}: {said}");
    }
    // A file without end is not read to its end.
    desk.state(&"x".repeat(1 << 20));
    assert!(matches!(desk.read().refused[0].refusal, OverrideRefusal::Unreadable(_)));
}
