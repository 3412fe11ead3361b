//! By which policy commits go: read by the publisher's own reader of `driftless.yaml`.
//!
//! In: a short name, or a file with a section `rollouts:`, and the regions of the run. Out: a policy, or none where everyone gets
//! everything at once. The file is taken as it stands, with the regions and one app added behind it, so that what it may say and
//! what is wrong with it is told by the code that tells it to a publisher.

use std::collections::BTreeMap;
use std::path::PathBuf;

use publisher::compile::{BlobId, CompileError, DOCUMENT, Objects, ObjectsError, policies};
use schema::rollout::Policy;
use schema::yaml::InvalidYaml;
use schema::{App, Limits, Region, TreeId};
use serde::Deserialize;
use serde::de::IgnoredAny;

/// Where a policy comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PolicySource {
    /// A short name, like `canary`.
    Name(Box<str>),
    /// A file with a section `rollouts:`, already read.
    File {
        /// Where it was.
        path: PathBuf,
        /// What stands there.
        text: String,
        /// Which policy of it; none: its only one.
        name: Option<Box<str>>,
    },
}

/// Says why there is no policy.
#[derive(Debug, thiserror::Error)]
pub enum PolicyError {
    /// The file is not of the expected shape.
    #[error("the policies cannot be read; they stand under `rollouts:`, and nothing else does")]
    Shape(#[source] InvalidYaml),
    /// Which policy is meant is not said.
    #[error("`{}` has {found} policies; name one with {}#NAME", path.display(), path.display())]
    WhichOne {
        /// The file.
        path: PathBuf,
        /// How many it has.
        found: usize,
    },
    /// What is wrong with the policy itself.
    #[error("the policy cannot be used; the regions of a run are named r01, r02 and so on")]
    Policy(#[source] CompileError),
}

/// A file with policies and nothing else.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    rollouts: BTreeMap<String, IgnoredAny>,
}

/// The policy, if it is not "at once".
pub(crate) fn policy(source: &PolicySource, app: &App, regions: &[Region]) -> Result<Option<Policy>, PolicyError> {
    let (written, name) = match source {
        PolicySource::Name(name) => (String::new(), name.to_string()),
        PolicySource::File { path, text, name } => {
            let file = path.display().to_string();
            let Written { rollouts } =
                schema::yaml::from_str(&file, text, &Limits::DEFAULT).map_err(PolicyError::Shape)?;
            let name = match (name, rollouts.len()) {
                (Some(name), _) => name.to_string(),
                (None, 1) => rollouts.into_keys().next().unwrap_or_default(),
                (None, found) => return Err(PolicyError::WhichOne { path: path.clone(), found }),
            };
            (format!("{text}\n"), name)
        }
    };
    let names: String = regions.iter().map(|region| format!("  {region}: {{}}\n")).collect();
    let name = serde_json::Value::from(name);
    let text = format!("{written}regions:\n{names}apps:\n  {app}: {{ path: \".\", rollout: {name} }}\n");
    let tree = OneFile(text);
    let mut found = policies(&tree, &OneFile::tree(), &Limits::DEFAULT).map_err(PolicyError::Policy)?;
    Ok(found.remove(app))
}

/// A tree that holds one `driftless.yaml`.
struct OneFile(String);

impl OneFile {
    fn tree() -> TreeId {
        "1".repeat(40).parse().expect("forty hex digits")
    }
}

impl Objects for OneFile {
    fn read_tree(&self, _: &TreeId, _: u64) -> Result<Vec<u8>, ObjectsError> {
        Ok([b"100644 ", DOCUMENT.as_bytes(), &[0; 21]].concat())
    }

    fn blob_size(&self, _: BlobId) -> Result<u64, ObjectsError> {
        Ok(self.0.len() as u64)
    }

    fn read_blob(&self, _: BlobId) -> Result<Vec<u8>, ObjectsError> {
        Ok(self.0.clone().into_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(source: &PolicySource) -> Result<Option<Policy>, PolicyError> {
        let regions: Vec<Region> = ["r01", "r02"].map(|name| name.parse().expect("a name")).into();
        policy(source, &"app".parse().expect("a name"), &regions)
    }

    fn file(text: &str, name: Option<&str>) -> PolicySource {
        PolicySource::File { path: "waves.yaml".into(), text: text.to_owned(), name: name.map(Into::into) }
    }

    #[test]
    fn a_policy_is_a_short_name_or_stands_in_a_file() {
        assert!(read(&PolicySource::Name("all-at-once".into())).expect("a short name").is_none());
        let careful = read(&PolicySource::Name("careful".into())).expect("a short name").expect("it has waves");
        assert_eq!(careful.waves.len(), 5);
        let text = "rollouts:\n  mine: { waves: [ { regions: [r01], share: 10%, soak: 1m }, { share: 100% } ] }\n";
        let mine = read(&file(text, None)).expect("a good file").expect("it has waves");
        assert_eq!((&*mine.name, mine.waves.len()), ("mine", 2));
        let two = format!("{text}  other: {{ waves: [ {{ share: 100% }} ] }}\n");
        assert!(matches!(read(&file(&two, None)), Err(PolicyError::WhichOne { found: 2, .. })));
        assert_eq!(read(&file(&two, Some("other"))).expect("a good file").expect("it has waves").waves.len(), 1);
    }

    #[test]
    fn what_is_wrong_with_a_policy_is_told_by_its_own_reader() {
        assert!(matches!(read(&PolicySource::Name("canery".into())), Err(PolicyError::Policy(_))));
        assert!(matches!(read(&file("rollouts: { a: { waves: [] } }", None)), Err(PolicyError::Policy(_))));
        assert!(matches!(read(&file("regions: {}", None)), Err(PolicyError::Shape(_))));
    }
}
