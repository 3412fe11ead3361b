//! Which files a principal may change.

use std::fmt;

use serde::Deserialize;

/// Folders and files of the repository that somebody may change: everything, or what lies at or below some paths.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum AllowedPaths {
    /// No limit.
    #[default]
    Everything,
    /// What is at one of these paths, or below it. Never empty.
    Below(Vec<PathPrefix>),
}

/// A path in the repository, without a `/` at either end: `apps/web` covers that file, or that folder and all in it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct PathPrefix(Box<str>);

/// Says that a text is no path in a repository.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{}` is not a path in the repository; write it from the top and without `..`, like apps/web/", .0.escape_debug())]
pub struct InvalidPathPrefix(String);

/// How a folder lies to the paths that may be changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Coverage {
    /// It and all in it may be changed.
    Whole,
    /// Something in it may or may not be.
    Partly,
}

impl AllowedPaths {
    /// Whether the file at `path` may be changed.
    pub fn admit(&self, path: &[u8]) -> bool {
        match self {
            AllowedPaths::Everything => true,
            AllowedPaths::Below(prefixes) => prefixes.iter().any(|prefix| prefix.covers(path)),
        }
    }

    /// Whether all of the folder at `path` may be changed.
    pub(crate) fn coverage(&self, folder: &[u8]) -> Coverage {
        if self.admit(folder) { Coverage::Whole } else { Coverage::Partly }
    }
}

impl PathPrefix {
    fn covers(&self, path: &[u8]) -> bool {
        path.strip_prefix(self.0.as_bytes()).is_some_and(|rest| rest.is_empty() || rest[0] == b'/')
    }
}

impl TryFrom<String> for PathPrefix {
    type Error = InvalidPathPrefix;

    fn try_from(text: String) -> Result<PathPrefix, InvalidPathPrefix> {
        let path = text.strip_suffix('/').unwrap_or(&text);
        let good = |part: &str| !matches!(part, "" | "." | "..") && !part.chars().any(char::is_control);
        if path.split('/').all(good) && !path.contains(['*', '\\']) {
            Ok(PathPrefix(path.into()))
        } else {
            Err(InvalidPathPrefix(text.chars().take(120).collect()))
        }
    }
}

impl fmt::Display for PathPrefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_covers_whole_names_only() {
        let paths = ["apps/web/", "driftless.yaml"].map(|text| PathPrefix::try_from(text.to_owned()).expect(text));
        let paths = AllowedPaths::Below(paths.into());
        for (path, admitted) in [
            ("apps/web", true),
            ("apps/web/a.conf", true),
            ("apps/web/deep/a.conf", true),
            ("apps/website/a.conf", false),
            ("apps", false),
            ("apps/other/a.conf", false),
            ("driftless.yaml", true),
            ("driftless.yaml.bak", false),
            ("apps/WEB/a.conf", false),
        ] {
            assert_eq!(paths.admit(path.as_bytes()), admitted, "{path}");
            assert!(AllowedPaths::Everything.admit(path.as_bytes()));
        }
    }

    #[test]
    fn what_is_no_path_is_refused() {
        for bad in ["", "/", "/apps", "apps//web", "../up", "apps/..", "./apps", "apps/*", "a\nb", "a\\b"] {
            assert!(PathPrefix::try_from(bad.to_owned()).is_err(), "{bad:?}");
        }
    }
}
