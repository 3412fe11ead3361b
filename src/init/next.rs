//! What was made, and what to type next.

use schema::CommitId;

use super::Args;
use super::signer::Signer;
use super::site::Site;
use super::starter::Choice;
use crate::home::Home;
use crate::out;

/// All that there is to tell of.
pub(super) struct Made<'a> {
    pub(super) args: &'a Args,
    pub(super) site: &'a Site,
    pub(super) home: &'a Home,
    pub(super) branch: &'a str,
    pub(super) adopt: Option<CommitId>,
    pub(super) signer: &'a Signer,
    pub(super) choice: &'a Choice,
}

pub(super) fn tell(made: &Made<'_>) {
    tell_made(made);
    out::talk("");
    out::talk("Next:");
    for (number, step) in steps(made).iter().enumerate() {
        out::talk(&format!("  {}. {}", number + 1, step.join("\n       ")));
    }
}

fn tell_made(Made { site, home, branch, adopt, signer, choice, .. }: &Made<'_>) {
    let history = match adopt {
        Some(commit) => format!("adopted up to {}; every commit after it must be signed", commit.short()),
        None if site.is_new && signer.fresh().is_some() => "one signed commit".to_owned(),
        None => "none yet; every commit must be signed".to_owned(),
    };
    out::talk(&format!("home      {} (keys, signer policy, trust root, configuration)", home.dir().display()));
    out::talk(&format!("branch    {branch}"));
    out::talk(&format!("signers   {}", signer.in_words()));
    out::talk(&format!("history   {history}"));
    out::talk(&format!("apps      {}", choice.in_words()));
    out::talk("operators one token, in operator.token; control.yaml says who may command rollouts");
    out::talk("warning   the trust root is one key that signs alone: fine for a first try, weak for a fleet");
    out::talk(
        "          docs/guide/keys.md says how two of three people sign; `driftless doctor` says what else is weak",
    );
}

/// Each step with the commands below it.
fn steps(Made { args, site, home, signer, .. }: &Made<'_>) -> Vec<Vec<String>> {
    let repository = args.repository.display();
    let mut steps = Vec::new();
    let is_ours = site.is_new && signer.fresh().is_some();
    if !is_ours && let Some(commands) = signer.git_configuration(&repository.to_string(), home) {
        steps.push([vec!["let git sign your commits with the fresh key:".to_owned()], commands].concat());
    }
    if !is_ours && !site.has_committed("driftless.yaml") {
        let files = if site.is_new { "." } else { "driftless.yaml" };
        steps.push(vec![
            "review driftless.yaml, then commit it, signed:".to_owned(),
            format!("git -C {repository} add {files}"),
            format!("git -C {repository} commit -S -m 'Publish with Driftless'"),
        ]);
    }
    let home_flag = args.home.as_ref().map_or_else(String::new, |_| format!(" --home {}", home.dir().display()));
    steps.push(vec![format!("driftless up {repository}{home_flag}")]);
    steps.push(vec![format!("driftless agent --config {}", home.agent_yaml().display())]);
    steps.push(vec!["driftless status".to_owned()]);
    steps.push(vec![
        "if something goes wrong, from this repository:".to_owned(),
        format!("driftless freeze{home_flag} --why 'what you saw'"),
    ]);
    steps
}
