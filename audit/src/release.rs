//! One bundle of one app: its manifest, and what else was signed of it.
//!
//! In: the sealed objects of a bundle as they stand, what pointers name, and the chain of roots. Out: the manifest that is
//! believed, for [`frame`](crate::frame) to hold the bundle against, and what is wrong. Pure.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use schema::cycle::NotVouched;
use schema::seal::SealError;
use schema::{App, Digest, Limits, Manifest, RoleKeys, Sealed, StorePath, Target, Verified};

use crate::chain::Chain;
use crate::finding::{Finding, Flaw, Severity, missing};
use crate::history::Age;

/// What pointers say of one bundle; nothing where none names it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Naming {
    /// Payload digests of the manifests that they name for it.
    pub(crate) manifests: BTreeSet<Digest>,
    /// Whether the newest pointer of some region names it.
    pub(crate) in_force: bool,
    /// When the oldest record was made that names it.
    pub(crate) age: Age,
}

impl Naming {
    /// Whether any record names it.
    pub(crate) fn is_named(&self) -> bool {
        !self.manifests.is_empty()
    }
}

/// A bundle and what the store has of it that is signed.
#[derive(Debug)]
pub(crate) struct Release {
    pub(crate) app: App,
    pub(crate) digest: Digest,
    pub(crate) naming: Naming,
    pub(crate) seals: BTreeMap<StorePath, Bytes>,
}

/// What came of it.
#[derive(Debug, Default)]
pub(crate) struct Judged {
    /// What the bundle has to be, if anything vouches for it.
    pub(crate) manifest: Option<Manifest>,
    pub(crate) findings: Vec<Finding>,
}

impl Release {
    /// Judges all of it.
    pub(crate) fn judge(&self, chain: &Chain) -> Judged {
        let mut judged = Judged::default();
        let path = self.manifest_path();
        if self.naming.is_named() && !self.seals.contains_key(&path) {
            judged.findings.push(missing(&path));
        }
        // The manifest itself comes first, by the order of paths; one that was sealed again says the same.
        for (path, bytes) in &self.seals {
            let opened = match path {
                StorePath::Resealed { role, .. } => match chain.release_role(role) {
                    Some(role) => self.open(chain, bytes, Verified::open(bytes.clone(), role, &Limits::DEFAULT)),
                    None => Err(Flaw::Stranger),
                },
                StorePath::Piece { .. } => {
                    judged.findings.extend(self.judge_piece(chain, path, bytes));
                    continue;
                }
                _ => self.open(chain, bytes, chain.open_manifest(bytes)),
            };
            match opened {
                Ok(Opened { manifest, age }) => {
                    if age == Age::BeforeTheRoot {
                        judged.findings.push(Finding::new(path, Flaw::BeforeTheRoot));
                    }
                    judged.manifest.get_or_insert(manifest);
                }
                Err(flaw) => judged.findings.push(Finding::new(path, flaw)),
            }
        }
        self.judge_today(chain, &mut judged.findings);
        judged
    }

    fn manifest_path(&self) -> StorePath {
        StorePath::Manifest { app: self.app.clone(), digest: self.digest }
    }

    /// The manifest, if it is what pointers name. Where the keys of its time are not known, a digest in a pointer of that time
    /// holds it as well as a signature does.
    fn open(
        &self,
        chain: &Chain,
        bytes: &Bytes,
        verified: Result<Verified<Manifest>, SealError>,
    ) -> Result<Opened, Flaw> {
        let (manifest, payload, age) = match verified {
            Ok(manifest) => (Manifest::clone(&manifest), manifest.payload_digest(), Age::SinceTheRoot),
            Err(refused) => {
                let sealed = Sealed::parse::<Manifest>(bytes.clone(), &Limits::DEFAULT)?;
                let payload = sealed.payload_digest();
                let is_older = chain.given().version > 1 && self.naming.age == Age::BeforeTheRoot;
                if !is_older || !self.naming.manifests.contains(&payload) {
                    return Err(refused.into());
                }
                (sealed.held_by_digest()?, payload, Age::BeforeTheRoot)
            }
        };
        self.check_is_this(&manifest)?;
        match self.naming.manifests.iter().find(|named| **named != payload) {
            Some(named) => Err(NotVouched::Other { found: payload, named: *named }.into()),
            None => Ok(Opened { manifest, age }),
        }
    }

    fn check_is_this(&self, manifest: &Manifest) -> Result<(), NotVouched> {
        if (&manifest.app, manifest.digest) == (&self.app, self.digest) {
            return Ok(());
        }
        Err(NotVouched::OtherBundle { app: manifest.app.clone(), digest: manifest.digest })
    }

    /// What the newest pointers name has to satisfy agents of today, by its manifest or by one that was sealed again.
    fn judge_today(&self, chain: &Chain, findings: &mut Vec<Finding>) {
        let Some(named) = self.naming.manifests.first().filter(|_| self.naming.in_force) else { return };
        let target = Target { digest: self.digest, manifest: *named };
        let role = chain.newest().release.fingerprint();
        let resealed = StorePath::Resealed { app: self.app.clone(), digest: self.digest, role };
        let path = self.manifest_path();
        let seals = [&path, &resealed].into_iter().filter_map(|path| self.seals.get(path));
        let mut refused = None;
        for bytes in seals {
            match chain.vouches_today(bytes, &self.app, target) {
                Ok(()) => return,
                Err(error) => refused = refused.or(Some(error)),
            }
        }
        // What is wrong with the manifest itself was told.
        let told = |told: &Finding| told.object == path.to_string() && told.severity() == Severity::Broken;
        if let Some(refused) = refused.filter(|_| !findings.iter().any(told)) {
            findings.push(Finding::new(path, refused));
        }
    }

    /// A piece counts for as much as its one signature does.
    fn judge_piece(&self, chain: &Chain, path: &StorePath, bytes: &Bytes) -> Option<Finding> {
        let StorePath::Piece { key, .. } = path else { return None };
        let Some(key) = chain.release_key(key) else { return Some(Finding::new(path, Flaw::Stranger)) };
        let role = RoleKeys::new(1, vec![key.clone()]).expect("one key meets a threshold of one");
        let flaw = match Verified::<Manifest>::open(bytes.clone(), &role, &Limits::DEFAULT) {
            Ok(manifest) => self.check_is_this(&manifest).err().map(Flaw::from),
            Err(refused) => Some(Flaw::Piece(refused)),
        };
        flaw.map(|flaw| Finding::new(path, flaw))
    }
}

/// A manifest that is believed, and whether by its signatures or by digests.
struct Opened {
    manifest: Manifest,
    age: Age,
}
