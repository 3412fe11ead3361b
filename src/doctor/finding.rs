//! What came of one check.

use serde::Serialize;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Verdict {
    /// As it should be.
    Ok,
    /// It works, and somebody should mend it.
    Weak,
    /// Agents refuse it, or it does not start.
    Broken,
}

/// One line of the answer.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct Finding {
    /// The check's name, which stays the same from release to release.
    pub(super) check: &'static str,
    pub(super) verdict: Verdict,
    /// What was found.
    pub(super) says: String,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) mend: Option<String>,
}

impl Finding {
    pub(super) fn ok(check: &'static str, says: impl Into<String>) -> Finding {
        Finding { check, verdict: Verdict::Ok, says: says.into(), mend: None }
    }

    pub(super) fn weak(check: &'static str, says: impl Into<String>, mend: impl Into<String>) -> Finding {
        Finding { check, verdict: Verdict::Weak, says: says.into(), mend: Some(mend.into()) }
    }

    pub(super) fn broken(check: &'static str, says: impl Into<String>, mend: impl Into<String>) -> Finding {
        Finding { check, verdict: Verdict::Broken, says: says.into(), mend: Some(mend.into()) }
    }

    /// How it is told: a line, and below it what to do.
    pub(super) fn lines(&self) -> Vec<String> {
        let verdict = match self.verdict {
            Verdict::Ok => "ok",
            Verdict::Weak => "weak",
            Verdict::Broken => "broken",
        };
        let mut lines = vec![format!("{verdict:<8}{:<18}{}", self.check, self.says)];
        lines.extend(self.mend.as_ref().map(|mend| format!("{:<26}mend: {mend}", "")));
        lines
    }
}
