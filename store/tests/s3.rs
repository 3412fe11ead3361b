//! Runs the conformance suite on a real server that speaks S3.
//!
//! In: `DRIFTLESS_TEST_S3`, the URL of a store in a bucket that exists, and credentials in `AWS_ACCESS_KEY_ID` and
//! `AWS_SECRET_ACCESS_KEY`. Whoever runs the server sets them.

use std::error::Error;

use store::{Store, StoreUrl};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_bucket_is_a_store() -> Result<(), Box<dyn Error>> {
    let url = std::env::var("DRIFTLESS_TEST_S3").map_err(
        |_unset| "set DRIFTLESS_TEST_S3 to the URL of a bucket, such as s3://driftless?endpoint=http://127.0.0.1:5000",
    )?;
    store::conformance::check(Store::open(&url.parse::<StoreUrl>()?)?).await;
    Ok(())
}
