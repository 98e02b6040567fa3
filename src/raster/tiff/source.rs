//! The file as the decoder is to see it.
//!
//! GDAL reads the first directory only, takes samples as they are stored whatever colours they stand for, and knows
//! half precision. The decoder follows all directories, checks colours, and refuses half precision; so it is shown
//! a file in which the first directory is the last, samples are grey, and halves are 16-bit integers.

use std::path::Path;

use tiff_reader::source::{FileSource, TiffSource};
use tiff_reader::{TiffError, constants};

use super::entries::Directory;

type Result<T> = std::result::Result<T, TiffError>;

const GREY: u16 = 1;
const RGB: u64 = 2;
const UNSIGNED: u16 = 1;
const FLOAT: u64 = 3;

/// What the file says that the decoder is not shown.
#[derive(Debug, Clone, Copy)]
pub(super) struct Stored {
    pub photometric: u64,
    pub is_half: bool,
}

/// A file with other bytes in a few places.
pub(super) struct Shown {
    file: FileSource,
    patches: Vec<(u64, Vec<u8>)>,
}

impl Shown {
    pub fn open(path: &Path) -> Result<(Self, Stored)> {
        let file = FileSource::open(path)?;
        let directory = Directory::read(&file)?;
        let value = |tag| directory.first_value(&file, tag);
        let format = value(constants::TAG_SAMPLE_FORMAT)?;
        let photometric = value(constants::TAG_PHOTOMETRIC_INTERPRETATION)?.unwrap_or(GREY.into());
        let is_half = format == Some(FLOAT) && value(constants::TAG_BITS_PER_SAMPLE)? == Some(16);
        let mut patches = vec![directory.ending()];
        if is_half {
            patches.extend(directory.replacing(constants::TAG_SAMPLE_FORMAT, UNSIGNED));
        }
        if !super::layout::needs_colours(photometric) && photometric != RGB {
            patches.extend(directory.replacing(constants::TAG_PHOTOMETRIC_INTERPRETATION, GREY));
        }
        Ok((Self { file, patches }, Stored { photometric, is_half }))
    }
}

impl TiffSource for Shown {
    fn len(&self) -> u64 {
        self.file.len()
    }

    fn read_exact_at(&self, offset: u64, len: usize) -> Result<Vec<u8>> {
        let mut bytes = self.file.read_exact_at(offset, len)?;
        for (position, patch) in &self.patches {
            for (at, byte) in (*position..).zip(patch) {
                if let Some(to) = at.checked_sub(offset).and_then(|index| bytes.get_mut(usize::try_from(index).ok()?)) {
                    *to = *byte;
                }
            }
        }
        Ok(bytes)
    }
}
