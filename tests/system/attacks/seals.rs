//! What can be done to signatures: take them off, take those of something else, or write them otherwise.

use std::fs;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use schema::ack::Step;
use schema::keys::SecretKey;
use schema::{Pointer, StorePath, Verified};

use super::answer::Answer;
use super::arena::{Arena, Refusal, start_agent};
use super::forge::{manifest_path, region};
use super::mangle::MANGLINGS;
use super::message::Kind;
use crate::world::{assert_ok, tool};

/// What a seal that does not hold is called, wherever it is.
const SEAL: &str = "its seal does not hold";

fn payload(file: &[u8]) -> &[u8] {
    file.split_inclusive(|byte| *byte == b'\n').next().expect("a line")
}

fn block(file: &[u8]) -> &[u8] {
    &file[payload(file).len()..]
}

/// Serves `file` wherever a pointer is asked for.
fn serve_as_pointer(arena: &Arena, file: Vec<u8>) {
    arena.proxy().turn_on(Kind::Pointer, move |_, _| Ok(Answer::ok(file.clone())));
}

/// Serves `file` wherever a manifest is asked for.
fn serve_as_manifest(arena: &Arena, file: Vec<u8>) {
    arena.proxy().turn_on(Kind::Manifest, move |_, _| Ok(Answer::ok(file.clone())));
}

/// Publishes honestly behind the back of an agent that is shown no pointer, so that there is something to be shown of it.
fn publish_unseen(arena: &mut Arena) {
    arena.proxy().turn_on(Kind::Pointer, |_, _| Ok(Answer::status(503)));
    arena.publish();
}

#[test]
fn a02_a_removed_or_borrowed_signature_is_refused_by_a_real_agent() {
    let mut arena = Arena::new();
    arena.forge.publish_in(&region("us-east"), "elsewhere: true\n");
    let elsewhere = StorePath::Pointer { app: super::forge::app(), region: region("us-east") };
    for way in ["absent", "empty", "another file's", "another region's", "a stranger's", "another role's"] {
        arena.attacked(way, Refusal::Pointer(SEAL), |arena| {
            let in_force = arena.forge.newest().bytes().clone();
            publish_unseen(arena);
            let pointer = arena.forge.newest();
            let signed = pointer.bytes();
            let with = |block: &[u8]| [payload(signed), block].concat();
            serve_as_pointer(
                arena,
                match way {
                    "absent" => with(b""),
                    "empty" => with(b"\n\n\n\n"),
                    "another file's" => with(block(&in_force)),
                    "another region's" => with(block(&arena.forge.object(&elsewhere))),
                    "a stranger's" => seal_again(&pointer, &SecretKey::generate()),
                    _ => seal_again(&pointer, &arena.forge.keys.release),
                },
            );
        });
        arena.attacked(way, Refusal::Generation(Step::Verify, SEAL), |arena| {
            let old = arena.forge.object(&manifest_path(arena.forge.newest().stable.digest));
            publish_unseen(arena);
            let path = manifest_path(arena.forge.newest().stable.digest);
            let signed = arena.forge.object(&path);
            let manifest: schema::Manifest = serde_json::from_slice(payload(&signed)).expect("as signed");
            let with = |block: &[u8]| [payload(&signed), block].concat();
            serve_as_manifest(
                arena,
                match way {
                    "absent" => with(b""),
                    "empty" => with(b"\n\n\n\n"),
                    "another file's" => with(block(&old)),
                    "another region's" => with(block(arena.forge.newest().bytes())),
                    "a stranger's" => Verified::seal(manifest, &[&SecretKey::generate()]).bytes().to_vec(),
                    _ => Verified::seal(manifest, &[&arena.forge.keys.pointer]).bytes().to_vec(),
                },
            );
        });
    }
}

fn seal_again(pointer: &Pointer, key: &SecretKey) -> Vec<u8> {
    Verified::seal(pointer.clone(), &[key]).bytes().to_vec()
}

#[test]
fn a02_without_a_root_that_is_signed_no_agent_starts() {
    let mut arena = Arena::new();
    let runs = arena.runs();
    arena.agent.kill();
    let file = arena.forge.root_path();
    let root = fs::read(&file).expect("it was published");
    let spoilt: [(&str, Vec<u8>); 4] = [
        ("empty", Vec::new()),
        ("unsigned", payload(&root).to_vec()),
        (
            "signed by somebody else",
            Verified::seal(arena.forge.root.clone(), &[&SecretKey::generate()]).bytes().to_vec(),
        ),
        ("a pointer", arena.forge.newest().bytes().to_vec()),
    ];
    // The root that was walked to before must not stand in for the one that was handed over.
    for (way, bytes) in spoilt {
        fs::write(&file, bytes).expect("a small file");
        let mut agent = start_agent(&arena.path(""));
        assert!(agent.ended().is_some_and(|code| code != 0), "{way}: the agent ran");
        assert!(agent.log().iter().any(|line| line.contains("is no trust root")), "{way}: {:?}", agent.log());
    }
    fs::remove_file(&file).expect("ours");
    let mut agent = start_agent(&arena.path(""));
    assert!(agent.ended().is_some_and(|code| code != 0), "without a root the agent ran");
    assert_eq!(arena.runs(), runs, "and nothing was removed");
    fs::write(&file, root).expect("a small file");
    arena.agent = start_agent(&arena.path(""));
    arena.recovers("with its root back");
}

#[test]
fn a10_no_document_passes_for_another_though_the_right_key_signed_it() {
    let mut arena = Arena::new();
    let words = "its type is";
    for other in ["manifest", "root"] {
        arena.attacked(other, Refusal::Pointer(words), |arena| {
            let file = document(arena, other, &arena.forge.keys.pointer);
            serve_as_pointer(arena, file);
        });
    }
    for other in ["pointer", "root"] {
        arena.attacked(other, Refusal::Generation(Step::Verify, words), |arena| {
            let file = document(arena, other, &arena.forge.keys.release);
            serve_as_manifest(arena, file);
            arena.publish();
        });
    }
    for other in ["pointer", "manifest"] {
        arena.attacked(other, Refusal::Root("2 is offered and refused"), |arena| {
            let file = document(arena, other, &arena.forge.keys.root);
            super::chains::offer_root(arena, file);
        });
    }
}

/// A document of one kind, signed by a key of whatever role.
fn document(arena: &Arena, kind: &str, key: &SecretKey) -> Vec<u8> {
    match kind {
        "pointer" => arena.forge.forged(key, |_| ()),
        "root" => Verified::seal(arena.forge.next_root(|_| ()), &[key]).bytes().to_vec(),
        _ => Verified::seal(arena.forge.bundle("type: confused\n", |_| ()).1, &[key]).bytes().to_vec(),
    }
}

#[test]
fn a24_twenty_other_spellings_of_a_signature_are_refused() {
    let mut arena = Arena::new();
    for (number, (way, mangle)) in MANGLINGS.into_iter().enumerate() {
        let mangled = move |file: &[u8]| mangle(str::from_utf8(file).expect("sealed files are text")).into_bytes();
        if number % 2 == 0 {
            arena.attacked(way, Refusal::Pointer(SEAL), |arena| {
                publish_unseen(arena);
                serve_as_pointer(arena, mangled(arena.forge.newest().bytes()));
            });
        } else {
            arena.attacked(way, Refusal::Generation(Step::Verify, SEAL), |arena| {
                publish_unseen(arena);
                let path = manifest_path(arena.forge.newest().stable.digest);
                serve_as_manifest(arena, mangled(&arena.forge.object(&path)));
            });
        }
    }
}

#[test]
fn a24_a_legacy_signature_by_the_stock_tool_is_refused_and_a_prehashed_one_taken() {
    let mut arena = Arena::new();
    arena.attacked("a legacy signature", Refusal::Pointer("its algorithm is not `ED`"), |arena| {
        publish_unseen(arena);
        let file = by_the_stock_tool(arena, &arena.forge.newest(), "-l");
        serve_as_pointer(arena, file);
    });
    publish_unseen(&mut arena);
    let file = by_the_stock_tool(&arena, &arena.forge.newest(), "-H");
    serve_as_pointer(&arena, file);
    arena.comes_to_run_newest("signed by the stock tool");
}

/// Seals `pointer` with the stock minisign, in the algorithm that `flag` asks for.
fn by_the_stock_tool(arena: &Arena, pointer: &Verified<Pointer>, flag: &str) -> Vec<u8> {
    let payload = payload(pointer.bytes());
    let comment = String::from_utf8_lossy(pointer.bytes()).lines().nth(3).expect("a trusted comment").to_owned();
    let comment = comment.trim_start_matches("trusted comment: ");
    stock_sign(arena, &arena.forge.keys.pointer, payload, comment, flag)
}

/// Signs `payload` with the stock minisign and gives the sealed file.
pub(super) fn stock_sign(arena: &Arena, key: &SecretKey, payload: &[u8], comment: &str, flag: &str) -> Vec<u8> {
    let (file, secret) = (arena.path("payload"), arena.path("thief.key"));
    fs::write(&file, payload).expect("a small file");
    fs::write(&secret, key.to_file_text()).expect("a small file");
    let text = |path: &std::path::Path| path.display().to_string();
    let args = ["-S", flag, "-s", &text(&secret), "-m", &text(&file), "-t", comment];
    let args: Vec<&str> = args.into_iter().filter(|arg| !arg.is_empty()).collect();
    assert_ok(&tool("minisign", &args, Some(b"\n")), "minisign -S");
    let block = fs::read_to_string(arena.path("payload.minisig")).expect("minisign wrote it");
    [payload, block.as_bytes()].concat()
}

#[test]
fn a25_a_stranger_with_the_key_id_of_a_trusted_key_is_refused() {
    let mut arena = Arena::new();
    arena.attacked("the same key id", Refusal::Pointer("signed by 0 of the role's keys"), |arena| {
        publish_unseen(arena);
        let honest = arena.forge.newest();
        let forged = seal_again(&honest, &SecretKey::generate());
        serve_as_pointer(arena, with_key_id_of(&forged, honest.bytes()));
    });
    arena.attacked("the same key id before the right signature", Refusal::Pointer("is malformed"), |arena| {
        publish_unseen(arena);
        let honest = arena.forge.newest();
        let forged = with_key_id_of(&seal_again(&honest, &SecretKey::generate()), honest.bytes());
        let broken = String::from_utf8_lossy(&forged).replace("==", "=");
        serve_as_pointer(arena, [broken.as_bytes(), block(honest.bytes())].concat());
    });
    // A signature of a stranger beside the right one takes nothing from it.
    publish_unseen(&mut arena);
    let honest = arena.forge.newest();
    let forged = with_key_id_of(&seal_again(&honest, &SecretKey::generate()), honest.bytes());
    serve_as_pointer(&arena, [&forged, block(honest.bytes())].concat());
    arena.comes_to_run_newest("signed by both");
}

/// `file` with the key id that `other` was signed under. No signature covers it.
fn with_key_id_of(file: &[u8], other: &[u8]) -> Vec<u8> {
    let lines = |file: &[u8]| String::from_utf8_lossy(file).lines().map(str::to_owned).collect::<Vec<_>>();
    let (mut mine, theirs) = (lines(file), lines(other));
    let decode = |line: &str| STANDARD.decode(line).expect("a signature is base64");
    let mut signature = decode(&mine[2]);
    signature[2..10].copy_from_slice(&decode(&theirs[2])[2..10]);
    mine[2] = STANDARD.encode(signature);
    format!("{}\n", mine.join("\n")).into_bytes()
}

/// `file` with another key id in its last signature, whose point stays the same.
pub(super) fn with_other_key_id(file: &[u8]) -> Vec<u8> {
    let mut lines: Vec<String> = String::from_utf8_lossy(file).lines().map(str::to_owned).collect();
    let last = lines.len() - 3;
    let mut signature = STANDARD.decode(&lines[last]).expect("a signature is base64");
    signature[2] ^= 0xff;
    lines[last] = STANDARD.encode(signature);
    format!("{}\n", lines.join("\n")).into_bytes()
}

#[test]
fn a26_a_bad_copy_never_decides_about_a_good_one_nor_a_good_one_about_a_bad() {
    let mut arena = Arena::new();
    for kind in [Kind::Pointer, Kind::Manifest, Kind::Bundle] {
        let refusal = match kind {
            Kind::Pointer => Refusal::Pointer(SEAL),
            Kind::Manifest => Refusal::Generation(Step::Verify, SEAL),
            _ => Refusal::Generation(Step::Fetch, "sends bytes of sha256"),
        };
        // Bad, and then good under the very same name, by the same mirror and without another publication.
        let heard = arena.heard();
        let runs = arena.runs();
        arena.proxy().turn_on(kind, |_, honest| Ok(honest.now()?.flipped(60)));
        arena.publish();
        arena.refuses("bad first", refusal, &heard);
        assert_eq!(arena.runs(), runs);
        arena.proxy().turn_honest();
        arena.comes_to_run_newest("then good");
        // Good before, and bad now.
        arena.attacked("bad again", refusal, |arena| {
            arena.proxy().turn_on(kind, |_, honest| Ok(honest.now()?.flipped(61)));
            arena.publish();
        });
    }
    let resigned = arena.forge.resign();
    arena.attacked("a bad copy of the pointer in force", Refusal::Pointer(SEAL), |arena| {
        serve_as_pointer(arena, seal_again(&resigned, &SecretKey::generate()));
    });
}
