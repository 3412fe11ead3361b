//! Where secret keys come from, as `publisher.yaml` says it: a file, a program or the environment.
//!
//! In: YAML. Out: [`KeySources`] with paths still as written; nothing is read here, and nothing secret is in here.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use schema::Region;
use serde::Deserialize;
use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{Deserializer, Error as _, MapAccess, SeqAccess, Visitor};

/// The `keys` of a publisher: for each role where its secret keys are. A role that this process does not have needs none.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeySection {
    /// The keys that sign manifests.
    #[serde(default)]
    pub release: KeySources,
    /// The keys that sign pointers of every region that has none of its own below.
    #[serde(default)]
    pub pointer: KeySources,
    /// The keys that sign the pointers of one region.
    #[serde(default)]
    pub pointer_of_region: BTreeMap<Region, KeySources>,
}

impl KeySection {
    /// Every source, in the order of the file.
    pub fn all(&self) -> impl Iterator<Item = &KeySource> {
        let regions = self.pointer_of_region.values();
        [&self.release, &self.pointer].into_iter().chain(regions).flat_map(|sources| &sources.0)
    }

    /// Makes every relative path start at `folder`.
    pub(crate) fn resolve(&mut self, folder: &Path) {
        let regions = self.pointer_of_region.values_mut();
        for source in [&mut self.release, &mut self.pointer].into_iter().chain(regions).flat_map(|all| &mut all.0) {
            source.resolve(folder);
        }
    }
}

/// The sources of one role's keys: one, or a list where one process signs with several. Empty where the file has none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeySources(pub Vec<KeySource>);

/// Where one secret key is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeySource {
    /// A key file of the stock `minisign`.
    File {
        /// Its path.
        path: PathBuf,
        /// What opens it, where it is protected.
        password: Option<SecretSource>,
    },
    /// The text of a key file, from elsewhere.
    Text(SecretSource),
}

/// Where a secret text is: one of a file, a program's output, or an environment variable.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "RawSecret")]
pub enum SecretSource {
    /// A file's content.
    File(PathBuf),
    /// What a program prints: its name and its arguments, run without a shell.
    Command(Vec<String>),
    /// The value of an environment variable.
    Env(String),
}

impl KeySource {
    fn resolve(&mut self, folder: &Path) {
        let (file, password) = match self {
            KeySource::File { path, password } => (Some(path), password.as_mut()),
            KeySource::Text(source) => (None, Some(source)),
        };
        let secret = match password {
            Some(SecretSource::File(path)) => Some(path),
            _ => None,
        };
        for path in file.into_iter().chain(secret) {
            *path = folder.join(&path);
        }
    }
}

impl fmt::Display for KeySource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            KeySource::File { path, .. } => write!(f, "{}", path.display()),
            KeySource::Text(source) => source.fmt(f),
        }
    }
}

impl fmt::Display for SecretSource {
    /// Names the source. Of a command only the program: an argument may be a secret that does not belong there.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SecretSource::File(path) => write!(f, "{}", path.display()),
            SecretSource::Command(words) => {
                write!(f, "the output of {}", words.first().map_or("", String::as_str).escape_debug())
            }
            SecretSource::Env(name) => write!(f, "environment variable {}", name.escape_debug()),
        }
    }
}

impl fmt::Debug for SecretSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SecretSource({self})")
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawSecret {
    #[serde(default)]
    file: Option<PathBuf>,
    #[serde(default)]
    command: Option<Vec<String>>,
    #[serde(default)]
    env: Option<String>,
}

impl TryFrom<RawSecret> for SecretSource {
    type Error = &'static str;

    fn try_from(raw: RawSecret) -> Result<SecretSource, &'static str> {
        match raw {
            RawSecret { file: Some(path), command: None, env: None } => Ok(SecretSource::File(path)),
            RawSecret { file: None, command: Some(words), env: None } if words.is_empty() => {
                Err("`command` names no program")
            }
            RawSecret { file: None, command: Some(words), env: None } => Ok(SecretSource::Command(words)),
            RawSecret { file: None, command: None, env: Some(name) } => Ok(SecretSource::Env(name)),
            _ => Err("expected exactly one of `file`, `command` and `env`"),
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawKey {
    #[serde(default)]
    file: Option<PathBuf>,
    #[serde(default)]
    password: Option<SecretSource>,
    #[serde(default)]
    command: Option<Vec<String>>,
    #[serde(default)]
    env: Option<String>,
}

impl TryFrom<RawKey> for KeySource {
    type Error = &'static str;

    fn try_from(raw: RawKey) -> Result<KeySource, &'static str> {
        let RawKey { file, password, command, env } = raw;
        match (SecretSource::try_from(RawSecret { file, command, env })?, password) {
            (SecretSource::File(path), password) => Ok(KeySource::File { path, password }),
            (_, Some(_)) => Err("`password` goes with `file` alone"),
            (source, None) => Ok(KeySource::Text(source)),
        }
    }
}

/// Reads a path, or a mapping.
struct OneVisitor;

impl<'de> Visitor<'de> for OneVisitor {
    type Value = KeySource;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the path of a key file, or a mapping with `file`, `command` or `env`")
    }

    fn visit_str<E>(self, path: &str) -> Result<KeySource, E> {
        Ok(KeySource::File { path: path.into(), password: None })
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<KeySource, A::Error> {
        RawKey::deserialize(MapAccessDeserializer::new(map))?.try_into().map_err(A::Error::custom)
    }
}

impl<'de> Deserialize<'de> for KeySource {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<KeySource, D::Error> {
        deserializer.deserialize_any(OneVisitor)
    }
}

/// Reads what [`OneVisitor`] does, or a list of that.
struct ManyVisitor;

impl<'de> Visitor<'de> for ManyVisitor {
    type Value = KeySources;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a key or a list of keys, each {}", ExpectedOne)
    }

    fn visit_str<E: serde::de::Error>(self, path: &str) -> Result<KeySources, E> {
        OneVisitor.visit_str(path).map(|one| KeySources(vec![one]))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<KeySources, A::Error> {
        OneVisitor.visit_map(map).map(|one| KeySources(vec![one]))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<KeySources, A::Error> {
        Vec::deserialize(SeqAccessDeserializer::new(list)).map(KeySources)
    }
}

struct ExpectedOne;

impl fmt::Display for ExpectedOne {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        OneVisitor.expecting(f)
    }
}

impl<'de> Deserialize<'de> for KeySources {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<KeySources, D::Error> {
        deserializer.deserialize_any(ManyVisitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(yaml: &str) -> Result<KeySection, String> {
        let read = schema::yaml::from_str("publisher.yaml", yaml, &schema::Limits::DEFAULT);
        read.map_err(|error| error.to_string())
    }

    #[test]
    fn every_form_is_read_and_paths_start_at_the_file() {
        let yaml = "release: [r.key, { command: [vault, read, key] }]\n\
             pointer: { file: p.key, password: { env: PW } }\n\
             pointer_of_region: { eu: { env: EU_KEY }, us: { file: /k/us.key, password: { file: us.pw } } }\n";
        let mut keys = read(yaml).expect("all forms");
        keys.resolve(Path::new("/etc/driftless"));
        let file = |path: &str, password| KeySource::File { path: path.into(), password };
        let vault = ["vault", "read", "key"].map(str::to_owned).to_vec();
        let release = [file("/etc/driftless/r.key", None), KeySource::Text(SecretSource::Command(vault))];
        assert_eq!(keys.release.0, release);
        assert_eq!(keys.pointer.0, [file("/etc/driftless/p.key", Some(SecretSource::Env("PW".to_owned())))]);
        let us = SecretSource::File("/etc/driftless/us.pw".into());
        assert_eq!(keys.pointer_of_region[&"us".parse().expect("a region")].0, [file("/k/us.key", Some(us))]);
        assert_eq!(keys.all().count(), 5);
    }

    #[test]
    fn mistakes_are_named_and_arguments_are_not_shown() {
        for (yaml, said) in [
            ("release: { file: a, env: B }\n", "exactly one of"),
            ("release: {}\n", "exactly one of"),
            ("release: { command: [] }\n", "names no program"),
            ("release: { env: A, password: { env: B } }\n", "goes with `file`"),
            ("release: { fiel: a }\n", "fiel"),
            ("release: 7\n", "the path of a key file"),
            ("relaese: a\n", "relaese"),
        ] {
            let refused = read(yaml).expect_err(yaml);
            assert!(refused.contains(said), "{yaml}: {refused}");
        }
        let keys = read("release: { command: [sh, -c, echo hush] }\n").expect("a command");
        assert!(!format!("{keys:?} {}", keys.release.0[0]).contains("hush"), "{keys:?}");
    }
}
