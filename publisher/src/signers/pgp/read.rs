//! From a key file or an armoured signature to OpenPGP packets.

use std::io::{BufReader, Read as _};

use pgp::armor::{BlockType, Dearmor, DearmorOptions};
use pgp::packet::{Packet, PacketParser};

/// The largest armoured block that is read, in bytes.
const ARMOR_MAX_BYTES: usize = 1 << 20;

/// The bytes in one armoured block of the kind `wanted`, which is all there is.
///
/// # Errors
/// What is wrong, as a fragment.
pub(super) fn dearmor(armoured: &[u8], wanted: &BlockType) -> Result<Vec<u8>, &'static str> {
    let text = str::from_utf8(armoured).map_err(|_| "is not text")?;
    let begin = format!("-----BEGIN {wanted}-----");
    let end = format!("-----END {wanted}-----");
    let text = text.trim_ascii_end();
    if !text.starts_with(&begin) || !text.ends_with(&end) || text.matches("-----BEGIN ").count() != 1 {
        return Err("is not exactly one armoured block");
    }
    let options = DearmorOptions::new().set_limit(ARMOR_MAX_BYTES);
    let mut bytes = Vec::new();
    let mut reader = Dearmor::with_options(BufReader::new(text.as_bytes()), options);
    reader.read_to_end(&mut bytes).map_err(|_| "cannot be read")?;
    Ok(bytes)
}

/// All packets in `bytes`, each of which must be understood, and no byte of which is left over.
///
/// # Errors
/// What is wrong, as a fragment.
pub(super) fn packets(bytes: &[u8]) -> Result<Vec<Packet>, &'static str> {
    let mut packets = Vec::new();
    let mut rest = bytes;
    // The parser takes a header that is cut short for the end, so each packet is cut out here first.
    while !rest.is_empty() {
        let end = measure(rest).ok_or("is cut short")?;
        let (framed, after) = rest.split_at_checked(end).ok_or("is cut short")?;
        let packet = PacketParser::new(framed).next().and_then(Result::ok).ok_or("has a packet that cannot be read")?;
        packets.push(packet);
        rest = after;
    }
    Ok(packets)
}

/// Where the first packet ends. None for lengths that are not told at once.
fn measure(bytes: &[u8]) -> Option<usize> {
    let number = |from: usize, count: usize| {
        let digits = bytes.get(from..from + count)?;
        Some(digits.iter().fold(0_usize, |sum, &digit| sum << 8 | usize::from(digit)))
    };
    let tag = *bytes.first()?;
    let (header, body) = match (tag & 0xc0, tag & 3) {
        (0x80, 0) => (2, number(1, 1)?),
        (0x80, 1) => (3, number(1, 2)?),
        (0x80, 2) => (5, number(1, 4)?),
        (0xc0, _) => match number(1, 1)? {
            short @ 0..=191 => (2, short),
            long @ 192..=223 => (3, ((long - 192) << 8) + number(2, 1)? + 192),
            255 => (6, number(2, 4)?),
            _ => return None,
        },
        _ => return None,
    };
    Some(header + body)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packets_are_measured_in_both_forms_of_header() {
        for (start, measured) in [
            (&[0x88, 7][..], Some(9)),
            (&[0x89, 1, 2], Some(3 + 258)),
            (&[0x8a, 0, 1, 0, 0], Some(5 + 65_536)),
            (&[0x8b, 1], None),
            (&[0xc2, 191], Some(193)),
            (&[0xc2, 192, 0], Some(3 + 192)),
            (&[0xc2, 223, 255], Some(3 + 8383)),
            (&[0xc2, 224], None),
            (&[0xc2, 255, 0, 0, 1, 0], Some(6 + 256)),
            (&[0xc2], None),
            (&[0x89, 1], None),
            (&[0x07, 1], None),
            (&[], None),
        ] {
            assert_eq!(measure(start), measured, "{start:?}");
        }
    }
}
