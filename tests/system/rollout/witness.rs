//! Somebody who looks at every host's `current` all the time, and holds what is seen against the signed pointers.
//!
//! BLAST is judged here, whatever a test is about: a host may run a bundle only if a pointer of its region made it stable, and
//! else no more hosts at once than the slices of a pointer that said `activate` select. Pointers are read after the hosts,
//! so that a host is never ahead of the pointer that it went by.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use serde_json::Value;

use super::crowd::Host;
use crate::world::current;

/// What one app showed so far.
#[derive(Clone, Debug, Default)]
pub(crate) struct Seen {
    /// Version, as its file `v` says it, to every host that ever ran it.
    pub(crate) ever: BTreeMap<String, BTreeSet<String>>,
    /// Version to the most hosts that ran it at one time.
    pub(crate) peak: BTreeMap<String, usize>,
    /// Version by host, at the last look.
    pub(crate) now: BTreeMap<String, String>,
    /// (region, digest) to how many of the region's hosts any pointer allowed so far.
    allowed: BTreeMap<(String, String), u64>,
    /// Where more was seen than was allowed.
    pub(crate) violations: Vec<String>,
}

impl Seen {
    /// The hosts that ever ran a version.
    pub(crate) fn ever(&self, version: &str) -> BTreeSet<String> {
        self.ever.get(version).cloned().unwrap_or_default()
    }

    /// The most hosts that ran a version at one time.
    pub(crate) fn peak(&self, version: &str) -> usize {
        self.peak.get(version).copied().unwrap_or_default()
    }
}

/// Looks until it is dropped.
pub(crate) struct Witness {
    seen: Arc<Mutex<BTreeMap<String, Seen>>>,
    over: Arc<AtomicBool>,
    looking: Option<JoinHandle<()>>,
}

impl Witness {
    pub(crate) fn start(hosts: &[Host], apps: &[&str], store: &Path) -> Witness {
        let seen: Arc<Mutex<BTreeMap<String, Seen>>> = Arc::default();
        let over = Arc::new(AtomicBool::new(false));
        let apps: Vec<String> = apps.iter().map(|app| (*app).to_owned()).collect();
        let looking = std::thread::spawn({
            let (seen, over) = (Arc::clone(&seen), Arc::clone(&over));
            let (hosts, store) = (hosts.to_vec(), store.to_owned());
            move || {
                while !over.load(Ordering::SeqCst) {
                    for app in &apps {
                        look(&seen, &hosts, app, &store);
                    }
                    std::thread::park_timeout(Duration::from_millis(10));
                }
            }
        });
        Witness { seen, over, looking: Some(looking) }
    }

    /// What an app showed so far.
    pub(crate) fn of(&self, app: &str) -> Seen {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).get(app).cloned().unwrap_or_default()
    }

    /// Ends it, and gives every violation of any app.
    pub(crate) fn end(&mut self) -> Vec<String> {
        self.over.store(true, Ordering::SeqCst);
        if let Some(looking) = self.looking.take() {
            looking.join().expect("looking does not panic");
        }
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.values().flat_map(|seen| seen.violations.iter().cloned()).collect()
    }
}

fn look(all: &Mutex<BTreeMap<String, Seen>>, hosts: &[Host], app: &str, store: &Path) {
    let runs: Vec<(&Host, String, String)> = hosts
        .iter()
        .filter_map(|host| {
            let digest = current(&host.state, app)?;
            let version = host.state.join("apps").join(app).join("versions").join(&digest).join("v");
            // A version that went away between the two looks is not what runs any more.
            Some((host, digest, fs::read_to_string(version).ok()?.trim().to_owned()))
        })
        .collect();
    let regions: BTreeSet<&str> = hosts.iter().map(|host| host.region.as_str()).collect();
    let pointers: Vec<(&str, Value)> =
        regions.iter().filter_map(|region| Some((*region, pointer(store, app, region)?))).collect();
    let mut all = all.lock().unwrap_or_else(PoisonError::into_inner);
    let seen = all.entry(app.to_owned()).or_default();
    for (region, pointer) in &pointers {
        let total = hosts.iter().filter(|host| host.region == *region).count() as u64;
        seen.allow(region, pointer, total);
    }
    seen.now = runs.iter().map(|(host, _, version)| (host.agent.clone(), version.clone())).collect();
    let mut at_once: BTreeMap<&str, usize> = BTreeMap::new();
    let mut by_bundle: BTreeMap<(&str, &str), u64> = BTreeMap::new();
    for (host, digest, version) in &runs {
        seen.ever.entry(version.clone()).or_default().insert(host.agent.clone());
        *at_once.entry(version).or_default() += 1;
        *by_bundle.entry((&host.region, digest)).or_default() += 1;
    }
    for (version, count) in at_once {
        let peak = seen.peak.entry(version.to_owned()).or_default();
        *peak = (*peak).max(count);
    }
    for ((region, digest), count) in by_bundle {
        let allowed = seen.allowed.get(&(region.to_owned(), digest.to_owned())).copied().unwrap_or(0);
        if count > allowed {
            seen.violations.push(format!("{count} hosts of {region} ran {digest} of {app}, {allowed} were allowed"));
        }
    }
}

impl Seen {
    /// Takes in what a pointer allows.
    fn allow(&mut self, region: &str, pointer: &Value, total: u64) {
        let mut allow = |digest: &Value, count: u64| {
            let digest = digest.as_str().unwrap_or_default().to_owned();
            let allowed = self.allowed.entry((region.to_owned(), digest)).or_default();
            *allowed = (*allowed).max(count);
        };
        allow(&pointer["stable"]["digest"], total);
        let candidate = &pointer["candidate"];
        if candidate["phase"] == "activate" {
            let also = candidate["also"].as_array().into_iter().flatten();
            let shares = std::iter::once(candidate).chain(also).filter_map(|slice| slice["share"].as_u64());
            allow(&candidate["digest"], shares.map(|share| (share * total).div_ceil(10_000)).max().unwrap_or(0));
        }
    }
}

/// The payload of a pointer, as it lies in the store.
pub(crate) fn pointer(store: &Path, app: &str, region: &str) -> Option<Value> {
    payload(&store.join(format!("v1/apps/{app}/regions/{region}/pointer")))
}

/// The payload of a sealed document; its signature is for others to check.
pub(crate) fn payload(file: &PathBuf) -> Option<Value> {
    let sealed = fs::read_to_string(file).ok()?;
    serde_json::from_str(sealed.lines().next()?).ok()
}
