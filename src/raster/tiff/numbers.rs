//! Integers in tags, whichever type a writer used.

use tiff_reader::{Ifd, TagValue};

use super::fault::Fault;

/// Returns all numbers of a tag; empty if the tag is missing or contains no number.
pub(super) fn all(ifd: &Ifd, tag: u16) -> Result<Option<Vec<u64>>, Fault> {
    let Some(found) = ifd.tag(tag) else { return Ok(None) };
    let numbers = match &found.value {
        TagValue::SByte(values) => signed(values),
        TagValue::SShort(values) => signed(values),
        TagValue::SLong(values) => signed(values),
        TagValue::SLong8(values) => signed(values),
        value => value.as_u64_vec(),
    };
    match numbers {
        Some(numbers) => Ok(Some(numbers).filter(|numbers| !numbers.is_empty())),
        None => Err(Fault::format(format!("tag {tag} holds no whole numbers"))),
    }
}

/// Returns the first number of a tag, which must not be larger than its meaning allows.
pub(super) fn first<T: TryFrom<u64>>(ifd: &Ifd, tag: u16) -> Result<Option<T>, Fault> {
    let Some(value) = all(ifd, tag)?.and_then(|numbers| numbers.first().copied()) else { return Ok(None) };
    match T::try_from(value) {
        Ok(value) => Ok(Some(value)),
        Err(_) => Err(Fault::format(format!("{value} in tag {tag}"))),
    }
}

fn signed<T: Copy + TryInto<u64>>(values: &[T]) -> Option<Vec<u64>> {
    values.iter().map(|&value| value.try_into().ok()).collect()
}
