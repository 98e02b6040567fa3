//! Names that are not files of the operating system but have a meaning in GDAL.

use std::path::Path;

/// Returns whether only GDAL may know this name: a path in its virtual file systems (`/vsizip/…`, `/vsicurl/…`), or a
/// part of a file prefixed with its format (`HDF5:"file.h5"://band`). An existing file of that name takes precedence.
pub(super) fn is_one(path: &Path) -> bool {
    path.to_str().is_some_and(|text| is_virtual(text) || names_a_part(text)) && !path.exists()
}

fn is_virtual(text: &str) -> bool {
    let system = text.strip_prefix("/vsi").and_then(|rest| rest.split_once('/'));
    system.is_some_and(|(system, _)| !system.is_empty() && system.bytes().all(is_of_a_word))
}

/// A single letter before a colon is a drive, and `//` after it begins a URL.
fn names_a_part(text: &str) -> bool {
    text.split_once(':').is_some_and(|(format, rest)| {
        format.len() > 1 && format.bytes().all(is_of_a_word) && !rest.is_empty() && !rest.starts_with("//")
    })
}

fn is_of_a_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_told_from_other_names() {
        for name in [
            "/vsizip/chips.zip/a.tif",
            "/vsicurl/https://example.org/a.tif",
            "/vsis3/bucket/a.tif",
            "/vsigzip//data/a.tif.gz",
            "HDF5:\"a.h5\"://bands/red",
            "NETCDF:a.nc:red",
            "SENTINEL2_L2A:MTD_MSIL2A.xml:10m:EPSG_32633",
        ] {
            assert!(is_one(Path::new(name)), "{name}");
        }
        for name in [
            "a.tif",
            "/data/vsizip/a.tif",
            "/vsizip",
            "/vsi/a.tif",
            "C:\\data\\a.tif",
            "https://example.org/a.tif",
            "<VRTDataset>a:b</VRTDataset>",
            "folder/a:b.tif",
            "a:",
        ] {
            assert!(!is_one(Path::new(name)), "{name}");
        }
    }

    #[test]
    fn a_file_goes_before_what_its_name_means_to_gdal() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ab:c");
        std::fs::write(&path, "x").unwrap();
        assert!(!is_one(&path));
    }
}
