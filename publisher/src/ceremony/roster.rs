//! Who is in which role while a root is being planned: roles that are not valid yet, and may never be.

use std::collections::BTreeMap;

use schema::{PublicKey, Region, RoleKeys, TrustRoot};

use super::{Change, Refused, RoleName};

/// The roles of a root on its way from one version to the next.
#[derive(Default)]
pub(super) struct Roster(BTreeMap<RoleName, Entry>);

#[derive(Default)]
struct Entry {
    keys: Vec<PublicKey>,
    /// Nothing where nobody has said yet.
    threshold: Option<usize>,
    /// Whether its last key was taken out of this very role, and not out of all of them.
    given_up: bool,
}

impl Roster {
    pub(super) fn of(root: &TrustRoot) -> Roster {
        let entry =
            |keys: &RoleKeys| Entry { keys: keys.keys().to_vec(), threshold: Some(keys.threshold()), given_up: false };
        Roster(RoleName::all_of(root).map(|(role, keys)| (role, entry(keys))).collect())
    }

    /// Adds, then removes, then sets thresholds, whatever the order of `changes`.
    pub(super) fn apply(&mut self, changes: &[Change]) -> Result<(), Refused> {
        for change in changes {
            if let Change::Add { role, key } = change {
                self.add(role, key)?;
            }
        }
        for change in changes {
            match change {
                Change::Remove { role, key } => self.remove(role, key)?,
                Change::Expel(key) => self.expel(key)?,
                _ => {}
            }
        }
        for change in changes {
            if let Change::Threshold { role, threshold } = change {
                let entry = self.0.get_mut(role).ok_or_else(|| Refused::NoKeys(role.clone()))?;
                entry.threshold = Some(*threshold);
            }
        }
        self.0
            .retain(|role, entry| !(entry.given_up && entry.keys.is_empty() && matches!(role, RoleName::PointerOf(_))));
        Ok(())
    }

    fn add(&mut self, role: &RoleName, key: &PublicKey) -> Result<(), Refused> {
        let entry = self.0.entry(role.clone()).or_default();
        if entry.keys.contains(key) {
            return Err(Refused::Listed { role: role.clone(), key: Box::new(key.clone()) });
        }
        entry.keys.push(key.clone());
        Ok(())
    }

    fn remove(&mut self, role: &RoleName, key: &PublicKey) -> Result<(), Refused> {
        let not_listed = || Refused::NotListed { role: role.clone(), key: Box::new(key.clone()) };
        let entry = self.0.get_mut(role).ok_or_else(not_listed)?;
        let at = entry.keys.iter().position(|there| there == key).ok_or_else(not_listed)?;
        entry.keys.remove(at);
        entry.given_up = true;
        Ok(())
    }

    fn expel(&mut self, key: &PublicKey) -> Result<(), Refused> {
        let before = self.count();
        self.0.values_mut().for_each(|entry| entry.keys.retain(|there| there != key));
        if self.count() == before { Err(Refused::InNoRole(Box::new(key.clone()))) } else { Ok(()) }
    }

    fn count(&self) -> usize {
        self.0.values().map(|entry| entry.keys.len()).sum()
    }

    /// The role, if its threshold can be met.
    pub(super) fn take(&mut self, role: RoleName) -> Result<RoleKeys, Refused> {
        let entry = self.0.remove(&role).unwrap_or_default();
        let threshold = entry.threshold.unwrap_or_else(|| usual_threshold(&role, entry.keys.len()));
        RoleKeys::new(threshold, entry.keys).map_err(|source| Refused::Role { role, source: Box::new(source) })
    }

    /// What is left once the roles that every root has were taken: those of regions.
    pub(super) fn take_regions(mut self) -> Result<BTreeMap<Region, RoleKeys>, Refused> {
        let roles: Vec<RoleName> = self.0.keys().cloned().collect();
        let of_region = |role| match role {
            RoleName::PointerOf(region) => {
                Some(self.take(RoleName::PointerOf(region.clone())).map(|keys| (region, keys)))
            }
            RoleName::Root | RoleName::Release | RoleName::Pointer => None,
        };
        roles.into_iter().filter_map(of_region).collect()
    }
}

/// More than half of several root keys; one of anything else.
fn usual_threshold(role: &RoleName, keys: usize) -> usize {
    match role {
        RoleName::Root => keys / 2 + 1,
        RoleName::Release | RoleName::Pointer | RoleName::PointerOf(_) => 1,
    }
}
