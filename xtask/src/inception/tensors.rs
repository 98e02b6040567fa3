//! Writes the network's tensors as a safetensors file, byte-identical each time.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

use super::graph::Convolution;
use crate::trouble::{Result, Trouble};

/// Writes tensors, given as little-endian f32 bytes, four per convolution.
pub fn write(path: &Path, convolutions: &[Convolution], tensors: &[Vec<u8>]) -> Result<()> {
    let header = header(convolutions, tensors)?;
    let write_to = |file: File| {
        let mut writer = BufWriter::new(file);
        writer.write_all(&(header.len() as u64).to_le_bytes())?;
        writer.write_all(header.as_bytes())?;
        tensors.iter().try_for_each(|tensor| writer.write_all(tensor))?;
        writer.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()
    };
    File::create(path).and_then(write_to).map_err(Trouble::file("cannot write", path))
}

/// Writes the header by hand, since a JSON library may order the keys differently in another version.
fn header(convolutions: &[Convolution], tensors: &[Vec<u8>]) -> Result<String> {
    let mut header =
        r#"{"__metadata__":{"format":"pt","network":"TensorFlow inception-2015-12-05, to pool_3"}"#.to_owned();
    let listed: Vec<_> = convolutions.iter().flat_map(Convolution::tensors).collect();
    let mut begin = 0;
    for ((name, shape), tensor) in listed.iter().zip(tensors) {
        let end = begin + tensor.len();
        if shape.iter().product::<i64>() * 4 != tensor.len() as i64 {
            return Err(Trouble::new(format!("`{name}` of shape {shape:?} has {} bytes", tensor.len())));
        }
        let shape: Vec<_> = shape.iter().map(i64::to_string).collect();
        header +=
            &format!(r#","{name}":{{"dtype":"F32","shape":[{}],"data_offsets":[{begin},{end}]}}"#, shape.join(","));
        begin = end;
    }
    header.push('}');
    // The data start at a multiple of eight bytes.
    let padding = header.len().next_multiple_of(8) - header.len();
    Ok(header + &" ".repeat(padding))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scratch::Scratch;

    fn convolution(name: &str, shape: [i64; 4]) -> Convolution {
        Convolution { name: name.into(), shape, stride: 1, padding: [0, 0] }
    }

    #[test]
    fn the_header_tells_where_the_tensors_are() {
        let scratch = Scratch::new("safetensors").unwrap();
        let path = scratch.path().join("file");
        let convolutions = [convolution("a", [1, 2, 1, 1]), convolution("b.c", [2, 1, 1, 1])];
        let tensors: Vec<Vec<u8>> =
            [8, 4, 4, 4, 8, 8, 8, 8].iter().zip(1..).map(|(&n, value)| vec![value; n]).collect();
        write(&path, &convolutions, &tensors).unwrap();

        let bytes = std::fs::read(&path).unwrap();
        let (length, rest) = bytes.split_first_chunk::<8>().unwrap();
        let (header, data) = rest.split_at(u64::from_le_bytes(*length) as usize);
        assert_eq!((header.len() % 8, data), (0, &tensors.concat()[..]));
        let header: serde_json::Value = serde_json::from_slice(header).unwrap();
        assert_eq!(header.as_object().unwrap().len(), 9);
        for (name, shape, offsets) in
            [("a.weight", vec![1, 2, 1, 1], [0, 8]), ("a.var", vec![1], [16, 20]), ("b.c.mean", vec![2], [36, 44])]
        {
            let expected = serde_json::json!({"dtype": "F32", "shape": shape, "data_offsets": offsets});
            assert_eq!(header[name], expected, "{name}");
        }
    }

    #[test]
    fn bytes_that_do_not_fit_a_shape_are_refused() {
        let tensors = [vec![0; 8], vec![0; 4], vec![0; 8], vec![0; 4]];
        let trouble = header(&[convolution("a", [1, 2, 1, 1])], &tensors).unwrap_err().to_string();
        assert!(trouble.contains("`a.mean` of shape [1] has 8 bytes"), "{trouble}");
    }
}
