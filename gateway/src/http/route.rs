//! What a path asks for, and by which methods that may be asked.

use http::Method;
use schema::StorePath;

use crate::pair::Pair;

/// What a path asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Route {
    Pointer(Pair),
    /// Any other object of a store; it never changes.
    Object(StorePath),
    Acks,
    Relay,
    Summaries,
    /// What comes after `/v1/control/`.
    Control(String),
    Status,
    Alive,
    Ready,
    Metrics,
    Nothing,
}

impl Route {
    /// Reads a path, without its query: to a store path a query means nothing, so that caches can be asked past.
    pub(super) fn of(path: &str) -> Route {
        match path {
            "/v1/acks" => Route::Acks,
            "/v1/acks/relay" => Route::Relay,
            "/v1/summaries" => Route::Summaries,
            "/v1/status" => Route::Status,
            "/healthz" => Route::Alive,
            "/readyz" => Route::Ready,
            "/metrics" => Route::Metrics,
            _ if let Some(call) = path.strip_prefix("/v1/control/") => Route::Control(call.to_owned()),
            _ => match path.strip_prefix('/').and_then(|path| path.parse().ok()) {
                Some(StorePath::Pointer { app, region }) => Route::Pointer(Pair { app, region }),
                Some(object) => Route::Object(object),
                None => Route::Nothing,
            },
        }
    }

    /// Whether `method` may be used; else the `Allow` header that says which may.
    pub(super) fn admits(&self, method: &Method) -> Result<(), &'static str> {
        let (admitted, allow) = match self {
            Route::Nothing => (true, ""),
            Route::Control(_) => (matches!(*method, Method::GET | Method::POST), "GET, POST"),
            Route::Acks | Route::Relay | Route::Summaries => (method == Method::POST, "POST"),
            _ => (matches!(*method, Method::GET | Method::HEAD), "GET, HEAD"),
        };
        if admitted { Ok(()) } else { Err(allow) }
    }

    /// Whether anybody may ask for it: whether the process is alive tells nothing else.
    pub(super) fn is_open(&self) -> bool {
        *self == Route::Alive
    }

    /// Its name in metrics.
    pub(super) fn class(&self) -> &'static str {
        match self {
            Route::Pointer(_) => "pointer",
            Route::Object(_) => "object",
            Route::Acks => "acks",
            Route::Relay => "relay",
            Route::Summaries => "summaries",
            Route::Control(_) => "control",
            Route::Status => "status",
            Route::Alive | Route::Ready => "health",
            Route::Metrics => "metrics",
            Route::Nothing => "nothing",
        }
    }
}
