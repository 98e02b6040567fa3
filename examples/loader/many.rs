//! Makes a very large folder of chips that uses little disk space, from hard links to a few hundred files.

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};

const PER_FOLDER: usize = 500;

/// Makes `each` chips per domain in nested folders. Copies the chips of `source` once, since hard links cannot cross
/// file systems.
pub fn make(source: &Path, folder: &Path, each: usize) -> Result<(), Box<dyn Error>> {
    for domain in ["A", "B"] {
        let originals = copied(&source.join(domain).join("images"), &folder.join("originals").join(domain))?;
        for number in 0..each {
            let part = number / PER_FOLDER;
            let place = folder.join(domain).join("images").join(format!("scene_{:02}/part_{part:04}", part / 20));
            if number % PER_FOLDER == 0 {
                fs::create_dir_all(&place)?;
            }
            let original = originals.get(number % originals.len().max(1)).ok_or("the source has no chips")?;
            let ending = original.extension().unwrap_or_default().to_string_lossy();
            fs::hard_link(original, place.join(format!("chip_{number:06}.{ending}")))?;
        }
    }
    Ok(())
}

fn copied(from: &Path, to: &Path) -> Result<Vec<PathBuf>, Box<dyn Error>> {
    fs::create_dir_all(to)?;
    let mut copies = Vec::new();
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let copy = to.join(entry.file_name());
        fs::copy(entry.path(), &copy)?;
        copies.push(copy);
    }
    copies.sort();
    Ok(copies)
}
