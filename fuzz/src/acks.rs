//! Batches of acks: nothing opens that its key did not sign, and what agents say survives being sent.

use std::sync::LazyLock;

use bytes::Bytes;
use schema::Limits;
use schema::ack::{AckBatch, SignedAck};
use schema::keys::SecretKey;

const GOLDEN: &[u8] = include_bytes!("../../schema/golden/acks");
const LIMITS: Limits = Limits { acks_per_batch_max: 8, ..Limits::DEFAULT };

static OUR_KEY: LazyLock<SecretKey> = LazyLock::new(SecretKey::generate);
static GOLDEN_BATCH: LazyLock<AckBatch> =
    LazyLock::new(|| AckBatch::open(&Bytes::from_static(GOLDEN), &LIMITS).expect("the golden acks"));

/// The target `acks`.
pub fn check(bytes: &[u8]) {
    if let Ok(batch) = AckBatch::open(&Bytes::copy_from_slice(bytes), &LIMITS) {
        // A body brings its own key, so the fuzzer could pass by signing; short of that it can only repeat the golden acks.
        let known = |ack| GOLDEN_BATCH.acks.iter().any(|golden| golden.payload_digest() == ack);
        assert_eq!(batch.key, GOLDEN_BATCH.key, "an ack under a key that signed nothing");
        assert!(batch.acks.iter().all(|ack| known(ack.payload_digest())), "an ack that nobody signed");
        assert!((1..=LIMITS.acks_per_batch_max).contains(&batch.acks.len()));
        assert!(batch.acks.iter().all(|ack| ack.ack.agent == batch.agent));
    }
    let said: Vec<SignedAck> =
        bytes.split(|byte| *byte == b'\n').filter_map(|line| serde_json::from_slice(line).ok()).collect();
    let body = AckBatch::seal(said.clone(), &OUR_KEY);
    let opened = AckBatch::open(&body.into(), &LIMITS);
    let one_agent = said.windows(2).all(|pair| pair[0].ack.agent == pair[1].ack.agent);
    let in_number = (1..=LIMITS.acks_per_batch_max).contains(&said.len());
    match opened {
        Ok(opened) => {
            assert!(one_agent && in_number);
            assert_eq!(opened.key, *OUR_KEY.public());
            assert!(opened.acks.iter().map(|ack| &**ack).eq(&said));
        }
        // An ack that is too long for a batch is refused whoever signed it.
        Err(refused) => assert!(!one_agent || !in_number || bytes.len() as u64 > LIMITS.ack_max_bytes / 2, "{refused}"),
    }
}
