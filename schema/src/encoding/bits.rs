//! A stream of bits that is read from its end.

/// Writes values of some bits each; the value written last is read first.
#[derive(Default)]
pub(super) struct BitWriter {
    bytes: Vec<u8>,
    /// What does not fill a byte yet.
    partial: u64,
    /// Bits of it, fewer than eight.
    count: u32,
}

impl BitWriter {
    /// Writes the low `count` bits of `value`, which has no others, at most 32.
    pub(super) fn write(&mut self, value: u32, count: u32) {
        self.partial |= u64::from(value) << self.count;
        self.count += count;
        while self.count >= 8 {
            self.bytes.push(self.partial as u8);
            self.partial >>= 8;
            self.count -= 8;
        }
    }

    /// Ends the stream with the one bit that tells a reader where it starts.
    pub(super) fn finish(mut self) -> Vec<u8> {
        self.write(1, 1);
        if self.count > 0 {
            self.bytes.push(self.partial as u8);
        }
        self.bytes
    }
}
