//! `GET` of an immutable object: cacheable for ever, whole or in part.

use std::time::Duration;

use bytes::Bytes;
use futures_util::stream::StreamExt as _;
use http::header::{ACCEPT_RANGES, CACHE_CONTROL, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, ETAG};
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode};
use http_body_util::{Either, StreamBody};
use hyper::body::Frame;
use schema::StorePath;

use super::answer::{self, Answer, Body};
use super::etag::Held;
use super::range::{self, Wanted};
use super::service::Service;
use crate::objects::{Found, Kept, Miss, Pieces};

/// Media type of pointers, manifests, roots and history: lines of text, the first of them JSON, the others signatures.
pub(super) const SEALED: &str = "text/plain; charset=utf-8";
/// Media type of bundles and patches (RFC 8878).
const ZSTD: &str = "application/zstd";

impl Service {
    /// Answers with the object at `path`, or the part of it that the headers ask for.
    pub(super) async fn object(&self, path: StorePath, method: &Method, headers: &HeaderMap) -> Answer {
        let found = match self.objects.find(&path).await {
            Ok(found) => found,
            Err(miss) => return missed(&path, &miss),
        };
        let (etag, size) = (found.etag().clone(), found.size());
        let mut answer = if Held::of(headers).is_some_and(|held| held.covers(&etag)) {
            answer::empty(StatusCode::NOT_MODIFIED)
        } else {
            // A range is a way to get; HEAD tells of the whole.
            let wanted = if method == Method::HEAD { Wanted::Whole } else { range::wanted(headers, size, &etag) };
            let (status, start, len) = match wanted {
                Wanted::Whole => (StatusCode::OK, 0, size),
                Wanted::Part { start, len } => (StatusCode::PARTIAL_CONTENT, start, len),
                Wanted::Nothing => return out_of_range(size),
            };
            match self.body(found, start, len, method).await {
                Ok(body) => described(body, &path, status, (start, len, size)),
                Err(miss) => return missed(&path, &miss),
            }
        };
        let headers = answer.headers_mut();
        headers.insert(ETAG, etag.header().clone());
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("public, max-age=31536000, immutable, no-transform"));
        headers.insert(ACCEPT_RANGES, BYTES);
        answer
    }

    /// `len` bytes from `start` on.
    async fn body(&self, found: Found, start: u64, len: u64, method: &Method) -> Result<Body, Miss> {
        let part = |kept: &Kept| {
            let at = |at: u64| usize::try_from(at).expect("what is kept in memory has a length that fits");
            kept.bytes.slice(at(start)..at(start + len))
        };
        match found {
            // Nobody reads the body of an answer to HEAD, so the file need not be opened again.
            _ if method == Method::HEAD => Ok(Either::Left(Default::default())),
            Found::Kept(kept) if kept.bytes.len() <= SHARED_MAX_BYTES => Ok(Either::Left(part(&kept).into())),
            Found::Kept(kept) if len <= SHARED_MAX_BYTES as u64 => {
                // A few bytes of it are not to keep all of it.
                Ok(Either::Left(Bytes::copy_from_slice(&part(&kept)).into()))
            }
            Found::Kept(kept) => Ok(in_pieces(self.objects.pace(part(&kept)))),
            Found::File(file) => {
                Ok(in_pieces(self.objects.stream(&file, start, len, || self.metrics.streaming()).await?))
            }
        }
    }
}

fn described(body: Body, path: &StorePath, status: StatusCode, (start, len, size): (u64, u64, u64)) -> Answer {
    let mut answer = Response::new(body);
    *answer.status_mut() = status;
    let headers = answer.headers_mut();
    let content_type = match path {
        StorePath::Bundle { .. } | StorePath::Patch { .. } => ZSTD,
        _ => SEALED,
    };
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(CONTENT_LENGTH, HeaderValue::from(len));
    if status == StatusCode::PARTIAL_CONTENT {
        let last = start + len - 1;
        headers.insert(CONTENT_RANGE, content_range(&format!("{start}-{last}/{size}")));
    }
    answer
}

fn in_pieces(pieces: Pieces) -> Body {
    Either::Right(StreamBody::new(pieces.map(|piece| piece.map(Frame::data)).boxed()))
}

fn out_of_range(size: u64) -> Answer {
    let error = format!("the object has {size} bytes");
    let mut answer = answer::problem(StatusCode::RANGE_NOT_SATISFIABLE, &error, "ask for a part that it has");
    answer.headers_mut().insert(CONTENT_RANGE, content_range(&format!("*/{size}")));
    answer
}

fn missed(path: &StorePath, miss: &Miss) -> Answer {
    let error = format!("`{path}`: {miss}");
    match miss {
        Miss::Absent => {
            answer::problem(StatusCode::NOT_FOUND, &error, "see `prev` and `stable` of the pointer for what there is")
        }
        Miss::Bad(_) => {
            answer::problem(StatusCode::BAD_GATEWAY, &error, "ask another mirror; see `source` of /v1/status")
        }
        Miss::OnItsWay | Miss::Crowded => {
            answer::busy(StatusCode::SERVICE_UNAVAILABLE, &error, "ask again in a moment", Duration::from_secs(2))
        }
    }
}

fn content_range(range: &str) -> HeaderValue {
    HeaderValue::try_from(format!("bytes {range}")).expect("numbers are a header value")
}

/// An object up to this size is sent as it is kept, in one piece: however long that takes, it keeps no memory that is missed.
const SHARED_MAX_BYTES: usize = 64 * 1024;
const BYTES: HeaderValue = HeaderValue::from_static("bytes");
