//! GnuPG with a home of its own, and what it made there.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use tempfile::TempDir;

/// What is signed: the shape of a commit without its signature.
pub(super) const PAYLOAD: &[u8] = b"tree 4b825dc642cb6eb9a060e54bf8d69288fbee4904\n\nmessage \n";

pub(super) struct Gpg {
    home: TempDir,
    /// When it believes to be, as in `20260101T000000`.
    pub(super) time: Option<&'static str>,
}

impl Gpg {
    pub(super) fn new() -> Gpg {
        let home = tempfile::tempdir().expect("a temporary folder");
        fs::set_permissions(home.path(), fs::Permissions::from_mode(0o700)).expect("our folder");
        fs::write(home.path().join("payload"), PAYLOAD).expect("a temporary folder");
        Gpg { home, time: None }
    }

    pub(super) fn at(time: &'static str) -> Gpg {
        let mut gpg = Gpg::new();
        gpg.time = Some(time);
        gpg
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    fn command(&self) -> Command {
        let mut command = Command::new("gpg");
        command.arg("--homedir").arg(self.home.path()).current_dir(self.home.path());
        command.args(["--quiet", "--no-tty", "--yes", "--pinentry-mode", "loopback", "--passphrase", ""]);
        // Old hashes are asked for to see them refused.
        command.args(["--allow-weak-digest-algos"]);
        if let Some(time) = self.time {
            command.arg(format!("--faked-system-time={time}!"));
        }
        command
    }

    pub(super) fn run(&self, arguments: &[&str]) -> Vec<u8> {
        let done = self.command().arg("--batch").args(arguments).output().expect("gpg is installed");
        assert!(done.status.success(), "gpg {arguments:?}: {}", String::from_utf8_lossy(&done.stderr));
        done.stdout
    }

    fn feed(&self, arguments: &[&str], input: &[u8]) -> Vec<u8> {
        let mut command = self.command();
        command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut gpg = command.spawn().expect("gpg is installed");
        gpg.stdin.take().expect("piped").write_all(input).expect("gpg reads it");
        let done = gpg.wait_with_output().expect("gpg ends");
        assert!(done.status.success(), "gpg {arguments:?}: {}", String::from_utf8_lossy(&done.stderr));
        done.stdout
    }

    /// Makes a key; its fingerprint.
    pub(super) fn key(&self, who: &str, kind: &str, usage: &str, expires: &str) -> String {
        self.key_with(who, kind, usage, expires, &[])
    }

    pub(super) fn key_with(&self, who: &str, kind: &str, usage: &str, expires: &str, more: &[&str]) -> String {
        let known = self.fingerprints();
        self.run(&[more, &["--quick-generate-key", who, kind, usage, expires]].concat());
        self.fingerprints().into_iter().find(|key| !known.contains(key)).expect("a new key")
    }

    /// Adds a subkey; its fingerprint.
    pub(super) fn subkey(&self, key: &str, kind: &str, usage: &str, expires: &str) -> String {
        let known = self.fingerprints();
        self.run(&["--quick-add-key", key, kind, usage, expires]);
        self.fingerprints().into_iter().find(|key| !known.contains(key)).expect("a new subkey")
    }

    fn fingerprints(&self) -> Vec<String> {
        let listed = String::from_utf8(self.run(&["--list-keys", "--with-colons"])).expect("text");
        let fingerprints = listed.lines().filter_map(|line| line.strip_prefix("fpr:"));
        fingerprints.map(|rest| rest.trim_matches(':').to_owned()).collect()
    }

    /// Signs as git has it done, with exactly this key or subkey.
    pub(super) fn sign(&self, key: &str, more: &[&str]) -> Vec<u8> {
        let key = format!("{key}!");
        self.run(&[more, &["-bsau", &key, "-o", "-", "payload"]].concat())
    }

    pub(super) fn dearmor(&self, armoured: &[u8]) -> Vec<u8> {
        self.feed(&["--batch", "--dearmor"], armoured)
    }

    /// Armour around `raw`, as around a signature.
    pub(super) fn enarmor(&self, raw: &[u8]) -> Vec<u8> {
        let armoured = String::from_utf8(self.feed(&["--batch", "--enarmor"], raw)).expect("text");
        let lines = armoured.lines().filter(|line| !line.starts_with("Comment:")).map(|line| format!("{line}\n"));
        lines.collect::<String>().replace("PGP ARMORED FILE", "PGP SIGNATURE").into_bytes()
    }

    /// Has a conversation with `--edit-key`.
    pub(super) fn edit(&self, key: &str, words: &str) {
        self.feed(&["--command-fd", "0", "--edit-key", key], words.as_bytes());
    }

    /// Uses the revocation certificate that gpg made with the key.
    pub(super) fn revoke(&self, key: &str) {
        let text = fs::read_to_string(self.path(&format!("openpgp-revocs.d/{key}.rev"))).expect("gpg made it");
        // A colon keeps people from importing it by mistake.
        fs::write(self.path("revocation"), text.replace(":-----BEGIN", "-----BEGIN")).expect("a temporary folder");
        self.run(&["--import", "revocation"]);
    }

    /// The signature by which `key` certifies its own name.
    pub(super) fn certification(&self, key: &str) -> Vec<u8> {
        let raw = self.run(&["--export", key]);
        let split = self.path("packets");
        fs::create_dir_all(&split).expect("a temporary folder");
        fs::write(self.path("raw"), raw).expect("a temporary folder");
        let mut splitter = Command::new("gpgsplit");
        let done = splitter.arg("../raw").current_dir(&split).output().expect("gpgsplit is installed");
        assert!(done.status.success(), "{done:?}");
        fs::read(split.join("000003-002.sig")).expect("key, name, signature")
    }
}

impl Drop for Gpg {
    fn drop(&mut self) {
        // The agent of this home, and no other.
        let kill = Command::new("gpgconf").arg("--homedir").arg(self.home.path()).args(["--kill", "all"]).status();
        drop(kill);
    }
}

/// Puts `new` in the place of each `old`, of the same length.
pub(super) fn replace(bytes: &[u8], old: &[u8], new: &[u8]) -> Vec<u8> {
    let mut replaced = bytes.to_vec();
    for at in 0..=bytes.len() - old.len() {
        if bytes[at..].starts_with(old) {
            replaced[at..at + old.len()].copy_from_slice(new);
        }
    }
    replaced
}
