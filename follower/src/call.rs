//! Asks something of one service, and takes whatever it says: a command, and why it was refused.
//!
//! In: a path and perhaps a JSON body. Out: the status and body of the first base URL's answer. Nothing vouches for it. Not
//! asked of any other base URL, and never again by itself: a command may have been carried out though its answer was lost.

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::uri::InvalidUri;
use http::{HeaderValue, Method, Request, StatusCode};
use http_body_util::Full;

use crate::base_url::BaseUrl;
use crate::body::Body;
use crate::fault::Fault;
use crate::mirrors::Mirrors;

/// An answer, whatever it says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// 200 is "yes".
    pub status: StatusCode,
    /// All of it.
    pub body: Bytes,
}

/// Says why there is no answer. Whatever was asked for may have been done.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// Nobody there, or nobody who can be understood.
    #[error("`{base}` does not answer")]
    Fault {
        /// Who was asked.
        base: BaseUrl,
        /// How it failed.
        #[source]
        fault: Fault,
    },
    /// The path cannot be part of a URL.
    #[error("`{}` is not a path of a URL", path.escape_debug())]
    Path {
        /// The path.
        path: String,
        /// What is wrong with it.
        #[source]
        source: InvalidUri,
    },
}

impl Mirrors {
    /// Asks for `path` below the first base URL, by POST where there is a JSON `body`, else by GET, and takes an answer of at
    /// most `max_bytes`, whatever its status. A redirect is an answer like others, and not followed.
    ///
    /// # Errors
    /// [`CallError`], where no whole answer comes.
    pub async fn call(&self, path: &str, body: Option<Bytes>, max_bytes: u64) -> Result<Answer, CallError> {
        let base = self.bases().first().expect("there is at least one, or there were no mirrors");
        let target = base.join(path).map_err(|source| CallError::Path { path: path.to_owned(), source })?;
        let mut request = Request::default();
        if let Some(body) = body {
            request = Request::new(Full::new(body));
            *request.method_mut() = Method::POST;
            request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        }
        let settings = self.settings();
        let answer = async {
            let answer = self.exchange().ask(target, request, settings.answer_within).await?;
            let status = answer.status();
            let body = Body::new(answer.into_body(), max_bytes, settings.throughput)?.whole().await?;
            Ok(Answer { status, body })
        };
        answer.await.map_err(|fault| CallError::Fault { base: base.clone(), fault })
    }
}
