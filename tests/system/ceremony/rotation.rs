//! Roots that follow one another while agents run, or are away.

use std::fs;

use schema::keys::SecretKey;
use schema::{Generation, Limits, Pointer, RoleKeys, Verified};

use super::people::Ceremony;
use crate::world::{Up, World, assert_ok, bytes, curl, eventually, tool};

const HOME: [&str; 2] = ["--home", "../config.driftless"];

/// From the one key of `driftless init` to two of three people, drafted by us and signed, joined and published with stock
/// tools alone.
fn two_of_three_by_hand(world: &World, ceremony: &Ceremony<'_>) {
    for name in ["alice", "bob", "carol"] {
        ceremony.stock_person(name);
    }
    let old = world.home().join("keys/root.pub").display().to_string();
    let draft = ceremony.keys(
        &[
            &["rotate", "--add", "root=alice.pub", "--add", "root=bob.pub", "--add", "root=carol.pub"][..],
            &["--remove", &format!("root={old}"), "--threshold", "root=2"],
            &HOME,
        ]
        .concat(),
    );
    let signatures = [
        ceremony.stock_sign(&draft, &world.home().join("keys/root.key"), "init"),
        ceremony.stock_sign(&draft, &ceremony.path("alice.key"), "alice"),
        ceremony.stock_sign(&draft, &ceremony.path("carol.key"), "carol"),
    ];
    let files: Vec<String> = [&draft].into_iter().chain(&signatures).map(|file| ceremony.arg(file)).collect();
    let root = tool("cat", &files.iter().map(String::as_str).collect::<Vec<_>>(), None).stdout;
    fs::write(ceremony.path("0000000002.root"), root).expect("a small file");
    let published = world.store().join("v1/trust/0000000002.root").display().to_string();
    assert_ok(&tool("cp", &[&ceremony.arg("0000000002.root"), &published], None), "cp");
}

/// Signs the draft as Alice and Bob, and publishes it.
fn publish(ceremony: &Ceremony<'_>, draft: &str) {
    assemble(ceremony, draft, &[ceremony.sign(draft, "alice"), ceremony.sign(draft, "bob")]);
}

fn assemble(ceremony: &Ceremony<'_>, draft: &str, signatures: &[String]) {
    let signatures: Vec<&str> = signatures.iter().map(String::as_str).collect();
    ceremony.keys(&[&["assemble", draft, "--publish"][..], &signatures, &HOME].concat());
}

/// The one root key that `init` makes.
fn init_key(world: &World) -> String {
    world.home().join("keys/root.key").display().to_string()
}

fn new_pointer_key(world: &World, ceremony: &Ceremony<'_>, name: &str) -> String {
    let keys = world.home().join("keys");
    ceremony.keys(&["new", name, "--no-password", "--out", &keys.display().to_string()]);
    keys.join(format!("{name}.pub")).display().to_string()
}

#[test]
fn an_agent_that_was_away_for_three_rotations_converges() {
    let world = World::new();
    let ceremony = Ceremony::new(&world, "ceremony");
    let mut up = world.up();
    let mut agent = world.agent("web-1", "eu-west", &up.url);
    world.commit("apps/web/settings.yaml", "greeting: one\n");
    agent.comes_to_read("web", "settings.yaml", "greeting: one\n");
    assert_eq!(agent.process.interrupt(), Some(0));

    two_of_three_by_hand(&world, &ceremony);
    let second = new_pointer_key(&world, &ceremony, "pointer2");
    let planned = ceremony.keys(&[&["rotate", "--add", &format!("pointer={second}")][..], &HOME].concat());
    publish(&ceremony, &planned);
    let stolen = world.home().join("keys/pointer.pub").display().to_string();
    let recovery = ceremony.keys(&[&["revoke", &stolen][..], &HOME].concat());
    publish(&ceremony, &recovery);

    let shown = ceremony.keys(&[&["show", "--json"][..], &HOME].concat());
    let shown: serde_json::Value = serde_json::from_str(&shown).expect("JSON");
    let column = |name: &str| shown.as_array().into_iter().flatten().map(|root| root[name].clone()).collect::<Vec<_>>();
    assert_eq!(column("version"), [1, 2, 3, 4]);
    assert_eq!(column("epoch"), [1, 1, 1, 2]);
    assert_eq!(column("state"), ["signed"; 4]);

    assert_eq!(up.process.interrupt(), Some(0));
    world.configure("pointer: keys/pointer.key", "pointer: keys/pointer2.key");
    let up = world.up();
    let tip = world.commit("apps/web/settings.yaml", "greeting: two\n");
    up.published(&tip);
    assert_eq!(up.pointer("web", "eu-west")["epoch"], 2);
    let agent = world.agent("web-1", "eu-west", &up.url);
    agent.comes_to_read("web", "settings.yaml", "greeting: two\n");
}

/// Puts a pointer with the stable target of the one in force, signed with the key in `file`, a thousand generations ahead.
fn fast_forward(world: &World, file: &str) -> Generation {
    let key = SecretKey::from_file_text(&fs::read_to_string(world.home().join(file)).expect("a key file"));
    let key = key.expect("init makes keys without passwords");
    let place = world.store().join("v1/apps/web/regions/eu-west/pointer");
    let role = RoleKeys::new(1, vec![key.public().clone()]).expect("one key");
    let pointer = Verified::<Pointer>::open(bytes(&place).into(), &role, &Limits::DEFAULT).expect("the honest pointer");
    let ahead = Generation::new(pointer.generation.number() + 1000);
    let forged = Pointer { generation: ahead, prev: Some(pointer.payload_digest()), ..(*pointer).clone() };
    fs::write(place, Verified::seal(forged, &[&key]).bytes()).expect("the thief can write");
    ahead
}

#[test]
fn a17_a_stolen_pointer_key_is_recovered_from_by_a_new_epoch() {
    let world = World::new();
    let ceremony = Ceremony::new(&world, "ceremony");
    let mut up = world.up();
    let mut agent = world.agent("web-1", "eu-west", &up.url);
    world.commit("apps/web/settings.yaml", "greeting: one\n");
    agent.comes_to_read("web", "settings.yaml", "greeting: one\n");
    assert_eq!(agent.process.interrupt(), Some(0));
    assert_eq!(up.process.interrupt(), Some(0));

    let ahead = fast_forward(&world, "keys/pointer.key");
    let gateway = gateway(&world);
    let mut agent = world.agent("web-1", "eu-west", &gateway.url);
    eventually("the agent has taken the thief's generation", || {
        let status = gateway.status();
        let regions = status["regions"].as_array().into_iter().flatten();
        let answers = regions.flat_map(|region| region["agents"]["generations"].as_array().into_iter().flatten());
        answers.into_iter().any(|answer| answer["generation"] == ahead.number())
    });
    assert_eq!(agent.process.interrupt(), Some(0));
    drop(gateway);

    let fresh = new_pointer_key(&world, &ceremony, "pointer2");
    let stolen = world.home().join("keys/pointer.pub").display().to_string();
    let args = ["revoke", &stolen, "--add", &format!("pointer={fresh}")];
    let draft = ceremony.keys(&[&args[..], &HOME].concat());
    assert_eq!(ceremony.payload(&draft)["epoch"], 2, "because a pointer key was stolen");
    assemble(&ceremony, &draft, &[ceremony.keys(&["sign", &draft, "--key", &init_key(&world), "--yes"])]);
    world.configure("pointer: keys/pointer.key", "pointer: keys/pointer2.key");
    let up = world.up();
    let tip = world.commit("apps/web/settings.yaml", "greeting: two\n");
    up.published(&tip);
    let agent = world.agent("web-1", "eu-west", &up.url);
    agent.comes_to_read("web", "settings.yaml", "greeting: two\n");
    let pointer = up.pointer("web", "eu-west");
    assert_eq!(pointer["epoch"], 2);
    assert!(pointer["generation"].as_u64().is_some_and(|generation| generation < ahead.number()), "{pointer}");
    let audit = world.run(&["audit", "verify", "config"]);
    assert!(String::from_utf8_lossy(&audit.stdout).contains("\nsound: "), "{audit:?}");
}

/// A gateway on the world's store.
fn gateway(world: &World) -> Up {
    let root = world.home().join("trust/0000000001.root");
    let yaml = format!("name: gw\nlisten: 127.0.0.1:0\nstore: {}\nroot: {}\n", world.store().display(), root.display());
    fs::write(world.path("gateway.yaml"), yaml).expect("a small file");
    Up::start(world.driftless(&["gateway", "--config", "gateway.yaml"]))
}

#[test]
fn a_finished_root_can_be_made_the_publishers_own() {
    let world = World::new();
    let ceremony = Ceremony::new(&world, "ceremony");
    let draft = ceremony.keys(&[&["rotate", "--expires", "90d"][..], &HOME].concat());
    let signature = ceremony.keys(&["sign", &draft, "--key", &init_key(&world), "--yes"]);
    ceremony.keys(&[&["assemble", &draft, &signature, "--publish", "--install"][..], &HOME].concat());
    let yaml = fs::read_to_string(world.home().join("publisher.yaml")).expect("init wrote it");
    assert!(yaml.contains("\nroot: trust/0000000002.root\n"), "{yaml}");
    assert_eq!(
        bytes(&world.home().join("trust/0000000002.root")),
        bytes(&world.store().join("v1/trust/0000000002.root"))
    );
    let up = world.up();
    up.published(&world.tip());
    let agent = world.agent("web-1", "eu-west", &up.url);
    eventually("an agent with the first root follows", || agent.current("web").is_some());
    assert_ok(&curl(&["-fsS", &format!("{}/v1/trust/0000000001.root", up.url)]), "the root before is there, too");
}
