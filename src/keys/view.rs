//! A root as it is shown: in words and as JSON.

use publisher::ceremony::{Duty, RoleName};
use schema::{Digest, Epoch, PublicKey, RoleKeys, Timestamp, TrustRoot};
use serde::Serialize;

use crate::out;

/// One root, signed or not.
#[derive(Serialize)]
pub(super) struct RootView {
    pub(super) state: State,
    version: u64,
    /// What the stock tools print of the first line, and what people compare.
    sha256: Digest,
    epoch: Epoch,
    issued: Timestamp,
    expires: Timestamp,
    /// Whole days until it expires; below zero once it has.
    days_left: i64,
    release_floor: u64,
    revoked: Vec<Digest>,
    roles: Vec<RoleView>,
    /// Against the root before, if that is known.
    changes: Vec<String>,
    signatures: Vec<DutyView>,
}

/// How far a root has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum State {
    /// Nobody, or not everybody, has signed.
    Draft,
    /// Signed by as many as it asks for itself, and by as many as the root before asks for, if that is known.
    Signed,
    /// Made up as a root, and not signed by enough.
    Unsigned,
}

#[derive(Serialize)]
struct RoleView {
    role: String,
    threshold: usize,
    keys: Vec<KeyView>,
}

/// A public key.
#[derive(Serialize)]
pub(super) struct KeyView {
    key: PublicKey,
    fingerprint: String,
}

#[derive(Serialize)]
struct DutyView {
    version: u64,
    threshold: usize,
    signed: Vec<String>,
    unsigned: Vec<String>,
    missing: usize,
}

impl RootView {
    pub(super) fn new(
        state: State,
        root: &TrustRoot,
        digest: Digest,
        changes: Vec<String>,
        duties: &[Duty],
        now: Timestamp,
    ) -> RootView {
        RootView {
            state,
            version: root.version,
            sha256: digest,
            epoch: root.epoch,
            issued: root.issued,
            expires: root.expires,
            days_left: (root.expires.unix_millis() - now.unix_millis()).div_euclid(DAY_MILLIS),
            release_floor: root.release_floor,
            revoked: root.revoked.clone(),
            roles: RoleName::all_of(root).map(|(role, keys)| RoleView::new(&role, keys)).collect(),
            changes,
            signatures: duties.iter().map(DutyView::new).collect(),
        }
    }

    pub(super) fn tell(&self) {
        let state = match self.state {
            State::Draft => " (draft)",
            State::Signed => "",
            State::Unsigned => " (NOT SIGNED BY ENOUGH)",
        };
        out::data(&format!("root version {}{state}", self.version));
        out::data(&format!("  sha256         {}", self.sha256));
        out::data(&format!("  epoch          {}", self.epoch));
        out::data(&format!("  issued         {}", self.issued));
        let left = if self.days_left < 0 { "EXPIRED".to_owned() } else { format!("{} days left", self.days_left) };
        out::data(&format!("  expires        {} ({left})", self.expires));
        out::data(&format!("  release floor  {}", self.release_floor));
        self.revoked.iter().for_each(|digest| out::data(&format!("  revoked        {digest}")));
        for RoleView { role, threshold, keys } in &self.roles {
            out::data(&format!("  {role}: {threshold} of {} must sign", keys.len()));
            keys.iter().for_each(|KeyView { key, fingerprint }| out::data(&format!("    {fingerprint}  {key}")));
        }
        self.changes.iter().for_each(|change| out::data(&format!("  changed  {change}")));
        for duty in &self.signatures {
            let missing = if duty.missing == 0 { "enough".to_owned() } else { format!("{} MISSING", duty.missing) };
            let signed = if duty.signed.is_empty() { "nobody".to_owned() } else { duty.signed.join(" ") };
            out::data(&format!(
                "  signed, of version {}'s root keys ({} needed, {missing}): {signed}",
                duty.version, duty.threshold
            ));
        }
    }
}

impl RoleView {
    fn new(role: &RoleName, keys: &RoleKeys) -> RoleView {
        let keys_of = keys.keys().iter().map(KeyView::of).collect();
        RoleView { role: role.to_string(), threshold: keys.threshold(), keys: keys_of }
    }
}

impl KeyView {
    pub(super) fn of(key: &PublicKey) -> KeyView {
        KeyView { key: key.clone(), fingerprint: key.fingerprint().to_string() }
    }
}

impl DutyView {
    fn new(duty: &Duty) -> DutyView {
        let named = |keys: &[PublicKey]| keys.iter().map(|key| key.fingerprint().to_string()).collect();
        DutyView {
            version: duty.version,
            threshold: duty.threshold,
            signed: named(&duty.signed),
            unsigned: named(&duty.unsigned),
            missing: duty.missing(),
        }
    }
}

/// All that a root says, in a few lines: its roles one by one, then the rest.
pub(super) fn in_words(root: &TrustRoot) -> Vec<String> {
    let line = |(role, keys): (RoleName, &RoleKeys)| {
        let names: Vec<String> = keys.keys().iter().map(|key| key.fingerprint().to_string()).collect();
        format!("{role}: {} of {} must sign: {}", keys.threshold(), names.len(), names.join(" "))
    };
    let mut lines: Vec<String> = RoleName::all_of(root).map(line).collect();
    lines.extend((root.release_floor > 0).then(|| format!("release floor {}", root.release_floor)));
    lines.extend(root.revoked.iter().map(|digest| format!("revoked: bundle {digest}")));
    lines.push(format!("expires {}", root.expires));
    lines
}

const DAY_MILLIS: i64 = 24 * 60 * 60 * 1000;
