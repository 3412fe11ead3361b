//! The one line of an override.

use std::time::Duration;

use schema::{CommitId, Timestamp};

use super::OverrideRefusal;
use crate::signers::Moment;
use crate::source::{BranchName, RepositoryUrl};

/// The longest time that a statement may still have to run.
const LIFE_MAX: Duration = Duration::from_secs(7 * 24 * 3600);

/// What two principals say together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    /// The commit that may be published.
    pub publish: CommitId,
    /// The published commit that may be left behind for it.
    pub over: CommitId,
    /// The repository's name and the branch: `configs/main`.
    pub place: String,
    /// Until when.
    pub expires: Timestamp,
}

/// Says that a file is not a statement.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "it is not one line `driftless override: publish <commit> over <commit> in <repository>/<branch>, expires <time>`, with \
     whole commit ids and a time like 2026-08-01T09:30:00Z"
)]
pub struct InvalidStatement;

impl Statement {
    /// Parses the content of the file.
    ///
    /// # Errors
    /// [`InvalidStatement`]: another spelling. There is one only, so that all sign and read the same.
    pub fn parse(bytes: &[u8]) -> Result<Statement, InvalidStatement> {
        let line = str::from_utf8(bytes).ok().and_then(|text| text.strip_suffix('\n')).ok_or(InvalidStatement)?;
        parse_line(line).ok_or(InvalidStatement)
    }

    /// Checks that it is for `here` (`configs/main`), and for now.
    pub(super) fn check(&self, here: &str, now: Timestamp) -> Result<(), OverrideRefusal> {
        if self.place != here {
            return Err(OverrideRefusal::Elsewhere { stated: self.place.clone(), here: here.to_owned() });
        }
        if self.expires <= now {
            return Err(OverrideRefusal::Expired(self.expires));
        }
        if self.expires.since(now) > LIFE_MAX {
            return Err(OverrideRefusal::TooLong(self.expires));
        }
        Ok(())
    }
}

/// What a statement calls a branch: the last part of where the repository is, without `.git`, and the branch's name.
pub fn place(repository: &RepositoryUrl, branch: &BranchName) -> String {
    let repository = repository.to_string();
    let name = repository.trim_end_matches('/').rsplit(['/', ':']).next().unwrap_or_default();
    format!("{}/{branch}", name.strip_suffix(".git").unwrap_or(name))
}

fn parse_line(line: &str) -> Option<Statement> {
    let rest = line.strip_prefix("driftless override: publish ")?;
    let (publish, rest) = rest.split_once(" over ")?;
    let (over, rest) = rest.split_once(" in ")?;
    let (place, expires) = rest.split_once(", expires ")?;
    let good_place = !place.is_empty() && !place.chars().any(|letter| letter.is_whitespace() || letter.is_control());
    Some(Statement {
        publish: publish.parse().ok()?,
        over: over.parse().ok()?,
        place: good_place.then(|| place.to_owned())?,
        expires: Moment::try_from(expires.to_owned()).ok()?.0,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line() -> String {
        let (publish, over) = ("a".repeat(40), "b".repeat(40));
        format!("driftless override: publish {publish} over {over} in configs/main, expires 2026-08-01T09:30:00Z\n")
    }

    #[test]
    fn there_is_one_spelling() {
        let statement = Statement::parse(line().as_bytes()).expect("a statement");
        assert_eq!((statement.place.as_str(), statement.publish.as_str()), ("configs/main", "a".repeat(40).as_str()));
        let line = line();
        for bad in [
            line.trim_end().to_owned(),
            format!("{line}\n"),
            format!(" {line}"),
            line.replace(" over ", "  over "),
            line.replace(&"a".repeat(40), "aaaaaaa"),
            line.replace("configs/main", "configs main"),
            line.replace("Z\n", "\n"),
            line.replace("publish", "Publish"),
            line.replace('\n', "\r\n"),
            String::new(),
        ] {
            assert_eq!(Statement::parse(bad.as_bytes()), Err(InvalidStatement), "{bad:?}");
        }
    }

    #[test]
    fn a_branch_has_one_name_wherever_its_repository_is_reached_from() {
        for repository in
            ["git@git.example.com:platform/configs.git", "https://git.example.com/configs", "/srv/configs/"]
        {
            let repository = repository.parse().expect(repository);
            assert_eq!(place(&repository, &"release/eu".parse().expect("a branch")), "configs/release/eu");
        }
    }

    #[test]
    fn it_counts_here_and_for_a_week_at_most() {
        let statement = Statement::parse(line().as_bytes()).expect("a statement");
        let now = |text: &str| text.parse::<Timestamp>().expect("a time");
        assert!(statement.check("configs/main", now("2026-07-31T00:00:00.000Z")).is_ok());
        let elsewhere = statement.check("configs/other", now("2026-07-31T00:00:00.000Z"));
        assert!(matches!(elsewhere, Err(OverrideRefusal::Elsewhere { .. })));
        let late = statement.check("configs/main", now("2026-08-01T09:30:00.000Z"));
        assert!(matches!(late, Err(OverrideRefusal::Expired(_))));
        let early = statement.check("configs/main", now("2026-07-20T00:00:00.000Z"));
        assert!(matches!(early, Err(OverrideRefusal::TooLong(_))));
    }
}
