//! The section `regions:`, in the order of the file.

use std::collections::BTreeMap;
use std::fmt;

use schema::Region;
use schema::name::Label;
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

/// Regions and their labels. The order means something to a policy that begins in the first one.
pub(super) struct RawRegions(Vec<(Region, BTreeMap<Label, Label>)>);

impl RawRegions {
    pub(super) fn names(&self) -> Vec<Region> {
        self.0.iter().map(|(region, _)| region.clone()).collect()
    }

    /// The regions that have all of these labels.
    pub(super) fn with(&self, labels: &BTreeMap<Label, Label>) -> Vec<Region> {
        let matches = |of: &BTreeMap<Label, Label>| labels.iter().all(|(key, value)| of.get(key) == Some(value));
        self.0.iter().filter(|(_, of)| matches(of)).map(|(region, _)| region.clone()).collect()
    }

    /// Whether any region has this label, with whatever value.
    pub(super) fn have(&self, key: &Label) -> bool {
        self.0.iter().any(|(_, labels)| labels.contains_key(key))
    }
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct RawRegion {
    labels: BTreeMap<Label, Label>,
}

impl<'de> Deserialize<'de> for RawRegions {
    fn deserialize<D: Deserializer<'de>>(value: D) -> Result<RawRegions, D::Error> {
        struct InOrder;

        impl<'de> Visitor<'de> for InOrder {
            type Value = RawRegions;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("regions by name, like `eu-west: {}`")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<RawRegions, A::Error> {
                let mut regions = Vec::new();
                while let Some((region, raw)) = map.next_entry::<Region, Option<RawRegion>>()? {
                    regions.push((region, raw.unwrap_or_default().labels));
                }
                Ok(RawRegions(regions))
            }
        }
        value.deserialize_map(InOrder)
    }
}
