//! Signature files that were bent: one spelling passes, and of what passes both verifier crates say the same.

use std::io::Cursor;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use bytes::Bytes;
use schema::seal::{BlockFault, Payload, SignatureBlock};
use schema::{Limits, Manifest, PublicKey, Verified};

use crate::world::{RELEASE, key, manifest, role};

/// What must come of a bent signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    /// The grammar refuses it.
    Malformed(BlockFault),
    /// It is a signature, and does not hold.
    DoesNotHold,
    Holds,
}
use Verdict::{DoesNotHold, Holds, Malformed};

const LINES: Verdict = Malformed(BlockFault::LineCount);
const UNTRUSTED: Verdict = Malformed(BlockFault::UntrustedComment);
const SIGNATURE: Verdict = Malformed(BlockFault::Signature);
const ALGORITHM: Verdict = Malformed(BlockFault::Algorithm);
const TRUSTED: Verdict = Malformed(BlockFault::TrustedComment);
const GLOBAL: Verdict = Malformed(BlockFault::GlobalSignature);

/// The four lines, each to be bent.
#[derive(Clone)]
struct Block {
    untrusted: String,
    signature: Vec<u8>,
    trusted: String,
    global: Vec<u8>,
}

impl Block {
    fn of(text: &str) -> Block {
        let lines: Vec<&str> = text.lines().collect();
        let decode = |line: &str| STANDARD.decode(line).expect("base64");
        let (untrusted, trusted) = (lines[0].to_owned(), lines[2].to_owned());
        Block { untrusted, signature: decode(lines[1]), trusted, global: decode(lines[3]) }
    }

    fn text(&self) -> String {
        let [signature, global] = [&self.signature, &self.global].map(|bytes| STANDARD.encode(bytes));
        format!("{}\n{signature}\n{}\n{global}\n", self.untrusted, self.trusted)
    }

    fn bent(&self, bend: impl FnOnce(&mut Block)) -> String {
        let mut bent = self.clone();
        bend(&mut bent);
        bent.text()
    }
}

/// Adds the order of the group to the half of an Ed25519 signature that is a number: the same number to a careless verifier.
fn add_order(signature: &mut [u8]) {
    const ORDER: [u8; 32] = [
        0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14, 0, 0, 0, 0, 0,
        0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
    ];
    let number = signature.len() - 32;
    let mut carry = 0;
    for (byte, order) in signature[number..].iter_mut().zip(ORDER) {
        let sum = u16::from(*byte) + u16::from(order) + carry;
        *byte = sum as u8;
        carry = sum >> 8;
    }
}

/// Every bent form of the signature `good`; `other` is by the same key over something else.
fn corpus(good: &str, other: &str) -> Vec<(&'static str, String, Verdict)> {
    let (block, foreign) = (Block::of(good), Block::of(other));
    let lines: Vec<&str> = good.lines().collect();
    let line = |at: usize, text: &str| {
        let mut lines = lines.clone();
        lines[at] = text;
        lines.join("\n") + "\n"
    };
    let unpadded = STANDARD_NO_PAD.encode(&block.signature);
    // The last letter before the padding has bits that belong to no byte.
    let spare_bits = lines[3].replacen("==", "", 1);
    let spare_bits = match spare_bits.split_at(spare_bits.len() - 1) {
        (rest, "A") => format!("{rest}B=="),
        (rest, "Q") => format!("{rest}R=="),
        (rest, "g") => format!("{rest}h=="),
        (rest, _) => format!("{rest}x=="),
    };
    let exchange = |block: &mut Block| {
        block.trusted.clone_from(&foreign.trusted);
        block.global.clone_from(&foreign.global);
    };
    vec![
        ("as it was made", good.to_owned(), Holds),
        ("untrusted comment rewritten", line(0, "untrusted comment: by the security team"), UNTRUSTED),
        ("untrusted comment empty", line(0, "untrusted comment: "), UNTRUSTED),
        ("untrusted comment missing", lines[1..].join("\n") + "\n", LINES),
        ("byte order mark", format!("\u{feff}{good}"), UNTRUSTED),
        ("empty line before", format!("\n{good}"), LINES),
        ("empty line after", format!("{good}\n"), LINES),
        ("junk after", format!("{good}junk\n"), LINES),
        ("the same again after", good.repeat(2), LINES),
        ("no newline at the end", good.trim_end().to_owned(), LINES),
        ("CRLF", good.replace('\n', "\r\n"), UNTRUSTED),
        ("CR after the signature", line(1, &format!("{}\r", lines[1])), SIGNATURE),
        ("blank after the signature", line(1, &format!("{} ", lines[1])), SIGNATURE),
        ("signature without padding", line(1, &unpadded), SIGNATURE),
        ("signature cut short", block.bent(|block| block.signature.truncate(73)), SIGNATURE),
        ("signature of the legacy kind", block.bent(|block| block.signature[1] = b'd'), ALGORITHM),
        ("signature of no known kind", block.bent(|block| block.signature[0] = b'R'), ALGORITHM),
        ("another key id", block.bent(|block| block.signature[2] ^= 1), DoesNotHold),
        ("one bit of the signature", block.bent(|block| block.signature[10] ^= 1), DoesNotHold),
        ("signature by its other number", block.bent(|block| add_order(&mut block.signature)), DoesNotHold),
        ("signature of another", block.bent(|block| block.signature.clone_from(&foreign.signature)), DoesNotHold),
        ("trusted comment of another", block.bent(|block| block.trusted.clone_from(&foreign.trusted)), DoesNotHold),
        ("trusted comment edited", block.bent(|block| block.trusted.push('0')), DoesNotHold),
        ("trusted comment of another", block.bent(|block| block.trusted.clone_from(&foreign.trusted)), DoesNotHold),
        ("trusted comment with a blank before", line(2, &lines[2].replacen(": ", ":  ", 1)), TRUSTED),
        ("trusted comment with a blank after", block.bent(|block| block.trusted.push(' ')), TRUSTED),
        ("trusted comment with a tab after", block.bent(|block| block.trusted.push('\t')), TRUSTED),
        ("trusted comment beyond ASCII", block.bent(|block| block.trusted.push('é')), TRUSTED),
        ("trusted comment unnamed", line(2, &lines[2].replacen("trusted comment: ", "", 1)), TRUSTED),
        ("second signature missing", lines[..3].join("\n") + "\n", LINES),
        ("second signature with spare bits", line(3, &spare_bits), GLOBAL),
        ("second signature of another", block.bent(|block| block.global.clone_from(&foreign.global)), DoesNotHold),
        ("second signature by its other number", block.bent(|block| add_order(&mut block.global)), DoesNotHold),
        ("comment and second signature of another", block.bent(exchange), DoesNotHold),
    ]
}

/// What each of the two crates says, whatever the grammar in front of them would.
fn crates_say(text: &str, key: &PublicKey, payload: &[u8]) -> [bool; 2] {
    let key = key.to_string();
    let one = minisign_verify::PublicKey::from_base64(&key).expect("a key");
    let one = minisign_verify::Signature::decode(text).is_ok_and(|sig| one.verify(payload, &sig, false).is_ok());
    let two = minisign::PublicKey::from_base64(&key).expect("a key");
    let two = minisign::SignatureBox::from_string(text)
        .is_ok_and(|sig| minisign::verify(&two, &sig, Cursor::new(payload), true, false, false).is_ok());
    [one, two]
}

#[test]
fn a24_a_bent_signature_file_is_refused_and_both_crates_agree_on_what_is_not() {
    let signer = key(RELEASE);
    let payload = Payload::of(manifest("bundle"));
    let good = payload.sign(signer);
    let corpus = corpus(&good, &Payload::of(manifest("other")).sign(signer));
    assert!(corpus.len() > 20);
    for (name, text, verdict) in corpus {
        let parsed = SignatureBlock::parse(&text);
        let found = match &parsed {
            Err(fault) => Malformed(*fault),
            Ok(block) if block.is_by(signer.public(), payload.line()) => Holds,
            Ok(_) => DoesNotHold,
        };
        assert_eq!(found, verdict, "{name}:\n{text}");
        if parsed.is_ok() {
            assert_eq!(crates_say(&text, signer.public(), payload.line()), [verdict == Holds; 2], "{name}:\n{text}");
        }
        let sealed = Bytes::from([payload.line(), text.as_bytes()].concat());
        let opened = Verified::<Manifest>::open(sealed, &role(1, &[RELEASE]), &Limits::DEFAULT);
        // Where a block is followed by its like there are two signatures, and the first is enough.
        assert_eq!(opened.is_ok(), verdict == Holds || name == "the same again after", "{name}: {opened:?}");
    }
}

#[test]
fn a24_the_grammar_is_stricter_than_either_crate() {
    // That is what it is for: these pass one of the crates, or both, and none of them says so in the signed bytes.
    let signer = key(RELEASE);
    let payload = Payload::of(manifest("bundle"));
    let corpus = corpus(&payload.sign(signer), &Payload::of(manifest("other")).sign(signer));
    let let_through = corpus.iter().filter(|(_, text, verdict)| {
        matches!(verdict, Malformed(_)) && crates_say(text, signer.public(), payload.line()).contains(&true)
    });
    let names: Vec<&str> = let_through.map(|(name, ..)| *name).collect();
    assert!(names.contains(&"untrusted comment rewritten") && names.contains(&"junk after"), "{names:?}");
}
