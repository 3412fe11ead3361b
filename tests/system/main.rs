//! Whole-system tests: real processes, real git, real S3, and the stock tools. One file per subject.
#![expect(
    clippy::print_stderr,
    reason = "figures and the last words of processes go where the test harness shows them"
)]

mod adopt;
mod attacks;
mod audit;
mod bench;
mod bench_more;
mod by_hand;
mod ceremony;
mod cli_docs;
mod control;
mod demo;
mod doctor;
mod fanout;
mod kills;
mod refusals;
mod reproducible;
mod roles;
mod rollout;
mod round_trip;
mod s3;
mod story;
mod transport;
mod world;
