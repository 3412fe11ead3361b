//! A bucket behind a server that speaks S3.
//!
//! In: a [`BucketUrl`] and the `AWS_*` variables. Out: a client with conditional writes. The client repeats what got no
//! answer or a 5xx a few times by itself, conditional writes too: the same bytes under the same condition cannot take
//! effect twice, and its own success then comes back as 412, which the reaction table expects.

mod transport;

use std::sync::Arc;
use std::time::Duration;

use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey, S3ConditionalPut};
use object_store::prefix::PrefixStore;
use object_store::{BackoffConfig, ClientOptions, ObjectStore, RetryConfig};

use self::transport::Transport;
use crate::url::BucketUrl;

/// What may come from the environment: who we are, and in which region. Where the bucket is, and what it can do, is said
/// by the URL alone, so that one URL is one store wherever it is opened.
const FROM_ENVIRONMENT: [&str; 12] = [
    "AWS_DEFAULT_REGION",
    "AWS_REGION",
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_ROLE_ARN",
    "AWS_ROLE_SESSION_NAME",
    "AWS_ENDPOINT_URL_STS",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
];

/// Sets up the client of the bucket at `url`, with the credentials that `environment` has. Asks nothing of the network.
pub(crate) fn open(
    url: &BucketUrl,
    environment: impl Fn(&str) -> Option<String>,
) -> object_store::Result<Arc<dyn ObjectStore>> {
    // The one TLS stack. Whoever installed a provider before has decided, and that is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();

    let mut builder = AmazonS3Builder::new();
    for name in FROM_ENVIRONMENT {
        if let Some(value) = environment(name) {
            let key: AmazonS3ConfigKey = name.to_ascii_lowercase().parse()?;
            builder = builder.with_config(key, value);
        }
    }
    if let Some(region) = &url.region {
        builder = builder.with_region(region);
    }
    if let Some(endpoint) = endpoint(url) {
        builder = builder.with_endpoint(endpoint);
    }
    let bucket = builder
        .with_bucket_name(&url.bucket)
        .with_virtual_hosted_style_request(virtual_host(url))
        .with_conditional_put(S3ConditionalPut::ETagMatch)
        .with_client_options(client_options(url))
        .with_retry(RetryConfig {
            backoff: BackoffConfig {
                init_backoff: Duration::from_millis(100),
                max_backoff: Duration::from_secs(1),
                base: 2.0,
            },
            max_retries: 3,
            retry_timeout: Duration::from_secs(10),
        })
        .with_http_connector(Transport::default())
        .build()?;
    Ok(Arc::new(PrefixStore::new(bucket, url.prefix.as_str())))
}

fn client_options(url: &BucketUrl) -> ClientOptions {
    ClientOptions::new()
        .with_allow_http(url.endpoint.as_ref().is_some_and(|endpoint| endpoint.starts_with("http://")))
        .with_connect_timeout(Duration::from_secs(5))
        // All other deadlines are set where it is known how many bytes there are, see `patience.rs`.
        .with_timeout_disabled()
}

fn virtual_host(url: &BucketUrl) -> bool {
    url.virtual_host.unwrap_or(url.endpoint.is_none())
}

/// The endpoint as the client wants it: with the bucket in the host's name if that is where it belongs.
fn endpoint(url: &BucketUrl) -> Option<String> {
    let endpoint = url.endpoint.as_ref()?;
    match endpoint.split_once("://") {
        Some((scheme, host)) if virtual_host(url) => Some(format!("{scheme}://{}.{host}", url.bucket)),
        _ => Some(endpoint.clone()),
    }
}

#[cfg(test)]
mod tests;
