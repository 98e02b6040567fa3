//! `.safetensors`: weights that can only be weights, with the model definition in the header.

use std::io::Write;
use std::path::Path;
use std::time::Instant;

use safetensors::Dtype;
use serde_json::{Map, Value, json};
use tch::{Kind, Tensor};

use crate::device::available_memory;
use crate::error::{Error, ErrorKind, Result, shown};
use crate::nn::bytes_of;
use crate::store::{self, Pending, Ready};
use crate::tensor_file::{TensorFile, View, check_header};

/// The key of the header under which the text of our model definition stands.
const DEFINITION: &str = "geolearn.emd";
/// Where the system does not say how much memory is free.
const MOST_BYTES: u64 = 64 << 30;

/// A file as it was read.
pub(crate) struct Contents {
    /// The text of the model definition, where the file is one of ours.
    pub definition: Option<String>,
    /// In the order of the file, on the CPU, in the file's dtypes.
    pub tensors: Vec<(String, Tensor)>,
}

/// Whether a file begins as this format does: a length of eight bytes, then JSON.
pub(crate) fn is_begun_by(start: &[u8]) -> bool {
    start.get(8) == Some(&b'{')
}

/// Whether a path has the format's extension.
pub(crate) fn is_named(path: &Path) -> bool {
    store::extension(path) == "safetensors"
}

/// Writes tensors as float32 beside `target`, with what Transformers and others want to read there (`format: pt`).
pub(crate) fn write(target: &Path, tensors: &[(String, Tensor)], definition: &str) -> Result<Ready> {
    let header = header(tensors, definition).map_err(|e| e.at(target))?;
    let mut file = Pending::create(target)?;
    let failed = |e| Error::io("file cannot be written", target, e).help("Is the disk full?");
    file.write_all(&(header.len() as u64).to_le_bytes()).and_then(|()| file.write_all(&header)).map_err(failed)?;
    let mut buffer = Vec::new();
    for (name, tensor) in tensors {
        bytes_of(tensor, Kind::Float, &mut buffer).map_err(|e| {
            Error::new(ErrorKind::Torch, format!("`{name}` cannot be read from its device")).at(target).because(e)
        })?;
        file.write_all(&buffer).map_err(failed)?;
    }
    file.finish()
}

/// Built by hand, since the crate's own type keeps metadata in an order that changes from run to run.
fn header(tensors: &[(String, Tensor)], definition: &str) -> Result<Vec<u8>> {
    let mut header = Map::new();
    header.insert("__metadata__".to_owned(), json!({"format": "pt", DEFINITION: definition}));
    let mut begin = 0;
    for (name, tensor) in tensors {
        let end = begin + tensor.numel() * Kind::Float.elt_size_in_bytes();
        header.insert(name.clone(), json!({"dtype": "F32", "shape": tensor.size(), "data_offsets": [begin, end]}));
        begin = end;
    }
    let failed = |e| Error::new(ErrorKind::Format, "header cannot be written").because(e);
    let mut bytes = serde_json::to_vec(&Value::Object(header)).map_err(failed)?;
    // The data begin at a multiple of eight.
    bytes.resize(bytes.len().next_multiple_of(8), b' ');
    check_header(&bytes).map(|()| bytes)
}

/// Reads a file, which may be anything.
///
/// # Errors
/// `Format` for a header that overlaps, leaves gaps or reaches out of the file; `Unsupported` for a dtype that weights do
/// not have; `Limits` for a file that does not fit into half of the free memory, or of too many tensors.
pub(crate) fn read(path: &Path) -> Result<Contents> {
    // The tensors are there twice for a moment.
    let started = Instant::now();
    let bytes = store::read_capped(path, available_memory().unwrap_or(MOST_BYTES) / 2)?;
    let contents = parse(&bytes).map_err(|e| e.at(path))?;
    let seconds = started.elapsed().as_secs_f64();
    tracing::info!(path = %path.display(), tensors = contents.tensors.len(), seconds, "weights read");
    Ok(contents)
}

pub(crate) fn parse(bytes: &[u8]) -> Result<Contents> {
    let file = TensorFile::parse(bytes)?;
    let tensor = |view: Result<View>| {
        let View { name, dtype, size, bytes } = view?;
        let kind = kind_of(dtype).ok_or_else(|| {
            Error::new(ErrorKind::Unsupported, format!("`{}` cannot be read", shown(name)))
                .expected("floats of 16, 32 or 64 bits, or integers")
                .found(format!("{dtype:?}"))
        })?;
        Ok((name.to_owned(), Tensor::f_from_data_size(bytes, &size, kind)?))
    };
    let tensors = file.views().map(tensor).collect::<Result<_>>()?;
    Ok(Contents { definition: file.extra(DEFINITION).map(str::to_owned), tensors })
}

fn kind_of(dtype: Dtype) -> Option<Kind> {
    Some(match dtype {
        Dtype::F32 => Kind::Float,
        Dtype::F64 => Kind::Double,
        Dtype::F16 => Kind::Half,
        Dtype::BF16 => Kind::BFloat16,
        Dtype::I64 => Kind::Int64,
        Dtype::I32 => Kind::Int,
        Dtype::I16 => Kind::Int16,
        Dtype::I8 => Kind::Int8,
        Dtype::U8 => Kind::Uint8,
        _ => return None,
    })
}
