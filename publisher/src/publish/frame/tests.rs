use std::collections::HashSet;

use schema::{Limits, TreeId};

use super::*;
use crate::bench::app;
use crate::compile::{Compilation, GitObjects, compile, compile_after};
use crate::fixture::Repo;

const DOCUMENT: &str = "regions: { eu: {} }\napps: { web: { path: web } }\n";

/// Some 3 MB in 300 files, one of which says `version`.
fn tree(repo: &Repo, version: &str) -> TreeId {
    let line = |file: u32, at: u32| format!("setting-{file}-{at}: {}\n", (file * 977 + at).wrapping_mul(2_654_435_761));
    let files = (0..300).map(|file| {
        let content: String = (0..400).map(|at| line(file, at)).collect();
        let content = if file == 150 { format!("{content}version: {version}\n") } else { content };
        (format!("web/{}/{file:03}", file / 30), content)
    });
    let files: Vec<(String, String)> = files.chain([("driftless.yaml".to_owned(), DOCUMENT.to_owned())]).collect();
    let files: Vec<(&str, &str)> = files.iter().map(|(path, content)| (path.as_str(), content.as_str())).collect();
    repo.tree(&files)
}

fn bundle(compilation: &Compilation) -> &CompiledBundle {
    &compilation.bundles[&(app(), "eu".parse().expect("a region"))]
}

#[test]
fn a_frame_of_pieces_is_the_same_whatever_was_known_and_holds_the_archive() {
    let repo = Repo::new();
    let objects = GitObjects::of(&repo.git).expect("an object database");
    let first = compile(&objects, &tree(&repo, "1"), &Limits::DEFAULT).expect("it compiles");
    let second = compile_after(&first, &objects, &tree(&repo, "2"), &Limits::DEFAULT).expect("it compiles");
    let before = frame(bundle(&first), &[]).expect("there is memory");
    let joined = Arc::new(before.joined.expect("it is long enough"));
    let after = frame(bundle(&second), &[Arc::clone(&joined)]).expect("there is memory");
    let again = after.joined.expect("it is long enough");
    assert!(again.pieces.len() > 3, "{}", again.pieces.len());
    let known: HashSet<Digest> = joined.pieces.iter().map(|(name, _)| *name).collect();
    let new = again.pieces.iter().filter(|(name, _)| !known.contains(name)).count();
    assert!((1..=2).contains(&new), "{new} stretches for one line");
    assert!(same(&joined, &again.head, &again.pieces) > 0);
    assert!(after.bytes == frame(bundle(&second), &[]).expect("there is memory").bytes);
    assert!(bundle(&second) == bundle(&compile(&objects, &tree(&repo, "2"), &Limits::DEFAULT).expect("it compiles")));
    for (bytes, sha256, compilation) in [(before.bytes, before.sha256, first), (after.bytes, after.sha256, second)] {
        assert_eq!(sha256, Digest::of(&bytes));
        let archive = zstd::stream::decode_all(&bytes[..]).expect("a frame");
        assert!(archive == bundle(&compilation).archive);
        assert_eq!(bundle(&compilation).summary.digest, Digest::of(&archive));
    }
}

#[test]
fn a_small_bundle_is_compressed_at_once() {
    let repo = Repo::new();
    let objects = GitObjects::of(&repo.git).expect("an object database");
    let tree = repo.tree(&[("driftless.yaml", DOCUMENT), ("web/a", "1")]);
    let compilation = compile(&objects, &tree, &Limits::DEFAULT).expect("it compiles");
    let frame = frame(bundle(&compilation), &[]).expect("there is memory");
    assert!(frame.joined.is_none());
    assert_eq!(frame.bytes, compress(&bundle(&compilation).archive).expect("there is memory"));
}
