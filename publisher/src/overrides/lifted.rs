//! Remembers which moves of the branch were lifted.
//!
//! Regions that the move did not change still name the commit that was left behind, long after the override expired. So
//! this is kept: one line `<commit> <commit left behind> <when>` each, in a file that only grows. It makes no further move
//! possible; it only tells that the one commit supersedes the other.

use std::path::Path;

use schema::{CommitId, Timestamp};

use super::Statement;
use crate::ledger::{Ledger, LedgerError, LedgerName};

/// A move of the branch that two principals lifted.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Lifted {
    /// The commit that was published.
    pub publish: CommitId,
    /// The one that was left behind.
    pub over: CommitId,
}

impl From<&Statement> for Lifted {
    fn from(statement: &Statement) -> Lifted {
        Lifted { publish: statement.publish.clone(), over: statement.over.clone() }
    }
}

/// All moves that were lifted.
#[derive(Debug)]
pub struct LiftedMoves {
    ledger: Ledger,
    moves: Vec<Lifted>,
}

const NAME: LedgerName = LedgerName {
    of: "lifted force-pushes",
    remedy: "restore the file from a backup, or remove it: regions that name a commit left behind then need a new override",
};

impl LiftedMoves {
    /// Opens the record at `path`, making it where there is none. Blocks.
    ///
    /// # Errors
    /// [`LedgerError`]: the file is out of reach or damaged.
    pub fn open(path: &Path) -> Result<LiftedMoves, LedgerError> {
        let (ledger, moves) = Ledger::open(path, NAME, parse_line)?;
        Ok(LiftedMoves { ledger, moves })
    }

    /// Remembers `lifted`, before anything is published by it. Blocks.
    ///
    /// # Errors
    /// [`LedgerError::Io`]; it is not remembered then.
    pub fn remember(&mut self, lifted: Lifted, now: Timestamp) -> Result<(), LedgerError> {
        if self.moves.contains(&lifted) {
            return Ok(());
        }
        let Lifted { publish, over } = &lifted;
        self.ledger.append(&format!("{publish} {over} {now}\n"))?;
        tracing::warn!(%publish, %over, "Two principals let the branch leave commit {} behind for {}", over.short(), publish.short());
        self.moves.push(lifted);
        Ok(())
    }

    /// All of them, the oldest first.
    pub fn all(&self) -> &[Lifted] {
        &self.moves
    }
}

fn parse_line(line: &str) -> Option<Lifted> {
    let mut words = line.split(' ');
    let lifted = Lifted { publish: words.next()?.parse().ok()?, over: words.next()?.parse().ok()? };
    let _when: Timestamp = words.next()?.parse().ok()?;
    words.next().is_none().then_some(lifted)
}
