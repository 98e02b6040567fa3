//! The segments of a stream: sizes, tables, and where the scans are (ITU T.81, annex B).

use std::io::{Read, Seek};

use super::huffman::Huffman;
use super::{Fault, Result, damaged};

/// From the order of the stream to rows of eight (T.81, figure A.6).
pub(super) const ZIGZAG: [u8; 64] = [
    0, 1, 8, 16, 9, 2, 3, 10, 17, 24, 32, 25, 18, 11, 4, 5, 12, 19, 26, 33, 40, 48, 41, 34, 27, 20, 13, 6, 7, 14, 21,
    28, 35, 42, 49, 56, 57, 50, 43, 36, 29, 22, 15, 23, 30, 37, 44, 51, 58, 59, 52, 45, 38, 31, 39, 46, 53, 60, 61, 54,
    47, 55, 62, 63,
];

#[derive(Debug, Clone, PartialEq)]
pub(in super::super) struct Component {
    pub id: u8,
    /// Sampling factors.
    pub h: usize,
    pub v: usize,
    pub quantisation: usize,
}

/// The size of the image and its components.
#[derive(Debug, Clone, PartialEq)]
pub(in super::super) struct Frame {
    pub is_progressive: bool,
    pub height: usize,
    pub width: usize,
    pub components: Vec<Component>,
}

impl Frame {
    /// The largest sampling factors.
    pub fn sampling(&self) -> (usize, usize) {
        let largest = |factor: fn(&Component) -> usize| self.components.iter().map(factor).max().unwrap_or(1);
        (largest(|c| c.h), largest(|c| c.v))
    }

    fn parse(marker: u8, segment: &[u8]) -> Result<Self> {
        let ([bits, y1, y0, x1, x0, count], rest) = segment.split_first_chunk::<6>().ok_or_else(short)?;
        let (height, width) = (u16::from_be_bytes([*y1, *y0]).into(), u16::from_be_bytes([*x1, *x0]).into());
        let components: Vec<_> = rest.as_chunks::<3>().0.iter().take(usize::from(*count)).map(component).collect();
        if *bits != 8 {
            return Err(Fault::Unsupported(format!("JPEG with {bits} bits a sample")));
        }
        if height == 0 || width == 0 || components.len() != usize::from(*count) || !(1..=4).contains(count) {
            return damaged(format!("{width} x {height} pixels of {count} components"));
        }
        if components.iter().any(|c| !(1..=4).contains(&c.h) || !(1..=4).contains(&c.v) || c.quantisation > 3) {
            return damaged("sampling factors or table numbers beyond 4");
        }
        Ok(Self { is_progressive: marker == 0xc2, height, width, components })
    }
}

fn component([id, factors, table]: &[u8; 3]) -> Component {
    Component { id: *id, h: usize::from(factors >> 4), v: usize::from(factors & 15), quantisation: usize::from(*table) }
}

/// What a scan codes: components with their DC and AC tables, a band of the spectrum, and bits of the values.
pub(super) struct Scan {
    pub components: Vec<(usize, usize, usize)>,
    pub spectrum: (usize, usize),
    pub high: u32,
    pub low: u32,
}

pub(super) enum Step<'a> {
    Scan(Scan, &'a [u8]),
    End,
}

/// All that has been read so far.
#[derive(Default)]
pub(in super::super) struct Header {
    frame: Option<Frame>,
    pub(super) quantisation: [Option<[u16; 64]>; 4],
    pub(super) dc: [Option<Huffman>; 4],
    pub(super) ac: [Option<Huffman>; 4],
    /// Units between restart markers; 0 for none.
    pub(super) restart: usize,
    pub(super) has_jfif: bool,
    pub(super) adobe_transform: Option<u8>,
}

impl Header {
    pub(in super::super) fn frame(&self) -> Result<&Frame> {
        self.frame.as_ref().ok_or_else(|| Fault::Format("no frame header".into()))
    }

    pub(super) fn start<'a>(&mut self, bytes: &'a [u8]) -> Result<&'a [u8]> {
        match bytes.split_first_chunk::<2>() {
            Some(([0xff, 0xd8], rest)) => Ok(rest),
            _ => damaged("no start of a JPEG"),
        }
    }

    /// An abbreviated stream of tables.
    pub(super) fn read_tables(&mut self, bytes: &[u8]) -> Result<()> {
        let mut rest = self.start(bytes)?;
        match self.next(&mut rest)? {
            Step::End => Ok(()),
            Step::Scan(..) => damaged("image data among the tables"),
        }
    }

    /// Reads segments to the next scan or the end of the image.
    pub(super) fn next<'a>(&mut self, rest: &mut &'a [u8]) -> Result<Step<'a>> {
        loop {
            let marker = next_marker(rest)?;
            match marker {
                0xd9 => return Ok(Step::End),
                0x01 | 0xd0..=0xd8 => continue,
                _ => {}
            }
            let length = rest.first_chunk::<2>().map(|length| usize::from(u16::from_be_bytes(*length)));
            let segment = length.and_then(|length| rest.get(2..length)).ok_or_else(short)?;
            *rest = rest.get(segment.len() + 2..).unwrap_or_default();
            match marker {
                0xda => return Ok(Step::Scan(self.scan(segment)?, rest)),
                other => self.segment(other, segment)?,
            }
        }
    }

    fn segment(&mut self, marker: u8, segment: &[u8]) -> Result<()> {
        match marker {
            0xc4 => self.huffman(segment),
            0xdb => self.quantisation(segment),
            0xdd => {
                let interval = segment.first_chunk::<2>().ok_or_else(short)?;
                self.restart = u16::from_be_bytes(*interval).into();
                Ok(())
            }
            0xe0 => {
                self.has_jfif |= segment.starts_with(b"JFIF\0");
                Ok(())
            }
            0xee if segment.starts_with(b"Adobe") => {
                self.adobe_transform = segment.get(11).copied();
                Ok(())
            }
            other => match (frame_of_marker(other, segment)?, &self.frame) {
                (Some(_), Some(_)) => damaged("two frame headers"),
                (Some(frame), None) => {
                    self.frame = Some(frame);
                    Ok(())
                }
                (None, _) => Ok(()),
            },
        }
    }

    fn huffman(&mut self, mut segment: &[u8]) -> Result<()> {
        while let Some(([number], after)) = segment.split_first_chunk::<1>() {
            let (counts, after) = after.split_first_chunk::<16>().ok_or_else(short)?;
            let count = counts.iter().map(|count| usize::from(*count)).sum();
            let symbols = after.get(..count).ok_or_else(short)?;
            let tables = if number >> 4 == 0 { &mut self.dc } else { &mut self.ac };
            let Some(table) = tables.get_mut(usize::from(number & 15)) else {
                return damaged("a Huffman table beyond the fourth");
            };
            *table = Some(Huffman::new(counts, symbols)?);
            segment = &after[count..];
        }
        Ok(())
    }

    fn quantisation(&mut self, mut segment: &[u8]) -> Result<()> {
        while let Some(([number], after)) = segment.split_first_chunk::<1>() {
            let size = if number >> 4 == 0 { 1 } else { 2 };
            let steps = after.get(..64 * size).ok_or_else(short)?;
            let Some(table) = self.quantisation.get_mut(usize::from(number & 15)) else {
                return damaged("a quantisation table beyond the fourth");
            };
            let mut values = [0; 64];
            for (step, to) in steps.chunks_exact(size).zip(ZIGZAG) {
                values[usize::from(to)] = step.iter().fold(0, |sum, byte| sum << 8 | u16::from(*byte));
            }
            *table = Some(values);
            segment = &after[64 * size..];
        }
        Ok(())
    }

    fn scan(&self, segment: &[u8]) -> Result<Scan> {
        let frame = self.frame()?;
        let ([count], rest) = segment.split_first_chunk::<1>().ok_or_else(short)?;
        let named = rest.get(..2 * usize::from(*count)).ok_or_else(short)?;
        let mut components: Vec<(usize, usize, usize)> = Vec::new();
        for [id, tables] in named.as_chunks::<2>().0 {
            let index = frame.components.iter().position(|component| component.id == *id);
            let index = index.ok_or_else(|| Fault::Format("a scan of a component that does not exist".into()))?;
            if components.iter().any(|(other, ..)| *other == index) {
                return damaged("a scan that names a component twice");
            }
            components.push((index, usize::from(tables >> 4), usize::from(tables & 15)));
        }
        let [first, last, bits, ..] = rest[named.len()..] else { return Err(short()) };
        let (first, last, high, low) = (usize::from(first), usize::from(last), bits >> 4, bits & 15);
        let whole = !frame.is_progressive;
        let spectrum = if whole { (0, 63) } else { (first, last) };
        let fits = spectrum.0 <= spectrum.1 && spectrum.1 < 64 && (whole || first > 0 || last == 0);
        if components.is_empty() || !fits || low > 13 || (first > 0 && components.len() > 1 && !whole) {
            return damaged("a scan header that contradicts itself");
        }
        Ok(Scan { components, spectrum, high: high.into(), low: if whole { 0 } else { low.into() } })
    }
}

fn short() -> Fault {
    Fault::Format("a segment that ends early".into())
}

/// Goes over the next marker, and over anything before it.
fn next_marker(rest: &mut &[u8]) -> Result<u8> {
    let is_marker = |pair: &[u8]| pair[0] == 0xff && !matches!(pair[1], 0x00 | 0xff);
    let Some(start) = rest.windows(2).position(is_marker) else {
        return damaged("the end of the file where a marker is due");
    };
    let marker = rest[start + 1];
    *rest = &rest[start + 2..];
    Ok(marker)
}

/// A frame header, if this marker begins one.
fn frame_of_marker(marker: u8, segment: &[u8]) -> Result<Option<Frame>> {
    match marker {
        0xc0..=0xc2 => Frame::parse(marker, segment).map(Some),
        0xc3 | 0xc7 | 0xcb | 0xcf => Err(Fault::Unsupported("lossless JPEG".into())),
        0xc9 | 0xca | 0xcd | 0xce => Err(Fault::Unsupported("JPEG with arithmetic coding".into())),
        0xc5 | 0xc6 => Err(Fault::Unsupported("hierarchical JPEG".into())),
        _ => Ok(None),
    }
}

/// What a file says before its first scan.
pub(in super::super) struct Opened {
    pub frame: Frame,
    /// The EXIF data, without the mark before them.
    pub exif: Option<Vec<u8>>,
}

/// Reads the segments that are needed of a file, however long those between them are.
pub(super) fn open(mut reader: impl Read + Seek) -> std::io::Result<Result<Opened>> {
    let (mut frame, mut exif) = (None, None);
    loop {
        let marker = marker_of(&mut reader)?;
        if matches!(marker, 0x00 | 0x01 | 0xd0..=0xd8) {
            continue;
        }
        if matches!(marker, 0xd9 | 0xda) {
            let missing = || Fault::Format("no frame header".into());
            return Ok(frame.ok_or_else(missing).map(|frame| Opened { frame, exif }));
        }
        let mut length = [0; 2];
        reader.read_exact(&mut length)?;
        let length = u16::from_be_bytes(length).saturating_sub(2);
        if !matches!(marker, 0xc0..=0xcf | 0xe1) || marker == 0xc4 {
            reader.seek_relative(length.into())?;
            continue;
        }
        let mut segment = vec![0; length.into()];
        reader.read_exact(&mut segment)?;
        if let (0xe1, None, Some(data)) = (marker, &exif, segment.strip_prefix(b"Exif\0\0")) {
            exif = Some(data.to_vec());
        }
        match frame_of_marker(marker, &segment) {
            Ok(Some(_)) if frame.is_some() => return Ok(damaged("two frame headers")),
            Ok(found) => frame = frame.or(found),
            Err(fault) => return Ok(Err(fault)),
        }
    }
}

/// Goes over the next marker of a file, and over anything before it.
fn marker_of(reader: &mut impl Read) -> std::io::Result<u8> {
    let mut byte = [0];
    while byte != [0xff] {
        reader.read_exact(&mut byte)?;
    }
    while byte == [0xff] {
        reader.read_exact(&mut byte)?;
    }
    Ok(byte[0])
}
