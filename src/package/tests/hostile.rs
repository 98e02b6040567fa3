//! Files made to hurt: every one must end in an error that says what is wrong, soon and in little memory.

use std::io::Write;

use zip::CompressionMethod;

use super::craft::{Claim, archive, integer, pickle_only, text};
use super::*;
use crate::error::ErrorKind;
use crate::package::pickle;

fn check(bytes: &[u8], kind: ErrorKind, words: &str) {
    let error = refusal(bytes);
    assert_eq!(error.kind(), kind, "{error}");
    assert!(error.to_string().contains(words), "{error}");
    assert!(error.to_string().contains("model.pth"), "{error}");
}

#[test]
fn the_crafted_base_is_fine() {
    let tensors = read_bytes(&Claim::default().archive()).unwrap();
    assert_eq!((tensors[0].0.as_str(), tensors[0].1.size()), ("w", vec![2, 3]));
}

#[test]
fn nothing_but_tensors_can_be_named() {
    let with = |body: &[u8]| pickle_only(&[b"\x80\x02", body, b"."].concat());
    check(&with(b"cos\nsystem\nX\x04\0\0\0true\x85R"), ErrorKind::Unsupported, "`os.system`");
    check(&with(b"cposix\nsystem\nX\x04\0\0\0true\x85R"), ErrorKind::Unsupported, "`posix.system`");
    check(&with(b"c__builtin__\neval\n"), ErrorKind::Unsupported, "`__builtin__.eval`");
    check(&with(b"ctorch\nload\n"), ErrorKind::Unsupported, "`torch.load`");
    check(&with(b"ctorch.storage\n_load_from_bytes\n"), ErrorKind::Unsupported, "`torch.storage._load_from_bytes`");
    check(&with(b"\x8c\x02os\x8c\x06system\x93\x8c\x04true\x85R"), ErrorKind::Unsupported, "`os.system`");
    check(&with(b"(S'true'\nios\nsystem\n"), ErrorKind::Unsupported, "STRING");
    check(&with(b"(ios\nsystem\n"), ErrorKind::Unsupported, "INST");
    check(&with(b"ccollections\nOrderedDict\n)\x81"), ErrorKind::Unsupported, "NEWOBJ");
    check(&with(b"cos\nPathLike\n)\x81"), ErrorKind::Unsupported, "`os.PathLike`");
    for name in ["eval", "exec", "getattr", "__import__", "open", "compile", "type", "object"] {
        check(&with(format!("cbuiltins\n{name}\n").as_bytes()), ErrorKind::Unsupported, name);
    }
    for name in ["floats", "hub", "ops", "_C", "intern", "FloatTensor", "XStorage"] {
        check(&with(format!("ctorch\n{name}\n").as_bytes()), ErrorKind::Unsupported, name);
    }
    check(&with(b"\x82\x01"), ErrorKind::Unsupported, "EXT");
    // Within what is skipped, too.
    let nested = [text("model"), b"}".to_vec(), text("opt"), b"cos\nsystem\n".to_vec()].concat();
    check(&with(&[b"}(", nested.as_slice(), b"u"].concat()), ErrorKind::Unsupported, "`os.system`");
    // A name cannot bring control characters into a terminal.
    let error = refusal(&with(b"cos\x1b[2J\nx\n")).to_string();
    assert!(!error.contains('\u{1b}'), "{error}");
}

#[test]
fn known_names_cannot_be_misused() {
    let with = |body: &[u8]| pickle_only(&[b"\x80\x02", body, b"."].concat());
    let dict = b"ccollections\nOrderedDict\n".as_slice();
    for body in [
        &[dict, b"N\x85R"].concat(),
        &[dict, b"}R"].concat(),
        &b"ctorch\nFloatStorage\n)R".to_vec(),
        &b"ctorch._utils\n_rebuild_tensor_v2\n)R".to_vec(),
        &b"ctorch._utils\n_rebuild_tensor_v2\n(NNNNNNtR".to_vec(),
        &b"ctorch._utils\n_rebuild_parameter\n)R".to_vec(),
        &b"NNR".to_vec(),
        &b"NQ".to_vec(),
        &b"ctorch._tensor\n_rebuild_from_type_v2\n(ctorch._tensor\n_rebuild_from_type_v2\nctorch\nTensor\n)NtR"
            .to_vec(),
        &b"ctorch._utils\n_rebuild_qtensor\nNR".to_vec(),
        &b"cargparse\nNamespace\nN\x81".to_vec(),
        &b"}(N\x90".to_vec(),
        &b"\x91".to_vec(),
        &b"\x8e\xff\xff\xff\xff\xff\xff\xff\xffabc".to_vec(),
        &b"\x8d\xff\xff\xff\xff\xff\xff\xff\xffabc".to_vec(),
        &b"N}b".to_vec(),
        &b"NNNs".to_vec(),
        &b"}(Nu".to_vec(),
        &b"}Na".to_vec(),
        &b"0".to_vec(),
        &b"h\x05".to_vec(),
        &b"j\xff\xff\xff\xff".to_vec(),
        &b"t".to_vec(),
        &b"N(\x85".to_vec(),
        &b"K\x01K\x02\x93".to_vec(),
        &b"X\xff\xff\xff\xffabc".to_vec(),
        &b"X\x02\0\0\0\xff\xfe".to_vec(),
        &b"\x8a\x09aaaaaaaaa".to_vec(),
        &b"\x80\x63".to_vec(),
        &b"".to_vec(),
    ] {
        let error = refusal(&with(body));
        assert!(matches!(error.kind(), ErrorKind::Format | ErrorKind::Unsupported), "{body:?}: {error}");
    }
    check(&with(b"N"), ErrorKind::Unsupported, "no state dict");
    check(&with(b"}K\x01Ns"), ErrorKind::Format, "not a string");
    check(&with(b"}X\x01\0\0\0wK\x01s"), ErrorKind::Unsupported, "`w`");
}

#[test]
fn nesting_and_repetition_are_bounded() {
    let limit = tight().values;
    let with = |body: Vec<u8>| pickle_only(&[b"\x80\x02".to_vec(), body, b".".to_vec()].concat());
    // Deep but small is only not a state dict; nothing recurses.
    check(&with([b")".to_vec(), vec![0x85; limit - 2]].concat()), ErrorKind::Unsupported, "a tuple");
    check(&with([b")".to_vec(), vec![0x85; limit]].concat()), ErrorKind::Limits, "objects");
    check(&with(vec![b'N'; limit + 1]), ErrorKind::Limits, "stack");
    check(&with(vec![b'('; limit + 1]), ErrorKind::Limits, "marks");
    check(&with([b"N".to_vec(), vec![0x94; limit + 1]].concat()), ErrorKind::Limits, "memo");
    // A dict that holds itself.
    check(&with(b"}q\0X\x01\0\0\0wh\0s".to_vec()), ErrorKind::Unsupported, "a dict");
    // A huge memo index takes no more memory than a small one.
    check(&with(b"Nr\xff\xff\xff\xff".to_vec()), ErrorKind::Unsupported, "None");
    // A dict of a whole stack in one go.
    let body = [b"}(".to_vec(), vec![b'N'; limit - 1], b"u".to_vec()].concat();
    assert!(matches!(refusal(&with(body)).kind(), ErrorKind::Format));
}

#[test]
fn sizes_that_lie_are_found_before_memory_is_taken() {
    let base = Claim::default;
    let huge = 1i64 << 62;
    let all = [
        Claim { size: vec![huge, 3], ..base() },
        Claim { size: vec![huge, huge, huge], stride: vec![0, 0, 0], ..base() },
        Claim { size: vec![0, huge, huge], stride: vec![1, 1, 1], ..base() },
        Claim { size: vec![huge, huge, 0], stride: vec![1, 1, 1], ..base() },
        Claim { size: vec![-2, 3], ..base() },
        Claim { stride: vec![-3, 1], ..base() },
        Claim { stride: vec![huge, huge], ..base() },
        Claim { stride: vec![4, 1], ..base() },
        Claim { stride: vec![3], ..base() },
        Claim { size: vec![], ..base() },
        Claim { size: vec![1; 65], stride: vec![1; 65], ..base() },
        Claim { offset: 1, ..base() },
        Claim { offset: -1, ..base() },
        Claim { offset: i64::MAX, ..base() },
        Claim { size: vec![0], stride: vec![1], offset: 7, ..base() },
        Claim { elements: 5, ..base() },
        Claim { elements: 7, ..base() },
        Claim { elements: -6, ..base() },
        Claim { elements: i64::MAX, ..base() },
        Claim { class: "DoubleStorage", ..base() },
        Claim { class: "HalfStorage", ..base() },
        Claim { class: "ByteStorage", ..base() },
        Claim { key: "1", ..base() },
        Claim { key: "../data.pkl", ..base() },
        Claim { key: "", ..base() },
    ];
    for claim in all {
        let error = refusal(&claim.archive());
        assert!(matches!(error.kind(), ErrorKind::Format | ErrorKind::Limits), "{error}");
    }
    check(
        &Claim { class: "ComplexFloatStorage", ..base() }.archive(),
        ErrorKind::Unsupported,
        "torch.ComplexFloatStorage",
    );
    // One element repeated: true in a file of 4 bytes, but not affordable.
    check(&Claim { size: vec![1 << 40], stride: vec![0], ..base() }.archive(), ErrorKind::Limits, "too large");
}

/// Many views of one storage are each within the limit, but not together.
#[test]
fn views_are_counted_together() {
    let claim = Claim { size: vec![1 << 18], stride: vec![0], ..Claim::default() };
    let items: Vec<u8> = (0..5).flat_map(|i| claim.item(&format!("w{i}"))).collect();
    let pickle = [b"\x80\x02}(".to_vec(), items, b"u.".to_vec()].concat();
    check(
        &archive(&[("data.pkl", &pickle), ("data/0", &[0; 24])], CompressionMethod::Stored),
        ErrorKind::Limits,
        "too large",
    );
}

#[test]
fn contradictions_are_named() {
    let two = |first: Claim, second: Claim, name: &str| {
        let pickle = [b"\x80\x02}(".to_vec(), first.item("w"), second.item(name), b"u.".to_vec()].concat();
        archive(&[("data.pkl", &pickle), ("data/0", &[0; 24])], CompressionMethod::Stored)
    };
    let base = Claim::default;
    check(&two(base(), base(), "w"), ErrorKind::Format, "`w` twice");
    check(&two(base(), Claim { class: "IntStorage", ..base() }, "v"), ErrorKind::Format, "in two ways");
    check(
        &two(base(), Claim { elements: 3, size: vec![3], stride: vec![1], ..base() }, "v"),
        ErrorKind::Format,
        "in two ways",
    );
    assert_eq!(read_bytes(&two(base(), base(), "v")).unwrap().len(), 2);
}

#[test]
fn archives_that_lie_are_refused() {
    let pickle = Claim::default().pickle();
    let data = ("data/0", [0u8; 24]);
    check(b"", ErrorKind::Format, "neither a zip");
    check(b"PK\x03\x04", ErrorKind::Format, "archive cannot be read");
    check(&archive(&[("other", b"")], CompressionMethod::Stored), ErrorKind::Format, "no data.pkl");
    check(&archive(&[("data.pkl", &pickle)], CompressionMethod::Stored), ErrorKind::Format, "data/0\" is missing");
    let big = archive(&[("data.pkl", &pickle), ("byteorder", b"big"), (data.0, &data.1)], CompressionMethod::Stored);
    check(&big, ErrorKind::Unsupported, "byte order");

    // The same name twice: patched, since no writer allows it.
    let mut twice =
        archive(&[("data.pkl", &pickle), ("data/0", &data.1), ("data/1", &data.1)], CompressionMethod::Stored);
    while let Some(at) = twice.windows(14).position(|window| window == b"archive/data/1") {
        twice[at + 13] = b'0';
    }
    check(&twice, ErrorKind::Format, "two entries of one name");

    // A flipped bit of a weight shows in the checksum.
    let mut flipped = Claim::default().archive();
    let at = flipped.windows(14).position(|window| window == b"archive/data/0").unwrap();
    flipped[at + 14] ^= 1;
    check(&flipped, ErrorKind::Format, "data/0\" is damaged");
}

#[test]
fn bombs_stay_small() {
    let zeros = vec![0u8; 64 << 20];
    // Declared as large as it is: refused by its declared size.
    let bomb = archive(&[("data.pkl", &zeros)], CompressionMethod::Deflated);
    assert!(bomb.len() < 1 << 20);
    check(&bomb, ErrorKind::Limits, "too large");
    // Declared as small: found when one byte too many comes out.
    let mut liar =
        archive(&[("data.pkl", &Claim::default().pickle()), ("data/0", &zeros)], CompressionMethod::Deflated);
    let declared = (zeros.len() as u32).to_le_bytes();
    while let Some(at) = liar.windows(4).position(|window| window == declared) {
        liar[at..at + 4].copy_from_slice(&24u32.to_le_bytes());
    }
    check(&liar, ErrorKind::Format, "damaged");
}

/// The directory alone would fill the memory.
#[test]
fn a_directory_is_rationed() {
    let names: Vec<String> = (0..3000).map(|i| format!("{i:0400}")).collect();
    let entries: Vec<(&str, &[u8])> = names.iter().map(|name| (name.as_str(), b"".as_slice())).collect();
    let bytes = archive(&entries, CompressionMethod::Stored);
    check(&bytes, ErrorKind::Limits, "directory is too large");
}

#[test]
fn a_file_above_the_limit_is_not_opened() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("model.pth");
    std::fs::File::create(&path).unwrap().set_len(tight().file_bytes + 1).unwrap();
    assert_eq!(pth::read(&path, &tight()).unwrap_err().kind(), ErrorKind::Limits);
}

/// One place for a file that is changed again and again.
struct Bench {
    file: std::fs::File,
    path: PathBuf,
    _dir: tempfile::TempDir,
}

impl Bench {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("model.pth");
        Self { file: std::fs::File::create(&path).unwrap(), path, _dir: dir }
    }

    fn read(&mut self, bytes: &[u8]) -> Result<Vec<(String, Tensor)>> {
        use std::io::Seek;
        self.file.set_len(0).unwrap();
        self.file.rewind().unwrap();
        self.file.write_all(bytes).unwrap();
        pth::read(&self.path, &tight())
    }
}

#[test]
fn a_file_cut_anywhere_is_an_error() {
    let mut bench = Bench::new();
    for name in ["pth/sequential.pth", "pth/views.pth"] {
        let bytes = fixture_bytes(name);
        for length in 0..bytes.len() {
            assert!(bench.read(&bytes[..length]).is_err(), "{name} cut to {length} bytes");
        }
    }
}

/// A changed bit gives an error or exactly what the file held: the checksums cover the rest. Each byte has
/// one of its bits changed; all eight were tried once.
#[test]
fn a_bit_flipped_anywhere_is_harmless() {
    let mut bench = Bench::new();
    for name in ["pth/sequential.pth", "pth/views.pth"] {
        let bytes = fixture_bytes(name);
        let expected: Vec<Vec<f64>> = bench.read(&bytes).unwrap().iter().map(|(_, tensor)| values(tensor)).collect();
        for place in 0..bytes.len() {
            let mut flipped = bytes.clone();
            flipped[place] ^= 1 << (place * 5 % 8);
            if let Ok(tensors) = bench.read(&flipped) {
                let found: Vec<Vec<f64>> = tensors.iter().map(|(_, tensor)| values(tensor)).collect();
                assert_eq!(found, expected, "{name}, byte {place}");
            }
        }
    }
}

/// Past the checksum: the pickle itself is changed, so that every check of the reader is reached.
#[test]
fn a_pickle_with_any_byte_changed_is_harmless() {
    let claim = Claim::default().pickle();
    for place in 0..claim.len() {
        for byte in 0..=255 {
            let mut changed = claim.clone();
            changed[place] = byte;
            let _ = claims(&changed);
        }
    }
    for pickle in [fixture_pickle("pth/views.pth"), fixture_pickle("pth/nested.pth")] {
        for place in 0..pickle.len() {
            let mut changed = pickle.clone();
            changed[place] ^= 1 << (place * 5 % 8);
            let _ = claims(&changed);
        }
        for length in 0..pickle.len() {
            assert!(claims(&pickle[..length]).is_err());
        }
    }
}

/// What passes the checks can be loaded, or not, but does no harm.
#[test]
fn a_changed_pickle_with_its_storages_is_harmless() {
    let pickle = Claim::default().pickle();
    let mut bench = Bench::new();
    for place in 0..pickle.len() {
        for byte in 0..=255 {
            let mut changed = pickle.clone();
            changed[place] = byte;
            if claims(&changed).is_ok() {
                let _ =
                    bench.read(&archive(&[("data.pkl", &changed), ("data/0", &[0; 24])], CompressionMethod::Stored));
            }
        }
    }
}

/// All that is checked before a storage is read.
fn claims(bytes: &[u8]) -> Result<usize> {
    let pickle = pickle::read(bytes, 1000)?;
    pth::tensor_views(&pickle, &tight()).map(|views| views.len())
}

fn fixture_pickle(name: &str) -> Vec<u8> {
    use std::io::Read;
    let mut zip = zip::ZipArchive::new(std::fs::File::open(fixture(name)).unwrap()).unwrap();
    let mut bytes = Vec::new();
    zip.by_index(0).unwrap().read_to_end(&mut bytes).unwrap();
    bytes
}

/// A tensor may be mentioned often; work stays in proportion to the file.
#[test]
fn recalling_is_cheap() {
    let body = [b"\x80\x02(".to_vec(), vec![b'N'; 8000], b"tq\0".to_vec()].concat();
    let recall: Vec<u8> = (0..8000).flat_map(|_| [b'h', 0]).collect();
    let pickle = [body, recall, b"(".to_vec(), integer(1), b"t.".to_vec()].concat();
    assert!(pickle::read(&pickle, 1 << 15).is_ok());
}

/// Torch before 0.4 rebuilt tensors of four parts; Python 2 wrote strings of its own kind.
#[test]
fn the_oldest_writers_are_read() {
    let modern = Claim::default().pickle();
    let find = |bytes: &[u8], part: &[u8]| bytes.windows(part.len()).position(|window| window == part).unwrap();
    let mut old = modern.clone();
    let at = find(&old, b"_rebuild_tensor_v2");
    old.splice(at..at + 18, b"_rebuild_tensor".iter().copied());
    // `NEWFALSE NONE` are the gradient and the hooks.
    let at = find(&old, b"\x89NtR");
    old.splice(at..at + 2, []);
    let at = find(&old, b"X\x01\0\0\0w");
    old.splice(at..at + 5, b"U\x01".iter().copied());
    let tensors = read_bytes(&archive(&[("data.pkl", &old), ("data/0", &[0; 24])], CompressionMethod::Stored)).unwrap();
    assert_eq!((tensors[0].0.as_str(), tensors[0].1.size()), ("w", vec![2, 3]));
}

/// Containers are filled by opcodes of two bytes that make no object.
#[test]
fn containers_cannot_swell() {
    let many = 5 * tight().values;
    let list = [b"\x80\x02]".to_vec(), b"Na".repeat(many), b".".to_vec()].concat();
    check(&pickle_only(&list), ErrorKind::Limits, "items");
    let dict = [b"\x80\x02}".to_vec(), b"K\x01Ns".repeat(many), b".".to_vec()].concat();
    check(&pickle_only(&dict), ErrorKind::Limits, "items");
    let dimensions = Claim { size: vec![1; 17], stride: vec![1; 17], ..Claim::default() };
    check(&dimensions.archive(), ErrorKind::Format, "too many dimensions");
}
