//! A worker process, from its parent's side: questions in, answers out.

use std::fs;
use std::path::Path;

use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::process::{ChildStdin, ChildStdout};

use crate::bench::agents::{Answer, Orders};
use crate::bench::origin::child::Child;
use crate::exit::Failure;

/// A worker and the two ends of the talk with it.
pub(super) struct Hands {
    child: Child,
    questions: ChildStdin,
    answers: Lines<BufReader<ChildStdout>>,
}

impl Hands {
    /// Starts worker `number`; its orders and its diary are in `folder`.
    pub(super) fn start(folder: &Path, number: u64, orders: &Orders) -> Result<Hands, Failure> {
        let file = folder.join(format!("worker-{number}.json"));
        let text = serde_json::to_string(orders).expect("orders have string keys");
        fs::write(&file, text).map_err(Failure::unexpected)?;
        let log = folder.join(format!("worker-{number}.log"));
        let args = ["bench", "apply", "--worker", &file.display().to_string()];
        let (child, questions, answers) = Child::start_talking(&log, &args)?;
        Ok(Hands { child, questions, answers: BufReader::new(answers).lines() })
    }

    pub(super) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Asks one question; [`Hands::answers`] waits for the answer.
    pub(super) async fn ask(&mut self, question: &str) -> Result<(), Failure> {
        let asked = self.questions.write_all(question.as_bytes()).await;
        asked.map_err(|error| self.child.failed(&format!("takes no questions ({error})")))
    }

    /// The answer to the oldest question that has none yet.
    pub(super) async fn answers(&mut self) -> Result<Vec<Answer>, Failure> {
        let line = self.answers.next_line().await.map_err(Failure::unexpected)?;
        let line = line.ok_or_else(|| self.child.failed("ended without an answer"))?;
        serde_json::from_str(&line).map_err(Failure::unexpected)
    }

    /// Tells it that there are no more questions: it stops its agents and ends.
    pub(super) fn dismiss(self) -> Child {
        self.child
    }
}
