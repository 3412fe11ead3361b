//! Answers `/v1/control`: who asks, whether they may, and what comes of it.
//!
//! In: a [`Call`]. Out: a [`Reply`], within the deadlines below. Every command is logged with who gave it, what it is and why.
//! Knows nothing of HTTP, and writes nothing itself: commands go to the daemon's loop.

use std::sync::Arc;
use std::time::Duration;

use schema::App;
use schema::pointer::Cause;
use schema::status::PublisherStatus;
use schema::text::one_line;
use tokio::sync::{Semaphore, watch};
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use super::access::{Access, Caller, Denied, Role};
use super::call::{Call, Reply};
use super::command::{self, InvalidCommand};
use super::file::AccessFile;
use super::orders::{CommandError, Orders};
use super::quarantined;
use crate::causes::causes;
use crate::kind::ErrorKind;
use crate::publisher::Publisher;
use crate::rollout::Fleet;

/// The control API of one publisher. Cheap to clone.
#[derive(Clone)]
pub struct Api(Arc<Parts>);

/// What it takes to answer.
struct Parts {
    /// None: nobody may do anything.
    access: Option<AccessFile>,
    orders: Orders,
    status: watch::Receiver<PublisherStatus>,
    /// Reads the store for lists; signs nothing.
    reader: Publisher,
    fleet: Arc<dyn Fleet>,
    /// One list at a time: each reads the history of every region.
    listing: Semaphore,
}

impl Api {
    /// Puts the parts together. `reader` needs no keys.
    pub fn new(
        access: Option<AccessFile>,
        orders: Orders,
        status: watch::Receiver<PublisherStatus>,
        reader: Publisher,
        fleet: Arc<dyn Fleet>,
    ) -> Api {
        Api(Arc::new(Parts { access, orders, status, reader, fleet, listing: Semaphore::new(1) }))
    }

    /// Answers one request.
    pub async fn call(&self, call: Call) -> Reply {
        if self.0.access.is_none() {
            return Reply::problem(403, "this publisher takes no commands from anybody", SET_UP);
        }
        match self.caller(&call).await {
            Err(denied) => {
                tracing::debug!("Control API: {denied}");
                Reply::problem(401, &denied.to_string(), hint_for(&denied))
            }
            Ok(caller) => self.answer(&caller, &call).await,
        }
    }

    async fn caller(&self, call: &Call) -> Result<Caller, Denied> {
        let parts = Arc::clone(&self.0);
        let access = spawn_blocking(move || parts.access.as_ref().map(AccessFile::now)).await;
        let access: Option<Arc<Access>> = access.expect("reading a file does not panic, and the runtime outlives us");
        let token = call.token.as_ref().map(|token| token.as_str());
        access.ok_or(Denied::Unknown)?.admit(token, self.0.reader.now())
    }

    async fn answer(&self, caller: &Caller, call: &Call) -> Reply {
        let route = match (&*call.path, &*call.method) {
            ("commands", "POST") if caller.role == Role::Operator => return self.command(caller, call).await,
            ("commands", "POST") => {
                let error = format!("`{}` is a viewer, and only operators command", caller.name);
                return Reply::problem(403, &error, "use an operator's token: `operators:` in control.yaml lists them");
            }
            ("rollouts", "GET") => Lookup::Rollouts,
            ("quarantine", "GET") => Lookup::Quarantine,
            ("commands", _) => return Reply::problem(405, "commands are given by POST", "use POST"),
            ("rollouts" | "quarantine", _) => return Reply::problem(405, "lists are asked for by GET", "use GET"),
            _ => return Reply::problem(404, "there is nothing at this path", ROUTES),
        };
        match app_of(&call.query) {
            Ok(app) => self.look_up(route, app).await,
            Err(wrong) => Reply::problem(400, &wrong, "the one parameter is `app`, like ?app=web"),
        }
    }

    async fn command(&self, caller: &Caller, call: &Call) -> Reply {
        let command = match command::parse(&call.body) {
            Ok(command) => command,
            Err(wrong) => {
                let status = if wrong == InvalidCommand::TooLarge { 413 } else { 400 };
                let hint = format!("commands are {}, each with a `why`", command::NAMES.join(", "));
                return Reply::problem(status, &wrong.to_string(), &hint);
            }
        };
        let (who, why) = (&caller.name, one_line(&command.why, Cause::WHY_MAX));
        let what = command::in_words(&command.what);
        tracing::info!(%who, %what, %why, "Operator `{who}` asks to {what}: {why}");
        match self.0.orders.give(who, command).await {
            Ok(done) => {
                let changed =
                    if done.changed.is_empty() { "all was so before".to_owned() } else { done.changed.join("; ") };
                tracing::info!(%who, %what, "Did what operator `{who}` asked: {}", one_line(&changed, LOGGED_MAX_CHARS));
                Reply::ok(&done)
            }
            Err(error) => {
                let causes = one_line(&causes(&error).join(": "), LOGGED_MAX_CHARS);
                tracing::warn!(%who, %what, "Did not do what operator `{who}` asked: {causes}");
                let (status, hint) = fate(&error);
                Reply::problem(status, &causes, hint)
            }
        }
    }

    async fn look_up(&self, route: Lookup, app: Option<App>) -> Reply {
        match route {
            Lookup::Rollouts => {
                let mut rollouts = self.0.status.borrow().rollouts.clone();
                rollouts.retain(|rollout| app.as_ref().is_none_or(|app| rollout.app == *app));
                Reply::ok(&rollouts)
            }
            Lookup::Quarantine => {
                let list = async {
                    let _one_at_a_time = self.0.listing.acquire().await.expect("it is never closed");
                    quarantined::list(self.0.reader.clone(), &*self.0.fleet, app.as_ref()).await
                };
                match timeout(LIST_DEADLINE, list).await {
                    Ok(Ok(list)) => Reply::ok(&list),
                    Ok(Err(error)) => {
                        let status = if error.kind() == ErrorKind::Unreachable { 503 } else { 500 };
                        Reply::problem(status, &causes(&error).join(": "), "look at the publisher's log")
                    }
                    Err(_elapsed) => Reply::problem(503, "the store is too slow for this list", AGAIN),
                }
            }
        }
    }
}

/// What can be looked at.
enum Lookup {
    Rollouts,
    Quarantine,
}

/// The `app` that a query asks for, if any.
fn app_of(query: &str) -> Result<Option<App>, String> {
    if query.is_empty() {
        return Ok(None);
    }
    match query.split_once('=') {
        // A second parameter makes the name no name.
        Some(("app", name)) => name.parse().map(Some).map_err(|error: schema::name::InvalidName| error.to_string()),
        _ => Err("the query is not understood".to_owned()),
    }
}

fn hint_for(denied: &Denied) -> &'static str {
    match denied {
        Denied::NoToken => {
            "send `Authorization: Bearer …`; driftless takes it from --token, over https or on the same host"
        }
        Denied::Unknown => "control.yaml lists the sha256 of each token; a change of it counts within seconds",
        Denied::Expired { .. } => "have a new token made, and its sha256 put into control.yaml",
    }
}

/// The status and hint for a command that was not carried out.
fn fate(error: &CommandError) -> (u16, &'static str) {
    match error {
        CommandError::Unknown { .. } => (404, "`driftless status` shows what there is"),
        CommandError::Refused(_) => (409, "`driftless rollout status` shows how things stand"),
        CommandError::Failed(_) | CommandError::Busy | CommandError::Stopping => (503, AGAIN),
        CommandError::Slow => (503, "look at `driftless rollout status` before you try again"),
    }
}

const SET_UP: &str = "list operators in a control.yaml, name it as `control:` in publisher.yaml and start the publisher again; \
                      docs/guide/rollouts.md says how";
const ROUTES: &str = "there are POST /v1/control/commands, GET /v1/control/rollouts and GET /v1/control/quarantine";
const AGAIN: &str = "try again in a moment";
const LIST_DEADLINE: Duration = Duration::from_secs(10);
const LOGGED_MAX_CHARS: usize = 1000;

#[cfg(test)]
mod tests;
