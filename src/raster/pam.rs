//! GDAL's metadata sidecar files (PAM), `NAME.aux.xml`, which override the metadata in the file itself.

use std::ffi::OsString;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use roxmltree::{Document, Node};

use super::{BandScale, Crs, Dtype, Place, RasterInfo, StatedStatistics, number, rpc, wkt};

/// Histograms and attribute tables can make it long.
const CAP: u64 = 16 << 20;

/// Overrides the metadata of an image with its sidecar file.
pub(super) fn complete(info: &mut RasterInfo, image: &Path) {
    let Some(xml) = text(&path_of(image)) else { return };
    let told = Document::parse(&xml).map(|document| {
        let root = document.root_element();
        complete_place(&mut info.place, root, image);
        let of_bands = nodata(root, info);
        info.nodata = of_bands.first().copied().flatten().or(info.nodata);
        info.put_band_nodata(of_bands.into_iter().collect::<Option<_>>().unwrap_or_default());
        if let Some((_, text)) = metadata(root, None).find(|(key, _)| *key == "NODATA_VALUES") {
            info.list_nodata(text);
        }
        if !info.band_nodata.is_empty() {
            tracing::debug!(path = %image.display(), values = ?info.band_nodata, "bands differ in nodata");
        }
        named(root, "PAMRasterBand").for_each(|band| complete_band(info, band));
    });
    if let Err(error) = told {
        tracing::warn!(path = %image.display(), %error, "the .aux.xml beside this file is no XML and is passed over");
    }
}

/// Returns the path of an image's sidecar file, whether or not it exists.
pub(crate) fn path_of(image: &Path) -> PathBuf {
    let mut name = OsString::from(image);
    name.push(".aux.xml");
    name.into()
}

/// Returns the text of a sidecar file with an EPSG code and the nodata value of each band; `None` if there are none.
pub(super) fn written(place: &Place, nodata: Option<f64>, bands: usize) -> Option<String> {
    let system = epsg(place).map(|number| format!("  <SRS>EPSG:{number}</SRS>\n"));
    let value = |band| {
        let value = nodata?;
        Some(format!("  <PAMRasterBand band=\"{band}\">\n    <NoDataValue>{value}</NoDataValue>\n  </PAMRasterBand>\n"))
    };
    let parts: Vec<String> = system.into_iter().chain((1..=bands).filter_map(value)).collect();
    (!parts.is_empty()).then(|| format!("<PAMDataset>\n{}</PAMDataset>\n", parts.concat()))
}

/// Returns the EPSG code of the CRS, if it has one.
fn epsg(place: &Place) -> Option<u16> {
    match place.crs()? {
        Crs::Epsg(number) => Some(*number),
        Crs::Text(_) => None,
    }
}

fn text(path: &Path) -> Option<String> {
    let mut text = String::new();
    let read = File::open(path).ok()?.take(CAP + 1).read_to_string(&mut text);
    if read.is_err() || text.len() as u64 > CAP {
        tracing::warn!(path = %path.display(), "this is no text of a usual length and is passed over");
        return None;
    }
    Some(text)
}

fn named<'a, 'input>(node: Node<'a, 'input>, name: &'static str) -> impl Iterator<Item = Node<'a, 'input>> {
    node.children().filter(move |child| child.has_tag_name(name))
}

fn text_of<'a>(node: Node<'a, '_>, name: &'static str) -> Option<&'a str> {
    named(node, name).next()?.text()
}

/// Returns the keys and values of a metadata domain.
fn metadata<'a>(root: Node<'a, '_>, domain: Option<&'static str>) -> impl Iterator<Item = (&'a str, &'a str)> {
    let of_domain = move |node: &Node<'_, '_>| node.attribute("domain").filter(|name| !name.is_empty()) == domain;
    let items = named(root, "Metadata").filter(of_domain).flat_map(|node| named(node, "MDI"));
    items.filter_map(|item| Some((item.attribute("key")?, item.text()?)))
}

fn complete_place(place: &mut Place, root: Node<'_, '_>, image: &Path) {
    if let Some(transform) = text_of(root, "GeoTransform").and_then(transform) {
        place.transform = Some(transform);
        place.control_points.clear();
    }
    if let Some(system) = text_of(root, "SRS") {
        wkt::put(place, system, image);
    }
    if let Some(list) = named(root, "GCPList").next()
        && place.transform.is_none()
    {
        place.control_points = named(list, "GCP").filter_map(control_point).collect();
        if let Some(system) = list.attribute("Projection").or_else(|| text_of(list, "SRS")) {
            wkt::put(place, system, image);
        }
    }
    if let Some(rpc) = rpc::of_metadata(metadata(root, Some("RPC"))) {
        place.rpc = Some(rpc);
    }
}

/// GDAL uses another order: x of the corner first.
fn transform(text: &str) -> Option<[f64; 6]> {
    let numbers: Vec<f64> = text.split(',').map(|number| number.trim().parse().ok()).collect::<Option<_>>()?;
    let [c, a, b, f, d, e] = numbers[..] else { return None };
    numbers.iter().all(|number| number.is_finite()).then_some([a, b, c, d, e, f])
}

fn control_point(node: Node<'_, '_>) -> Option<[f64; 6]> {
    let number = |name| node.attribute(name)?.trim().parse::<f64>().ok();
    let height = number("Z").or_else(|| number("GCPZ")).unwrap_or(0.0);
    Some([number("Pixel")?, number("Line")?, 0.0, number("X")?, number("Y")?, height])
}

/// Returns the values stated for each band, in order.
fn nodata(root: Node<'_, '_>, info: &RasterInfo) -> Vec<Option<f64>> {
    let mut values = vec![None; info.bands];
    for band in named(root, "PAMRasterBand") {
        let place = index(band).and_then(|index| values.get_mut(index));
        if let (Some(place), Some(stated)) = (place, named(band, "NoDataValue").next()) {
            *place = value(stated, info.dtype);
        }
    }
    values
}

/// The text has 15 digits; the exact value may be next to it.
fn value(node: Node<'_, '_>, dtype: Dtype) -> Option<f64> {
    let exact = node.attribute("le_hex_equiv").filter(|digits| digits.len() == 16);
    let exact = exact.and_then(|digits| u64::from_str_radix(digits, 16).ok());
    let exact = exact.map(|bits| f64::from_bits(bits.swap_bytes()));
    exact.or_else(|| number::nodata(node.text()?, dtype)).map(|value| dtype.stored(value))
}

/// Counted from 0.
fn index(band: Node<'_, '_>) -> Option<usize> {
    band.attribute("band")?.parse::<usize>().ok()?.checked_sub(1)
}

fn complete_band(info: &mut RasterInfo, band: Node<'_, '_>) {
    let Some(index) = index(band).filter(|index| *index < info.bands) else { return };
    if let Some(name) = text_of(band, "Description") {
        info.band_names[index] = Some(name.to_string());
    }
    if let Some(statistics) = StatedStatistics::of_metadata(metadata(band, None)) {
        info.stated_statistics[index] = Some(statistics);
    }
    let [scale, offset] = ["Scale", "Offset"].map(|name| text_of(band, name).and_then(number::leading));
    if scale.is_some() || offset.is_some() {
        let told = BandScale::new(scale.unwrap_or(1.0), offset.unwrap_or(0.0));
        info.band_scales[index] = if told.is_sound() { told } else { BandScale::default() };
    }
}
