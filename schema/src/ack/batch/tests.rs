use bytes::Bytes;

use super::*;
use crate::ack::{Ack, Boot};
use crate::keys::SecretKey;

const GOLDEN: &[u8] = include_bytes!("../../../golden/acks");

fn golden() -> AckBatch {
    AckBatch::open(&Bytes::from_static(GOLDEN), &Limits::DEFAULT).expect("the golden acks")
}

fn ack(n: u64) -> SignedAck {
    SignedAck { n, ..SignedAck::clone(&golden().acks[0]) }
}

fn open(body: impl Into<Vec<u8>>) -> Result<AckBatch, InvalidAcks> {
    AckBatch::open(&Bytes::from(body.into()), &Limits::DEFAULT)
}

#[test]
fn what_an_agent_seals_is_what_is_read() {
    let key = SecretKey::generate();
    let batch = open(AckBatch::seal([ack(1), ack(2)], &key)).expect("our own batch");
    assert_eq!((&batch.key, batch.agent.as_str()), (key.public(), "web-0173"));
    assert_eq!(batch.acks.iter().map(|ack| ack.n).collect::<Vec<_>>(), [1, 2]);
}

#[test]
fn a15_an_ack_counts_under_the_key_that_signed_it_alone() {
    let (honest, forger) = (SecretKey::generate(), SecretKey::generate());
    let (ours, theirs) = (AckBatch::seal([ack(1)], &honest), AckBatch::seal([ack(2)], &forger));
    let line_end = |body: &[u8]| body.iter().position(|byte| *byte == b'\n').expect("a head") + 1;
    let forged = [&ours[..line_end(&ours)], &theirs[line_end(&theirs)..]].concat();
    assert!(matches!(open(forged), Err(InvalidAcks::Ack { number: 1, .. })));
    let smuggled = [&ours[..], &theirs[line_end(&theirs)..]].concat();
    assert!(matches!(open(smuggled), Err(InvalidAcks::Ack { number: 2, .. })));
}

#[test]
fn a15_one_batch_is_of_one_agent() {
    let key = SecretKey::generate();
    let mut other = ack(2);
    other.ack.agent = "web-0174".parse().expect("an agent");
    assert!(matches!(open(AckBatch::seal([ack(1), other], &key)), Err(InvalidAcks::TwoAgents { .. })));
}

#[test]
fn a15_within_a_run_the_count_orders_and_between_runs_the_clock() {
    let (first, second) = (ack(1), ack(2));
    assert!(second.is_after(&first) && !first.is_after(&second) && !first.is_after(&first));
    let back_in_time = Ack { at: crate::Timestamp::UNIX_EPOCH, ..second.ack.clone() };
    assert!(
        SignedAck { ack: back_in_time.clone(), ..second.clone() }.is_after(&first),
        "the clock may jump within a run"
    );
    assert!(first.is_after(&SignedAck { boot: Boot::new(7), n: 99, ack: back_in_time }));
}

#[test]
fn a46_one_ack_cannot_be_as_long_as_a_whole_batch() {
    let key = SecretKey::generate();
    let with_reason = |length: usize| {
        let mut long = ack(1);
        long.ack.reason = Some("x".repeat(length).into());
        open(AckBatch::seal([long], &key))
    };
    assert!(with_reason(2048).is_ok());
    let refused = with_reason(4096).expect_err("too long");
    assert!(matches!(refused, InvalidAcks::Ack { source: SealError::TooLarge { max_bytes: 4096 }, .. }));
}

#[test]
fn a05_what_is_no_batch_is_refused() {
    let sealed = AckBatch::seal([ack(1)], &SecretKey::generate());
    let text = String::from_utf8(sealed).expect("text");
    for bad in [
        String::new(),
        "\n".to_owned(),
        text.lines().next().map(|head| format!("{head}\n")).expect("a head"),
        text.replace("acks/2", "acks/1"),
        text.replace("acks/2", "acks/3"),
        text.replacen('{', "{\"more\":1,", 1),
        text.trim_end().to_owned(),
        format!("{text}\n"),
        text.replace('\n', "\r\n"),
        text.repeat(2),
    ] {
        assert!(open(bad.clone()).is_err(), "{bad:?}");
    }
    let many = AckBatch::seal((0..257).map(ack), &SecretKey::generate());
    assert!(matches!(open(many), Err(InvalidAcks::TooMany { max: 256 })));
}
