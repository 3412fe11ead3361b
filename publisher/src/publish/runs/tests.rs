use std::io::Read as _;

use proptest::prelude::*;
use schema::archive::Writer;
use schema::encoding::{Decoder, patch};
use schema::path::EntryPath;
use schema::{Digest, Limits};

use super::*;
use crate::compile::{Listed, Listing};

/// Something done to an app.
type Change<'c> = &'c dyn Fn(&mut Version);

/// Files by path, in one version of an app.
type Version = std::collections::BTreeMap<String, (Vec<u8>, bool)>;

struct Built {
    layout: Layout,
    archive: Vec<u8>,
    blobs: HashMap<BlobId, Vec<u8>>,
}

fn build(version: &Version) -> Built {
    let mut blobs = HashMap::new();
    let listing: Listing = version
        .iter()
        .map(|(path, (content, executable))| {
            let mut id = [0; 20];
            id.copy_from_slice(&hex::decode(Digest::of(content).to_string()).expect("hex")[..20]);
            blobs.insert(BlobId(id), content.clone());
            let path = EntryPath::parse(path.as_bytes(), &Limits::DEFAULT).expect("a path");
            (path, Listed { blob: BlobId(id), size: content.len() as u64, executable: *executable })
        })
        .collect();
    let layout = Layout::of(&listing);
    let mut writer = Writer::new(Vec::new(), Limits::DEFAULT);
    for span in layout.spans() {
        match span.file {
            None => writer.directory(span.path.clone()).expect("in order"),
            Some(file) => {
                let content = &blobs[&file.blob];
                writer.file(span.path.clone(), file.executable, file.size, &mut &content[..]).expect("in order");
            }
        }
    }
    let (archive, summary) = writer.finish().expect("a whole archive");
    assert_eq!((summary.size, summary.entries), (layout.size(), layout.spans().len() as u64));
    for span in layout.spans() {
        assert_eq!(span.head(), archive[span.at as usize..span.content_at as usize], "{}", span.path);
    }
    Built { layout, archive, blobs }
}

/// The size of the patch from one version to the other, which was seen to make the other.
fn patched(old: &Built, new: &Built) -> usize {
    let before = compared(&old.layout, &new.layout).into_iter().map(|blob| (blob, old.blobs[&blob].clone())).collect();
    let runs = runs(&old.layout, &new.layout, &new.archive, &before);
    let patch = patch(old.layout.size(), &new.archive, &runs.all);
    let mut made = Vec::new();
    let decoder = Decoder::against(&patch[..], &old.archive, new.layout.size(), 30);
    decoder.expect("a frame").read_to_end(&mut made).expect("it decodes");
    assert!(made == new.archive, "another archive came out");
    patch.len()
}

fn lines(from: u32, count: u32) -> Vec<u8> {
    (from..from + count)
        .flat_map(|line| format!("setting-{line}: {}\n", line.wrapping_mul(2_654_435_761)).into_bytes())
        .collect()
}

fn app(files: u32, lines_each: u32) -> Version {
    (0..files)
        .map(|at| (format!("conf.d/{:02}/{at:04}.yaml", at % 20), (lines(at * 1000, lines_each), false)))
        .collect()
}

#[test]
fn a_patch_is_as_small_as_the_change() {
    let version = app(400, 40);
    let old = build(&version);
    let path = |at: u32| format!("conf.d/{:02}/{at:04}.yaml", at % 20);
    let with = |change: Change<'_>| {
        let mut changed = version.clone();
        change(&mut changed);
        patched(&old, &build(&changed))
    };
    let line = |content: &[u8], with: &[u8]| [&content[..500], with, &content[520..]].concat();
    let edges = 9 * old.archive.len().div_ceil(128 << 10) + 64;
    let table: [(&str, usize, Change<'_>); 9] = [
        ("nothing", 0, &|_| {}),
        ("same length", 40, &|app| app.get_mut(&path(7)).expect("there").0[500..510].copy_from_slice(b"abcdefghij")),
        ("one line", 120, &|app| app.get_mut(&path(7)).expect("there").0 = line(&app[&path(7)].0.clone(), b"x: 1\n")),
        ("two places", 140, &|app| {
            let content = app.get_mut(&path(7)).expect("there");
            content.0[300] = b'#';
            content.0[900] = b'#';
        }),
        ("mode", 80, &|app| app.get_mut(&path(7)).expect("there").1 = true),
        ("renamed", 160, &|app| {
            let file = app.remove(&path(7)).expect("there");
            app.insert("conf.d/07/other.yaml".into(), file);
        }),
        ("removed", 40, &|app| drop(app.remove(&path(7)))),
        ("added", 180, &|app| drop(app.insert("conf.d/07/new.yaml".into(), (b"x: 1\n".to_vec(), false)))),
        ("first", 180, &|app| drop(app.insert("a".into(), (b"x: 1\n".to_vec(), false)))),
    ];
    for (what, most, change) in table {
        let size = with(change);
        assert!(size <= edges + most, "{what}: {size} bytes, {edges} of them edges");
    }
}

#[test]
fn everything_else_makes_a_patch_as_well() {
    let empty = build(&Version::from([("a".into(), (Vec::new(), false))]));
    let some = build(&app(3, 10));
    let directory = build(&Version::from([("a/b".into(), (lines(0, 9), true))]));
    let long = format!("{}/{}", "d".repeat(120), "e".repeat(90));
    let long = build(&Version::from([(long, (lines(3, 9), false))]));
    for old in [&empty, &some, &directory, &long] {
        for new in [&empty, &some, &directory, &long] {
            patched(old, new);
        }
    }
}

/// One edit of an app.
#[derive(Clone, Debug)]
enum Edit {
    Put(u8, Vec<u8>),
    Mode(u8),
    Remove(u8),
    Rename(u8, u8),
    Splice(u8, usize, usize, Vec<u8>),
}

fn edit() -> impl Strategy<Value = Edit> {
    let bytes = || prop::collection::vec(any::<u8>(), 0..600);
    prop_oneof![
        (0..12_u8, bytes()).prop_map(|(at, content)| Edit::Put(at, content)),
        (0..12_u8).prop_map(Edit::Mode),
        (0..12_u8).prop_map(Edit::Remove),
        (0..12_u8, 0..12_u8).prop_map(|(from, to)| Edit::Rename(from, to)),
        (0..12_u8, 0..4000_usize, 0..400_usize, prop::collection::vec(any::<u8>(), 0..80))
            .prop_map(|(at, from, cut, with)| Edit::Splice(at, from, cut, with)),
    ]
}

fn apply(app: &mut Version, edit: &Edit) {
    let path = |at: u8| format!("{}/{at}", ["a", "a-b", "a.d/deep"][usize::from(at % 3)]);
    match edit {
        Edit::Put(at, content) => drop(app.insert(path(*at), (content.clone(), false))),
        Edit::Mode(at) => {
            let file = app.entry(path(*at)).or_default();
            file.1 = !file.1;
        }
        Edit::Remove(at) => drop(app.remove(&path(*at))),
        Edit::Rename(from, to) => {
            if let Some(file) = app.remove(&path(*from)) {
                app.insert(path(*to), file);
            }
        }
        Edit::Splice(at, from, cut, with) => {
            let content = &mut app.entry(path(*at)).or_insert_with(|| (lines(u32::from(*at), 99), false)).0;
            let from = (*from).min(content.len());
            let to = (from + cut).min(content.len());
            content.splice(from..to, with.iter().copied());
        }
    }
}

proptest! {
    #[test]
    fn whatever_changes_the_patch_makes_the_new_archive(
        before in prop::collection::vec(edit(), 1..12),
        after in prop::collection::vec(edit(), 0..8),
    ) {
        let mut app = Version::new();
        before.iter().for_each(|edit| apply(&mut app, edit));
        let old = build(&app);
        after.iter().for_each(|edit| apply(&mut app, edit));
        patched(&old, &build(&app));
    }
}

#[test]
fn a_file_that_is_too_large_to_compare_keeps_none_that_comes_after_it_from_being_compared() {
    let blob = |number: u8| BlobId([number; 20]);
    let version = |first: u8| {
        let files = [("a", 40 << 20, first), ("b", 1000, first + 1), ("c", 1000, 9)];
        let listing: Listing = files
            .into_iter()
            .map(|(path, size, number)| {
                let path = EntryPath::parse(path.as_bytes(), &Limits::DEFAULT).expect("a path");
                (path, Listed { blob: blob(number), size, executable: false })
            })
            .collect();
        Layout::of(&listing)
    };
    assert_eq!(compared(&version(1), &version(3)), [blob(2)]);
}
