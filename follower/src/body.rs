//! A body from someone who may send without end, or hardly at all.
//!
//! In: a body, its limit, the least throughput. Out: its bytes in pieces or as a whole, or a [`Fault`]. Dropping it closes
//! the connection, so nothing more is read of a body that was given up.

use std::time::Instant;

use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use hyper::body::{Body as _, Incoming};
use tokio::time::timeout;

use crate::fault::Fault;
use crate::pace::{Pace, TooSlow};
use crate::settings::Throughput;

pub(crate) struct Body {
    incoming: Incoming,
    max_bytes: u64,
    received: u64,
    throughput: Throughput,
    pace: Pace,
}

impl Body {
    /// Takes a body, unless it announces more than the limit.
    pub(crate) fn new(incoming: Incoming, max_bytes: u64, throughput: Throughput) -> Result<Body, Fault> {
        // A length that is announced may be a lie, so it can only shorten the way to a refusal.
        if incoming.size_hint().lower() > max_bytes {
            return Err(Fault::TooLarge { max_bytes });
        }
        Ok(Body { incoming, max_bytes, received: 0, throughput, pace: Pace::new(throughput) })
    }

    /// Bytes received so far, those beyond the limit included.
    pub(crate) fn received(&self) -> u64 {
        self.received
    }

    /// The next piece; nothing at the end.
    pub(crate) async fn chunk(&mut self) -> Result<Option<Bytes>, Fault> {
        loop {
            let patience = self.pace.patience();
            let began = Instant::now();
            let Ok(frame) = timeout(patience, self.incoming.frame()).await else {
                self.pace.note(0, patience).map_err(|TooSlow| Fault::TooSlow(self.throughput))?;
                continue;
            };
            let frame = match frame {
                None => return Ok(None),
                Some(Err(source)) => return Err(Fault::Broken { received: self.received, source }),
                Some(Ok(frame)) => frame,
            };
            // Trailers are of no use to anyone here.
            let Ok(data) = frame.into_data() else { continue };
            let bytes = data.len() as u64;
            self.received += bytes;
            if self.received > self.max_bytes {
                return Err(Fault::TooLarge { max_bytes: self.max_bytes });
            }
            self.pace.note(bytes, began.elapsed()).map_err(|TooSlow| Fault::TooSlow(self.throughput))?;
            return Ok(Some(data));
        }
    }

    /// All of it.
    pub(crate) async fn whole(mut self) -> Result<Bytes, Fault> {
        let mut whole = BytesMut::new();
        while let Some(chunk) = self.chunk().await? {
            whole.extend_from_slice(&chunk);
        }
        Ok(whole.freeze())
    }
}
