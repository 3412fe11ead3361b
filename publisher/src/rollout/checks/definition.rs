//! One check as `publisher.yaml` defines it.
//!
//! ```yaml
//! checks:
//!   errors: { prometheus: "http://prometheus:9090", query: "sum(rate(errors[1m])) < bool 5" }
//!   smoke: { command: [./smoke, --fast], timeout: 30s }
//! ```

use std::path::Path;
use std::time::Duration;

use follower::BaseUrl;
use schema::time::Length;
use serde::Deserialize;

/// A check that a gate may ask for.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "Raw")]
pub struct Check {
    pub(super) kind: Kind,
    /// How long an answer may take.
    pub(super) timeout: Duration,
}

/// How a check is asked.
#[derive(Clone, Debug)]
pub(super) enum Kind {
    /// A query to Prometheus that must be answered by nothing but numbers other than zero.
    Prometheus { url: BaseUrl, query: String },
    /// A program, run without a shell, that must end with 0.
    Command { command: Vec<String> },
}

/// As it stands in the file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    /// Where Prometheus is.
    #[serde(default)]
    prometheus: Option<BaseUrl>,
    /// What it is asked. A yes is an answer of one or more numbers, none of which is zero.
    #[serde(default)]
    query: Option<String>,
    /// A program and its arguments. A program with a relative path starts at the file's folder; one without a `/` is looked for
    /// where the system looks. It gets `DRIFTLESS_APP`, `DRIFTLESS_REGIONS`, `DRIFTLESS_COMMIT` and `DRIFTLESS_WAVE`.
    #[serde(default)]
    command: Option<Vec<String>>,
    /// How long an answer may take. Default: 10s.
    #[serde(default = "ten_seconds")]
    timeout: Length,
}

/// Says why a check cannot be asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidCheck {
    /// Neither or both.
    #[error("a check has either `prometheus` and `query`, or `command`")]
    NoKind,
    /// No program.
    #[error("`command` names no program")]
    NoProgram,
    /// It would never have an answer.
    #[error("`timeout` must be above zero")]
    NoTime,
}

impl TryFrom<Raw> for Check {
    type Error = InvalidCheck;

    fn try_from(raw: Raw) -> Result<Check, InvalidCheck> {
        let kind = match (raw.prometheus, raw.query, raw.command) {
            (Some(url), Some(query), None) => Kind::Prometheus { url, query },
            (None, None, Some(command)) if command.first().is_none_or(String::is_empty) => {
                return Err(InvalidCheck::NoProgram);
            }
            (None, None, Some(command)) => Kind::Command { command },
            _ => return Err(InvalidCheck::NoKind),
        };
        if raw.timeout.0.is_zero() {
            return Err(InvalidCheck::NoTime);
        }
        Ok(Check { kind, timeout: raw.timeout.0 })
    }
}

impl Check {
    /// Lets a relative path start at `folder`.
    pub(crate) fn resolve(&mut self, folder: &Path) {
        if let Kind::Command { command } = &mut self.kind
            && let Some(program) = command.first_mut().filter(|program| program.contains('/'))
        {
            *program = folder.join(&program).display().to_string();
        }
    }
}

fn ten_seconds() -> Length {
    Length(Duration::from_secs(10))
}
