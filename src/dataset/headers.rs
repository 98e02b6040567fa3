//! The headers of a domain's chips: bands, nodata values, and scales.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use super::bands::{Asked, are_shuffled};
use super::shape::Shape;
use crate::error::Result;
use crate::raster::{BandScale, Dtype, Limits, chip_info, say_anything};

/// The name of each band of a file, shared by all chips with the same names.
pub(super) type Names = Arc<Vec<Option<String>>>;

/// A chip that is usable, as far as its header shows.
#[derive(Debug, Clone)]
pub(super) struct Header<'a> {
    pub file: &'a PathBuf,
    pub shape: Shape,
    pub names: Names,
    pub nodata: Option<f64>,
    /// Scales of the bands that are used; empty if samples are not scaled, as in most chips.
    pub scales: Vec<BandScale>,
}

/// Reads headers.
pub(super) struct Headers<'a> {
    asked: &'a Asked,
    limits: &'a Limits,
    known: Mutex<BTreeSet<Names>>,
}

impl<'a> Headers<'a> {
    pub fn new(asked: &'a Asked, limits: &'a Limits) -> Self {
        Self { asked, limits, known: Mutex::default() }
    }

    /// # Errors
    /// [`ErrorKind::Usage`](crate::ErrorKind::Usage) if the file lacks a requested band;
    /// [`ErrorKind::Layout`](crate::ErrorKind::Layout) if it should contain two chips but does not; otherwise the error
    /// from reading the file.
    pub fn read<'f>(&self, file: &'f PathBuf) -> Result<Header<'f>> {
        let info = chip_info(file, self.limits)?;
        let bands = self.asked.indices(info.band_names(), info.alpha_band()).map_err(|error| error.at(file))?;
        let names = self.shared(info.band_names());
        let scale = |band: &usize| info.band_scales().get(*band).copied().unwrap_or_default();
        let scales = Some(bands.iter().map(scale).collect()).filter(|scales: &Vec<_>| say_anything(scales));
        let (file_shape, nodata) = (Shape::stated(&info, bands.len()), info.nodata());
        let shape = self.asked.half.map_or(Ok(file_shape), |half| half.shape(file_shape));
        let shape = shape.map_err(|error| error.at(file))?;
        Ok(Header { file, shape, names, nodata, scales: scales.unwrap_or_default() })
    }

    fn shared(&self, names: &[Option<String>]) -> Names {
        let names = Arc::new(names.to_vec());
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(same) = known.get(&names) {
            return same.clone();
        }
        known.insert(names.clone());
        names
    }
}

/// A list of band names, with an example of a chip that has it.
pub(super) struct Order<'a> {
    pub names: Names,
    pub example: &'a Path,
}

/// Returns the names in most chips, and each list that has one of these names at a different position.
pub(super) fn orders<'a>(headers: &[Header<'a>]) -> Option<(Order<'a>, Vec<Order<'a>>)> {
    let mut lists = BTreeMap::<&Names, (usize, &'a Path)>::new();
    for header in headers.iter().filter(|header| header.names.iter().any(Option::is_some)) {
        lists.entry(&header.names).or_insert((0, header.file)).0 += 1;
    }
    let (names, (_, example)) = lists.iter().rev().max_by_key(|(_, (count, _))| *count)?;
    let shuffled = lists.iter().filter(|(other, _)| are_shuffled(names, other));
    let shuffled = shuffled.map(|(names, (_, example))| Order { names: (*names).clone(), example }).collect();
    Some((Order { names: (*names).clone(), example }, shuffled))
}

/// Formats band names for an error message.
pub(super) fn describe_names(names: &Names) -> String {
    names.iter().map(|name| name.as_deref().unwrap_or("-")).collect::<Vec<_>>().join(", ")
}

/// Returns the scales in most chips, and the first chip whose scales differ.
pub(super) fn scales<'h, 'a>(headers: &'h [Header<'a>]) -> Option<(Vec<BandScale>, Option<&'h Header<'a>>)> {
    let mut lists: Vec<(&[BandScale], usize)> = Vec::new();
    for header in headers {
        match lists.iter_mut().find(|(known, _)| *known == header.scales) {
            Some((_, count)) => *count += 1,
            None => lists.push((&header.scales, 1)),
        }
    }
    let (common, _) = *lists.iter().rev().max_by_key(|(_, count)| *count)?;
    Some((common.to_vec(), headers.iter().find(|header| header.scales != common)))
}

/// Formats scales for an error message.
pub(super) fn describe_scales(scales: &[BandScale]) -> String {
    let one = |band: &BandScale| format!("{} x + {}", band.scale, band.offset);
    if scales.is_empty() { "none".to_string() } else { scales.iter().map(one).collect::<Vec<_>>().join(", ") }
}

/// Returns the nodata value of most chips, preferring values that samples of this type can have; and all declared
/// values, each with the number of chips.
pub(super) fn nodata(headers: &[Header<'_>], dtype: Dtype) -> (Option<f64>, Vec<(f64, usize)>) {
    let mut values: Vec<(f64, usize)> = Vec::new();
    for value in headers.iter().filter_map(|header| header.nodata) {
        match values.iter_mut().find(|(known, _)| same(*known, value)) {
            Some((_, count)) => *count += 1,
            None => values.push((value, 1)),
        }
    }
    let usable = |(value, count): &&(f64, usize)| (dtype.can_mean(*value), *count);
    let most = values.iter().rev().max_by_key(usable).map(|(value, _)| *value);
    (most, values)
}

fn same(one: f64, other: f64) -> bool {
    one == other || one.is_nan() && other.is_nan()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header<'a>(file: &'a PathBuf, nodata: Option<f64>, names: &[&str]) -> Header<'a> {
        let names = Arc::new(names.iter().map(|name| Some(name.to_string())).collect());
        let shape = Shape { bands: 1, dtype: Dtype::I16, height: 1, width: 1 };
        Header { file, shape, names, nodata, scales: Vec::new() }
    }

    #[test]
    fn the_value_of_most_chips_stands_for_no_data() {
        let file = PathBuf::from("x.tif");
        let of = |values: &[Option<f64>]| {
            nodata(&values.iter().map(|&value| header(&file, value, &[])).collect::<Vec<_>>(), Dtype::I16)
        };
        assert_eq!(of(&[None, None]), (None, vec![]));
        assert_eq!(of(&[None, Some(-32768.0), None]).0, Some(-32768.0));
        assert_eq!(of(&[Some(0.0), Some(-1.0), Some(-1.0)]), (Some(-1.0), vec![(0.0, 1), (-1.0, 2)]));
        assert_eq!(of(&[Some(1e9), Some(1e9), Some(7.0)]).0, Some(7.0), "no sample of 16 bits can be 1e9");
        assert_eq!(of(&[Some(0.0), Some(-1.0)]).0, Some(0.0), "the first of equally many");
        let (value, all) = of(&[Some(f64::NAN), Some(f64::NAN)]);
        assert!(value.unwrap().is_nan() && all.len() == 1);
    }

    #[test]
    fn the_rarer_order_is_told_from_the_common_one() {
        let files = ["0.tif", "1.tif", "2.tif", "3.tif"].map(PathBuf::from);
        let lists: [&[&str]; 4] = [&["Blue", "Red"], &["Red", "Blue"], &["Red", "Blue"], &["B4", "B2"]];
        let headers: Vec<_> = files.iter().zip(lists).map(|(file, names)| header(file, None, names)).collect();
        let (common, others) = orders(&headers).unwrap();
        assert_eq!((describe_names(&common.names).as_str(), common.example), ("Red, Blue", Path::new("1.tif")));
        assert_eq!(others.iter().map(|order| order.example).collect::<Vec<_>>(), [Path::new("0.tif")]);
        assert!(orders(&headers[3..]).unwrap().1.is_empty() && orders(&[]).is_none());
    }
}
