//! The bytes of an answer as they come in, each chunk awaited for at most [`STALL`], all of them counted.
//!
//! In: what `object_store` got. Out: chunks, and an error where the body stalls, ends early or runs on. So a stream that
//! ends without an error carried exactly the bytes that were announced.

use std::fs::File;
use std::io::{self, SeekFrom};
use std::ops::Range;

use bytes::{Bytes, BytesMut};
use futures_util::stream::{BoxStream, StreamExt as _, TryStreamExt as _, once, try_unfold};
use object_store::{Error as Cause, GetResult, GetResultPayload};
use tokio::io::{AsyncReadExt as _, AsyncSeekExt as _};
use tokio_util::io::ReaderStream;

use crate::error::Failure;
use crate::patience::STALL;

/// One read of a file and one hop to the thread pool; `object_store` itself would take 8 KiB.
const CHUNK_BYTES: usize = 256 * 1024;

pub(crate) type Body = BoxStream<'static, Result<Bytes, Failure>>;

/// Streams the body of `got`.
pub(crate) fn stream(got: GetResult) -> Body {
    let announced = got.range.end - got.range.start;
    let chunks = match got.payload {
        GetResultPayload::File(file, _) => chunks(file, got.range),
        GetResultPayload::Stream(chunks) => chunks,
    };
    try_unfold((chunks, 0), move |(mut chunks, received)| async move {
        let next = tokio::time::timeout(STALL, chunks.try_next()).await;
        match next.map_err(|_elapsed| Failure::TimedOut { after: STALL })?? {
            None if received == announced => Ok(None),
            None => Err(Failure::WrongLength { received, announced }),
            Some(chunk) => {
                let received = received + chunk.len() as u64;
                if received > announced {
                    return Err(Failure::WrongLength { received, announced });
                }
                Ok(Some((chunk, (chunks, received))))
            }
        }
    })
    .boxed()
}

/// Collects the body of `got`, whose announced length the caller has found small enough.
pub(crate) async fn collect(got: GetResult) -> Result<Bytes, Failure> {
    let mut body = stream(got);
    // One chunk is the common case, and needs no copy.
    let Some(first) = body.try_next().await? else { return Ok(Bytes::new()) };
    let Some(second) = body.try_next().await? else { return Ok(first) };
    let mut bytes = BytesMut::from(first);
    bytes.extend_from_slice(&second);
    while let Some(chunk) = body.try_next().await? {
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes.freeze())
}

fn chunks(file: File, range: Range<u64>) -> BoxStream<'static, Result<Bytes, Cause>> {
    let opened = async move {
        let mut file = tokio::fs::File::from_std(file);
        file.seek(SeekFrom::Start(range.start)).await?;
        io::Result::Ok(ReaderStream::with_capacity(file.take(range.end - range.start), CHUNK_BYTES))
    };
    once(opened).try_flatten().map_err(|source| Cause::Generic { store: "directory", source: source.into() }).boxed()
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use futures_util::stream::iter;
    use object_store::path::Path;
    use object_store::{Attributes, Extensions, ObjectMeta};

    use super::*;

    /// An answer that announces ten bytes.
    fn ten(chunks: BoxStream<'static, Result<Bytes, Cause>>) -> GetResult {
        let meta = ObjectMeta {
            location: Path::from("object"),
            last_modified: Default::default(),
            size: 10,
            e_tag: None,
            version: None,
        };
        GetResult {
            payload: GetResultPayload::Stream(chunks),
            meta,
            range: 0..10,
            attributes: Attributes::default(),
            extensions: Extensions::default(),
        }
    }

    fn pieces(pieces: &'static [&'static str]) -> BoxStream<'static, Result<Bytes, Cause>> {
        iter(pieces).map(|piece| Ok(Bytes::from_static(piece.as_bytes()))).boxed()
    }

    #[tokio::test]
    async fn a_body_is_as_long_as_announced_or_an_error() {
        assert_eq!(collect(ten(pieces(&["01234", "567", "89"]))).await.expect("ten bytes"), "0123456789");
        for wrong in [&["01234"][..], &[], &["0123456789", "a"]] {
            let refused = collect(ten(pieces(wrong))).await.expect_err("not ten bytes");
            assert!(matches!(refused, Failure::WrongLength { announced: 10, .. }), "{refused:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_stalls_is_given_up() {
        let stalling = pieces(&["01234"]).chain(once(pending())).boxed();
        let refused = collect(ten(stalling)).await.expect_err("the rest never comes");
        assert!(matches!(refused, Failure::TimedOut { after: STALL }), "{refused:?}");
    }
}
