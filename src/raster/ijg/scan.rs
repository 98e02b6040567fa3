//! From coded data to DCT coefficients (ITU T.81, annex F).

use super::bits::Bits;
use super::header::{Frame, Header, Scan, ZIGZAG};
use super::huffman::Huffman;
use super::progressive::{self, Band};
use super::{Fault, Result, damaged};

pub(super) type Block = [i16; 64];

/// The coefficients of one component.
pub(super) struct Plane {
    pub blocks: Vec<Block>,
    /// Blocks a row, whole units.
    pub columns: usize,
    /// Blocks that hold pixels of the image: columns and rows.
    extent: (usize, usize),
    /// Taken when the first scan of the component begins, as libjpeg does.
    pub steps: Option<[u16; 64]>,
}

pub(super) struct Planes {
    pub planes: Vec<Plane>,
    pub units_across: usize,
    pub units_down: usize,
}

impl Planes {
    pub fn new(frame: &Frame) -> Result<Self> {
        let (max_h, max_v) = frame.sampling();
        let (units_across, units_down) = (frame.width.div_ceil(8 * max_h), frame.height.div_ceil(8 * max_v));
        let plane = |c: &super::header::Component| Plane {
            blocks: vec![[0; 64]; units_across * c.h * units_down * c.v],
            columns: units_across * c.h,
            extent: ((frame.width * c.h).div_ceil(8 * max_h), (frame.height * c.v).div_ceil(8 * max_v)),
            steps: None,
        };
        Ok(Self { planes: frame.components.iter().map(plane).collect(), units_across, units_down })
    }
}

/// The tables of one component in one scan, and what it carries from block to block.
pub(super) struct Coder<'a> {
    dc: Option<&'a Huffman>,
    ac: Option<&'a Huffman>,
    pub predicted: i32,
}

impl<'a> Coder<'a> {
    pub fn dc(&self) -> Result<&'a Huffman> {
        self.dc.ok_or_else(|| Fault::Format("a scan without its Huffman table".into()))
    }

    pub fn ac(&self) -> Result<&'a Huffman> {
        self.ac.ok_or_else(|| Fault::Format("a scan without its Huffman table".into()))
    }
}

/// Reads one scan and gives what follows it.
pub(super) fn read<'a>(header: &mut Header, scan: &Scan, data: &'a [u8], planes: &mut Planes) -> Result<&'a [u8]> {
    for (index, ..) in &scan.components {
        let table = header.frame()?.components[*index].quantisation;
        let plane = &mut planes.planes[*index];
        if plane.steps.is_none() {
            plane.steps = header.quantisation[table];
        }
        if plane.steps.is_none() {
            return damaged("a component without its quantisation table");
        }
    }
    let mut reader = Reader { header, scan, bits: Bits::new(data), coders: coders(header, scan), skip: 0 };
    match scan.components[..] {
        [(index, ..)] => reader.one(&mut planes.planes[index])?,
        _ => reader.several(planes)?,
    }
    Ok(reader.bits.rest())
}

fn coders<'a>(header: &'a Header, scan: &Scan) -> Vec<Coder<'a>> {
    let table = |tables: &'a [Option<Huffman>; 4], number: usize| tables.get(number).and_then(Option::as_ref);
    let coder = |(_, dc, ac): &(usize, usize, usize)| Coder {
        dc: table(&header.dc, *dc),
        ac: table(&header.ac, *ac),
        predicted: 0,
    };
    scan.components.iter().map(coder).collect()
}

struct Reader<'a, 'd> {
    header: &'a Header,
    scan: &'a Scan,
    bits: Bits<'d>,
    coders: Vec<Coder<'a>>,
    /// Blocks whose band is known to be empty.
    skip: u32,
}

impl Reader<'_, '_> {
    /// A scan of one component has just the blocks that hold pixels.
    fn one(&mut self, plane: &mut Plane) -> Result<()> {
        let (columns, rows) = plane.extent;
        for row in 0..rows {
            for column in 0..columns {
                self.restart_before(row * columns + column)?;
                self.block(0, &mut plane.blocks[row * plane.columns + column])?;
            }
        }
        Ok(())
    }

    fn several(&mut self, planes: &mut Planes) -> Result<()> {
        let frame = self.header.frame()?;
        for unit in 0..planes.units_across * planes.units_down {
            self.restart_before(unit)?;
            let (row, column) = (unit / planes.units_across, unit % planes.units_across);
            for (coder, (index, ..)) in self.scan.components.iter().enumerate() {
                let (h, v) = (frame.components[*index].h, frame.components[*index].v);
                let plane = &mut planes.planes[*index];
                for y in row * v..(row + 1) * v {
                    for x in column * h..(column + 1) * h {
                        self.block(coder, &mut plane.blocks[y * plane.columns + x])?;
                    }
                }
            }
        }
        Ok(())
    }

    fn restart_before(&mut self, unit: usize) -> Result<()> {
        let interval = self.header.restart;
        if interval > 0 && unit > 0 && unit.is_multiple_of(interval) {
            self.bits.restart(((unit / interval + 7) % 8) as u8)?;
            self.skip = 0;
            self.coders.iter_mut().for_each(|coder| coder.predicted = 0);
        }
        Ok(())
    }

    #[inline]
    fn block(&mut self, coder: usize, block: &mut Block) -> Result<()> {
        let coder = &mut self.coders[coder];
        let Scan { spectrum, high, low, .. } = *self.scan;
        if !self.header.frame()?.is_progressive {
            return sequential(&mut self.bits, coder, block);
        }
        let band = Band { first: spectrum.0, last: spectrum.1, low };
        match (spectrum.0, high) {
            (0, 0) => progressive::dc_first(&mut self.bits, coder, low, block),
            (0, _) => progressive::dc_refined(&mut self.bits, low, block),
            (_, 0) => progressive::ac_first(&mut self.bits, coder, &band, &mut self.skip, block),
            _ => progressive::ac_refined(&mut self.bits, coder, &band, &mut self.skip, block),
        }
    }
}

/// The difference to the DC coefficient of the block before.
pub(super) fn dc(bits: &mut Bits<'_>, coder: &mut Coder<'_>) -> Result<i32> {
    let size = coder.dc()?.symbol(bits)?;
    if size > 15 {
        return damaged("a DC coefficient of more than 15 bits");
    }
    coder.predicted = coder.predicted.wrapping_add(bits.signed(size.into())?);
    Ok(coder.predicted)
}

fn sequential(bits: &mut Bits<'_>, coder: &mut Coder<'_>, block: &mut Block) -> Result<()> {
    block[0] = dc(bits, coder)? as i16;
    let table = coder.ac()?;
    let mut at = 1;
    while at < 64 {
        let symbol = table.symbol(bits)?;
        let (run, size) = (usize::from(symbol >> 4), u32::from(symbol & 15));
        match (run, size) {
            (15, 0) => at += 16,
            (_, 0) => break,
            _ => {
                let value = bits.signed(size)?;
                put(block, at + run, value)?;
                at += run + 1;
            }
        }
    }
    Ok(())
}

/// Sets the coefficient of this number in the order of the stream.
#[inline]
pub(super) fn put(block: &mut Block, at: usize, value: i32) -> Result<()> {
    match ZIGZAG.get(at) {
        Some(to) => {
            block[usize::from(*to)] = value as i16;
            Ok(())
        }
        None => damaged("coefficients beyond the end of a block"),
    }
}
