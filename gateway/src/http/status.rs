//! `GET /v1/status`: what this gateway knows, for people, dashboards and gates. `/healthz` and `/readyz` in short.

use std::time::Duration;

use http::StatusCode;
use schema::name::InvalidName;
use schema::status::{PointerStatus, RegionStatus, SourceStatus, Status};
use schema::{App, Region, Timestamp};
use tokio::time::Instant;

use super::answer::{self, Answer};
use super::service::Service;
use crate::board::Posted;
use crate::clock;

impl Service {
    /// Everything, or what the query's `app` and `region` leave of it.
    pub(super) fn status(&self, query: Option<&str>) -> Answer {
        let filter = match Filter::of(query.unwrap_or_default()) {
            Ok(filter) => filter,
            Err(error) => {
                return answer::problem(
                    StatusCode::BAD_REQUEST,
                    &error.to_string(),
                    "filter by `?app=NAME&region=NAME`",
                );
            }
        };
        let now = clock::now();
        let slots = self.view.board.slots().into_iter();
        let regions =
            slots.filter(|(pair, _)| filter.admits(&pair.app, &pair.region)).map(|(pair, slot)| RegionStatus {
                agents: self.answers.summary(&pair, Instant::now()),
                pointer: Some(pointer_status(&slot.posted(), now)),
                app: pair.app,
                region: pair.region,
            });
        let status = Status {
            gateway: self.name.to_string(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            now,
            started: self.started,
            source: SourceStatus {
                name: self.view.source.name(),
                last_answer: self.view.health.last_answer(),
                problem: self.view.health.problem(),
            },
            connections: self.metrics.connections(),
            parked: self.metrics.parked_now(),
            publisher: self.publisher.as_ref().map(|publisher| publisher.borrow().clone()),
            below: self.answers.below.status(Instant::now()),
            regions: regions.collect(),
        };
        answer::json(StatusCode::OK, &status)
    }

    /// Whether the process is alive. Says nothing of the source: a restart would not mend that.
    pub(super) fn alive(&self) -> Answer {
        answer::json(StatusCode::OK, &serde_json::json!({ "alive": true }))
    }

    /// Whether there is anything to serve: the source has answered once.
    pub(super) fn ready(&self) -> Answer {
        let ready = match &self.demand {
            Some(_) => self.view.health.last_answer().is_some(),
            None => self.view.health.is_surveyed(),
        };
        if ready {
            return answer::json(StatusCode::OK, &serde_json::json!({ "ready": true }));
        }
        let error = self.view.health.problem().unwrap_or_else(|| "the source has not answered yet".to_owned());
        answer::busy(StatusCode::SERVICE_UNAVAILABLE, &error, "see `source` of /v1/status", Duration::from_secs(1))
    }
}

fn pointer_status(posted: &Posted, now: Timestamp) -> PointerStatus {
    let pointer = posted.pointer();
    PointerStatus {
        epoch: pointer.epoch,
        generation: pointer.generation,
        serial: pointer.serial,
        digest: pointer.stable.digest,
        commit: pointer.commit.clone(),
        issued: pointer.issued,
        expires: pointer.expires,
        fresh: !pointer.is_expired(now),
        candidate: pointer.candidate.as_ref().map(|candidate| candidate.target.digest),
        freeze: pointer.freeze,
        quarantine: pointer.quarantine.clone(),
        cause: pointer.cause.clone(),
    }
}

/// Which apps and regions to tell of.
#[derive(Debug, Default)]
struct Filter {
    app: Option<App>,
    region: Option<Region>,
}

impl Filter {
    /// Reads a query. Names need no escaping, so an escape is no name.
    fn of(query: &str) -> Result<Filter, InvalidName> {
        let mut filter = Filter::default();
        for (key, value) in query.split('&').filter_map(|part| part.split_once('=')) {
            match key {
                "app" => filter.app = Some(value.parse()?),
                "region" => filter.region = Some(value.parse()?),
                _ => {}
            }
        }
        Ok(filter)
    }

    fn admits(&self, app: &App, region: &Region) -> bool {
        self.app.as_ref().is_none_or(|wanted| wanted == app)
            && self.region.as_ref().is_none_or(|wanted| wanted == region)
    }
}
