//! A next root that nobody, or not everybody, has signed yet.

use std::time::Duration;

use schema::keys::SecretKey;
use schema::seal::{Payload, SealError};
use schema::{Epoch, Limits, PublicKey, RoleKeys, Sealed, Timestamp, TrustRoot, Verified};

use super::roster::Roster;
use super::standing::{Duty, Incomplete, NotASignature, Standing};
use super::{BrokenRule, Change, Difference, Refused, RoleName, differences, rules};

/// A root to be signed. It keeps every rule; whether enough sign it is seen when it is assembled.
#[derive(Clone, Debug)]
pub struct Draft {
    before: Option<Verified<TrustRoot>>,
    lineage: Lineage,
    payload: Payload<TrustRoot>,
}

/// Whether the keys of the root before have to sign as well.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Lineage {
    Continues,
    Anew,
}

/// From when and for how long a root counts.
#[derive(Clone, Copy, Debug)]
pub struct Term {
    /// When it is drafted.
    pub now: Timestamp,
    /// How long it counts from then on.
    pub valid_for: Duration,
}

impl Draft {
    /// Plans a first root out of nothing but additions and thresholds. More than half of several root keys must sign where
    /// no threshold says otherwise, and one key of every other role.
    ///
    /// # Errors
    /// [`Refused`] names what is in the way.
    pub fn first(changes: &[Change], term: Term) -> Result<Draft, Refused> {
        Draft::plan(None, Roster::default(), changes, term)
    }

    /// Plans the root after `before`. Without changes it renews its term.
    ///
    /// # Errors
    /// [`Refused`] names what is in the way.
    pub fn next(before: Verified<TrustRoot>, changes: &[Change], term: Term) -> Result<Draft, Refused> {
        let roster = Roster::of(&before);
        Draft::plan(Some(before), roster, changes, term)
    }

    fn plan(
        before: Option<Verified<TrustRoot>>,
        mut roster: Roster,
        changes: &[Change],
        term: Term,
    ) -> Result<Draft, Refused> {
        roster.apply(changes)?;
        let standing = before.as_deref();
        let mut revoked = standing.map(|before| before.revoked.clone()).unwrap_or_default();
        let mut epoch = standing.map_or(Epoch::FIRST, |before| before.epoch);
        let mut release_floor = standing.map_or(0, |before| before.release_floor);
        for change in changes {
            match change {
                Change::Revoke(digest) if revoked.contains(digest) => return Err(Refused::Revoked(*digest)),
                Change::Revoke(digest) => revoked.push(*digest),
                Change::BumpEpoch => epoch = epoch.next().ok_or(Refused::Exhausted("epoch"))?,
                Change::Floor(floor) => release_floor = *floor,
                Change::Add { .. } | Change::Remove { .. } | Change::Expel(_) | Change::Threshold { .. } => {}
            }
        }
        let version = standing.map_or(0, |before| before.version);
        let document = TrustRoot {
            version: version.checked_add(1).ok_or(Refused::Exhausted("version"))?,
            epoch,
            issued: term.now,
            expires: term.now.after(term.valid_for),
            release_floor,
            revoked,
            root: roster.take(RoleName::Root)?,
            release: roster.take(RoleName::Release)?,
            pointer: roster.take(RoleName::Pointer)?,
            pointer_of_region: roster.take_regions()?,
        };
        Ok(Draft::checked(before, Payload::of(document), term.now)?)
    }

    /// Opens a draft that came by hand: the payload line. `before` is the root in force, which a first root does not have.
    ///
    /// Readers pass over fields that they do not know, and of a region that stands there twice they take the last. Whoever
    /// signs reads words that say nothing of either, so only the one spelling that the words stand for is a draft.
    ///
    /// # Errors
    /// [`NotADraft`] where it is no root, says more than is understood here, or breaks a rule.
    pub fn open(before: Option<Verified<TrustRoot>>, line: &[u8], now: Timestamp) -> Result<Draft, NotADraft> {
        let payload = Payload::<TrustRoot>::parse(line, &Limits::DEFAULT)?;
        if Payload::of(payload.document().clone()).line() != line {
            return Err(NotADraft::OddlySpelt);
        }
        Ok(Draft::checked(before, payload, now)?)
    }

    fn checked(
        before: Option<Verified<TrustRoot>>,
        payload: Payload<TrustRoot>,
        now: Timestamp,
    ) -> Result<Draft, BrokenRule> {
        rules::check(before.as_deref(), payload.document(), now)?;
        let Limits { root_max_bytes: max_bytes, signature_max_bytes, signers_max, .. } = Limits::DEFAULT;
        let bytes = payload.line().len() as u64 + signature_max_bytes * signers_max as u64;
        if bytes > max_bytes {
            return Err(BrokenRule::Size { bytes, max_bytes });
        }
        Ok(Draft { before, lineage: Lineage::Continues, payload })
    }

    /// The same draft as the beginning of another chain: its own root keys sign it and nobody else, because too many of those
    /// before are lost. No reader walks to such a root: it is put into every reader's hand.
    #[must_use]
    pub fn anew(self) -> Draft {
        Draft { lineage: Lineage::Anew, ..self }
    }

    /// What it says.
    pub fn root(&self) -> &TrustRoot {
        self.payload.document()
    }

    /// The root before, if there is one.
    pub fn before(&self) -> Option<&Verified<TrustRoot>> {
        self.before.as_ref()
    }

    /// The bytes to sign: the whole draft file.
    pub fn line(&self) -> &[u8] {
        self.payload.line()
    }

    /// What identifies it and the root it becomes: what `sha256sum` prints of the draft file.
    pub fn digest(&self) -> schema::Digest {
        self.payload.digest()
    }

    /// What every signer must sign beside it: `minisign -S -t "…"`.
    pub fn trusted_comment(&self) -> String {
        self.payload.trusted_comment()
    }

    /// What it changes; nothing for a first root.
    pub fn differences(&self) -> Vec<Difference> {
        self.before.as_deref().map_or_else(Vec::new, |before| differences(before, self.root()))
    }

    /// Signs it: the four lines that the stock tool writes.
    ///
    /// # Errors
    /// [`NotASigner`] where the key is a root key of neither root, so that nobody would count it.
    pub fn sign(&self, key: &SecretKey) -> Result<String, NotASigner> {
        if self.root_keys().contains(&key.public()) {
            Ok(self.payload.sign(key))
        } else {
            Err(NotASigner { key: Box::new(key.public().clone()), version: self.root().version })
        }
    }

    /// Who of those that count have signed, going by these signature files.
    ///
    /// # Errors
    /// The first file that is no signature of this draft, by its number from one.
    pub fn standing(&self, signatures: &[&str]) -> Result<Standing, Incomplete> {
        let signers = signatures.iter().enumerate().map(|(index, text)| {
            self.signer(text).map_err(|source| Incomplete::Signature { number: index + 1, source })
        });
        let signers = signers.collect::<Result<Vec<PublicKey>, Incomplete>>()?;
        Ok(Standing(self.asking().map(|root| Duty::new(root.version, &root.root, &signers)).collect()))
    }

    /// Joins draft and signatures into the next root, exactly as every reader will check it.
    ///
    /// # Errors
    /// [`Incomplete`] says which signature is of no use, or how many are missing. Nothing is lost: try again with more.
    pub fn assemble(&self, signatures: &[&str]) -> Result<Verified<TrustRoot>, Incomplete> {
        let standing = self.standing(signatures)?;
        if !standing.is_complete() {
            return Err(Incomplete::Missing(standing));
        }
        let limits = Limits::DEFAULT;
        let sealed = Sealed::assemble::<TrustRoot>(self.line(), &self.one_each(signatures), &limits);
        let bytes = sealed.map_err(Incomplete::Unsealed)?.bytes().clone();
        match &self.before {
            Some(before) if self.lineage == Lineage::Continues => {
                before.successor(bytes, &limits).map_err(Incomplete::Refused)
            }
            _ => Verified::pin(bytes, &limits).map_err(Incomplete::Unsealed),
        }
    }

    /// The signatures without repetitions by one signer.
    fn one_each<'s>(&self, signatures: &[&'s str]) -> Vec<&'s str> {
        let mut met = Vec::new();
        let is_first = |text: &&&str| match self.signer(text) {
            Ok(key) if !met.contains(&key) => {
                met.push(key);
                true
            }
            _ => false,
        };
        signatures.iter().filter(is_first).copied().collect()
    }

    /// Whose signature this is; it must be over this draft, with this draft's comment.
    fn signer(&self, signature: &str) -> Result<PublicKey, NotASignature> {
        let sealed = Sealed::assemble::<TrustRoot>(self.line(), &[signature], &Limits::DEFAULT)?;
        for key in self.root_keys() {
            let alone = RoleKeys::new(1, vec![key.clone()]).expect("one key meets a threshold of one");
            if !sealed.signers(&alone).is_empty() {
                sealed.verify::<TrustRoot>(&alone)?;
                return Ok(key.clone());
            }
        }
        Err(NotASignature::Stranger)
    }

    /// The roots whose root keys have to sign: the one before, where the chain goes on, and this one.
    pub fn asking(&self) -> impl Iterator<Item = &TrustRoot> {
        let before = self.before.as_deref().filter(|_| self.lineage == Lineage::Continues);
        before.into_iter().chain([self.root()])
    }

    /// The keys whose signatures count, each once.
    fn root_keys(&self) -> Vec<&PublicKey> {
        let mut keys: Vec<&PublicKey> = Vec::new();
        for key in self.asking().flat_map(|root| root.root.keys()) {
            if !keys.contains(&key) {
                keys.push(key);
            }
        }
        keys
    }
}

/// Says why a file is no draft that anybody should sign.
#[derive(Debug, thiserror::Error)]
pub enum NotADraft {
    /// Not the payload line of a root.
    #[error("not the payload line of a trust root")]
    Unreadable(#[from] SealError),
    /// More stands there, or otherwise, than the words that a signer is shown.
    #[error(
        "it says things that this version does not understand, or says them twice or in another spelling; draft it again, or \
         sign it with the version that drafted it"
    )]
    OddlySpelt,
    /// It breaks a rule.
    #[error(transparent)]
    Rule(#[from] BrokenRule),
}

/// Says that a key's signature would count for nothing.
#[derive(Debug, thiserror::Error)]
#[error("key {key} is a root key neither of version {version} nor of the version before")]
pub struct NotASigner {
    /// Its public half.
    pub key: Box<PublicKey>,
    /// The draft's version.
    pub version: u64,
}
