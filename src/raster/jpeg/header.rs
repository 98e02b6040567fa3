//! The beginning of a file up to its first scan, read without the rest.

use std::io::{self, Read, Seek};

use super::fault::{Fault, Result, damaged};
use super::frame::Frame;

/// The beginning of a file.
pub(in super::super) struct Header {
    pub frame: Frame,
    /// The EXIF data, without the preceding identifier.
    pub exif: Option<Vec<u8>>,
}

impl Header {
    /// Reads the required segments of a file, however long the segments between them are.
    pub fn read(mut reader: impl Read + Seek) -> io::Result<Result<Self>> {
        let (mut frame, mut exif) = (None, None);
        loop {
            let marker = next_marker(&mut reader)?;
            if matches!(marker, 0x00 | 0x01 | 0xd0..=0xd8) {
                continue;
            }
            if matches!(marker, 0xd9 | 0xda) {
                let missing = || Fault::Format("no frame header".into());
                return Ok(frame.ok_or_else(missing).map(|frame| Self { frame, exif }));
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
            match Frame::of_marker(marker, &segment) {
                Ok(Some(_)) if frame.is_some() => return Ok(damaged("two frame headers")),
                Ok(found) => frame = frame.or(found),
                Err(fault) => return Ok(Err(fault)),
            }
        }
    }
}

/// Skips the next marker of a file, and anything before it.
fn next_marker(reader: &mut impl Read) -> io::Result<u8> {
    let mut byte = [0];
    while byte != [0xff] {
        reader.read_exact(&mut byte)?;
    }
    while byte == [0xff] {
        reader.read_exact(&mut byte)?;
    }
    Ok(byte[0])
}
