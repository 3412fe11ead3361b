//! A publisher's keys, a store, a server, and a host for an agent.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use edge_agent::{AgentError, AppConfig, AppFolder, AppStatus, Config, Finding};
use schema::archive::{Writer, directories_of};
use schema::encoding::compress;
use schema::keys::{RoleKeys, SecretKey};
use schema::manifest::{Encoding, Manifest, Whole};
use schema::pointer::Target;
use schema::time::Length;
use schema::{
    Ack, App, Digest, EntryPath, Epoch, Generation, Limits, Order, Outcome, Pointer, Region, Serial, StorePath,
    Timestamp, TrustRoot, Verified,
};
use tempfile::TempDir;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::server::Server;

pub(crate) const DAY: Duration = Duration::from_secs(86_400);

/// Who may sign what.
pub(crate) struct Keys {
    pub(crate) root: SecretKey,
    pub(crate) release: SecretKey,
    pub(crate) pointer: SecretKey,
}

/// A store with a publisher, and a host.
pub(crate) struct World {
    pub(crate) server: Server,
    pub(crate) keys: Keys,
    pub(crate) root: TrustRoot,
    pub(crate) folder: TempDir,
    /// The last pointer that was published, by app.
    pub(crate) pointers: BTreeMap<App, Verified<Pointer>>,
    pub(crate) config: Config,
}

pub(crate) fn app() -> App {
    "edge-proxy".parse().expect("a name")
}

pub(crate) fn region() -> Region {
    "eu-west".parse().expect("a name")
}

pub(crate) fn now() -> Timestamp {
    SystemTime::now().into()
}

pub(crate) fn role(key: &SecretKey) -> RoleKeys {
    RoleKeys::new(1, vec![key.public().clone()]).expect("one of one")
}

/// A bundle's archive: `files` and the directories above them. A name that ends with `*` is a program's.
pub(crate) fn pack(files: &[(&str, &str)]) -> (Vec<u8>, schema::archive::Summary) {
    let path = |text: &str| EntryPath::parse(text.as_bytes(), &Limits::DEFAULT).expect("an ordinary path");
    let files: BTreeMap<EntryPath, (bool, &str)> = files
        .iter()
        .map(|(name, content)| (path(name.trim_end_matches('*')), (name.ends_with('*'), *content)))
        .collect();
    let directories = directories_of(files.keys());
    let mut paths: Vec<&EntryPath> = files.keys().chain(&directories).collect();
    paths.sort();
    let mut writer = Writer::new(Vec::new(), Limits::DEFAULT);
    for path in paths {
        match files.get(path) {
            Some((executable, content)) => {
                writer.file(path.clone(), *executable, content.len() as u64, &mut content.as_bytes())
            }
            None => writer.directory(path.clone()),
        }
        .expect("entries in order");
    }
    writer.finish().expect("a whole archive")
}

impl World {
    pub(crate) async fn new() -> World {
        World::with_root(|_| ()).await
    }

    pub(crate) async fn with_root(change: impl FnOnce(&mut TrustRoot)) -> World {
        let keys = Keys { root: SecretKey::generate(), release: SecretKey::generate(), pointer: SecretKey::generate() };
        let mut root = TrustRoot {
            version: 1,
            epoch: Epoch::FIRST,
            issued: Timestamp::UNIX_EPOCH,
            expires: now().after(365 * DAY),
            release_floor: 0,
            revoked: Vec::new(),
            root: role(&keys.root),
            release: role(&keys.release),
            pointer: role(&keys.pointer),
            pointer_of_region: BTreeMap::new(),
        };
        change(&mut root);
        let folder = tempfile::tempdir().expect("a temporary folder");
        let server = Server::start().await;
        let config = Config {
            id: "web-0173".parse().expect("a name"),
            region: region(),
            labels: BTreeMap::new(),
            root: folder.path().join("1.root"),
            state: folder.path().join("state"),
            from: vec![server.url().parse().expect("a base URL")],
            credentials: follower::Credentials::default(),
            wait: Length(Duration::from_secs(55)),
            poll: Length(Duration::from_millis(50)),
            heartbeat: Length(DAY),
            keep: 3,
            scrub_every: Length(DAY),
            metrics: None,
            apps: BTreeMap::from([(app(), AppConfig::default())]),
        };
        let sealed = Verified::seal(root.clone(), &[&keys.root]);
        fs::write(&config.root, sealed.bytes()).expect("a small file");
        World { server, keys, root, folder, pointers: BTreeMap::new(), config }
    }

    /// Publishes `files` as the next generation, and gives the bundle's digest.
    pub(crate) fn publish(&mut self, files: &[(&str, &str)]) -> Digest {
        let target = self.release(&app(), files);
        self.point(&app(), |pointer| pointer.stable = target);
        target.digest
    }

    /// Puts a bundle and its manifest into the store, unless they are there.
    pub(crate) fn release(&mut self, app: &App, files: &[(&str, &str)]) -> Target {
        let (archive, summary) = pack(files);
        let frame = Bytes::from(compress(&archive).expect("memory"));
        let whole = Whole { size: frame.len() as u64, window_log: 23, sha256: Digest::of(&frame) };
        let manifest = Manifest {
            app: app.clone(),
            digest: summary.digest,
            size: summary.size,
            entries: summary.entries,
            release_seq: 7,
            commit: "5b1e5b1e5b1e5b1e5b1e5b1e5b1e5b1e5b1e5b1e".parse().expect("an id"),
            tree: "77aa77aa77aa77aa77aa77aa77aa77aa77aa77aa".parse().expect("an id"),
            compiler: 1,
            encodings: vec![Encoding::Whole(whole)],
        };
        let sealed = Verified::seal(manifest, &[&self.keys.release]);
        let digest = summary.digest;
        self.put(&StorePath::Bundle { app: app.clone(), digest }, frame);
        self.put(&StorePath::Manifest { app: app.clone(), digest }, sealed.bytes().clone());
        Target { digest, manifest: sealed.payload_digest() }
    }

    /// Signs and publishes the next generation of `app`'s pointer.
    pub(crate) fn point(&mut self, app: &App, change: impl FnOnce(&mut Pointer)) -> Verified<Pointer> {
        let pointer = self.next_pointer(app, change);
        let sealed = Verified::seal(pointer, &[&self.keys.pointer]);
        self.serve_pointer(app, sealed.bytes().clone());
        self.pointers.insert(app.clone(), sealed.clone());
        sealed
    }

    /// The next generation of `app`'s pointer.
    pub(crate) fn next_pointer(&self, app: &App, change: impl FnOnce(&mut Pointer)) -> Pointer {
        let before = self.pointers.get(app);
        let nothing = Digest::of(b"nothing");
        let order = before.map_or(Order::FIRST, |before| before.order().next_generation().expect("few generations"));
        let mut pointer = Pointer {
            app: app.clone(),
            region: region(),
            epoch: self.root.epoch,
            generation: order.generation,
            serial: order.serial,
            issued: now(),
            expires: now().after(DAY),
            prev: before.map(Verified::payload_digest),
            trace: None,
            commit: "5b1e5b1e5b1e5b1e5b1e5b1e5b1e5b1e5b1e5b1e".parse().expect("an id"),
            stable: before.map_or(Target { digest: nothing, manifest: nothing }, |before| before.stable),
            candidate: None,
            quarantine: Vec::new(),
            freeze: false,
            withdrawn: Vec::new(),
            cause: None,
        };
        change(&mut pointer);
        pointer
    }

    /// Signs the last generation afresh.
    pub(crate) fn resign(&mut self, change: impl FnOnce(&mut Pointer)) {
        let before = self.pointers[&app()].clone();
        self.point(&app(), |pointer| {
            pointer.generation = before.generation;
            pointer.serial = Serial::new(before.serial.number() + 1);
            change(pointer);
        });
    }

    /// Signs and publishes the next trust root, which is in force for what is published from then on.
    pub(crate) fn rotate(&mut self, change: impl FnOnce(&mut TrustRoot)) {
        let before = self.root.clone();
        self.root.version += 1;
        change(&mut self.root);
        let old = &self.keys.root;
        self.put_root(self.root.version, &self.root, &[old]);
        assert_eq!(before.root, self.root.root, "other root keys are the test's own business");
    }

    pub(crate) fn put_root(&self, name: u64, root: &TrustRoot, keys: &[&SecretKey]) {
        self.put(&StorePath::Root { version: name }, Verified::seal(root.clone(), keys).bytes().clone());
    }

    pub(crate) fn put(&self, path: &StorePath, bytes: impl Into<Bytes>) {
        self.server.change(|served| drop(served.objects.insert(path.to_string(), bytes.into())));
    }

    pub(crate) fn serve_pointer(&self, app: &App, bytes: impl Into<Bytes>) {
        self.put(&StorePath::Pointer { app: app.clone(), region: region() }, bytes);
    }

    pub(crate) fn pointer_path(&self) -> String {
        StorePath::Pointer { app: app(), region: region() }.to_string()
    }

    pub(crate) fn bundle_path(&self, digest: Digest) -> String {
        StorePath::Bundle { app: app(), digest }.to_string()
    }

    pub(crate) fn manifest_path(&self, digest: Digest) -> String {
        StorePath::Manifest { app: app(), digest }.to_string()
    }

    pub(crate) fn app_folder(&self) -> AppFolder {
        AppFolder::of(&self.config.state, &app())
    }

    /// What an application reads.
    pub(crate) fn read(&self, path: &str) -> String {
        fs::read_to_string(self.app_folder().current().join(path)).expect("configured")
    }

    pub(crate) fn status(&self) -> AppStatus {
        let mut apps = edge_agent::status(&self.config.state).expect("a state folder");
        apps.retain(|status| status.app == app());
        apps.pop().expect("the app has a folder")
    }

    /// Checks what must hold at any time: what runs is whole, and exactly `digest`.
    pub(crate) fn assert_runs(&self, digest: Digest) {
        let proofs = edge_agent::verify(&self.config.state).expect("a state folder");
        let proof = proofs.iter().find(|proof| proof.app == app()).expect("the app has a folder");
        assert!(matches!(proof.finding, Finding::Proven { digest: found } if found == digest), "{digest}: {proof:?}");
    }

    /// Writes a hook script, and gives its path.
    pub(crate) fn script(&self, name: &str, body: &str) -> PathBuf {
        let path = self.folder.path().join(name);
        fs::write(&path, format!("#!/bin/sh\n{body}\n")).expect("a small file");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("our own file");
        path
    }

    /// Waits until an agent has the pointer that is served now, has done all there is to do about it, and waits for another.
    pub(crate) async fn settled(&self) {
        let path = self.pointer_path();
        self.server.until("the pointer is in hand", |served| served.is_awaited(&path)).await;
    }

    /// Writes the configuration as a file: with hooks that write down how they were called, and fail where the tree says so.
    pub(crate) fn write_config(&self) -> PathBuf {
        for hook in ["check", "reload", "probe"] {
            self.script(hook, "echo \"$DRIFTLESS_GENERATION\" >> \"$0.log\"; ! test -e \"bad-$(basename \"$0\")\"");
        }
        let path = self.folder.path().join("agent.yaml");
        let text = format!(
            "id: web-0173\nregion: eu-west\nroot: 1.root\nstate: state\nfrom: [{}]\npoll: 50ms\nkeep: 2\napps:\n  \
             {}: {{ check: {{ run: [./check] }}, reload: {{ run: [./reload] }}, probe: {{ run: [./probe] }} }}\n",
            self.server.url(),
            app()
        );
        fs::write(&path, text).expect("a small file");
        path
    }

    pub(crate) fn start(&self) -> Agent {
        Agent::start(self.config.clone())
    }
}

impl Drop for World {
    fn drop(&mut self) {
        make_removable(self.folder.path());
    }
}

/// Trees are read-only; for whoever is not root that is in the way of removing them.
fn make_removable(path: &Path) {
    let is_folder = path.symlink_metadata().is_ok_and(|metadata| metadata.is_dir());
    if is_folder && fs::set_permissions(path, fs::Permissions::from_mode(0o700)).is_ok() {
        for entry in fs::read_dir(path).into_iter().flatten().flatten() {
            make_removable(&entry.path());
        }
    }
}

/// An agent in this process.
pub(crate) struct Agent {
    task: JoinSet<Result<(), AgentError>>,
    acks: mpsc::UnboundedReceiver<Ack>,
    shutdown: CancellationToken,
}

impl Agent {
    pub(crate) fn start(config: Config) -> Agent {
        let (observer, acks) = mpsc::unbounded_channel();
        let shutdown = CancellationToken::new();
        let mut task = JoinSet::new();
        task.spawn(edge_agent::run(config, Some(observer), shutdown.clone()));
        Agent { task, acks, shutdown }
    }

    /// The next ack, whatever it says.
    pub(crate) async fn ack(&mut self) -> Ack {
        let ack = timeout(Duration::from_secs(60), self.acks.recv()).await;
        ack.expect("an ack within a minute").expect("the agent runs")
    }

    /// The next ack, which must say that `generation` was applied.
    pub(crate) async fn applied(&mut self, generation: u64) -> Ack {
        let ack = self.ack().await;
        assert_eq!((ack.outcome, ack.generation), (Outcome::Applied, Generation::new(generation)), "{ack:?}");
        ack
    }

    /// Whether there was no ack that nobody asked for.
    pub(crate) fn is_quiet(&mut self) -> bool {
        self.acks.try_recv().is_err()
    }

    pub(crate) async fn stop(mut self) {
        self.shutdown.cancel();
        self.ended().await.expect("a clean stop");
    }

    /// How it ends by itself.
    pub(crate) async fn ended(&mut self) -> Result<(), AgentError> {
        let ended = timeout(Duration::from_secs(60), self.task.join_next()).await;
        ended.expect("an end within a minute").expect("one task").expect("no panic")
    }
}
