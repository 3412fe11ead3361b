//! Sees whatever is written on a host, and what runs there.
//!
//! In: the host's folder. Out: a [`Witness`] that compares now with then. Names what it allows: an agent's stage and its own records.

use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::mpsc;

use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher as _};
use schema::Digest;

/// What an agent writes beside its stage, whatever it is offered: its journal, the roots it walked to, and the like. Plain
/// files of these names, directly in the state folder or the folder of one app.
const OWN_RECORDS: [&str; 9] = [
    "journal",
    "journal.next",
    "root",
    "root.next",
    "lock",
    "identity.key",
    "scrub",
    "metrics.prom",
    "metrics.prom.next",
];

/// One look at a host, and a watch over it since.
pub(crate) struct Witness {
    host: PathBuf,
    current: PathBuf,
    tree: String,
    events: mpsc::Receiver<notify::Result<Event>>,
    _watcher: RecommendedWatcher,
}

impl Witness {
    /// Begins to watch everything below `host`, where `current` is what runs.
    pub(crate) fn of(host: &Path, current: &Path) -> Witness {
        let (tx, events) = mpsc::channel();
        let mut watcher = notify::recommended_watcher(tx).expect("inotify");
        watcher.watch(host, RecursiveMode::Recursive).expect("our own folder");
        Witness {
            host: host.to_owned(),
            current: current.to_owned(),
            tree: describe(current),
            events,
            _watcher: watcher,
        }
    }

    /// Asserts that the tree below `current` is, inode by inode and byte by byte, what it was.
    pub(crate) fn assert_tree_unchanged(&self, what: &str) {
        assert_eq!(describe(&self.current), self.tree, "{what}: what runs has changed");
    }

    /// Asserts that nothing was written but in the stage, and in the agent's own records.
    pub(crate) fn assert_only_stage_written(&self, what: &str) {
        let writes =
            self.events.try_iter().filter_map(Result::ok).filter(|event| !matches!(event.kind, EventKind::Access(_)));
        let elsewhere: Vec<(EventKind, PathBuf)> = writes
            .flat_map(|event| event.paths.into_iter().map(move |path| (event.kind, path)))
            .filter(|(_, path)| !is_allowed(path.strip_prefix(&self.host).expect("it is what is watched")))
            .collect();
        assert!(elsewhere.is_empty(), "{what}: written outside the stage: {elsewhere:?}");
    }
}

/// Whether an agent may write here while it refuses something. `path` is relative to the host: `state/...`.
fn is_allowed(path: &Path) -> bool {
    let parts: Vec<&str> = path.iter().map(|part| part.to_str().unwrap_or_default()).collect();
    match parts.as_slice() {
        ["state", "apps", _, "stage", ..] => true,
        ["state", name] | ["state", "apps", _, name] => OWN_RECORDS.contains(name),
        _ => false,
    }
}

/// A tree in words: the link, and of each entry its path, inode, mode and content.
fn describe(current: &Path) -> String {
    let mut text = format!("-> {:?}\n", fs::read_link(current).ok());
    describe_into(&mut text, current, 0);
    text
}

fn describe_into(text: &mut String, path: &Path, depth: usize) {
    let Ok(metadata) = fs::metadata(path) else { return };
    let (inode, mode) = (metadata.ino(), metadata.mode());
    let name = if depth == 0 { Path::new("current").as_os_str() } else { path.file_name().unwrap_or_default() };
    let content =
        if metadata.is_file() { Digest::of(&fs::read(path).unwrap_or_default()).to_string() } else { String::new() };
    writeln!(text, "{depth} {name:?} {inode} {mode:o} {content}").expect("memory");
    if metadata.is_dir() {
        let mut below: Vec<PathBuf> =
            fs::read_dir(path).expect("a folder").flatten().map(|entry| entry.path()).collect();
        below.sort();
        below.iter().for_each(|path| describe_into(text, path, depth + 1));
    }
}

#[test]
fn the_witness_tells_the_stage_from_everything_else() {
    for allowed in ["state/apps/web/stage/bundle", "state/apps/web/stage", "state/apps/web/journal", "state/root.next"]
    {
        assert!(is_allowed(Path::new(allowed)), "{allowed}");
    }
    for refused in
        ["state/apps/web/current", "state/apps/web/versions/x", "escaped", "state/apps/web/x/journal", "tmp/x"]
    {
        assert!(!is_allowed(Path::new(refused)), "{refused}");
    }
    let host = tempfile::tempdir().expect("a temporary folder");
    let witness = Witness::of(host.path(), &host.path().join("current"));
    fs::write(host.path().join("escaped"), "out").expect("a small file");
    let told = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        crate::world::eventually("the witness has seen it", || {
            witness.assert_only_stage_written("one file beside the state");
            false
        });
    }));
    assert!(told.is_err(), "a file outside was not seen");
}
