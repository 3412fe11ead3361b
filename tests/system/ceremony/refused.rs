//! What a ceremony does not let through, and that nothing is written then.

use std::fs;

use super::people::Ceremony;
use crate::world::World;

#[test]
fn what_is_missing_is_told_and_nothing_is_done() {
    let world = World::new();
    let ceremony = Ceremony::new(&world, "ceremony");
    let draft = ceremony.first_draft();
    let bob = ceremony.sign(&draft, "bob");
    let missing = ceremony.refused(3, &["assemble", &draft, &bob, "--publish", "--store", "shop"]);
    let fingerprint = |name: &str| {
        let shown = ceremony.keys(&["show", &format!("{name}.pub")]);
        shown.split(' ').nth(1).expect("a fingerprint").to_owned()
    };
    assert!(missing.contains("1 signed, 2 needed"), "{missing}");
    assert!(missing.contains("1 more of version 1's root keys"), "{missing}");
    assert!(missing.contains(&fingerprint("alice")) && missing.contains(&fingerprint("carol")), "{missing}");
    assert!(!missing.contains(&fingerprint("bob")), "Bob has signed: {missing}");
    assert!(!ceremony.path("0000000001.root").exists() && !ceremony.path("shop/v1").exists());
    let shown: serde_json::Value = serde_json::from_str(&ceremony.keys(&["show", &draft, "--json"])).expect("JSON");
    assert_eq!((&shown[0]["state"], &shown[0]["signatures"][0]["missing"]), (&"draft".into(), &1.into()));
    assert_eq!(shown[0]["signatures"][0]["signed"][0], fingerprint("bob").as_str());
    let again = ceremony.refused(3, &["assemble", &draft, &bob, &bob]);
    assert!(again.contains("1 signed, 2 needed"), "a19: one signer twice is one signer: {again}");
}

#[test]
fn a_signature_that_is_of_no_use_is_named() {
    let world = World::new();
    let ceremony = Ceremony::new(&world, "ceremony");
    let draft = ceremony.first_draft();
    let (alice, bob) = (ceremony.sign(&draft, "alice"), ceremony.sign(&draft, "bob"));
    ceremony.keys(&["new", "mallory", "--no-password"]);
    let stranger = ceremony.stock_sign(&draft, &ceremony.path("mallory.key"), "mallory");
    let told = ceremony.refused(3, &["assemble", &draft, &alice, &stranger, &bob]);
    assert!(told.contains("mallory.minisig is of no use: no root key"), "{told}");
    let comment = fs::read_to_string(ceremony.path(&bob)).expect("a signature").replace(" e1 ", " e2 ");
    fs::write(ceremony.path("edited.minisig"), comment).expect("a small file");
    assert!(
        ceremony.refused(3, &["assemble", &draft, &alice, "edited.minisig"]).contains("edited.minisig is of no use")
    );
    let careless = ceremony.arg("careless.minisig");
    let args =
        ["-S", "-s", &ceremony.arg("carol.key"), "-m", &ceremony.arg(&draft), "-t", "fine by me", "-x", &careless];
    let typed = format!("{}\n", super::people::password("carol"));
    crate::world::assert_ok(&crate::world::tool("minisign", &args, Some(typed.as_bytes())), "minisign -S");
    let told = ceremony.refused(3, &["assemble", &draft, &alice, "careless.minisig"]);
    assert!(told.contains("careless.minisig is of no use: the trusted comment is `fine by me`"), "{told}");
    assert!(told.contains("the trusted comment `root v1 e1 "), "the hint says what to type: {told}");
    assert!(ceremony.refused(3, &["sign", &draft, "--key", "release.key", "--yes"]).contains("is a root key neither"));
    assert!(!ceremony.path("0000000001.root").exists());
}

#[test]
fn a_root_that_would_be_of_no_use_is_not_drafted() {
    let world = World::new();
    let ceremony = Ceremony::new(&world, "ceremony");
    let root = ceremony.first_root();
    let rotate = |args: &[&str]| ceremony.refused(3, &[&["rotate", "--root", &root][..], args].concat());
    assert!(rotate(&["--threshold", "root=0"]).contains("threshold of 0"));
    assert!(rotate(&["--threshold", "release=2"]).contains("threshold of 2 cannot be met by 1 keys"));
    assert!(rotate(&["--remove", "root=alice.pub", "--remove", "root=bob.pub"]).contains("threshold of 2"));
    assert!(rotate(&["--add", "root=alice.pub"]).contains("in role root already"));
    assert!(rotate(&["--remove", "pointer=alice.pub"]).contains("not in role pointer"));
    assert!(rotate(&["--expires", "0s"]).contains("which is past"));
    assert!(
        ceremony.refused(3, &["revoke", "pointer.pub", "--root", &root]).contains("role pointer would be of no use")
    );
    assert!(ceremony.refused(2, &["rotate", "--root", &root, "--add", "root=nobody.pub"]).contains("nobody.pub"));
    assert!(!ceremony.path("0000000002.root.draft").exists());
}

#[test]
fn a_draft_that_was_tampered_with_is_not_signed() {
    let world = World::new();
    let ceremony = Ceremony::new(&world, "ceremony");
    let root = ceremony.first_root();
    let draft = ceremony.keys(&["rotate", "--root", &root, "--floor", "7"]);
    let second = ceremony.keys(&["assemble", &draft, &ceremony.sign(&draft, "alice"), &ceremony.sign(&draft, "bob")]);
    let third = ceremony.keys(&["rotate", "--root", &second]);
    let good = fs::read_to_string(ceremony.path(&third)).expect("a draft");
    for (from, to, said) in [
        ("\"version\":3", "\"version\":4", "the root of version 3, which tampered.draft would follow, is not at hand"),
        ("\"release_floor\":7", "\"release_floor\":6", "release floor 6 is below 7"),
        ("\"epoch\":1", "\"epoch\":3", "epoch 3 does not follow epoch 1"),
        ("\"threshold\":2", "\"threshold\":4", "threshold of 4"),
        ("driftless/root/1", "driftless/root/2", "driftless/root/2"),
    ] {
        let tampered = good.replacen(from, to, 1);
        assert_ne!(tampered, good, "{from} is in {good}");
        fs::write(ceremony.path("tampered.draft"), tampered).expect("a small file");
        let output = ceremony.keys_as("alice", &["sign", "tampered.draft", "--key", "alice.key", "--yes"]);
        let told = crate::world::stderr(&output);
        assert!(!output.status.success() && told.contains(said), "{from} -> {to}: {told}");
    }
    assert!(!fs::read_dir(ceremony.path(".")).expect("a folder").any(|entry| {
        entry.expect("a readable folder").file_name().to_string_lossy().starts_with("tampered.draft.")
    }));
}

#[test]
fn what_lies_beside_a_draft_is_told_and_passed_over() {
    let world = World::new();
    let ceremony = Ceremony::new(&world, "ceremony");
    let draft = ceremony.first_draft();
    ceremony.sign(&draft, "alice");
    let beside = |name: &str| ceremony.path(&format!("{draft}.{name}.minisig"));
    fs::write(beside("large"), "x".repeat(1 << 20)).expect("a file");
    fs::write(beside("bytes"), [0xff; 9]).expect("a file");
    fs::write(beside("\u{1b}[2J"), "nonsense").expect("a file");
    fs::create_dir(beside("folder")).expect("a folder");
    crate::world::assert_ok(&crate::world::tool("mkfifo", &[&beside("pipe").display().to_string()], None), "mkfifo");
    let output = ceremony.keys_as("nobody", &["show", &draft, "--json"]);
    let shown: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(shown[0]["signatures"][0]["missing"], 1, "Alice's counts: {shown}");
    let told = crate::world::stderr(&output);
    assert!(told.contains("large.minisig has more than") && told.contains("bytes.minisig is not text"), "{told}");
    assert!(told.contains("\\u{1b}[2J") && !told.contains('\u{1b}'), "a48: {told:?}");
}

#[test]
fn a_root_before_that_somebody_made_up_hides_nothing() {
    let world = World::new();
    let ceremony = Ceremony::new(&world, "ceremony");
    ceremony.first_root();
    // Mallory brings a draft that makes her the release key, and a root before in which she has been that all along.
    for name in ["mallory", "mallory-too"] {
        ceremony.keys(&["new", name, "--no-password"]);
    }
    let people = ["--add", "root=alice.pub", "--add", "root=bob.pub", "--add", "root=carol.pub"];
    let roles = ["--add", "release=mallory.pub", "--add", "pointer=pointer.pub"];
    let hers = ["--out", "hers", "--add", "root=mallory-too.pub", "--threshold", "root=1"];
    let draft = ceremony.keys(&[&["init"][..], &hers, &people, &roles].concat());
    let made_up = ceremony.keys(&["assemble", &draft, &ceremony.sign(&draft, "mallory-too")]);
    let leaves = ["--remove", "root=mallory-too.pub", "--threshold", "root=2"];
    let draft = ceremony.keys(&[&["rotate", "--root", &made_up, "--out", "hers"][..], &leaves].concat());

    let output = ceremony.keys_as("alice", &["sign", &draft, "--key", "alice.key", "--yes"]);
    let told = crate::world::stderr(&output);
    assert!(!told.contains("changes   release"), "as she wants it: {told}");
    let key = ceremony.keys(&["show", "mallory.pub"]);
    let fingerprint = key.split(' ').nth(1).expect("a fingerprint");
    assert!(told.contains(&format!("says      release: 1 of 1 must sign: {fingerprint}")), "{told}");
    assert!(told.contains("which came with the draft; compare its sha256"), "{told}");
    // Whoever names the root they know is not led astray.
    let told = ceremony.refused(2, &["sign", &draft, "--key", "alice.key", "--root", "nowhere.root", "--yes"]);
    assert!(told.contains("nowhere.root"), "{told}");
    let output = ceremony.keys_as("bob", &["sign", &draft, "--key", "bob.key", "--root", "0000000001.root", "--yes"]);
    let told = crate::world::stderr(&output);
    assert!(told.contains("changes   release") && !told.contains("came with the draft"), "{told}");
}

#[test]
fn a_secret_key_in_the_place_of_a_public_one_is_not_repeated() {
    let world = World::new();
    let ceremony = Ceremony::new(&world, "ceremony");
    let root = ceremony.first_root();
    for name in ["alice", "release"] {
        let file = fs::read_to_string(ceremony.path(&format!("{name}.key"))).expect("a key file");
        let secret = file.lines().nth(1).expect("a key");
        for args in [&["rotate", "--root", &root, "--add"][..], &["rotate", "--root", &root, "--remove"]] {
            let told = ceremony.refused(2, &[args, &[&format!("root={name}.key")]].concat());
            assert!(told.contains("is a secret key") && !told.contains(&secret[..10]), "{told}");
        }
    }
    let told = ceremony.refused(2, &["revoke", "alise.pub", "--root", &root]);
    assert!(told.contains("alise.pub") && told.contains("digest"), "{told}");
}

#[test]
fn nothing_is_written_through_a_link() {
    let world = World::new();
    let ceremony = Ceremony::new(&world, "ceremony");
    let draft = ceremony.first_draft();
    let signature = ceremony.sign(&draft, "alice");
    fs::remove_file(ceremony.path(&signature)).expect("just written");
    for link in [&signature, "mallory.key", "mallory.pub", "0000000001.root"] {
        std::os::unix::fs::symlink(ceremony.path("elsewhere"), ceremony.path(link)).expect("a link to nothing yet");
    }
    for (name, args) in [
        ("alice", &["sign", &draft, "--key", "alice.key", "--yes"][..]),
        ("alice", &["new", "mallory", "--no-password"]),
        ("bob", &["assemble", &draft, &ceremony.sign(&draft, "bob"), &ceremony.sign(&draft, "carol")]),
    ] {
        let output = ceremony.keys_as(name, args);
        assert_eq!(output.status.code(), Some(2), "{args:?}: {}", crate::world::stderr(&output));
        assert!(!ceremony.path("elsewhere").exists(), "{args:?} wrote through a link");
    }
}

#[test]
fn two_ceremonies_for_one_version_are_told_apart() {
    let world = World::new();
    let ceremony = Ceremony::new(&world, "ceremony");
    let root = ceremony.first_root();
    let publish = |folder: &str, floor: &str| {
        let draft = ceremony.keys(&["rotate", "--root", &root, "--floor", floor, "--out", folder]);
        let signatures = (ceremony.sign(&draft, "alice"), ceremony.sign(&draft, "bob"));
        let args = ["assemble", &draft, &signatures.0, &signatures.1, "--publish", "--store", "shop"];
        ceremony.keys_as("nobody", &args)
    };
    crate::world::assert_ok(&publish("one", "1"), "the first");
    let second = publish("two", "2");
    assert_eq!(second.status.code(), Some(4), "{}", crate::world::stderr(&second));
    let shown = ceremony.keys(&["show", "shop"]);
    assert!(shown.contains("release floor  1") && !shown.contains("release floor  2"), "{shown}");
}
