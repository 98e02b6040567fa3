//! The form of before torch 1.6: five pickles and the storages in a row.

use proptest::collection::vec;
use proptest::prelude::*;

use super::craft::{Claim, integer, text};
use super::*;
use crate::error::ErrorKind;

/// The pickles before the object.
const HEAD: &[u8] = b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19.\x80\x02M\xe9\x03.\x80\x02}.";

/// A file of these pickles and storages, each with its number of elements.
fn file(object: &[u8], keys: &[&str], storages: &[(u64, Vec<u8>)]) -> Vec<u8> {
    let keys: Vec<u8> = keys.iter().flat_map(|key| text(key)).collect();
    let mut bytes = [HEAD, object, b"\x80\x02](", &keys, b"e."].concat();
    for (elements, data) in storages {
        bytes.extend(elements.to_le_bytes());
        bytes.extend(data);
    }
    bytes
}

fn floats(count: u64) -> (u64, Vec<u8>) {
    (count, (0..count).flat_map(|i| (i as f32).to_le_bytes()).collect())
}

fn one(claim: &Claim, storage: (u64, Vec<u8>)) -> Vec<u8> {
    file(&claim.pickle(), &[claim.key], &[storage])
}

fn check(bytes: &[u8], kind: ErrorKind, words: &str) {
    let error = refusal(bytes);
    assert_eq!(error.kind(), kind, "{error}");
    assert!(error.to_string().contains(words), "{error}");
}

#[test]
fn storages_are_found_in_the_order_of_their_keys() {
    let claims =
        [Claim { key: "7", ..Claim::default() }, Claim { key: "3", elements: 8, offset: 2, ..Claim::default() }];
    let object = [b"\x80\x02}(".to_vec(), claims[0].item("v"), claims[1].item("w"), b"u.".to_vec()].concat();
    let read = read_bytes(&file(&object, &["3", "7"], &[floats(8), floats(6)])).unwrap();
    assert_eq!(values(&read[0].1), [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]);
    assert_eq!(values(&read[1].1), [2.0, 3.0, 4.0, 5.0, 6.0, 7.0]);
}

/// `(…, elements, (key, offset, elements))`: what torch before 0.4 wrote for parts of a storage.
#[test]
fn a_view_into_a_storage_moves_its_tensors() {
    let object = |begin: i64, length: i64| {
        let claim = Claim { elements: 10, ..Claim::default() }.pickle();
        let view = [b"(".to_vec(), text("9"), integer(begin), integer(length), b"t".to_vec()].concat();
        // Before `tQ`, which closes the storage.
        let at = claim.windows(2).position(|pair| pair == b"tQ").unwrap();
        [&claim[..at], &view, &claim[at..]].concat()
    };
    let read = read_bytes(&file(&object(3, 7), &["0"], &[floats(10)])).unwrap();
    assert_eq!(values(&read[0].1), [3.0, 4.0, 5.0, 6.0, 7.0, 8.0]);
    check(&file(&object(5, 5), &["0"], &[floats(10)]), ErrorKind::Format, "outside its storage");
    check(&file(&object(3, 8), &["0"], &[floats(10)]), ErrorKind::Format, "view lies outside");
    check(&file(&object(-1, 2), &["0"], &[floats(10)]), ErrorKind::Format, "negative");
    check(&file(&object(i64::MAX, i64::MAX), &["0"], &[floats(10)]), ErrorKind::Format, "view lies outside");
}

#[test]
fn lies_are_found_before_memory_is_taken() {
    let base = Claim::default;
    assert!(read_bytes(&one(&base(), floats(6))).is_ok());
    check(&one(&base(), (u64::MAX, vec![])), ErrorKind::Format, "too long");
    check(&one(&base(), (1 << 40, vec![])), ErrorKind::Format, "beyond its end");
    check(&one(&base(), floats(5)), ErrorKind::Format, "wrong length");
    check(&one(&base(), (5, floats(6).1)), ErrorKind::Format, "follows the last storage");
    check(&one(&Claim { elements: i64::MAX, ..base() }, floats(6)), ErrorKind::Limits, "too large");
    check(&file(&base().pickle(), &[], &[]), ErrorKind::Format, "missing");
    check(&file(&base().pickle(), &["0", "0"], &[floats(6), floats(6)]), ErrorKind::Format, "twice");
    check(&file(&base().pickle(), &["0", "1"], &[floats(6), floats(6)]), ErrorKind::Format, "does not mention");
    check(&[HEAD, b"\x80\x02cos\nsystem\n."].concat(), ErrorKind::Unsupported, "`os.system`");
}

#[test]
fn other_pickles_and_tars_are_named() {
    check(&Claim::default().pickle(), ErrorKind::Unsupported, "torch.save did not write it");
    let other_protocol =
        one(&Claim::default(), floats(6)).iter().map(|&b| if b == 0xe9 { 0xe8 } else { b }).collect::<Vec<_>>();
    check(&other_protocol, ErrorKind::Unsupported, "protocol 1001");
    let big_endian = [&HEAD[..21], b"\x80\x02}X\x0d\0\0\0little_endian\x89s."].concat();
    check(
        &[&big_endian, &one(&Claim::default(), floats(6))[HEAD.len()..]].concat(),
        ErrorKind::Unsupported,
        "byte order",
    );
    let mut tar = vec![0; 512];
    tar[257..262].copy_from_slice(b"ustar");
    check(&tar, ErrorKind::Unsupported, "before 0.1.10");
}

#[test]
fn checkpoints_give_up_the_state_dict() {
    let item = Claim::default().item("w");
    let dict = [b"}".to_vec(), item.clone(), b"s".to_vec()].concat();
    // An epoch, a rate, None, a bool and a list lie beside it.
    let beside = [
        text("epoch"),
        integer(3),
        text("lr"),
        b"G\x3f\xf0\0\0\0\0\0\0".to_vec(),
        text("best"),
        b"N".to_vec(),
        text("ema"),
        b"\x88".to_vec(),
        text("losses"),
        b"](K\x01K\x02e".to_vec(),
    ]
    .concat();
    let with = |name: &str| {
        let object = [b"\x80\x02}(".to_vec(), beside.clone(), text(name), dict.clone(), b"u.".to_vec()].concat();
        file(&object, &["0"], &[floats(6)])
    };
    for name in ["model", "state_dict", "model_state_dict", "net", "network", "params"] {
        assert_eq!(read_bytes(&with(name)).unwrap()[0].0, "w", "{name}");
    }
    check(&with("critic"), ErrorKind::Unsupported, "`epoch`, `lr`, `best`, `ema`, `losses`, `critic`");
    // `model` goes before `net`, wherever they stand; a `model` that is only a name does not.
    let both = |model: &[u8]| {
        let object = [b"\x80\x02}(".to_vec(), text("net"), dict.clone(), text("model"), model.to_vec(), b"u.".to_vec()];
        read_bytes(&file(&object.concat(), &["0"], &[floats(6)])).unwrap()[0].0.clone()
    };
    let other = [b"}".to_vec(), Claim::default().item("other"), b"s".to_vec()].concat();
    assert_eq!(both(&other), "other");
    assert_eq!(both(&text("resnet")), "w");
}

#[test]
fn a_file_cut_or_changed_anywhere_is_harmless() {
    let bytes = fixture_bytes("pth/legacy.pth");
    for length in 0..bytes.len() {
        assert!(read_bytes(&bytes[..length]).is_err(), "cut to {length} bytes");
    }
    // There is no checksum: a changed weight is a weight. What matters is that nothing panics or takes much memory.
    for place in 0..bytes.len() {
        let mut flipped = bytes.clone();
        flipped[place] ^= 1 << (place * 5 % 8);
        let _ = read_bytes(&flipped);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// Any shape, in either order of its dimensions, comes out as it lies in the file.
    #[test]
    fn what_is_there_is_read(size in vec(1i64..5, 1..4), turned: bool, offset in 0i64..4) {
        let mut stride: Vec<i64> = size.iter().rev().scan(1, |step, &n| { let s = *step; *step *= n; Some(s) }).collect();
        stride.reverse();
        let mut claim = Claim { size, stride, offset, ..Claim::default() };
        if turned {
            claim.size.reverse();
            claim.stride.reverse();
        }
        claim.elements = offset + claim.size.iter().product::<i64>();
        let read = read_bytes(&one(&claim, floats(claim.elements as u64))).unwrap();
        prop_assert_eq!(read[0].1.size(), claim.size.clone());
        prop_assert_eq!(values(&read[0].1), super::round_trip::walk(&claim));
    }

    #[test]
    fn any_change_is_harmless(place in 0usize..2000, bytes in vec(any::<u8>(), 1..12)) {
        let mut changed = fixture_bytes("pth/legacy.pth");
        let place = place % changed.len();
        let end = (place + bytes.len()).min(changed.len());
        changed.splice(place..end, bytes);
        if let Ok(tensors) = read_bytes(&changed) {
            prop_assert!(tensors.iter().map(|(_, tensor)| tensor.numel()).sum::<usize>() <= 4 << 20);
        }
    }
}
