//! Paths inside a bundle: relative, UTF-8, and unable to leave the directory they are unpacked in.

use std::borrow::Borrow;
use std::fmt;

use crate::limits::Limits;

/// Path of a file or directory inside a bundle, like `conf.d/limits.yaml`.
///
/// One to [`Limits::depth_max`] components joined by `/`. A component is never empty, `.`, `..` or any spelling of `.git`,
/// and holds no control character, backslash or `/`. Ordered by bytes, as entries are in an archive.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EntryPath(Box<str>);

impl EntryPath {
    /// Parses a path as it stands in an archive or is joined from git tree entries.
    ///
    /// # Errors
    /// [`InvalidPath`] names the first thing that is wrong with it.
    pub fn parse(bytes: &[u8], limits: &Limits) -> Result<EntryPath, InvalidPath> {
        let refuse = |wrong| InvalidPath { path: String::from_utf8_lossy(bytes).chars().take(256).collect(), wrong };
        if bytes.len() > limits.path_max_bytes {
            return Err(refuse(PathFault::TooLong { max_bytes: limits.path_max_bytes }));
        }
        let text = str::from_utf8(bytes).map_err(|_| refuse(PathFault::NotUtf8))?;
        for component in text.split('/') {
            check_component(component, limits).map_err(refuse)?;
        }
        if text.split('/').count() > limits.depth_max {
            return Err(refuse(PathFault::TooDeep { max: limits.depth_max }));
        }
        Ok(EntryPath(text.into()))
    }

    /// The path as text, with `/` between components.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The directories above it, outermost first: `a` and `a/b` for `a/b/c`.
    pub fn ancestors(&self) -> impl Iterator<Item = EntryPath> + '_ {
        self.0.match_indices('/').map(|(at, _)| EntryPath(self.0[..at].into()))
    }

    /// The same, without those that are above `other` too.
    pub fn ancestors_not_above(&self, other: &EntryPath) -> impl Iterator<Item = EntryPath> + '_ {
        let same = self.0.bytes().zip(other.0.bytes()).take_while(|(ours, theirs)| ours == theirs);
        let shared = same.filter(|(byte, _)| *byte == b'/').count();
        self.0.match_indices('/').skip(shared).map(|(at, _)| EntryPath(self.0[..at].into()))
    }

    /// The last component.
    pub fn file_name(&self) -> &str {
        self.0.rsplit('/').next().unwrap_or(&self.0)
    }

    /// What is equal for two paths that a case-insensitive file system would confuse.
    pub fn case_folded(&self) -> String {
        self.0.to_lowercase()
    }
}

impl Borrow<str> for EntryPath {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for EntryPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// Says which path cannot be in a bundle, and why.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{}` cannot be the path of a configuration file: {wrong}", path.escape_debug())]
pub struct InvalidPath {
    /// The path, lossily decoded and cut to 256 characters.
    pub path: String,
    /// What is wrong with it.
    pub wrong: PathFault,
}

/// What can be wrong with a path.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PathFault {
    /// Not UTF-8.
    #[error("it is not UTF-8")]
    NotUtf8,
    /// Longer than the limit.
    #[error("it is longer than {max_bytes} bytes")]
    TooLong {
        /// The limit.
        max_bytes: usize,
    },
    /// A component is longer than the limit.
    #[error("a component is longer than {max_bytes} bytes")]
    ComponentTooLong {
        /// The limit.
        max_bytes: usize,
    },
    /// More components than the limit.
    #[error("it is more than {max} directories deep")]
    TooDeep {
        /// The limit.
        max: usize,
    },
    /// Empty, absolute, or with `//`.
    #[error("it is empty, absolute, or has an empty component")]
    EmptyComponent,
    /// `.` or `..`.
    #[error("`.` and `..` are not allowed")]
    Dots,
    /// A spelling of `.git`.
    #[error("`.git` in any spelling is not allowed")]
    DotGit,
    /// A control character or a backslash.
    #[error("control characters and backslashes are not allowed")]
    Character,
}

fn check_component(component: &str, limits: &Limits) -> Result<(), PathFault> {
    if component.is_empty() {
        return Err(PathFault::EmptyComponent);
    }
    if component.len() > limits.component_max_bytes {
        return Err(PathFault::ComponentTooLong { max_bytes: limits.component_max_bytes });
    }
    if component == "." || component == ".." {
        return Err(PathFault::Dots);
    }
    if is_dot_git(component) {
        return Err(PathFault::DotGit);
    }
    if component.chars().any(|c| c.is_control() || c == '\\') {
        return Err(PathFault::Character);
    }
    Ok(())
}

/// Whether some file system would take `component` for `.git`: by case, by trailing dots and blanks, by its short name,
/// by an alternate data stream, or by code points that HFS+ ignores.
fn is_dot_git(component: &str) -> bool {
    let visible: String = component.chars().filter(|c| !is_ignored_by_hfs(*c)).collect();
    let stem = visible.split(':').next().unwrap_or_default();
    let bare = stem.trim_end_matches(['.', ' ']).to_ascii_lowercase();
    bare == ".git" || bare == "git~1"
}

fn is_ignored_by_hfs(c: char) -> bool {
    matches!(c, '\u{200c}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{206a}'..='\u{206f}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<EntryPath, PathFault> {
        EntryPath::parse(text.as_bytes(), &Limits::DEFAULT).map_err(|refused| refused.wrong)
    }

    #[test]
    fn paths_that_leave_or_confuse_are_refused() {
        let table = [
            ("", PathFault::EmptyComponent),
            ("/etc/passwd", PathFault::EmptyComponent),
            ("a//b", PathFault::EmptyComponent),
            ("a/", PathFault::EmptyComponent),
            ("..", PathFault::Dots),
            ("a/../b", PathFault::Dots),
            ("./a", PathFault::Dots),
            (".git", PathFault::DotGit),
            ("a/.GIT/config", PathFault::DotGit),
            (".git.", PathFault::DotGit),
            (".git ", PathFault::DotGit),
            (".git::$INDEX_ALLOCATION", PathFault::DotGit),
            ("GIT~1", PathFault::DotGit),
            (".g\u{200c}it", PathFault::DotGit),
            ("a\\b", PathFault::Character),
            ("a\nb", PathFault::Character),
            ("a\0", PathFault::Character),
        ];
        for (path, wrong) in table {
            assert_eq!(parse(path), Err(wrong), "{path:?}");
        }
        assert_eq!(
            EntryPath::parse(b"\xff", &Limits::DEFAULT).map_err(|refused| refused.wrong),
            Err(PathFault::NotUtf8)
        );
    }

    #[test]
    fn the_limits_are_inclusive() {
        let deepest = vec!["d"; 32].join("/");
        assert!(parse(&deepest).is_ok());
        assert_eq!(parse(&format!("{deepest}/d")), Err(PathFault::TooDeep { max: 32 }));
        assert!(parse(&"n".repeat(255)).is_ok());
        assert_eq!(parse(&"n".repeat(256)), Err(PathFault::ComponentTooLong { max_bytes: 255 }));
    }

    #[test]
    fn ordinary_paths_pass_and_know_their_parents() {
        let path = parse("conf.d/eu/.gitignore").expect("an ordinary path");
        let above: Vec<String> = path.ancestors().map(|dir| dir.to_string()).collect();
        assert_eq!(above, ["conf.d", "conf.d/eu"]);
        for (other, beyond) in [("conf.d/eu/x", 0), ("conf.d/e/x", 1), ("conf.d-old/eu/x", 2), ("conf.d", 2)] {
            let other = parse(other).expect("an ordinary path");
            let rest: Vec<String> = path.ancestors_not_above(&other).map(|dir| dir.to_string()).collect();
            assert_eq!(rest, above[2 - beyond..], "{other}");
        }
        assert_eq!(path.file_name(), ".gitignore");
    }
}
