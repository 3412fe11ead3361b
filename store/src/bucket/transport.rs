//! The HTTP under the client of a bucket: bounds what a server may answer, and marks answers that will not change.
//!
//! In: each request of the client. Out: the server's answer, or an error marked as a [`Refusal`]. Without this the client
//! takes every 404 for an absent object, also that of a missing bucket or of a proxy in between, takes that proxy's page
//! for an empty listing, and does not tell a 400 from a cut connection.

use async_trait::async_trait;
use bytes::Bytes;
use http::{Method, StatusCode};
use http_body_util::{BodyExt as _, Limited};
use object_store::ClientOptions;
use object_store::client::{
    HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpResponse, HttpResponseBody, HttpService,
    ReqwestConnector,
};

use crate::refusal::Refusal;

/// Most of what an answer other than 2xx may say.
const COMPLAINT_MAX_BYTES: usize = 64 * 1024;

/// Most of one page of a listing: a thousand names of 1 KiB, with as much again around each.
const PAGE_MAX_BYTES: usize = 4 * 1024 * 1024;

/// Connects clients whose answers are bounded and judged.
#[derive(Debug, Default)]
pub(super) struct Transport(ReqwestConnector);

impl HttpConnector for Transport {
    fn connect(&self, options: &ClientOptions) -> object_store::Result<HttpClient> {
        Ok(HttpClient::new(Judge(self.0.connect(options)?)))
    }
}

#[derive(Debug)]
struct Judge(HttpClient);

#[async_trait]
impl HttpService for Judge {
    async fn call(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let method = request.method().clone();
        let is_listing = request.uri().query().is_some_and(|query| query.contains("list-type="));
        let (head, body) = self.0.execute(request).await?.into_parts();
        if head.status.is_success() && is_listing {
            let page = bounded(body, PAGE_MAX_BYTES).await?;
            if !is_page(&page) {
                return Err(refused(Refusal::NoListing));
            }
            return Ok(HttpResponse::from_parts(head, page.into()));
        }
        if head.status.is_success() || head.status == StatusCode::NOT_MODIFIED {
            return Ok(HttpResponse::from_parts(head, body));
        }
        let complaint = bounded(body, COMPLAINT_MAX_BYTES).await?;
        let code = code(&complaint);
        if is_final(&method, head.status, code.as_deref()) {
            return Err(refused(Refusal::Server { status: head.status, code }));
        }
        Ok(HttpResponse::from_parts(head, complaint.into()))
    }
}

fn refused(refusal: Refusal) -> HttpError {
    // `Unknown` is the one kind that the client never repeats.
    HttpError::new(HttpErrorKind::Unknown, refusal)
}

async fn bounded(body: HttpResponseBody, max_bytes: usize) -> Result<Bytes, HttpError> {
    let collected = Limited::new(body, max_bytes).collect().await;
    // Also what was cut: an error from below is boxed on its way up.
    Ok(collected.map_err(|error| HttpError::new_boxed(HttpErrorKind::Interrupted, error))?.to_bytes())
}

/// Whether `page` is a page of a listing, and leads to the next one if it is not the last. To the client any other XML,
/// such as a proxy's page, is a listing that is empty.
fn is_page(page: &Bytes) -> bool {
    let Ok(page) = std::str::from_utf8(page) else { return false };
    page.contains("<ListBucketResult")
        && (!page.contains("<IsTruncated>true<") || page.contains("<NextContinuationToken>"))
}

/// The `<Code>` of an S3 error, if it looks like one.
fn code(complaint: &Bytes) -> Option<String> {
    let (_, rest) = std::str::from_utf8(complaint).ok()?.split_once("<Code>")?;
    let (code, _) = rest.split_once("</Code>")?;
    (code.len() <= 64 && code.bytes().all(|byte| byte.is_ascii_alphanumeric())).then(|| code.to_owned())
}

/// Whether the server would say the same again, and the client would not know.
fn is_final(method: &Method, status: StatusCode, code: Option<&str>) -> bool {
    match status.as_u16() {
        // The object is absent; not the bucket, and it is no proxy's page. The answer to a HEAD has no body to tell.
        404 => method != Method::HEAD && code != Some("NoSuchKey"),
        400 => !matches!(code, Some("BadDigest" | "IncompleteBody" | "RequestTimeout")),
        // The client reports these as what they are.
        401 | 403 | 409 | 412 => false,
        // Later, please.
        408 | 425 | 429 => false,
        501 | 505 => true,
        status => status < 500,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_object_is_absent() {
        let is_final = |method: Method, code| is_final(&method, StatusCode::NOT_FOUND, code);
        assert!(!is_final(Method::GET, Some("NoSuchKey")));
        assert!(is_final(Method::GET, Some("NoSuchBucket")));
        assert!(is_final(Method::GET, None));
        assert!(is_final(Method::PUT, Some("NoSuchBucket")));
        assert!(!is_final(Method::HEAD, None));
    }

    #[test]
    fn what_may_pass_is_not_final() {
        for (status, code, expected) in [
            (301, Some("PermanentRedirect"), true),
            (400, Some("InvalidRequest"), true),
            (400, Some("RequestTimeout"), false),
            (403, Some("AccessDenied"), false),
            (409, Some("ConditionalRequestConflict"), false),
            (412, Some("PreconditionFailed"), false),
            (416, Some("InvalidRange"), true),
            (429, None, false),
            (500, Some("InternalError"), false),
            (501, Some("NotImplemented"), true),
            (503, Some("SlowDown"), false),
        ] {
            let status = StatusCode::from_u16(status).expect("a status");
            assert_eq!(is_final(&Method::PUT, status, code), expected, "{status} {code:?}");
        }
    }

    #[test]
    fn a_page_of_a_listing_leads_on_or_is_the_last() {
        let is_page = |text: &'static str| is_page(&Bytes::from_static(text.as_bytes()));
        assert!(is_page("<ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>"));
        assert!(is_page(
            "<ListBucketResult><IsTruncated>true</IsTruncated><NextContinuationToken>x</NextContinuationToken>"
        ));
        assert!(!is_page("<ListBucketResult><IsTruncated>true</IsTruncated></ListBucketResult>"));
        assert!(!is_page("<html>log in</html>"));
        assert!(!is_page(""));
    }

    #[test]
    fn a_code_is_taken_from_an_error_and_nothing_else() {
        let code = |text: &'static str| code(&Bytes::from_static(text.as_bytes()));
        assert_eq!(code("<Error><Code>NoSuchKey</Code></Error>").as_deref(), Some("NoSuchKey"));
        assert_eq!(code("<html>not found</html>"), None);
        assert_eq!(code("<Code>\u{1b}[2J</Code>"), None);
    }
}
