//! Progressive coding (ITU T.81, annex G): each scan brings a band of the spectrum, or one bit more of it.

use super::bits::Bits;
use super::header::ZIGZAG;
use super::scan::{Block, Coder, dc, put};
use super::{Result, damaged};

/// A band of the spectrum, and the position of its last bit.
pub(super) struct Band {
    pub first: usize,
    pub last: usize,
    pub low: u32,
}

pub(super) fn dc_first(bits: &mut Bits<'_>, coder: &mut Coder<'_>, low: u32, block: &mut Block) -> Result<()> {
    block[0] = (dc(bits, coder)? << low) as i16;
    Ok(())
}

pub(super) fn dc_refined(bits: &mut Bits<'_>, low: u32, block: &mut Block) -> Result<()> {
    block[0] |= (bits.take(1)? << low) as i16;
    Ok(())
}

/// `skip` counts the blocks, this one included, in which the band is empty.
pub(super) fn ac_first(
    bits: &mut Bits<'_>,
    coder: &Coder<'_>,
    band: &Band,
    skip: &mut u32,
    block: &mut Block,
) -> Result<()> {
    if *skip > 0 {
        *skip -= 1;
        return Ok(());
    }
    let table = coder.ac()?;
    let mut at = band.first;
    while at <= band.last {
        let symbol = table.symbol(bits)?;
        let (run, size) = (u32::from(symbol >> 4), u32::from(symbol & 15));
        match (run, size) {
            (15, 0) => at += 16,
            (run, 0) => {
                *skip = (1 << run) - 1 + bits.take(run)? as u32;
                break;
            }
            _ => {
                at += run as usize;
                let value = bits.signed(size)? << band.low;
                put(block, at, value)?;
                at += 1;
            }
        }
    }
    Ok(())
}

pub(super) fn ac_refined(
    bits: &mut Bits<'_>,
    coder: &Coder<'_>,
    band: &Band,
    skip: &mut u32,
    block: &mut Block,
) -> Result<()> {
    let bit = 1i16 << band.low;
    let mut at = band.first;
    if *skip == 0 {
        let table = coder.ac()?;
        while at <= band.last {
            let symbol = table.symbol(bits)?;
            let (run, size) = (u32::from(symbol >> 4), symbol & 15);
            let fresh = match size {
                0 if run < 15 => {
                    *skip = (1 << run) + bits.take(run)? as u32;
                    break;
                }
                0 => 0,
                1 => [-bit, bit][bits.take(1)? as usize],
                _ => return damaged("a refined coefficient of more than one bit"),
            };
            at = refine(bits, band, block, (at, run), bit)?;
            if fresh != 0 && at <= band.last {
                put(block, at, fresh.into())?;
            }
            at += 1;
        }
    }
    if *skip > 0 {
        refine(bits, band, block, (at, u32::MAX), bit)?;
        *skip -= 1;
    }
    Ok(())
}

/// Adds a bit to each coefficient that has some, until `zeros` others have been passed; gives the next position.
fn refine(bits: &mut Bits<'_>, band: &Band, block: &mut Block, from: (usize, u32), bit: i16) -> Result<usize> {
    let (mut at, mut zeros) = from;
    while at <= band.last {
        let value = &mut block[usize::from(ZIGZAG[at])];
        if *value != 0 {
            if bits.take(1)? == 1 && *value & bit == 0 {
                *value = value.wrapping_add(if *value > 0 { bit } else { -bit });
            }
        } else if zeros == 0 {
            break;
        } else {
            zeros -= 1;
        }
        at += 1;
    }
    Ok(at)
}
