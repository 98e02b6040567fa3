//! CCITT RLE, fax 3 and fax 4 (ITU T.4, T.6): lines of runs, white first.

use std::convert::Infallible;

use fax::maps::{Mode, black, mode, white};
use fax::{BitReader, ByteReader};

use super::fault::Fault;

/// How lines are coded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Coding {
    /// Runs; each line begins at a byte.
    Rle,
    /// Lines with a mark at their end: runs, or, where the mark says so, changes to the line before.
    Fax3 { two_dimensional: bool },
    /// Changes to the line before.
    Fax4,
}

/// Lines of packed bits, highest first, 0 for white.
pub(super) fn decode(coding: Coding, bytes: &[u8], columns: usize, rows: usize) -> Result<Vec<u8>, Fault> {
    let row_bytes = columns.div_ceil(8);
    let mut lines = Lines { bits: reader(bytes), columns: columns as u32 };
    let (mut packed, mut before) = (Vec::new(), Vec::new());
    for _ in 0..rows {
        let changes = lines.line(coding, &before)?;
        packed.resize(packed.len() + row_bytes, 0);
        let start = packed.len() - row_bytes;
        draw(&changes, columns, &mut packed[start..]);
        before = changes;
    }
    Ok(packed)
}

type Bits<'a> = ByteReader<Box<dyn Iterator<Item = Result<u8, Infallible>> + 'a>>;

/// Zeros follow the last byte, since the reader must be able to look ahead.
fn reader(bytes: &[u8]) -> Bits<'_> {
    let bytes: Box<dyn Iterator<Item = Result<u8, Infallible>>> = Box::new(bytes.iter().copied().chain([0; 4]).map(Ok));
    match ByteReader::new(bytes) {
        Ok(reader) => reader,
        Err(never) => match never {},
    }
}

/// Sets the bits of the black runs.
fn draw(changes: &[u32], columns: usize, to: &mut [u8]) {
    for run in changes.chunks(2) {
        let start = run[0] as usize;
        let end = run.get(1).map_or(columns, |end| *end as usize).min(columns);
        for column in start..end {
            to[column / 8] |= 0x80 >> (column % 8);
        }
    }
}

struct Lines<'a> {
    bits: Bits<'a>,
    columns: u32,
}

impl Lines<'_> {
    /// The columns at which the colour changes.
    fn line(&mut self, coding: Coding, before: &[u32]) -> Result<Vec<u32>, Fault> {
        match coding {
            Coding::Rle => {
                let line = self.runs()?;
                let spare = self.bits.bits_to_byte_boundary();
                self.skip(spare)?;
                Ok(line)
            }
            Coding::Fax3 { two_dimensional } => {
                self.mark()?;
                let is_runs = !two_dimensional || self.bits.peek(1) == Some(1);
                if two_dimensional {
                    self.skip(1)?;
                }
                if is_runs { self.runs() } else { self.changes(before) }
            }
            Coding::Fax4 => self.changes(before),
        }
    }

    /// Goes over the mark between lines, eleven or more zeros and a one. Some writers leave it out.
    fn mark(&mut self) -> Result<(), Fault> {
        if self.bits.peek(9) == Some(0) {
            while self.bits.peek(1) == Some(0) {
                self.skip(1)?;
            }
            self.skip(1)?;
        }
        Ok(())
    }

    fn runs(&mut self) -> Result<Vec<u32>, Fault> {
        let (mut line, mut at, mut is_black) = (Vec::new(), 0, false);
        while at < self.columns {
            at = at.saturating_add(self.run(is_black)?).min(self.columns);
            line.push(at);
            is_black = !is_black;
        }
        Ok(line)
    }

    fn run(&mut self, is_black: bool) -> Result<u32, Fault> {
        let mut length = 0;
        while length < self.columns.saturating_add(2560) {
            let part = if is_black { black::decode(&mut self.bits) } else { white::decode(&mut self.bits) };
            let part = part.ok_or_else(|| damaged("no code of a run"))?;
            length += u32::from(part);
            if part < 64 {
                return Ok(length);
            }
        }
        Err(damaged("a run longer than a line"))
    }

    fn changes(&mut self, before: &[u32]) -> Result<Vec<u32>, Fault> {
        let (mut line, mut at, mut is_black): (Vec<u32>, u32, bool) = (Vec::new(), 0, false);
        let mut is_first = true;
        while at < self.columns {
            let above = self.above(before, at, is_black, is_first);
            match mode::decode(&mut self.bits) {
                Some(Mode::Pass) => at = above.1,
                Some(Mode::Vertical(by)) => {
                    let to = above.0.checked_add_signed(by.into()).filter(|to| *to >= at);
                    at = to.ok_or_else(|| damaged("a line that runs back"))?.min(self.columns);
                    line.push(at);
                    is_black = !is_black;
                }
                Some(Mode::Horizontal) => {
                    for colour in [is_black, !is_black] {
                        at = at.saturating_add(self.run(colour)?).min(self.columns);
                        line.push(at);
                    }
                }
                Some(Mode::Extension) => return Err(Fault::unsupported("fax with uncompressed lines")),
                Some(Mode::EOF) | None => return Err(damaged("no code of a change")),
            }
            is_first = false;
        }
        Ok(line)
    }

    /// The next change to the other colour in the line before, and the one that follows it.
    fn above(&self, before: &[u32], at: u32, is_black: bool, is_first: bool) -> (u32, u32) {
        let mut index = before.partition_point(|change| *change <= at && !(is_first && *change == 0));
        if (index % 2 == 1) != is_black {
            index += 1;
        }
        let change = |index: usize| before.get(index).copied().unwrap_or(self.columns);
        (change(index), change(index + 1))
    }

    fn skip(&mut self, bits: u8) -> Result<(), Fault> {
        if self.bits.peek(bits).is_none() {
            return Err(damaged("coded lines that end early"));
        }
        match self.bits.consume(bits) {
            Ok(()) => Ok(()),
            Err(never) => match never {},
        }
    }
}

fn damaged(found: &str) -> Fault {
    Fault::format(format!("a fax with {found}"))
}
