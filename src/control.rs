//! Lets a gateway host a publisher's control API: the one knows HTTP, the other what is asked.

use std::future::Future;
use std::pin::Pin;

use gateway::{Call, Control, Reply};
use http::StatusCode;
use publisher::control::{self, Api};

/// A publisher's control API as a gateway calls it.
pub(crate) struct Hosted(pub(crate) Api);

impl Control for Hosted {
    fn call(&self, call: Call) -> Pin<Box<dyn Future<Output = Reply> + Send + '_>> {
        Box::pin(async {
            let Call { method, path, query, token, body } = call;
            let call = control::Call {
                method: method.as_str().into(),
                path: path.into(),
                query: query.unwrap_or_default().into(),
                token,
                body,
            };
            let control::Reply { status, json } = self.0.call(call).await;
            let status = StatusCode::from_u16(status).expect("the API answers with statuses of HTTP");
            Reply { status, json }
        })
    }
}
