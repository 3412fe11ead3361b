//! Names of branches, by a grammar narrower than git's.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Name of a branch, like `main` or `release/eu`: what follows `refs/heads/`.
///
/// 1 to 200 bytes of letters, digits, `.`, `_`, `-`, `+` and `/`. No part between slashes is empty, starts with `.` or `-`, or ends
/// with `.` or `.lock`, and there is no `..`. So it can neither be an option nor part of a refspec.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct BranchName(Box<str>);

/// Says that a text is no name for a branch.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{}` is not a valid branch name: write it like `main` or `release/eu`, without `refs/heads/`", offered.escape_debug())]
pub struct InvalidBranchName {
    /// The text as offered, cut to 80 characters.
    pub offered: String,
}

impl BranchName {
    /// The name without `refs/heads/`.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The whole name of the reference.
    pub fn reference(&self) -> String {
        format!("refs/heads/{}", self.0)
    }
}

impl std::str::FromStr for BranchName {
    type Err = InvalidBranchName;

    fn from_str(text: &str) -> Result<BranchName, InvalidBranchName> {
        let characters = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-+/".contains(&byte));
        let parts = text.split('/').all(|part| {
            !part.is_empty() && !part.starts_with(['.', '-']) && !part.ends_with('.') && !part.ends_with(".lock")
        });
        let whole = text.len() <= 200 && text != "HEAD" && !text.starts_with("refs/") && !text.contains("..");
        if characters && parts && whole {
            Ok(BranchName(text.into()))
        } else {
            Err(InvalidBranchName { offered: text.chars().take(80).collect() })
        }
    }
}

impl TryFrom<String> for BranchName {
    type Error = InvalidBranchName;

    fn try_from(text: String) -> Result<BranchName, InvalidBranchName> {
        text.parse()
    }
}

impl From<BranchName> for String {
    fn from(name: BranchName) -> String {
        name.0.into()
    }
}

impl fmt::Display for BranchName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a36_names_that_could_be_options_or_refspecs_are_refused() {
        let hostile = [
            "",
            "-",
            "-main",
            "--upload-pack=touch x",
            "a/-b",
            "main:refs/heads/x",
            "+main:x",
            "a b",
            "a\nb",
            "a\0",
            "a..b",
            ".a",
            "a/.b",
            "a.",
            "a.lock",
            "x.lock/b",
            "/a",
            "a/",
            "a//b",
            "HEAD",
            "refs/heads/main",
            "a~1",
            "a^",
            "a@{1}",
            "a*",
            "a?",
            "[a]",
            "é",
        ];
        for bad in hostile {
            assert!(bad.parse::<BranchName>().is_err(), "{bad:?}");
        }
        for good in ["main", "release/eu", "v1.2", "feature_x-1+2"] {
            assert_eq!(good.parse::<BranchName>().map(String::from), Ok(good.to_owned()));
        }
    }
}
