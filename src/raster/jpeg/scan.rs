//! The header of a scan (ITU T.81, B.2.3).

use std::ops::Range;

use super::fault::{Fault, Result, damaged};
use super::frame::Frame;

/// The coefficients that a scan codes.
pub(super) struct Scan<'a> {
    /// Indices of components.
    pub components: Vec<usize>,
    /// Coefficients of each block.
    pub spectrum: Range<usize>,
    /// The lowest of their bits.
    pub lowest_bit: u8,
    /// The header without any extra bytes.
    pub segment: &'a [u8],
}

impl<'a> Scan<'a> {
    pub fn parse(segment: &'a [u8], frame: &Frame) -> Result<Self> {
        let short = || Fault::Format("a scan header that ends early".into());
        let count = usize::from(*segment.first().ok_or_else(short)?);
        let segment = segment.get(..4 + 2 * count).ok_or_else(short)?;
        let (named, band) = segment[1..].split_at(2 * count);
        let index = |[id, _]: &[u8; 2]| frame.components.iter().position(|component| component.id == *id);
        let components: Vec<usize> = named.as_chunks::<2>().0.iter().filter_map(index).collect();
        let is_twice = |(at, component): (usize, &usize)| components[..at].contains(component);
        if count == 0 || components.len() != count || components.iter().enumerate().any(is_twice) {
            return damaged("a scan of components that do not exist, or of one twice");
        }
        if !frame.is_progressive {
            if count != frame.components.len() {
                return Err(Fault::Unsupported("JPEG with a sequential scan for each component".into()));
            }
            return Ok(Self { components, spectrum: 0..64, lowest_bit: 0, segment });
        }
        let (first, last, lowest_bit) = (usize::from(band[0]), usize::from(band[1]), band[2] & 15);
        if first > last || last > 63 || (first == 0) != (last == 0) || (first > 0 && count > 1) || lowest_bit > 13 {
            return damaged("a scan header that contradicts itself");
        }
        Ok(Self { components, spectrum: first..last + 1, lowest_bit, segment })
    }
}
