//! The chain of trust roots: which of them are trusted because of the one that was given.
//!
//! In: the given root and what the store has under each version. Out: the trusted roots in order, and what is wrong with the
//! others. Roots older than the given one are not trusted: whoever can write to the store could have made them up. They are
//! still held against one another, because a damaged one keeps agents away that start from it.

use std::collections::BTreeMap;

use bytes::Bytes;
use schema::cycle::NotVouched;
use schema::keys::Fingerprint;
use schema::seal::SealError;
use schema::{
    App, Epoch, Limits, Manifest, Pointer, PublicKey, Region, RoleKeys, Rollout, Sealed, StorePath, Target, Timestamp,
    TrustRoot, Verified,
};

use crate::finding::{Finding, Flaw, missing};

/// A pointer whose signatures held, and under which of the trusted roots of its epoch they do.
#[derive(Clone, Debug)]
pub(crate) struct Signed {
    pub(crate) pointer: Verified<Pointer>,
    /// Version of the newest of them.
    pub(crate) newest: u64,
    /// Version of the oldest of them: the record cannot be older than that.
    pub(crate) oldest: u64,
}

/// Roots that follow from the given one, oldest first; at least that one.
#[derive(Clone, Debug)]
pub(crate) struct Chain {
    trusted: Vec<Verified<TrustRoot>>,
}

impl Chain {
    /// Holds the roots of a store against `given` and against one another.
    pub(crate) fn judge(
        given: Verified<TrustRoot>,
        stored: &BTreeMap<u64, Bytes>,
        now: Timestamp,
    ) -> (Chain, Vec<Finding>) {
        let mut findings: Vec<Finding> =
            first_of_each_gap(given.version, stored).map(|gap| missing(&at(gap))).collect();
        if let Some(flaw) = stored.get(&given.version).and_then(|bytes| other_than(&given, bytes)) {
            findings.push(Finding::new(at(given.version), flaw));
        }
        findings.extend(judge_older(&given, stored));
        let mut trusted = vec![given];
        while let Some((last, bytes)) = trusted.last().and_then(|last| Some((last, stored.get(&(last.version + 1))?))) {
            let path = at(last.version + 1);
            match last.successor(bytes.clone(), &Limits::DEFAULT) {
                Ok(next) => trusted.push(next),
                Err(refused) => {
                    findings.push(Finding::new(path, refused));
                    break;
                }
            }
        }
        let chain = Chain { trusted };
        let newest = chain.newest();
        if newest.is_expired(now) {
            findings.push(Finding::new(at(newest.version), Flaw::Expired { expires: newest.expires }));
        }
        (chain, findings)
    }

    /// The root in force.
    pub(crate) fn newest(&self) -> &Verified<TrustRoot> {
        self.trusted.last().expect("the given root is in it")
    }

    /// The root that was given.
    pub(crate) fn given(&self) -> &Verified<TrustRoot> {
        &self.trusted[0]
    }

    /// Opens a record under each of the roots of its epoch.
    ///
    /// # Errors
    /// What the newest of them says; or that none of them is of that epoch.
    pub(crate) fn open_pointer(&self, bytes: &Bytes, region: &Region, epoch: Epoch) -> Result<Signed, Flaw> {
        let (mut signed, mut refused) = (None::<Signed>, None);
        let mut tried: Option<(&RoleKeys, bool)> = None;
        for root in self.trusted.iter().rev().filter(|root| root.epoch == epoch) {
            let keys = root.pointer_keys(region);
            // Most roots change nothing about pointers, and a signature is dear.
            let holds = match tried.filter(|(before, _)| *before == keys) {
                Some((_, held)) => held,
                None => match Verified::open(bytes.clone(), keys, &Limits::DEFAULT) {
                    Ok(pointer) => {
                        signed.get_or_insert(Signed { pointer, newest: root.version, oldest: root.version });
                        true
                    }
                    Err(error) => {
                        refused.get_or_insert(error);
                        false
                    }
                },
            };
            tried = Some((keys, holds));
            if let Some(signed) = signed.as_mut().filter(|_| holds) {
                signed.oldest = root.version;
            }
        }
        match (signed, refused) {
            (Some(signed), _) => Ok(signed),
            (None, Some(refused)) => Err(refused.into()),
            (None, None) => Err(Flaw::NoRootOfEpoch { epoch }),
        }
    }

    /// Holds a state of a rollout against the pointer keys of all its regions, under any trusted root, the newest first.
    ///
    /// # Errors
    /// What the newest of them says.
    pub(crate) fn open_rollout<'r>(
        &self,
        bytes: &Bytes,
        regions: impl Iterator<Item = &'r Region> + Clone,
    ) -> Result<(), SealError> {
        let under = |root: &TrustRoot| {
            regions.clone().try_for_each(|region| {
                let opened = Verified::<Rollout>::open(bytes.clone(), root.pointer_keys(region), &Limits::DEFAULT);
                opened.map(|_| ())
            })
        };
        first_or_error(self.trusted.iter().rev().map(|root| under(root))).expect("the given root is in it")
    }

    /// Opens a manifest under the release keys of any trusted root, the newest first, whatever floor and revocations say today.
    ///
    /// # Errors
    /// What the newest of them says.
    pub(crate) fn open_manifest(&self, bytes: &Bytes) -> Result<Verified<Manifest>, SealError> {
        let roots = self.trusted.iter().rev();
        first_or_error(roots.map(|root| Verified::open(bytes.clone(), &root.release, &Limits::DEFAULT)))
            .expect("the given root is in it")
    }

    /// The release role of that fingerprint, in any trusted root.
    pub(crate) fn release_role(&self, fingerprint: &Fingerprint) -> Option<&RoleKeys> {
        self.trusted.iter().map(|root| &root.release).find(|role| role.fingerprint() == *fingerprint)
    }

    /// The release key of that fingerprint, in any trusted root.
    pub(crate) fn release_key(&self, fingerprint: &Fingerprint) -> Option<&PublicKey> {
        let mut keys = self.trusted.iter().flat_map(|root| root.release.keys());
        keys.find(|key| key.fingerprint() == *fingerprint)
    }

    /// Whether an agent of today takes this manifest for `target`.
    ///
    /// # Errors
    /// What it says otherwise.
    pub(crate) fn vouches_today(&self, bytes: &Bytes, app: &App, target: Target) -> Result<(), NotVouched> {
        schema::cycle::vouch(bytes.clone(), self.newest(), app, target, &Limits::DEFAULT).map(|_| ())
    }
}

/// Versions that should be there, the first of each run of them: whoever plants a root of version 2^64 makes no longer list.
fn first_of_each_gap(given: u64, stored: &BTreeMap<u64, Bytes>) -> impl Iterator<Item = u64> {
    // The version after the last one that there has to be: nothing is missing before it if nothing is missing at all.
    let end = stored.keys().next_back().copied().max(Some(given)).and_then(|last| last.checked_add(1));
    let before = [0].into_iter().chain(stored.keys().copied().filter(|version| *version > 0));
    let after = stored.keys().copied().filter(|version| *version > 0).chain(end);
    before.zip(after).filter(|(before, after)| after - before > 1).map(|(before, _)| before + 1)
}

/// Each root before the given one has to be followed by the next.
fn judge_older(given: &Verified<TrustRoot>, stored: &BTreeMap<u64, Bytes>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (version, bytes) in stored.range(..given.version) {
        let root = match Verified::<TrustRoot>::pin(bytes.clone(), &Limits::DEFAULT) {
            Ok(root) if root.version == *version => root,
            Ok(root) => {
                let wrong =
                    schema::root::NotSuccessor::Version { offered: root.version, current: version.saturating_sub(1) };
                findings.push(Finding::new(at(*version), wrong));
                continue;
            }
            Err(refused) => {
                findings.push(Finding::new(at(*version), refused));
                continue;
            }
        };
        let next = if version + 1 == given.version { Some(given.bytes()) } else { stored.get(&(version + 1)) };
        if let Some(Err(refused)) = next.map(|next| root.successor(next.clone(), &Limits::DEFAULT)) {
            findings.push(Finding::new(at(version + 1), refused));
        }
    }
    findings
}

/// Says where `bytes` are not the given root. It may have been assembled twice, so what was signed counts, and that it holds.
fn other_than(given: &Verified<TrustRoot>, bytes: &Bytes) -> Option<Flaw> {
    match Sealed::parse::<TrustRoot>(bytes.clone(), &Limits::DEFAULT) {
        Ok(sealed) if sealed.payload_digest() != given.payload_digest() => {
            Some(Flaw::OtherRoot { found: sealed.payload_digest(), given: given.payload_digest() })
        }
        Ok(sealed) => sealed.verify::<TrustRoot>(&given.root).err().map(Flaw::from),
        Err(refused) => Some(refused.into()),
    }
}

/// The first that succeeds, else the first error; nothing of nothing.
fn first_or_error<T, E>(results: impl Iterator<Item = Result<T, E>>) -> Option<Result<T, E>> {
    let mut first_error = None;
    for result in results {
        match result {
            Ok(found) => return Some(Ok(found)),
            Err(error) => first_error = first_error.or(Some(error)),
        }
    }
    first_error.map(Err)
}

pub(crate) fn at(version: u64) -> StorePath {
    StorePath::Root { version }
}
