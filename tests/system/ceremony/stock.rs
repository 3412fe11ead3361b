//! Keys and signatures go both ways between us and the stock minisign.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use super::people::{Ceremony, password};
use crate::world::{World, assert_ok, stderr, tool};

#[test]
fn keys_of_ours_sign_with_the_stock_tool_and_stock_keys_sign_with_ours() {
    let world = World::new();
    let ceremony = Ceremony::new(&world, "ceremony");
    let draft = ceremony.first_draft();
    let mode = |file| fs::metadata(ceremony.path(file)).expect("it was made").permissions().mode() & 0o777;
    assert_eq!((mode("alice.key"), mode("alice.pub"), mode("release.key")), (0o600, 0o644, 0o600));
    let ours = ceremony.stock_sign(&draft, &ceremony.path("alice.key"), "alice");
    let public = ceremony.arg("alice.pub");
    let args = ["-V", "-H", "-m", &ceremony.arg(&draft), "-x", &ceremony.arg(&ours), "-p", &public];
    assert_ok(&tool("minisign", &args, None), "minisign -V");

    ceremony.stock_person("dora");
    let drafted = ["init", "--add", "root=dora.pub", "--add", "release=release.pub", "--add", "pointer=pointer.pub"];
    let draft = ceremony.keys(&[&drafted[..], &["--out", "doras"]].concat());
    let signature = ceremony.sign(&draft, "dora");
    let args =
        ["-V", "-H", "-m", &ceremony.arg(&draft), "-x", &ceremony.arg(&signature), "-p", &ceremony.arg("dora.pub")];
    assert_ok(&tool("minisign", &args, None), "minisign -V");
    assert!(ceremony.keys(&["assemble", &draft, &signature]).ends_with("0000000001.root"));
    let wrong = ceremony.keys_as("somebody else", &["sign", &draft, "--key", "dora.key", "--yes"]);
    assert_eq!(wrong.status.code(), Some(3), "{}", stderr(&wrong));
    assert!(stderr(&wrong).contains("the password does not open the key") && !stderr(&wrong).contains("somebody else"));
}

#[test]
fn a_password_comes_from_a_file_a_command_or_the_terminal() {
    let world = World::new();
    let ceremony = Ceremony::new(&world, "ceremony");
    fs::write(ceremony.path("pw"), format!("{}\nsecond line\n", password("file"))).expect("a small file");
    ceremony.keys(&["new", "file", "--password-file", "pw"]);
    ceremony.keys(&["new", "command", "--password-command", "echo password of command; echo more"]);
    ceremony.stock_opens("file");
    ceremony.stock_opens("command");
    let failing = ceremony.refused(2, &["new", "failing", "--password-command", "echo hush; exit 7"]);
    assert!(failing.contains("exit status: 7") && !failing.contains("hush"), "{failing}");
    assert!(!ceremony.path("failing.key").exists());
    let taken = ceremony.refused(2, &["new", "file", "--no-password"]);
    assert!(taken.contains("exists already"), "{taken}");

    let mut without = world.driftless(&["keys", "new", "nobody"]);
    let without = without.stdin(std::process::Stdio::null()).output().expect("driftless starts");
    assert_eq!(without.status.code(), Some(2));
    assert!(stderr(&without).contains("--password-file"), "{}", stderr(&without));
}

#[test]
fn somebody_at_a_terminal_types_the_password_twice() {
    let world = World::new();
    let ceremony = Ceremony::new(&world, "ceremony");
    let at_a_terminal = |name: &str, typed: &str| {
        let program = env!("CARGO_BIN_EXE_driftless");
        let command = format!("cd '{}' && '{program}' keys new {name}", world.path("ceremony").display());
        tool("script", &["-qec", &command, "/dev/null"], Some(typed.as_bytes()))
    };
    let made = at_a_terminal("terry", &format!("{0}\n{0}\n", password("terry")));
    assert_ok(&made, "driftless keys new");
    assert!(String::from_utf8_lossy(&made.stdout).contains("The same again"));
    ceremony.stock_opens("terry");
    assert_eq!(at_a_terminal("typo", "one\nother\n").status.code(), Some(2));
    assert!(!ceremony.path("typo.key").exists());
}

#[test]
fn what_is_shown_of_a_key_is_its_public_half() {
    let world = World::new();
    let ceremony = Ceremony::new(&world, "ceremony");
    ceremony.person("alice");
    let open = ceremony.keys(&["new", "open", "--no-password"]);
    let shown = |file: &str| -> serde_json::Value {
        serde_json::from_str(&ceremony.keys(&["show", file, "--json"])).expect("JSON")
    };
    assert_eq!(shown("open.key")["kind"], "unprotected");
    assert_eq!(shown("open.pub")["kind"], "public");
    assert_eq!(shown("alice.key")["kind"], "protected");
    assert_eq!(format!("{} {}", shown("open.key")["key"], shown("open.key")["fingerprint"]).replace('"', ""), open);
    assert_eq!(shown("alice.key")["key"], shown("alice.pub")["key"]);
    fs::remove_file(ceremony.path("alice.pub")).expect("it was made");
    assert!(ceremony.refused(2, &["show", "alice.key"]).contains("alice.pub"));
}
