//! A checksum of the contents of chips.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;
use std::path::PathBuf;

use rayon::prelude::*;

use crate::raster::{mask_file_of, metadata_file_of};

/// Larger files are sampled in blocks.
const WHOLE: u64 = 16 << 10;
const BLOCKS: u64 = 4;
const BLOCK: u64 = WHOLE / BLOCKS;

/// Returns a CRC-32C of the length and contents of all files, and of the masks and metadata beside them, in order.
/// Small files are read completely; of larger ones, four blocks of 4 KiB are read, from the first to the last bytes.
/// Reading whole files would take as long as computing the statistics of a dataset. A different picture differs within
/// these blocks; a single changed pixel may go unnoticed.
pub(super) fn crc<'a>(files: impl IntoIterator<Item = &'a PathBuf>) -> u32 {
    // Files beside a chip determine which of its pixels have data.
    let beside =
        |file: &PathBuf| [mask_file_of(file), metadata_file_of(file)].into_iter().filter(|file| file.is_file());
    let files: Vec<PathBuf> =
        files.into_iter().flat_map(|file| std::iter::once(file.clone()).chain(beside(file))).collect();
    let each: Vec<[u8; 4]> = files.par_iter().map(|file| of(file).unwrap_or(u32::MAX).to_le_bytes()).collect();
    each.iter().fold(0, |crc, one| crc32c::crc32c_append(crc, one))
}

/// Returns the checksum of one file. A file that cannot be read counts as empty, so it changes once it can be read.
fn of(file: &Path) -> std::io::Result<u32> {
    let mut file = File::open(file)?;
    let length = file.metadata()?.len();
    let mut crc = crc32c::crc32c(&length.to_le_bytes());
    let (blocks, size) = if length <= WHOLE { (1, WHOLE) } else { (BLOCKS, BLOCK) };
    let mut bytes = Vec::with_capacity(size as usize);
    for block in 0..blocks {
        file.seek(SeekFrom::Start((length.saturating_sub(size)) * block / (blocks - 1).max(1)))?;
        bytes.clear();
        file.by_ref().take(size).read_to_end(&mut bytes)?;
        crc = crc32c::crc32c_append(crc, &bytes);
    }
    Ok(crc)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn length_order_and_content_count() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, bytes: &[u8]| {
            let path = folder.path().join(name);
            std::fs::write(&path, bytes).unwrap();
            path
        };
        let (small, large) = (vec![1u8; 100], vec![7u8; 200_000]);
        let files = [write("small", &small), write("large", &large)];
        let first = crc(&files);
        assert_eq!(crc(&files), first);
        assert_ne!(crc(files.iter().rev()), first, "two of them swapped");
        for place in [0, 99] {
            let mut other = small.clone();
            other[place] = 2;
            assert_ne!(crc([&write("other", &other), &files[1]]), first);
        }
        for place in [0, 66_000, 133_000, 199_999] {
            let mut other = large.clone();
            other[place] = 2;
            assert_ne!(crc([&files[0], &write("other", &other)]), first, "{place}");
        }
        assert_ne!(crc([&files[0], &write("longer", &[7; 200_001])]), first);
        assert_ne!(crc([&files[0], &folder.path().join("gone")]), first);
        assert_eq!(crc([]), 0);
    }
}
