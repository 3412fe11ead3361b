//! People with root keys, and the tools that they type on.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;

use serde_json::Value;

use crate::world::{World, assert_ok, stderr, tool};

/// A folder for a ceremony, in a world.
pub(super) struct Ceremony<'w> {
    pub(super) world: &'w World,
    folder: &'static str,
}

impl<'w> Ceremony<'w> {
    pub(super) fn new(world: &'w World, folder: &'static str) -> Ceremony<'w> {
        fs::create_dir_all(world.path(folder)).expect("a folder");
        Ceremony { world, folder }
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.world.path(self.folder).join(name)
    }

    pub(super) fn arg(&self, name: &str) -> String {
        self.path(name).display().to_string()
    }

    /// `driftless keys`, in this folder, as somebody who knows the password of `name`.
    pub(super) fn keys_as(&self, name: &str, args: &[&str]) -> Output {
        let mut command = self.world.driftless(&["keys"]);
        command.current_dir(self.world.path(self.folder)).env("DRIFTLESS_PASSWORD", password(name)).args(args);
        command.output().expect("driftless starts")
    }

    /// `driftless keys` must succeed. Gives what it printed.
    pub(super) fn keys(&self, args: &[&str]) -> String {
        let output = self.keys_as("nobody", args);
        assert_ok(&output, &format!("driftless keys {args:?}"));
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }

    /// `driftless keys` must be refused with this exit code. Gives what it said.
    pub(super) fn refused(&self, code: i32, args: &[&str]) -> String {
        let output = self.keys_as("nobody", args);
        assert_eq!(output.status.code(), Some(code), "driftless keys {args:?}: {}", stderr(&output));
        stderr(&output)
    }

    /// A key with a password, made here.
    pub(super) fn person(&self, name: &str) {
        assert_ok(&self.keys_as(name, &["new", name]), "driftless keys new");
    }

    /// A key with a password, made by the stock tool.
    pub(super) fn stock_person(&self, name: &str) {
        let (public, secret) = (self.arg(&format!("{name}.pub")), self.arg(&format!("{name}.key")));
        let typed = format!("{0}\n{0}\n", password(name));
        assert_ok(&tool("minisign", &["-G", "-p", &public, "-s", &secret], Some(typed.as_bytes())), "minisign -G");
    }

    /// The stock tool opens the key with its owner's password, and finds the public half that was written.
    pub(super) fn stock_opens(&self, name: &str) {
        let (secret, public) = (self.arg(&format!("{name}.key")), self.arg("opened.pub"));
        let typed = format!("{}\n", password(name));
        assert_ok(
            &tool("minisign", &["-R", "-f", "-s", &secret, "-p", &public], Some(typed.as_bytes())),
            "minisign -R",
        );
        let key = |file: &str| {
            let text = fs::read_to_string(self.path(file)).expect("a key file");
            text.lines().nth(1).map(str::to_owned)
        };
        assert_eq!(key("opened.pub"), key(&format!("{name}.pub")));
    }

    /// Signs a draft as `driftless keys sign` does. Gives the signature's path.
    pub(super) fn sign(&self, draft: &str, name: &str) -> String {
        let key = format!("{name}.key");
        let output = self.keys_as(name, &["sign", draft, "--key", &key, "--yes"]);
        assert_ok(&output, "driftless keys sign");
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }

    /// Signs a draft with the stock tool alone: the trusted comment from what it says and what `sha256sum` prints of it. Gives
    /// the signature's path.
    pub(super) fn stock_sign(&self, draft: &str, key: &Path, name: &str) -> String {
        let signature = format!("{draft}.{name}.minisig");
        let sum = tool("sha256sum", &[&self.arg(draft)], None);
        let digest = String::from_utf8_lossy(&sum.stdout).split(' ').next().unwrap_or_default().to_owned();
        let said = self.payload(draft);
        let comment = format!("root v{} e{} {digest}", said["version"], said["epoch"]);
        let key = key.display().to_string();
        let args = ["-S", "-s", &key, "-m", &self.arg(draft), "-t", &comment, "-x", &self.arg(&signature)];
        assert_ok(&tool("minisign", &args, Some(format!("{}\n", password(name)).as_bytes())), "minisign -S");
        signature
    }

    /// What the first line of a draft or root says.
    pub(super) fn payload(&self, file: &str) -> Value {
        let text = fs::read_to_string(self.path(file)).expect("a readable file");
        serde_json::from_str(text.lines().next().unwrap_or_default()).expect("a line of JSON")
    }

    /// The draft of a first root: two of three people, and one key for each of the other roles.
    pub(super) fn first_draft(&self) -> String {
        for name in ["alice", "bob", "carol"] {
            self.person(name);
        }
        self.keys(&["new", "release", "--no-password"]);
        self.keys(&["new", "pointer", "--no-password"]);
        self.keys(
            &[
                &["init", "--add", "root=alice.pub", "--add", "root=bob.pub", "--add", "root=carol.pub"][..],
                &["--add", "release=release.pub", "--add", "pointer=pointer.pub"],
            ]
            .concat(),
        )
    }

    /// The first root, signed by Alice and Carol.
    pub(super) fn first_root(&self) -> String {
        let draft = self.first_draft();
        let (alice, carol) = (self.sign(&draft, "alice"), self.sign(&draft, "carol"));
        self.keys(&["assemble", &draft, &alice, &carol])
    }
}

/// Everybody has a password of their own.
pub(super) fn password(name: &str) -> String {
    format!("password of {name}")
}
