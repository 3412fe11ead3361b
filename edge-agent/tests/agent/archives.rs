//! Bundles that are signed by the right key and made to do harm: what a stolen release key can send.

use std::collections::BTreeSet;
use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use bytes::Bytes;
use notify::{Event, EventKind, RecursiveMode, Watcher as _};
use schema::ack::Step;
use schema::archive::{Writer, hostile};
use schema::encoding::compress;
use schema::manifest::{Encoding, Manifest, Whole};
use schema::pointer::Target;
use schema::{Ack, Digest, EntryPath, Generation, Limits, Outcome, StorePath, Verified};
use tokio::sync::watch;
use tokio::time::timeout;

use crate::world::{Agent, World, app};

const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;

/// What an archive says about itself, and the frame that it travels in.
struct Parcel {
    digest: Digest,
    size: u64,
    entries: u64,
    frame: Vec<u8>,
}

impl Parcel {
    /// `archive`, all about it signed as it is, as far as `limits` allow to sign it.
    fn of(archive: &[u8], limits: Limits) -> Parcel {
        let frame = frame_of(|out| out.write_all(archive));
        let size = (archive.len() as u64).min(limits.bundle_max_bytes);
        Parcel { digest: Digest::of(archive), size, entries: limits.entries_max, frame }
    }

    /// Puts it into the store, with a manifest by the right key.
    fn release(self, world: &World) -> Target {
        let sha256 = Digest::of(&self.frame);
        let manifest = Manifest {
            app: app(),
            digest: self.digest,
            size: self.size,
            entries: self.entries,
            release_seq: 7,
            commit: "5b1e5b1e5b1e5b1e5b1e5b1e5b1e5b1e5b1e5b1e".parse().expect("an id"),
            tree: "77aa77aa77aa77aa77aa77aa77aa77aa77aa77aa".parse().expect("an id"),
            compiler: 1,
            encodings: vec![Encoding::Whole(Whole { size: self.frame.len() as u64, window_log: 23, sha256 })],
        };
        let sealed = Verified::seal(manifest, &[&world.keys.release]);
        world.put(&StorePath::Bundle { app: app(), digest: self.digest }, Bytes::from(self.frame));
        world.put(&StorePath::Manifest { app: app(), digest: self.digest }, sealed.bytes().clone());
        Target { digest: self.digest, manifest: sealed.payload_digest() }
    }
}

/// What was touched in a folder and all below it.
#[derive(Clone, Debug, Default)]
struct Touched {
    /// Everything that was made, written, renamed or linked, at any time.
    paths: BTreeSet<PathBuf>,
    /// The longest that a file ever was when it was seen to grow, in bytes.
    longest: u64,
}

/// Watches a folder from outside of the agent.
struct Guard {
    folder: PathBuf,
    touched: Arc<watch::Sender<Touched>>,
    canaries: AtomicU32,
    _watcher: notify::RecommendedWatcher,
}

impl Guard {
    fn over(folder: &Path) -> Guard {
        let touched = Arc::new(watch::Sender::new(Touched::default()));
        let (notes, inside) = (Arc::clone(&touched), folder.to_owned());
        let mut watcher = notify::recommended_watcher(move |event: notify::Result<Event>| {
            let event = event.expect("no event is lost");
            if matches!(event.kind, EventKind::Create(_) | EventKind::Modify(_)) {
                // How long other people's files in `/tmp` are is none of ours.
                let paths = event.paths.iter().filter(|path| path.starts_with(&inside));
                let lengths = paths.filter_map(|path| Some(fs::symlink_metadata(path).ok()?.len()));
                let longest = lengths.max().unwrap_or_default();
                notes.send_modify(|touched| {
                    touched.longest = touched.longest.max(longest);
                    touched.paths.extend(event.paths);
                });
            }
        })
        .expect("inotify");
        watcher.watch(folder, RecursiveMode::Recursive).expect("a folder");
        // Where absolute names lead.
        watcher.watch(Path::new("/tmp"), RecursiveMode::NonRecursive).expect("a folder");
        Guard { folder: folder.to_owned(), touched, canaries: AtomicU32::new(0), _watcher: watcher }
    }

    /// Everything until now: a canary is put into the folder, and what came before it has come.
    async fn touched(&self) -> Touched {
        let canary = self.folder.join(format!("canary-{}", self.canaries.fetch_add(1, Ordering::Relaxed)));
        let mut changes = self.touched.subscribe();
        fs::write(&canary, b"tweet").expect("a small file");
        let seen = timeout(Duration::from_secs(60), changes.wait_for(|touched| touched.paths.contains(&canary))).await;
        let mut touched = seen.expect("the canary within a minute").expect("the watcher runs").clone();
        touched
            .paths
            .retain(|path| !path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("canary-")));
        touched
    }
}

impl Guard {
    /// How many paths were touched in the folder itself.
    async fn inside(&self) -> usize {
        self.touched().await.paths.iter().filter(|path| path.starts_with(&self.folder)).count()
    }
}

/// An agent that runs one generation, and a watcher over its whole world.
async fn guarded() -> (World, Agent, Digest, Guard) {
    let mut world = World::new().await;
    let old = world.publish(&[("limits.yaml", "rps: 10\n")]);
    let mut agent = world.start();
    agent.applied(1).await;
    world.settled().await;
    let guard = Guard::over(world.folder.path());
    (world, agent, old, guard)
}

/// Points to `target` as `generation`, and gives what the agent says of it, which must be that it could not be unpacked.
async fn refused(world: &mut World, agent: &mut Agent, target: Target, generation: u64) -> Ack {
    world.point(&app(), |pointer| pointer.stable = target);
    let ack = agent.ack().await;
    assert_eq!((ack.outcome, ack.step), (Outcome::Refused, Some(Step::Stage)), "{ack:?}");
    assert_eq!(ack.generation, Generation::new(generation), "{ack:?}");
    ack
}

/// Whether the agent may touch this: its stage, and the files in which it keeps its own records.
fn is_its_own(world: &World, path: &Path) -> bool {
    let (state, app) = (&world.config.state, world.app_folder().path().to_owned());
    let metrics = ["metrics.prom", "metrics.prom.next"].map(|name| state.join(name));
    path.starts_with(app.join("stage"))
        || path == app
        || path.starts_with(app.join("journal"))
        || metrics.iter().any(|own| path == own)
}

#[tokio::test]
async fn a42_no_hostile_archive_writes_outside_the_stage() {
    let (mut world, mut agent, old, guard) = guarded().await;
    let corpus = hostile::corpus();
    assert!(corpus.len() >= 40);
    let mut generation = 1;
    for hostile in corpus {
        generation += 1;
        let target = Parcel::of(&hostile.bytes, hostile::LIMITS).release(&world);
        let ack = refused(&mut world, &mut agent, target, generation).await;
        let reason = ack.reason.unwrap_or_default();
        assert!(reason.contains("the bundle cannot be unpacked"), "{}: {reason}", hostile.name);
        assert_eq!(ack.active.map(|active| active.digest), Some(old), "{}", hostile.name);
    }
    let touched = guard.touched().await;
    let in_stage = touched.paths.iter().filter(|path| path.starts_with(world.app_folder().path().join("stage")));
    assert!(in_stage.count() > 40, "the watcher sees what the agent does");
    let strays: Vec<&PathBuf> = touched.paths.iter().filter(|path| is_stray(&world, path)).collect();
    assert_eq!(strays, Vec::<&PathBuf>::new(), "written outside the stage");
    assert_eq!(fs::read_dir(world.app_folder().path().join("stage")).expect("a folder").count(), 0);
    world.assert_runs(old);
    world.publish(&[("limits.yaml", "rps: 20\n")]);
    agent.applied(generation + 1).await;
    agent.stop().await;
}

/// Whether this was touched by what came in a bundle. `/tmp` is everybody's, so there only the name counts that archives use.
fn is_stray(world: &World, path: &Path) -> bool {
    if path.starts_with(world.folder.path()) {
        !is_its_own(world, path)
    } else {
        path.file_name().is_some_and(|name| name.to_string_lossy().contains("driftless-hostile"))
    }
}

/// Compresses what is written to it as one frame that does not say its size.
fn frame_of(write: impl FnOnce(&mut dyn io::Write) -> io::Result<()>) -> Vec<u8> {
    let mut zstd = zstd::Encoder::new(Vec::new(), 3).expect("memory");
    write(&mut zstd).expect("memory");
    zstd.finish().expect("memory")
}

/// The header of an empty file `f0000000`.
fn header() -> [u8; 512] {
    let mut writer = Writer::new(Vec::new(), Limits::DEFAULT);
    let path = EntryPath::parse(b"f0000000", &Limits::DEFAULT).expect("an ordinary path");
    writer.file(path, false, 0, &mut io::empty()).expect("the first entry");
    let (archive, _) = writer.finish().expect("a whole archive");
    archive[..512].try_into().expect("a block")
}

/// Writes `bytes` at `at`, and mends the checksum for that.
fn patch(header: &mut [u8; 512], at: usize, bytes: &[u8]) {
    header[at..at + bytes.len()].copy_from_slice(bytes);
    header[148..156].fill(b' ');
    let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
    header[148..155].copy_from_slice(format!("{sum:06o}\0").as_bytes());
}

/// A file that says it is of `says` bytes, and so many zeros behind its header.
fn zeros(says: u64, zeros: u64) -> Vec<u8> {
    let mut header = header();
    patch(&mut header, 124, format!("{says:011o}").as_bytes());
    frame_of(|out| {
        out.write_all(&header)?;
        let chunk = vec![0; MIB as usize];
        (0..zeros / MIB).try_for_each(|_| out.write_all(&chunk))
    })
}

/// A million empty files.
fn files() -> Vec<u8> {
    let mut header = header();
    let zero = u32::from_str_radix(&String::from_utf8_lossy(&header[148..154]), 8).expect("a checksum");
    frame_of(|out| {
        let mut tar = io::BufWriter::with_capacity(MIB as usize, out);
        for number in 0..1_000_000 {
            header[..8].copy_from_slice(format!("f{number:07}").as_bytes());
            // Of all that is summed up only these digits change.
            let digits: u32 = header[1..8].iter().map(|digit| u32::from(digit - b'0')).sum();
            header[148..154].copy_from_slice(format!("{:06o}", zero + digits).as_bytes());
            tar.write_all(&header)?;
        }
        tar.write_all(&[0; 1024])?;
        tar.flush()
    })
}

/// 32,796 bytes that ask for a window of 2 GiB.
fn window() -> Vec<u8> {
    // One frame: no size, exponent 31, and one raw block that is not the last one.
    let start = [0x28, 0xb5, 0x2f, 0xfd, 0, 21 << 3];
    let length: u32 = 32_796 - 9;
    let block = (length << 3).to_le_bytes();
    [&start[..], &block[..3], &vec![b'x'; length as usize]].concat()
}

fn skippable() -> Vec<u8> {
    [&[0x50, 0x2a, 0x4d, 0x18, 4, 0, 0, 0], &b"evil"[..]].concat()
}

/// Resident memory of this process: what it is, and the most since that was last asked.
fn resident(line: &str) -> u64 {
    let status = fs::read_to_string("/proc/self/status").expect("Linux");
    let kilobytes = status.lines().find_map(|text| text.strip_prefix(line)?.split_ascii_whitespace().next());
    kilobytes.expect("a number of kB").parse::<u64>().expect("a number") * 1024
}

#[tokio::test]
async fn a43_no_bomb_takes_more_bytes_inodes_or_memory_than_was_signed_for() {
    let (mut world, mut agent, old, guard) = guarded().await;
    let honest = compress(&crate::world::pack(&[("limits.yaml", "rps: 20\n")]).0).expect("memory");
    let (silent, many) = (zeros(MIB / 2, 4 * GIB), files());
    assert!(silent.len() < 150_000 && many.len() < 4_000_000, "{} and {} bytes", silent.len(), many.len());
    let bombs = [
        ("4 GiB of zeros in a file of 512 KiB", silent, MIB, 10),
        ("4 GiB of zeros in a file of 4 GiB", zeros(4 * GIB, 64 * MIB), MIB, 10),
        ("a million files", many, 512 * MIB, 500),
        ("a window of 2 GiB", window(), MIB, 10),
        ("one frame after another", honest.repeat(2), 2048, 10),
        ("a frame to skip, then one", [skippable(), honest.clone()].concat(), 2048, 10),
        ("a frame, then one to skip", [honest, skippable()].concat(), 2048, 10),
    ];
    // From here on the most that is resident is counted anew.
    fs::write("/proc/self/clear_refs", "5").expect("our own process");
    let before = resident("VmRSS:");
    for (generation, (name, frame, size, entries)) in (2..).zip(bombs) {
        let touched = guard.inside().await;
        let target = Parcel { digest: Digest::of(name.as_bytes()), size, entries, frame }.release(&world);
        refused(&mut world, &mut agent, target, generation).await;
        let made = guard.inside().await - touched;
        // The frame, the tree, its entries, and a record.
        assert!(made as u64 <= entries + 4, "{name}: {made} inodes for {entries} entries");
        world.assert_runs(old);
    }
    let touched = guard.touched().await;
    // The frame of the million files is the longest that there is to download.
    assert!(touched.longest < 4 * MIB, "a file of {} bytes", touched.longest);
    let grown = resident("VmHWM:").saturating_sub(before);
    assert!(grown < 128 * MIB, "{grown} bytes more were resident");
    assert_eq!(fs::read_dir(world.app_folder().path().join("stage")).expect("a folder").count(), 0);
    agent.stop().await;
}
