//! PackBits: runs of equal bytes, and runs of literal bytes.

use std::io::{self, BufRead, Read};

/// The output of a run.
enum Run {
    AsTheyAre,
    Repeated(u8),
}

/// Decompresses what it reads.
pub(super) struct PackBits<R> {
    input: R,
    run: Run,
    left: usize,
}

impl<R: BufRead> PackBits<R> {
    pub fn new(input: R) -> Self {
        Self { input, run: Run::AsTheyAre, left: 0 }
    }

    /// Starts the next run, if there is one.
    fn begin(&mut self) -> io::Result<bool> {
        while self.left == 0 {
            let Some(head) = self.byte()? else { return Ok(false) };
            match head as i8 {
                -128 => {}
                head @ 0.. => (self.run, self.left) = (Run::AsTheyAre, head as usize + 1),
                head => {
                    let Some(byte) = self.byte()? else { return Ok(false) };
                    (self.run, self.left) = (Run::Repeated(byte), usize::from(head.unsigned_abs()) + 1);
                }
            }
        }
        Ok(true)
    }

    fn byte(&mut self) -> io::Result<Option<u8>> {
        let byte = self.input.fill_buf()?.first().copied();
        self.input.consume(usize::from(byte.is_some()));
        Ok(byte)
    }
}

impl<R: BufRead> Read for PackBits<R> {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        if to.is_empty() || !self.begin()? {
            return Ok(0);
        }
        let length = self.left.min(to.len());
        let length = match self.run {
            Run::AsTheyAre => self.input.read(&mut to[..length])?,
            Run::Repeated(byte) => {
                to[..length].fill(byte);
                length
            }
        };
        self.left -= length;
        Ok(length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of the TIFF 6.0 specification, section 9.
    #[test]
    fn the_example_of_the_specification() {
        let packed = [0xfe, 0xaa, 0x02, 0x80, 0x00, 0x2a, 0xfd, 0xaa, 0x03, 0x80, 0x00, 0x2a, 0x22, 0xf7, 0xaa];
        let mut unpacked = Vec::new();
        PackBits::new(&packed[..]).read_to_end(&mut unpacked).unwrap();
        let expected = [&[0xaa; 3][..], &[0x80, 0x00, 0x2a], &[0xaa; 4], &[0x80, 0x00, 0x2a, 0x22], &[0xaa; 10]];
        assert_eq!(unpacked, expected.concat());
    }
}
