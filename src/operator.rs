//! How an operator asks a publisher something, or has it do something: where it is, and by which token.

use std::path::{Path, PathBuf};
use std::time::Duration;

use follower::{Answer, BaseUrl};
use schema::control::{Command, Done, What};
use schema::text::one_line;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::exit::{Code, Failure, Outcome};
use crate::home::Home;
use crate::out;
use crate::reach::Reach;

/// A publisher, and who asks it.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Operator {
    /// The publisher to ask: `driftless up`, or a publisher that listens
    #[arg(long, default_value = "http://127.0.0.1:7878", env = "DRIFTLESS_URL", value_name = "URL")]
    url: BaseUrl,

    /// The home whose operator token is used where --token names no other [default: the one beside this repository]
    #[arg(long, value_name = "FOLDER")]
    home: Option<PathBuf>,

    #[command(flatten)]
    reach: Reach,
}

/// Why something is done, and how what came of it is told.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Deed {
    /// Why, for the audit log: `driftless history` shows it beside the name of your token
    #[arg(long, value_name = "TEXT", value_parser = clap::builder::NonEmptyStringValueParser::new())]
    why: String,

    /// Print JSON
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    operator: Operator,
}

impl Deed {
    /// Has it done, and tells what changed.
    pub(crate) async fn run(&self, what: What) -> Outcome {
        let done = self.operator.command(what, &self.why).await?;
        if self.json {
            out::json(&done);
        } else if done.changed.is_empty() {
            out::talk("nothing changed: all was so before");
        } else {
            done.changed.iter().for_each(|line| out::data(&one_line(line, LINE_MAX_CHARS)));
        }
        Ok(())
    }
}

impl Operator {
    /// What the publisher says to a question under `v1/control/`.
    pub(crate) async fn ask<T: DeserializeOwned>(&self, path: &str) -> Result<T, Failure> {
        self.call(path, None).await
    }

    /// Has the publisher do something.
    pub(crate) async fn command(&self, what: What, why: &str) -> Result<Done, Failure> {
        let command = Command { what, why: why.into() };
        let body = serde_json::to_vec(&command).expect("a command is JSON");
        self.call("commands", Some(body)).await
    }

    /// Where it is asked, and by what it is known who asks.
    pub(crate) fn url_and_reach(&self) -> (&BaseUrl, &Reach) {
        (&self.url, &self.reach)
    }

    async fn call<T: DeserializeOwned>(&self, path: &str, body: Option<Vec<u8>>) -> Result<T, Failure> {
        let reach = self.reach.clone().or_token(|| self.own_token());
        let mirrors = reach.patient_mirrors(&self.url, ANSWER_WITHIN)?;
        let path = format!("v1/control/{path}");
        let answer = mirrors.call(&path, body.map(Into::into), ANSWER_MAX_BYTES).await;
        let answer = answer.map_err(|error| {
            Failure::new(Code::Unreachable, error).hint("is `driftless up` running there? name it with --url")
        })?;
        if answer.status.is_success() {
            return serde_json::from_slice(&answer.body).map_err(|error| {
                Failure::unexpected(error).hint("the answer is not a publisher's: is the URL right?")
            });
        }
        Err(refusal(&answer, &self.url, reach.token()))
    }

    /// The token that `driftless init` made, where there is one.
    fn own_token(&self) -> Option<PathBuf> {
        let home = match &self.home {
            Some(home) => Home::at(home),
            None => Home::of_repository(Path::new(".")).ok()?,
        };
        Some(home.operator_token()).filter(|token| token.exists())
    }
}

/// What an answer that is no "yes" comes to. Its words are the other side's.
fn refusal(answer: &Answer, url: &BaseUrl, token: Option<&Path>) -> Failure {
    #[derive(Deserialize)]
    struct Problem {
        error: String,
        hint: String,
    }
    let status = answer.status.as_u16();
    let code = match status {
        400 | 413 => Code::Usage,
        401 | 403 | 404 | 409 => Code::Refused,
        408 | 429 | 502..=504 => Code::Unreachable,
        _ => Code::Unexpected,
    };
    let Ok(Problem { error, hint }) = serde_json::from_slice(&answer.body) else {
        let failure = Failure::new(code, format!("{url} answers {}", answer.status));
        return failure.hint("commands are taken by `driftless up`, or by a publisher that listens; is the URL right?");
    };
    let hint = match status {
        401 if token.is_none() => {
            "name the file with your token with --token, or run this in the config repository".to_owned()
        }
        401 if !url.takes_tokens() => "a token is sent only over https, or on the same host; use https".to_owned(),
        404 if hint.contains("/v1/status") => {
            "a gateway on its own takes no commands: name `driftless up`, or a publisher that listens".to_owned()
        }
        _ => one_line(&hint, LINE_MAX_CHARS),
    };
    Failure::new(code, one_line(&error, LINE_MAX_CHARS)).hint(hint)
}

/// Longer than a publisher takes to say that something took too long.
const ANSWER_WITHIN: Duration = Duration::from_secs(20);
const ANSWER_MAX_BYTES: u64 = 16 * 1024 * 1024;
const LINE_MAX_CHARS: usize = 1000;
