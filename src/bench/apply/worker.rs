//! A worker process: some of the agents, and a parent that asks what they answered.
//!
//! In: its orders in a file, and questions on standard input, one `GENERATION SECONDS` a line. Out: for each question one line of
//! JSON on standard output, a list of answers. Ends when standard input does, so it never outlives its parent.

use std::fs;
use std::path::Path;
use std::time::Duration;

use tokio::task::spawn_blocking;

use crate::bench::agents::{Agents, Orders};
use crate::bench::marks::Marks;
use crate::exit::{Failure, Outcome};
use crate::out;

pub(super) async fn run(orders: &Path, marks: Marks) -> Outcome {
    let text = fs::read_to_string(orders).map_err(Failure::usage)?;
    let orders: Orders = serde_json::from_str(&text).map_err(Failure::usage)?;
    let mut agents = Agents::start(&orders, marks).await?;
    while let Some(question) = spawn_blocking(next_question).await.map_err(Failure::unexpected)? {
        let (generation, patience) = read(&question).ok_or_else(|| Failure::usage("a question is two numbers"))?;
        let answers = agents.answers(generation, patience).await?;
        out::data(&serde_json::to_string(&answers).map_err(Failure::unexpected)?);
    }
    agents.stop().await
}

/// None when there are no more.
fn next_question() -> Option<String> {
    std::io::stdin().lines().next()?.ok()
}

fn read(question: &str) -> Option<(u64, Duration)> {
    let (generation, seconds) = question.split_once(' ')?;
    Some((generation.parse().ok()?, Duration::from_secs(seconds.parse().ok()?)))
}
