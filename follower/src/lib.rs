//! Follows pointers and fetches store paths over HTTP, from a list of base URLs that nobody has to trust.
//!
//! In: [`BaseUrl`]s in order of preference, and what to ask of them. Out: bytes that the caller found good, or one
//! [`Failure`] for each base URL that gave none. A base URL may be a gateway, a CDN, a file server or a bucket; each may
//! lie, stall, send without end or be gone, and costs a bounded time and a bounded number of bytes before the next is
//! asked. Redirects, proxies, cookies and content encodings are not spoken at all: what is asked, and who is shown a
//! credential, is never a server's to say, nor the environment's.
//!
//! Knows nothing of signatures: what is believed is decided by the caller's check, or by a sha256 that was signed.
//!
//! Where to start reading: [`Mirrors`] (what can be asked), [`PointerFollower`] (waiting for a pointer to move), and
//! `schedule.rs` (whom to ask next, and when, as a pure function).

mod ask;
mod base_url;
mod body;
mod call;
mod credentials;
mod download;
mod exchange;
mod failure;
mod fault;
mod fetch;
mod holding;
mod interim;
mod jitter;
mod line;
mod mirrors;
mod observation;
mod pace;
mod pointer_follower;
mod post;
mod ranking;
mod rhythm;
pub mod schedule;
mod search;
mod settings;
mod sink;
mod target;

pub use ask::AskError;
pub use base_url::{BaseUrl, InvalidBaseUrl, UrlFault};
pub use call::{Answer, CallError};
pub use credentials::{CredentialFile, Credentials, CredentialsError};
pub use download::{DownloadError, Downloaded, Expected};
pub use failure::{Failure, Failures, Reason};
pub use fault::Fault;
pub use fetch::FetchError;
pub use mirrors::{Mirrors, MirrorsError};
pub use observation::{Observation, PointerRefused};
pub use pointer_follower::PointerFollower;
pub use post::PostError;
pub use rhythm::Rhythm;
pub use settings::{Settings, Throughput};
pub use sink::Sink;
