//! Headers made to hurt, and round trips.

use proptest::collection::vec;
use proptest::prelude::*;
use tch::{Kind, Tensor};

use super::*;
use crate::error::ErrorKind;
use crate::package::safetensors::{self, parse};

fn file(header: &str, data: &[u8]) -> Vec<u8> {
    [&(header.len() as u64).to_le_bytes(), header.as_bytes(), data].concat()
}

#[test]
fn hostile_headers_are_refused() {
    let good = r#"{"w":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}"#;
    assert_eq!(values(&parse(&file(good, &[0; 8])).unwrap().tensors[0].1), [0.0, 0.0]);
    let entry = |rest: &str| format!(r#"{{"w":{{"dtype":"F32",{rest}}}}}"#);
    for (header, data) in [
        (entry(r#""shape":[2],"data_offsets":[0,8]"#), 7),
        (entry(r#""shape":[2],"data_offsets":[0,8]"#), 9),
        (entry(r#""shape":[3],"data_offsets":[0,8]"#), 8),
        (entry(r#""shape":[2],"data_offsets":[8,0]"#), 8),
        (entry(r#""shape":[2],"data_offsets":[4,12]"#), 12),
        (entry(r#""shape":[4611686018427387904,4],"data_offsets":[0,0]"#), 0),
        (entry(r#""shape":[0,4611686018427387904,4611686018427387904],"data_offsets":[0,0]"#), 0),
        (entry(r#""shape":[0,18446744073709551615],"data_offsets":[0,0]"#), 0),
        (entry(r#""shape":[-1],"data_offsets":[0,8]"#), 8),
        ("{".to_owned(), 0),
        (String::new(), 0),
    ] {
        let error = parse(&file(&header, &vec![0; data])).err().unwrap_or_else(|| panic!("was read: {header}"));
        assert_eq!(error.kind(), ErrorKind::Format, "{header}: {error}");
    }
    // A header that claims to be longer than the cap, and than the file.
    for length in [u64::MAX, 1 << 40, 100_000_001, 64] {
        let bytes = [&length.to_le_bytes()[..], b"{}"].concat();
        assert_eq!(parse(&bytes).err().map(|e| e.kind()), Some(ErrorKind::Format), "{length}");
    }
    let truth = r#"{"w":{"dtype":"BOOL","shape":[2],"data_offsets":[0,2]}}"#;
    assert_eq!(parse(&file(truth, &[0; 2])).err().map(|e| e.kind()), Some(ErrorKind::Unsupported));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn what_is_written_is_read(sizes in vec(vec(0i64..4, 0..4), 0..5), turned: bool, definition in ".{0,40}") {
        let kinds = [Kind::Float, Kind::Double, Kind::Half, Kind::BFloat16];
        let make = |(i, size): (usize, &Vec<i64>)| {
            // Small integers are exact in every one of these types.
            let ramp = Tensor::arange(size.iter().product::<i64>(), (Kind::Float, tch::Device::Cpu)).view(size.as_slice());
            let tensor = ramp.to_kind(kinds[i % 4]);
            (format!("t.{i}"), if turned && size.len() > 1 { tensor.transpose(0, 1) } else { tensor })
        };
        let tensors: Vec<_> = sizes.iter().enumerate().map(make).collect();
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.safetensors");
        safetensors::write(&path, &tensors, &definition).unwrap().publish().unwrap();
        let read = safetensors::read(&path).unwrap();
        prop_assert_eq!(read.definition, Some(definition));
        prop_assert_eq!(read.tensors.len(), tensors.len());
        for (name, tensor) in &tensors {
            let (_, found) = read.tensors.iter().find(|(other, _)| other == name).unwrap();
            prop_assert_eq!(found.size(), tensor.size());
            prop_assert_eq!((found.kind(), values(found)), (Kind::Float, values(tensor)));
        }
    }

    #[test]
    fn any_bytes_are_read_or_an_error(header in "[{}\\[\\]\",:a-zF0-9_]{0,80}", data in vec(any::<u8>(), 0..16)) {
        let _ = parse(&file(&header, &data));
        let _ = parse(&data);
    }
}
