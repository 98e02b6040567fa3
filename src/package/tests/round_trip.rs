//! Properties that hold for any input.

use proptest::collection::vec;
use proptest::prelude::*;
use tch::{Kind, Tensor};

use super::craft::{Claim, archive};
use super::*;
use crate::package::{emd::Emd, keys, pickle};

/// A tensor of up to four short dimensions, of any of the float types, perhaps not contiguous.
fn tensor() -> impl Strategy<Value = Tensor> {
    let kinds = prop::sample::select(vec![Kind::Float, Kind::Double, Kind::Half, Kind::BFloat16]);
    (vec(0i64..4, 0..5), kinds, any::<bool>()).prop_flat_map(|(size, kind, turned)| {
        let count = size.iter().product::<i64>() as usize;
        vec(prop::num::f32::ANY, count).prop_map(move |numbers| {
            let tensor = Tensor::from_slice(&numbers).reshape(&size).to_kind(kind);
            if turned && size.len() >= 2 { tensor.transpose(0, 1) } else { tensor }
        })
    })
}

/// Bits, so that NaN equals itself.
fn bits(tensor: &Tensor) -> Vec<u32> {
    let numbers = Vec::<f32>::try_from(tensor.to_kind(Kind::Float).contiguous().view(-1)).unwrap();
    numbers.into_iter().map(|number| if number.is_nan() { f32::NAN.to_bits() } else { number.to_bits() }).collect()
}

/// Bytes that are likely to be a pickle's.
fn pickle_like() -> impl Strategy<Value = Vec<u8>> {
    let codes =
        b"(.NGJKMXaebc}])hjqrQRsut\x80\x85\x86\x87\x88\x89\x8a\x8c\x93\x94\x95BC\x81\x8d\x8e\x8f\x90\x91\x96".to_vec();
    let globals: Vec<Vec<u8>> = [
        "ccollections\nOrderedDict\n",
        "ctorch._utils\n_rebuild_tensor_v2\n",
        "ctorch\nFloatStorage\n",
        "ctorch\nSize\n",
        "ctorch._tensor\n_rebuild_from_type_v2\n",
        "cargparse\nNamespace\n",
        "X\x07\0\0\0storage",
        "K\x01",
        "X\x01\0\0\x000",
    ]
    .map(|text| text.as_bytes().to_vec())
    .to_vec();
    let piece = prop_oneof![
        4 => prop::sample::select(codes).prop_map(|code| vec![code]),
        2 => prop::sample::select(globals),
        1 => any::<u8>().prop_map(|byte| vec![byte]),
    ];
    vec(piece, 0..60).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_written_is_read(tensors in vec(("[a-zA-Z0-9_.é/ ]{0,12}", tensor()), 0..6)) {
        let mut tensors = tensors;
        tensors.sort_by(|a, b| a.0.cmp(&b.0));
        tensors.dedup_by(|a, b| a.0 == b.0);
        let modules = keys::modules_of(tensors.iter().map(|(name, _)| name.as_str()));
        let read = read_bytes(&written(&tensors, &modules)).unwrap();
        prop_assert_eq!(read.len(), tensors.len());
        for ((name, before), (key, after)) in tensors.iter().zip(&read) {
            prop_assert_eq!(name, key);
            prop_assert_eq!(before.size(), after.size());
            prop_assert_eq!(bits(before), bits(after));
        }
    }

    #[test]
    fn any_bytes_are_a_pickle_or_an_error(bytes in vec(any::<u8>(), 0..400)) {
        let _ = pickle::read(&bytes, 1000);
    }

    #[test]
    fn any_opcodes_are_a_pickle_or_an_error(bytes in pickle_like()) {
        let _ = pickle::read(&bytes, 1000);
    }

    #[test]
    fn any_claim_is_true_or_an_error(
        elements in 0i64..9,
        offset in 0i64..9,
        dims in vec((0i64..5, 0i64..5), 0..4),
    ) {
        let (size, stride) = dims.into_iter().unzip();
        let claim = Claim { elements, offset, size, stride, ..Claim::default() };
        let storage: Vec<u8> = (0..elements).flat_map(|i| (i as f32).to_le_bytes()).collect();
        let bytes = archive(&[("data.pkl", &claim.pickle()), ("data/0", &storage)], zip::CompressionMethod::Stored);
        if let Ok(read) = read_bytes(&bytes) {
            let tensor = &read[0].1;
            prop_assert_eq!(tensor.size(), claim.size.clone());
            prop_assert_eq!(values(tensor), walk(&claim));
        }
    }

    #[test]
    fn any_text_is_a_definition_or_an_error(text in "[{}\\[\\]\",:a-zNInfity0-9\\\\\\-]{0,80}") {
        let _ = Emd::parse(text.as_bytes(), super::OPENING);
    }
}

/// The elements of a claim in row order, counted by hand: storage element i is i.
pub(super) fn walk(claim: &Claim) -> Vec<f64> {
    let mut places = vec![claim.offset];
    for (&length, &step) in claim.size.iter().zip(&claim.stride) {
        places = places.iter().flat_map(|&place| (0..length).map(move |i| place + i * step)).collect();
    }
    places.into_iter().map(|place| place as f64).collect()
}
