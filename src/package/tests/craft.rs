//! Makes archives and pickles that torch.save would never write.

use std::io::{Cursor, Write};

use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

/// An archive with these entries below `archive/`.
pub(super) fn archive(entries: &[(&str, &[u8])], method: CompressionMethod) -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, bytes) in entries {
        zip.start_file(format!("archive/{name}"), SimpleFileOptions::default().compression_method(method)).unwrap();
        zip.write_all(bytes).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

/// An archive that is nothing but this pickle.
pub(super) fn pickle_only(pickle: &[u8]) -> Vec<u8> {
    archive(&[("data.pkl", pickle)], CompressionMethod::Stored)
}

/// What a pickle claims about one tensor, `w`.
#[derive(Clone)]
pub(super) struct Claim {
    pub class: &'static str,
    pub key: &'static str,
    pub elements: i64,
    pub offset: i64,
    pub size: Vec<i64>,
    pub stride: Vec<i64>,
}

impl Default for Claim {
    /// Six floats in two rows.
    fn default() -> Self {
        Self { class: "FloatStorage", key: "0", elements: 6, offset: 0, size: vec![2, 3], stride: vec![3, 1] }
    }
}

impl Claim {
    pub fn pickle(&self) -> Vec<u8> {
        [b"\x80\x02}".to_vec(), self.item("w"), b"s.".to_vec()].concat()
    }

    /// A key and a tensor.
    pub fn item(&self, name: &str) -> Vec<u8> {
        [
            text(name),
            b"ctorch._utils\n_rebuild_tensor_v2\n((".to_vec(),
            text("storage"),
            format!("ctorch\n{}\n", self.class).into_bytes(),
            text(self.key),
            text("cpu"),
            integer(self.elements),
            b"tQ".to_vec(),
            integer(self.offset),
            tuple(&self.size),
            tuple(&self.stride),
            b"\x89NtR".to_vec(),
        ]
        .concat()
    }

    /// An archive with this pickle and a storage of 24 bytes.
    pub fn archive(&self) -> Vec<u8> {
        archive(&[("data.pkl", &self.pickle()), ("data/0", &[0; 24])], CompressionMethod::Stored)
    }
}

pub(super) fn text(text: &str) -> Vec<u8> {
    [b"X".as_slice(), &(text.len() as u32).to_le_bytes(), text.as_bytes()].concat()
}

pub(super) fn integer(value: i64) -> Vec<u8> {
    [b"\x8a\x08".as_slice(), &value.to_le_bytes()].concat()
}

fn tuple(items: &[i64]) -> Vec<u8> {
    [b"(".to_vec(), items.iter().flat_map(|&item| integer(item)).collect(), b"t".to_vec()].concat()
}
