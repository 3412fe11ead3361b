//! Hosts that fail again and again are left out, listed with their reason, and come back by themselves.

use super::site::Site;
use crate::world::{assert_ok, eventually};

const FORGIVING: &str = "  forgiving:
    prepare: false
    waves: [ { share: 100% } ]
    gate: { applied: 75%, failed_at_most: { percent: 25%, number: 1 }, within: 60s }
    quarantine: { after: 2, at_most: { percent: 30%, number: 1 } }
    live_within: 5s
";

#[test]
fn a_host_that_fails_again_and_again_is_left_out_and_comes_back_after_a_good_check() {
    let site = Site::start(&[("web", "forgiving")], FORGIVING);
    let flag = site.world.path("full");
    std::fs::write(&flag, "").expect("a small file");
    let check = format!(
        "[ \"$1\" != us-east-2 ] || [ ! -e {} ] || {{ echo 'the disk is full' >&2; exit 1; }}\n",
        flag.display()
    );
    for version in ["1", "2", "3"] {
        let commit = site.commit("web", &[("v", &format!("{version}\n")), ("check.sh", &check)]);
        site.ends("web", &commit, "complete");
    }
    eventually("it is in quarantine", || {
        site.pointer("web", "us-east")["quarantine"].to_string().contains("us-east-2")
    });
    let list = site.operator(&["quarantine", "list", "--json"]);
    assert_ok(&list, "driftless quarantine list");
    let list: serde_json::Value = serde_json::from_slice(&list.stdout).expect("JSON");
    assert_eq!(list[0]["agent"], "us-east-2", "{list:#}");
    assert!(list[0]["why"].as_str().is_some_and(|why| !why.is_empty()), "{list:#}");
    assert!(list[0]["last_word"].to_string().contains("disk is full"), "{list:#}");
    std::fs::remove_file(&flag).expect("the disk is cleared");
    site.all_run("web", "3");
    eventually("it is out again", || site.pointer("web", "us-east")["quarantine"].is_null());
}
