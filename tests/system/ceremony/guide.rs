//! Every command of `docs/guide/keys.md`, typed in the order of the page.

use std::fs;
use std::path::Path;
use std::process::Command;

use super::people::password;
use crate::world::{World, assert_ok, stderr};

/// What stands in for people while the page's commands run: they say yes, and they know their passwords.
const PEOPLE: &str = r#"
set -eu
driftless() {
    if [ "${1:-} ${2:-}" = "keys sign" ]; then command driftless "$@" --yes; else command driftless "$@"; fi
}
minisign() { printf '%s\n%s\n' "$DRIFTLESS_PASSWORD" "$DRIFTLESS_PASSWORD" | command minisign "$@"; }
driftless-agent() { echo "$@" >> ../agents-were-told; }
"#;

#[test]
fn every_command_of_the_guide_works() {
    let world = World::new();
    fs::create_dir(world.path("ceremony")).expect("a folder");
    let script = format!("{PEOPLE}{}", commands());
    fs::write(world.path("guide.sh"), script).expect("a small file");
    let folder = Path::new(env!("CARGO_BIN_EXE_driftless")).parent().expect("a folder").display().to_string();
    let path = std::env::var("PATH").expect("there is a PATH");
    // The environment of a world, with bash for driftless.
    let pattern = world.driftless(&[]);
    let mut bash = Command::new("bash");
    for (name, value) in pattern.get_envs() {
        match value {
            Some(value) => bash.env(name, value),
            None => bash.env_remove(name),
        };
    }
    bash.current_dir(world.path("ceremony")).env("PATH", format!("{folder}:{path}"));
    let run =
        bash.env("DRIFTLESS_PASSWORD", password("everybody")).arg("../guide.sh").output().expect("bash is installed");
    assert_ok(&run, "docs/guide/keys.md");

    let shown = world.run(&["keys", "show", "--home", "config.driftless", "--json"]);
    let roots: serde_json::Value = serde_json::from_slice(&shown.stdout).expect("JSON");
    let versions = roots.as_array().into_iter().flatten().map(|root| (&root["version"], &root["state"]));
    let expected = [(&8.into(), &"signed".into()), (&9.into(), &"signed".into())];
    assert_eq!(versions.collect::<Vec<_>>(), expected, "a new chain, and one root after it: {}", stderr(&shown));
    assert_eq!(roots[1]["roles"][0]["threshold"], 2);
    let told = fs::read_to_string(world.path("agents-were-told")).expect("the page tells agents");
    let fingerprint = roots[0]["sha256"].as_str().expect("a digest");
    assert!(told.contains(&format!("--fingerprint {fingerprint}")), "{told}");
}

/// The shell blocks of the page, in order.
fn commands() -> String {
    let page = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/guide/keys.md"));
    let page = page.expect("the page is there");
    let blocks: Vec<&str> = page.split("```sh\n").skip(1).filter_map(|rest| rest.split("```").next()).collect();
    assert!(blocks.len() > 8, "{} blocks", blocks.len());
    blocks.concat()
}
