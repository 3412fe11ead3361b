//! Signature blocks: what our grammar admits has one spelling, and both verifier crates say the same of it.

use std::io::Cursor;
use std::sync::LazyLock;

use schema::seal::SignatureBlock;

use crate::sealed::GOLDEN_KEY;

const GOLDEN: &str = include_str!("../../schema/golden/pointer");

static GOLDEN_PARTS: LazyLock<(&str, &str)> = LazyLock::new(|| {
    let payload = GOLDEN.find('\n').expect("a payload line") + 1;
    GOLDEN.split_at(payload)
});

/// The same key as the other crate reads it.
static OTHER_KEY: LazyLock<minisign::PublicKey> =
    LazyLock::new(|| minisign::PublicKey::from_base64(&GOLDEN_KEY.to_string()).expect("the golden key"));

/// The target `block`.
pub fn check(bytes: &[u8]) {
    let Ok(text) = str::from_utf8(bytes) else { return };
    let Ok(block) = SignatureBlock::parse(text) else { return };
    assert_eq!(text.split_inclusive('\n').count(), 4);
    let other = minisign::SignatureBox::from_string(text).expect("the other crate reads what our grammar admits");
    assert_eq!(other.to_string(), text, "another spelling");
    assert_eq!(other.trusted_comment().expect("it has one"), block.trusted_comment());

    let (payload, golden) = *GOLDEN_PARTS;
    let held = block.is_by(&GOLDEN_KEY, payload.as_bytes());
    let other_held = minisign::verify(&OTHER_KEY, &other, Cursor::new(payload), true, false, false).is_ok();
    assert_eq!(held, other_held, "the two crates disagree");
    assert_eq!(held, text == golden, "a second signature by the golden key");
}
