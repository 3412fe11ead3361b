//! SAME: one digest per (tree, app, region, compiler), wherever and whenever it is compiled.

use crate::world::{World, assert_ok, tool};

#[test]
fn f44_a_commit_gives_the_same_digests_in_every_environment() {
    let world = World::new();
    world.commit("apps/web/ünïcode & blanks.yaml", "a: 1\n");
    world.commit("apps/web/.gitattributes", "* export-subst ident eol=crlf\n");
    world.commit("apps/web/expanded.txt", "$Format:%H$ $Id$\n");
    let here = digests(&world, &[], "config");
    let clone = world.path("elsewhere").display().to_string();
    let origin = world.path("config").display().to_string();
    assert_ok(&tool("git", &["clone", "-q", "--bare", &origin, &clone], None), "git clone");
    let environments: [&[(&str, &str)]; 4] = [
        &[("LC_ALL", "C"), ("TZ", "Pacific/Kiritimati")],
        &[("LC_ALL", "tr_TR.UTF-8"), ("LANG", "tr_TR.UTF-8"), ("TZ", "UTC")],
        &[("SOURCE_DATE_EPOCH", "1"), ("HOME", "/nonexistent")],
        &[
            ("GIT_DIR", "/nonexistent"),
            ("GIT_CONFIG_COUNT", "1"),
            ("GIT_CONFIG_KEY_0", "core.autocrlf"),
            ("GIT_CONFIG_VALUE_0", "true"),
        ],
    ];
    for environment in environments {
        assert_eq!(digests(&world, environment, "config"), here, "{environment:?}");
        assert_eq!(digests(&world, environment, "elsewhere"), here, "{environment:?} in a bare clone");
    }
    for umask in ["000", "077"] {
        let binary = env!("CARGO_BIN_EXE_driftless");
        let script = format!("umask {umask}; cd '{}'; exec '{binary}' compile config --json", world.path("").display());
        let run = tool("sh", &["-c", &script], None);
        assert_ok(&run, &script);
        assert_eq!(String::from_utf8_lossy(&run.stdout), here, "umask {umask}");
    }
}

#[test]
fn f33_a_revert_compiles_to_the_digest_of_what_it_restores() {
    let world = World::new();
    let before = digests(&world, &[], "config");
    world.commit("apps/web/settings.yaml", "greeting: other\n");
    assert_ne!(digests(&world, &[], "config"), before);
    world.revert();
    assert_eq!(digests(&world, &[], "config"), before);
}

fn digests(world: &World, environment: &[(&str, &str)], repository: &str) -> String {
    let run = world.driftless(&["compile", repository, "--json"]).envs(environment.iter().copied()).output();
    let run = run.expect("driftless starts");
    assert_ok(&run, "driftless compile");
    String::from_utf8(run.stdout).expect("JSON is text")
}
