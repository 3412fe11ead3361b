//! Whoever holds keys: the honest publisher, who has all of them, and thieves, who have one.
//!
//! In: files. Out: signed objects, written to a store folder or kept in the hand. Knows nothing of agents.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use schema::archive::Writer;
use schema::encoding::compress;
use schema::keys::{RoleKeys, SecretKey};
use schema::manifest::{Encoding, Manifest, Whole};
use schema::pointer::Target;
use schema::{
    App, Digest, EntryPath, Epoch, Limits, Order, Pointer, Region, StorePath, Timestamp, TrustRoot, Verified,
};

pub(crate) const DAY: Duration = Duration::from_secs(86_400);

/// Who may sign what.
pub(crate) struct Keys {
    pub(crate) root: SecretKey,
    pub(crate) release: SecretKey,
    pub(crate) pointer: SecretKey,
}

/// A publisher with its store.
pub(crate) struct Forge {
    store: PathBuf,
    pub(crate) keys: Keys,
    /// The newest root.
    pub(crate) root: TrustRoot,
    /// The newest pointer of each region.
    pointers: BTreeMap<Region, Verified<Pointer>>,
    /// Every bundle that was ever published, by the order it was published in.
    published: Vec<(Order, Digest)>,
    /// For how long pointers count.
    pub(crate) validity: Duration,
    /// Release keys beside the first, where the root wants more than one signature.
    pub(crate) cosigners: Vec<SecretKey>,
    release_seq: u64,
}

pub(crate) fn app() -> App {
    "web".parse().expect("a name")
}

pub(crate) fn region(name: &str) -> Region {
    name.parse().expect("a name")
}

/// Where agents of these tests live.
pub(crate) fn home() -> Region {
    region("eu-west")
}

pub(crate) fn now() -> Timestamp {
    SystemTime::now().into()
}

pub(crate) fn role(keys: &[&SecretKey], threshold: usize) -> RoleKeys {
    RoleKeys::new(threshold, keys.iter().map(|key| key.public().clone()).collect()).expect("distinct keys")
}

/// What `content` looks like as a bundle: one file, `settings.yaml`.
pub(crate) fn pack(content: &str) -> (Vec<u8>, schema::archive::Summary) {
    let path = EntryPath::parse(b"settings.yaml", &Limits::DEFAULT).expect("an ordinary path");
    let mut writer = Writer::new(Vec::new(), Limits::DEFAULT);
    writer.file(path, false, content.len() as u64, &mut content.as_bytes()).expect("memory");
    writer.finish().expect("a whole archive")
}

impl Forge {
    /// A publisher with fresh keys and an empty store at `store`, in which only the root is.
    pub(crate) fn new(store: &Path, change: impl FnOnce(&mut TrustRoot)) -> Forge {
        let keys = Keys { root: SecretKey::generate(), release: SecretKey::generate(), pointer: SecretKey::generate() };
        let mut root = TrustRoot {
            version: 1,
            epoch: Epoch::FIRST,
            issued: Timestamp::UNIX_EPOCH,
            expires: now().after(365 * DAY),
            release_floor: 0,
            revoked: Vec::new(),
            root: role(&[&keys.root], 1),
            release: role(&[&keys.release], 1),
            pointer: role(&[&keys.pointer], 1),
            pointer_of_region: BTreeMap::new(),
        };
        change(&mut root);
        let forge = Forge {
            store: store.to_owned(),
            keys,
            root,
            pointers: BTreeMap::new(),
            published: Vec::new(),
            validity: DAY,
            cosigners: Vec::new(),
            release_seq: 1,
        };
        let sealed = Verified::seal(forge.root.clone(), &[&forge.keys.root]);
        forge.put(&StorePath::Root { version: 1 }, sealed.bytes());
        forge
    }

    pub(crate) fn root_path(&self) -> PathBuf {
        self.store.join(StorePath::Root { version: 1 }.to_string())
    }

    /// Publishes `content` as the next generation of the home region.
    pub(crate) fn publish(&mut self, content: &str) -> Verified<Pointer> {
        self.publish_in(&home(), content)
    }

    pub(crate) fn publish_in(&mut self, region: &Region, content: &str) -> Verified<Pointer> {
        let target = self.release(content);
        self.point(region, |pointer| pointer.stable = target)
    }

    /// Puts the bundle of `content` and its manifest into the store.
    pub(crate) fn release(&mut self, content: &str) -> Target {
        self.release_seq += 1;
        let (bundle, manifest) = self.bundle(content, |_| ());
        let digest = manifest.digest;
        let signers: Vec<&SecretKey> = std::iter::once(&self.keys.release).chain(&self.cosigners).collect();
        let sealed = Verified::seal(manifest, &signers);
        self.put(&StorePath::Bundle { app: app(), digest }, &bundle);
        self.put(&StorePath::Manifest { app: app(), digest }, sealed.bytes());
        Target { digest, manifest: sealed.payload_digest() }
    }

    /// The bundle of `content` as it travels, and the manifest that describes it.
    pub(crate) fn bundle(&self, content: &str, change: impl FnOnce(&mut Manifest)) -> (Vec<u8>, Manifest) {
        let (archive, summary) = pack(content);
        let frame = compress(&archive).expect("memory");
        let whole = Whole { size: frame.len() as u64, window_log: 23, sha256: Digest::of(&frame) };
        let mut manifest = Manifest {
            app: app(),
            digest: summary.digest,
            size: summary.size,
            entries: summary.entries,
            release_seq: self.release_seq,
            commit: "5b1e5b1e5b1e5b1e5b1e5b1e5b1e5b1e5b1e5b1e".parse().expect("an id"),
            tree: "77aa77aa77aa77aa77aa77aa77aa77aa77aa77aa".parse().expect("an id"),
            compiler: 1,
            encodings: vec![Encoding::Whole(whole)],
        };
        change(&mut manifest);
        (frame, manifest)
    }

    /// Signs and publishes the next generation of `region`.
    pub(crate) fn point(&mut self, region: &Region, change: impl FnOnce(&mut Pointer)) -> Verified<Pointer> {
        let sealed = Verified::seal(self.next(region, change), &[&self.keys.pointer]);
        self.serve(&sealed);
        sealed
    }

    /// Signs the newest generation of the home region afresh.
    pub(crate) fn resign(&mut self) -> Verified<Pointer> {
        let before = self.newest();
        self.point(&home(), |pointer| {
            let order = before.order().next_serial().expect("few serials");
            (pointer.generation, pointer.serial) = (order.generation, order.serial);
        })
    }

    /// The next generation of `region`, unsigned: what it would be if `change` were honest.
    pub(crate) fn next(&self, region: &Region, change: impl FnOnce(&mut Pointer)) -> Pointer {
        let nothing = Digest::of(b"nothing");
        let before = self.pointers.get(region);
        let order = match before {
            Some(before) if before.epoch == self.root.epoch => {
                before.order().next_generation().expect("few generations")
            }
            _ => Order { epoch: self.root.epoch, ..Order::FIRST },
        };
        let mut pointer = Pointer {
            app: app(),
            region: region.clone(),
            epoch: order.epoch,
            generation: order.generation,
            serial: order.serial,
            issued: now(),
            expires: now().after(self.validity),
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

    /// The pointer of a thief who has no other key: the next generation of the home region.
    pub(crate) fn forged(&self, key: &SecretKey, change: impl FnOnce(&mut Pointer)) -> Vec<u8> {
        Verified::seal(self.next(&home(), change), &[key]).bytes().to_vec()
    }

    /// The newest pointer of the home region.
    pub(crate) fn newest(&self) -> Verified<Pointer> {
        self.pointers[&home()].clone()
    }

    /// Writes the next trust root, signed by the root key, which stays.
    pub(crate) fn rotate_by_root(&mut self, change: impl FnOnce(&mut TrustRoot)) {
        let next = self.next_root(change);
        let sealed = Verified::seal(next.clone(), &[&self.keys.root]);
        self.put(&StorePath::Root { version: next.version }, sealed.bytes());
        self.root = next;
    }

    /// What the next trust root would be.
    pub(crate) fn next_root(&self, change: impl FnOnce(&mut TrustRoot)) -> TrustRoot {
        let mut next = TrustRoot { version: self.root.version + 1, issued: now(), ..self.root.clone() };
        change(&mut next);
        next
    }

    /// Every (order, digest) that the home region was ever pointed at, oldest first.
    pub(crate) fn published(&self) -> &[(Order, Digest)] {
        &self.published
    }

    /// Puts a pointer that was signed into the store, as history and as the newest.
    fn serve(&mut self, pointer: &Verified<Pointer>) {
        let (app, region, order) = (app(), pointer.region.clone(), pointer.order());
        self.put(&StorePath::History { app: app.clone(), region: region.clone(), order }, pointer.bytes());
        self.put(&StorePath::Pointer { app, region: region.clone() }, pointer.bytes());
        if region == home() {
            self.published.push((order, pointer.stable.digest));
        }
        self.pointers.insert(region, pointer.clone());
    }

    /// Writes an object in one step, as a store does.
    pub(crate) fn put(&self, path: &StorePath, bytes: &[u8]) {
        let file = self.store.join(path.to_string());
        fs::create_dir_all(file.parent().expect("an object is in a folder")).expect("a folder");
        let next = file.with_extension("new#1");
        fs::write(&next, bytes).expect("a small file");
        fs::rename(next, file).expect("our own folder");
    }

    pub(crate) fn object(&self, path: &StorePath) -> Vec<u8> {
        fs::read(self.store.join(path.to_string())).unwrap_or_else(|error| panic!("{path}: {error}"))
    }

    pub(crate) fn remove(&self, path: &StorePath) {
        fs::remove_file(self.store.join(path.to_string())).expect("it was published");
    }
}

/// Where the home region's pointer is.
pub(crate) fn pointer_path() -> StorePath {
    StorePath::Pointer { app: app(), region: home() }
}

pub(crate) fn manifest_path(digest: Digest) -> StorePath {
    StorePath::Manifest { app: app(), digest }
}

pub(crate) fn bundle_path(digest: Digest) -> StorePath {
    StorePath::Bundle { app: app(), digest }
}
