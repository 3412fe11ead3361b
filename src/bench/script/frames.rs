//! Frames of HTTP/2 (RFC 9113) and header fields without a table (RFC 7541, 6.2.2): what two scripts are written in.

/// What a client says first: the preface, its settings, and room for many answers.
pub(super) fn hello() -> Vec<u8> {
    let mut bytes = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
    // No pushes; sixteen mebibytes for every stream.
    let settings = [&[0, 2, 0, 0, 0, 0][..], &[0, 4, 1, 0, 0, 0]].concat();
    bytes.extend_from_slice(&frame(SETTINGS, 0, 0, &settings));
    bytes.extend_from_slice(&frame(WINDOW_UPDATE, 0, 0, &(1_u32 << 30).to_be_bytes()));
    bytes
}

/// One frame as it came.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Frame {
    pub(super) kind: u8,
    pub(super) flags: u8,
    pub(super) stream: u32,
    pub(super) payload: Vec<u8>,
}

impl Frame {
    /// What has to be said to a frame that is about the connection; nothing for one that carries something.
    pub(super) fn answer(&self) -> Option<Vec<u8>> {
        match self.kind {
            SETTINGS if self.flags & ACK == 0 => Some(frame(SETTINGS, ACK, 0, &[])),
            PING if self.flags & ACK == 0 => Some(frame(PING, ACK, 0, &self.payload)),
            SETTINGS | PING | WINDOW_UPDATE => Some(Vec::new()),
            _ => None,
        }
    }

    pub(super) fn ends_stream(&self) -> bool {
        self.flags & END_STREAM != 0
    }
}

/// Writes one frame.
pub(super) fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let mut bytes = (payload.len() as u32).to_be_bytes()[1..].to_vec();
    bytes.extend_from_slice(&[kind, flags]);
    bytes.extend_from_slice(&stream.to_be_bytes());
    bytes.extend_from_slice(payload);
    bytes
}

/// Takes the next whole frame out of `inbox`.
pub(super) fn take(inbox: &mut Vec<u8>) -> Option<Frame> {
    let head = inbox.first_chunk::<9>()?;
    let length = u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize;
    let (kind, flags) = (head[3], head[4]);
    let stream = u32::from_be_bytes([head[5] & 0x7f, head[6], head[7], head[8]]);
    if inbox.len() < 9 + length {
        return None;
    }
    let payload = inbox.drain(..9 + length).skip(9).collect();
    Some(Frame { kind, flags, stream, payload })
}

/// A block of header fields, each written out. Names and values are shorter than 127 bytes.
pub(super) fn fields(fields: &[(&str, &str)]) -> Vec<u8> {
    let mut block = Vec::new();
    for (name, value) in fields {
        block.push(0);
        for text in [name, value] {
            block.push(u8::try_from(text.len()).ok().filter(|length| *length < 127).expect("short names and values"));
            block.extend_from_slice(text.as_bytes());
        }
    }
    block
}

pub(super) const DATA: u8 = 0;
pub(super) const HEADERS: u8 = 1;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const WINDOW_UPDATE: u8 = 8;
const ACK: u8 = 1;
pub(super) const END_STREAM: u8 = 1;
pub(super) const END_HEADERS: u8 = 4;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_comes_out_as_it_went_in() {
        let mut inbox = frame(DATA, END_STREAM, 5, b"abc");
        inbox.push(9);
        let taken = take(&mut inbox).expect("a whole frame");
        assert_eq!(taken, Frame { kind: DATA, flags: END_STREAM, stream: 5, payload: b"abc".to_vec() });
        assert_eq!(inbox, [9]);
        assert_eq!(take(&mut inbox), None);
    }
}
