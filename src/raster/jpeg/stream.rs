//! Rewrites a JPEG for a decoder that would fill missing parts with gray.
//!
//! Tables stored elsewhere (TIFF) are inserted, segments unrelated to the pixels are removed, and the end of coded data
//! is marked by bits that are not a valid code, so that a stream that is truncated but properly terminated is an error.

use std::ops::RangeInclusive;

use super::fault::{Fault, Result, damaged};
use super::frame::Frame;
use super::scan::Scan;

/// One bits: T.81 excludes them from all Huffman tables. Longer than a code with its value and the next code.
const NO_CODE: [u8; 16] = [0xff, 0, 0xff, 0, 0xff, 0, 0xff, 0, 0xff, 0, 0xff, 0, 0xff, 0, 0xff, 0];
/// Scans that change the same blocks repeatedly cost time without taking many bytes; encoders write about ten.
pub(super) const MAX_SCANS: usize = 100;
const NEVER: u8 = u8::MAX;

/// A stream for the decoder, with everything that determines its colors.
pub(in super::super) struct Stream {
    pub bytes: Vec<u8>,
    pub frame: Frame,
    pub has_jfif: bool,
    pub adobe_transform: Option<u8>,
}

impl Stream {
    /// Reads all segments of a stream; `tables` is an abbreviated stream with tables for it, or empty.
    pub fn new(tables: &[u8], bytes: &[u8]) -> Result<Self> {
        let mut writer = Writer { bytes: vec![0xff, 0xd8], ..Writer::default() };
        if !tables.is_empty() {
            writer.copy(tables)?;
            if writer.scans > 0 {
                return damaged("image data among the tables");
            }
        }
        writer.bytes.reserve(bytes.len() + 64);
        writer.copy(bytes)?;
        writer.finished()
    }
}

#[derive(Default)]
struct Writer {
    bytes: Vec<u8>,
    frame: Option<Frame>,
    /// Units between restart markers; 0 for none.
    restart: usize,
    scans: usize,
    /// The lowest bit of each coefficient coded so far, for each component.
    coded: Vec<[u8; 64]>,
    has_jfif: bool,
    adobe_transform: Option<u8>,
}

impl Writer {
    /// Copies the relevant parts of a stream, up to its end.
    fn copy(&mut self, bytes: &[u8]) -> Result<()> {
        let Some(mut rest) = bytes.strip_prefix(&[0xff, 0xd8]) else { return damaged("no start of a JPEG") };
        loop {
            let marker = next_marker(&mut rest)?;
            match marker {
                0xd9 => return Ok(()),
                0x01 | 0xd0..=0xd8 => continue,
                _ => {}
            }
            let segment = segment(&mut rest)?;
            match marker {
                0xda => rest = self.scan(segment, rest)?,
                0xc4 | 0xdb => self.put(marker, segment),
                0xdd => self.restart(segment)?,
                0xe0 => self.has_jfif |= segment.starts_with(b"JFIF\0"),
                0xee if segment.starts_with(b"Adobe") => self.adobe_transform = segment.get(11).copied(),
                other => self.frame(other, segment)?,
            }
        }
    }

    fn put(&mut self, marker: u8, segment: &[u8]) {
        self.bytes.extend([0xff, marker]);
        self.bytes.extend((segment.len() as u16 + 2).to_be_bytes());
        self.bytes.extend(segment);
    }

    fn restart(&mut self, segment: &[u8]) -> Result<()> {
        let Some(interval) = segment.first_chunk::<2>() else { return damaged("a restart interval that ends early") };
        self.restart = u16::from_be_bytes(*interval).into();
        self.put(0xdd, interval);
        Ok(())
    }

    fn frame(&mut self, marker: u8, segment: &[u8]) -> Result<()> {
        let Some(frame) = Frame::of_marker(marker, segment)? else { return Ok(()) };
        if self.frame.is_some() {
            return damaged("two frame headers");
        }
        self.bytes.extend(frame.segment());
        self.coded = vec![[NEVER; 64]; frame.components.len()];
        self.frame = Some(frame);
        Ok(())
    }

    /// Copies a scan and returns what follows it.
    fn scan<'a>(&mut self, segment: &[u8], data: &'a [u8]) -> Result<&'a [u8]> {
        let Some(frame) = &self.frame else { return damaged("a scan before the frame header") };
        let scan = Scan::parse(segment, frame)?;
        self.scans += 1;
        if self.scans > MAX_SCANS {
            return Err(Fault::Unsupported(format!("JPEG with more than {MAX_SCANS} scans")));
        }
        // Some writers put a marker after the last unit, too.
        let restarts = match self.restart {
            0 => 0..=0,
            interval => {
                let needed = (frame.units(&scan.components).max(1) - 1) / interval;
                needed..=needed + 1
            }
        };
        for component in &scan.components {
            self.coded[*component][scan.spectrum.clone()].fill(scan.lowest_bit);
        }
        // The decoder looks for the marker after the first scan of a progressive stream only within what it has read
        // ahead.
        let is_marked = !frame.is_progressive || self.scans > 1;
        self.put(0xda, scan.segment);
        self.data(data, restarts, is_marked)
    }

    /// Copies coded data up to the marker that ends it.
    fn data<'a>(&mut self, data: &'a [u8], restarts: RangeInclusive<usize>, is_marked: bool) -> Result<&'a [u8]> {
        let (mut rest, mut found) = (data, 0);
        loop {
            let Some(at) = rest.iter().position(|byte| *byte == 0xff) else {
                return damaged("the end of the file where a marker is due");
            };
            let (coded, marker) = rest.split_at(at);
            self.bytes.extend(coded);
            match marker.get(1) {
                None => return damaged("the end of the file where a marker is due"),
                Some(0) => self.bytes.extend([0xff, 0]),
                Some(0xff) => {
                    rest = &marker[1..];
                    continue;
                }
                Some(restart @ 0xd0..=0xd7) if usize::from(restart & 7) == found % 8 && found < *restarts.end() => {
                    self.bytes.extend(NO_CODE);
                    self.bytes.extend([0xff, *restart]);
                    found += 1;
                }
                Some(0xc4 | 0xd9..=0xdb | 0xdd | 0xe0..=0xef | 0xfe) if restarts.contains(&found) => {
                    if is_marked {
                        self.bytes.extend(NO_CODE);
                    }
                    return Ok(marker);
                }
                Some(other) => return damaged(format!("marker {other:#x} within coded data")),
            }
            rest = &marker[2..];
        }
    }

    fn finished(mut self) -> Result<Stream> {
        self.bytes.extend([0xff, 0xd9]);
        let Some(frame) = self.frame.filter(|_| self.scans > 0) else { return damaged("no image data") };
        if self.coded.as_flattened().iter().any(|bit| *bit != 0) {
            return damaged("an image of which scans are missing");
        }
        Ok(Stream { bytes: self.bytes, frame, has_jfif: self.has_jfif, adobe_transform: self.adobe_transform })
    }
}

/// Skips the next marker, and anything before it.
fn next_marker(rest: &mut &[u8]) -> Result<u8> {
    let is_marker = |pair: &[u8]| pair[0] == 0xff && !matches!(pair[1], 0x00 | 0xff);
    let Some(start) = rest.windows(2).position(is_marker) else {
        return damaged("the end of the file where a marker is due");
    };
    let marker = rest[start + 1];
    *rest = &rest[start + 2..];
    Ok(marker)
}

/// Skips the segment of a marker.
fn segment<'a>(rest: &mut &'a [u8]) -> Result<&'a [u8]> {
    let length = rest.first_chunk::<2>().map(|length| usize::from(u16::from_be_bytes(*length)));
    let segment = length.and_then(|length| rest.get(2..length));
    let segment = segment.ok_or_else(|| Fault::Format("a segment that ends early".into()))?;
    *rest = &rest[segment.len() + 2..];
    Ok(segment)
}
