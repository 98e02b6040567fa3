//! The layout of safetensors files that nobody vouches for.

use std::fmt;

use safetensors::{Dtype, SafeTensors};
use serde::Deserializer as _;
use serde::de::{IgnoredAny, MapAccess, Visitor};

use crate::error::{Error, ErrorKind, Result, shown};

/// As many bytes as crate `safetensors` takes.
const MOST_HEADER: usize = 100_000_000;
/// Some thousand times what a model has; each costs the reader about a KiB.
const MOST_TENSORS: usize = 1 << 17;
/// libtorch refuses more.
const MOST_DIMENSIONS: usize = 64;

/// A file whose header was checked: offsets are in order, without gaps, and end with the file.
pub(crate) struct TensorFile<'a> {
    views: SafeTensors<'a>,
    /// In the order of the file.
    names: Vec<String>,
    extra: Option<std::collections::HashMap<String, String>>,
}

/// A tensor in a file.
pub(crate) struct View<'a> {
    pub name: &'a str,
    pub dtype: Dtype,
    /// A shape that libtorch can hold.
    pub size: Vec<i64>,
    pub bytes: &'a [u8],
}

impl<'a> TensorFile<'a> {
    /// Reads the header of a file in memory.
    ///
    /// # Errors
    /// `Format` for a file that is damaged or contradicts itself, `Limits` for one of too many tensors.
    pub fn parse(bytes: &'a [u8]) -> Result<Self> {
        let broken = |e| Error::new(ErrorKind::Format, "this is not a whole safetensors file").because(e);
        if let Some(header) = header(bytes) {
            check_header(header)?;
        }
        let (_, metadata) = SafeTensors::read_metadata(bytes).map_err(broken)?;
        let views = SafeTensors::deserialize(bytes).map_err(broken)?;
        Ok(Self { views, names: metadata.offset_keys(), extra: metadata.metadata().clone() })
    }

    /// A text beside the tensors.
    pub fn extra(&self, key: &str) -> Option<&str> {
        self.extra.as_ref()?.get(key).map(String::as_str)
    }

    /// The tensors in the order of the file.
    pub fn views(&self) -> impl Iterator<Item = Result<View<'_>>> {
        self.names.iter().map(|name| {
            let broken = |e| Error::new(ErrorKind::Format, format!("`{}` cannot be read", shown(name))).because(e);
            let view = self.views.tensor(name).map_err(broken)?;
            let size = sides(view.shape()).ok_or_else(|| {
                Error::new(ErrorKind::Format, format!("`{}` has a shape that no tensor has", shown(name)))
                    .found(format!("{:?}", view.shape()))
            })?;
            Ok(View { name, dtype: view.dtype(), size, bytes: view.data() })
        })
    }
}

/// Whether a header will be read again, and at what cost.
///
/// # Errors
/// `Limits` for one that is too long or of too many tensors.
pub(crate) fn check_header(header: &[u8]) -> Result<()> {
    let too_large = |what: &str, most: usize| {
        Error::new(ErrorKind::Limits, format!("safetensors header is too large ({what})"))
            .expected(format!("at most {most}"))
    };
    if header.len() > MOST_HEADER {
        return Err(too_large("bytes", MOST_HEADER).found(header.len()));
    }
    let mut entries = Entries { count: 0 };
    // Only counts; a malformed header is an error when it is parsed below.
    let _ = serde_json::Deserializer::from_slice(header).deserialize_map(&mut entries);
    if entries.count > MOST_TENSORS {
        return Err(too_large("tensors", MOST_TENSORS));
    }
    Ok(())
}

fn header(bytes: &[u8]) -> Option<&[u8]> {
    let (length, rest) = bytes.split_first_chunk::<8>()?;
    rest.get(..usize::try_from(u64::from_le_bytes(*length)).ok()?)
}

/// Counts the entries of a JSON object, and keeps none.
struct Entries {
    count: usize,
}

impl<'de> Visitor<'de> for &mut Entries {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> std::result::Result<(), A::Error> {
        while self.count <= MOST_TENSORS && map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {
            self.count += 1;
        }
        Ok(())
    }
}

/// Even an empty tensor must not have sides whose product overflows.
fn sides(shape: &[usize]) -> Option<Vec<i64>> {
    let sides = shape.iter().map(|&side| i64::try_from(side).ok()).collect::<Option<Vec<_>>>()?;
    sides.iter().try_fold(1i64, |count, &side| count.checked_mul(side.max(1)))?;
    (sides.len() <= MOST_DIMENSIONS).then_some(sides)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(header: &str) -> Vec<u8> {
        [&(header.len() as u64).to_le_bytes(), header.as_bytes()].concat()
    }

    fn many(count: usize) -> String {
        let entry = |i| format!(r#""{i}":{{"dtype":"F32","shape":[0],"data_offsets":[0,0]}}"#);
        format!("{{{}}}", (0..count).map(entry).collect::<Vec<_>>().join(","))
    }

    #[test]
    fn many_tensors_are_refused_before_they_are_listed() {
        for header in [many(MOST_TENSORS + 1), format!("{{{}", r#""a":1,"#.repeat(MOST_TENSORS + 1))] {
            let error = TensorFile::parse(&file(&header)).err().unwrap();
            assert_eq!(error.kind(), ErrorKind::Limits, "{error}");
            assert!(check_header(header.as_bytes()).is_err());
        }
        let bytes = file(&many(500));
        assert_eq!(TensorFile::parse(&bytes).unwrap().views().count(), 500);
        check_header(many(500).as_bytes()).unwrap();
        assert!(check_header(&vec![b' '; MOST_HEADER + 1]).is_err());
    }

    #[test]
    fn shapes_that_overflow_are_refused() {
        for shape in ["[0,9223372036854775808]", "[0,4294967296,4294967296]"] {
            let bytes = file(&format!(r#"{{"w":{{"dtype":"F32","shape":{shape},"data_offsets":[0,0]}}}}"#));
            let found = TensorFile::parse(&bytes).and_then(|file| file.views().try_for_each(|view| view.map(drop)));
            assert_eq!(found.map(|()| 0).unwrap_err().kind(), ErrorKind::Format, "{shape}");
        }
    }
}
