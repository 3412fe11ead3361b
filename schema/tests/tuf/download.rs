//! From a signed manifest to the bytes of a file.

use std::io::Read as _;

use schema::archive::{Kind, Reader, Summary, Writer};
use schema::encoding::{Decoder, compress};
use schema::manifest::{Encoding, Whole};
use schema::{Digest, EntryPath, Limits, Manifest, Succession, Verified};
use serde_json::json;

use crate::world::{Client, OddManifest, RELEASE, honest, manifest, offer, pointer, role, seal, with_field};

/// A bundle with one file in a directory, and the frame that it travels in.
fn bundle(content: &str) -> (Vec<u8>, Summary) {
    let path = |text: &str| EntryPath::parse(text.as_bytes(), &Limits::DEFAULT).expect("an ordinary path");
    let mut writer = Writer::new(Vec::new(), Limits::DEFAULT);
    writer.directory(path("conf.d")).expect("in order");
    let size = content.len() as u64;
    writer.file(path("conf.d/limits.yaml"), false, size, &mut content.as_bytes()).expect("in order");
    let (archive, summary) = writer.finish().expect("a whole archive");
    (compress(&archive).expect("memory"), summary)
}

/// A manifest that vouches for what [`bundle`] gives.
fn vouching(frame: &[u8], summary: Summary) -> Verified<Manifest> {
    let whole = Whole { size: frame.len() as u64, window_log: 23, sha256: Digest::of(frame) };
    let Summary { digest, size, entries } = summary;
    seal(Manifest { digest, size, entries, encodings: vec![Encoding::Whole(whole)], ..manifest("any") }, &[RELEASE])
}

/// Takes `frame` for what `manifest` vouches for, in the order that readers keep: size and hash, the frame, the archive.
fn download(manifest: &Manifest, frame: &[u8]) -> Result<Vec<(String, String)>, &'static str> {
    let whole = manifest.whole();
    if (frame.len() as u64, Digest::of(frame)) != (whole.size, whole.sha256) {
        return Err("hash");
    }
    let decoder = Decoder::new(frame, manifest.size, whole.window_log).map_err(|_| "frame")?;
    let limits = Limits { bundle_max_bytes: manifest.size, entries_max: manifest.entries, ..Limits::DEFAULT };
    let mut reader = Reader::new(decoder, limits);
    let mut files = Vec::new();
    while let Some(entry) = reader.next_entry().map_err(|_| "archive")? {
        let mut content = String::new();
        reader.content().read_to_string(&mut content).map_err(|_| "archive")?;
        if matches!(entry.kind, Kind::File { .. }) {
            files.push((entry.path.to_string(), content));
        }
    }
    let found = reader.finish().map_err(|_| "archive")?;
    if found.digest == manifest.digest { Ok(files) } else { Err("digest") }
}

/// The manifest that a client which was handed nothing but a root arrives at.
fn admitted(manifest: &Verified<Manifest>) -> Verified<Manifest> {
    Client::new().refresh(offer(&pointer(1, manifest), manifest)).expect("honest").manifest
}

#[test]
fn tuf_test_client_downloads_expected_file() {
    let (frame, summary) = bundle("rps: 10\n");
    let files = download(&admitted(&vouching(&frame, summary)), &frame).expect("the right bundle");
    assert_eq!(files.iter().map(|(_, content)| content.as_str()).collect::<Vec<_>>(), ["rps: 10\n"]);
}

#[test]
fn tuf_test_client_downloads_expected_file_in_sub_dir() {
    let (frame, summary) = bundle("rps: 10\n");
    let files = download(&admitted(&vouching(&frame, summary)), &frame).expect("the right bundle");
    assert_eq!(files[0].0, "conf.d/limits.yaml");
}

#[test]
fn tuf_test_repository_substitutes_target_file() {
    let ((frame, summary), (other, other_summary)) = (bundle("rps: 10\n"), bundle("rps: 99\n"));
    let manifest = admitted(&vouching(&frame, summary));
    assert_eq!(download(&manifest, &other), Err("hash"));
    // Signed for under a digest that is not what is in it: the release key alone cannot name it so.
    let lying = vouching(&other, Summary { digest: summary.digest, ..other_summary });
    assert_eq!(download(&admitted(&lying), &other), Err("digest"));
}

#[test]
fn tuf_test_multiple_changes_to_target() {
    let mut client = Client::new();
    let contents = ["rps: 10\n", "rps: 20\n", "rps: 30\n", "rps: 10\n"];
    for (generation, content) in (1..).zip(contents) {
        let (frame, summary) = bundle(content);
        let manifest = vouching(&frame, summary);
        let admitted = client.refresh(offer(&pointer(generation, &manifest), &manifest)).expect("honest");
        assert_eq!(admitted.succession, Succession::Newer);
        assert_eq!(download(&admitted.manifest, &frame).expect("the right bundle")[0].1, content);
    }
}

#[test]
fn tuf_test_download_with_unknown_hash_algorithm() {
    // A form that only a later version knows is passed over, and a bundle in nothing but such a form is refused.
    let open = |encodings: serde_json::Value| {
        let odd = seal(OddManifest(with_field(manifest("bundle"), "encodings", encodings)), &[RELEASE]);
        Verified::<Manifest>::open(odd.bytes().clone(), &role(1, &[RELEASE]), &Limits::DEFAULT)
    };
    let known = json!({ "kind": "zstd", "size": 10, "window_log": 23, "sha256": Digest::of(b"frame") });
    let unknown = json!({ "kind": "brotli", "size": 10, "blake3": "00" });
    let both = open(json!([unknown, known])).expect("one form that is known");
    assert_eq!(both.whole().sha256, Digest::of(b"frame"));
    assert!(open(json!([unknown])).is_err());
    assert!(open(json!([known, known])).is_err(), "which of two?");
}

#[test]
fn tuf_test_unusual_role_name() {
    // Names go into paths, so one that would have to be quoted is no name.
    for name in ["?", "#", "a?b", "a#b", "/edge-proxy", "../edge-proxy", "edge/proxy", "", "%2e%2e", "a b", "a\n"] {
        assert!(name.parse::<schema::App>().is_err(), "{name:?}");
        assert!(name.parse::<schema::Region>().is_err(), "{name:?}");
    }
    let odd = seal(OddManifest(with_field(manifest("bundle"), "app", json!("../edge-proxy"))), &[RELEASE]);
    let offered = schema::cycle::Offer { manifest: odd.bytes().clone(), ..honest(1) };
    Client::new().refuses(offered, 7);
}
