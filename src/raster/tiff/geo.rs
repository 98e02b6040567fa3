//! The georeference of a GeoTIFF (OGC 19-008): reads its tags, and creates them.

use tiff_reader::{Ifd, Tag, TagValue};

use crate::raster::Place;
use crate::raster::geo_keys::GeoKeys;
use crate::raster::rpc::Rpc;

const PIXEL_SCALE: u16 = 33550;
const TIEPOINTS: u16 = 33922;
const TRANSFORMATION: u16 = 34264;
const KEYS: u16 = 34735;
const DOUBLES: u16 = 34736;
const TEXTS: u16 = 34737;
const RPC: u16 = 50844;

pub(super) fn place(ifd: &Ifd) -> Place {
    let keys = keys(ifd);
    let pixel_is_point = keys.is_point();
    let shift = |transform| if pixel_is_point { half_a_pixel(transform, -0.5) } else { transform };
    let transform = transform(ifd).map(shift);
    let control_points = match transform {
        Some(_) => Vec::new(),
        None => doubles(ifd, TIEPOINTS).as_chunks::<6>().0.to_vec(),
    };
    Place { transform, crs: keys.crs(), pixel_is_point, keys, control_points, rpc: Rpc::new(doubles(ifd, RPC)) }
}

/// As in GDAL, pixel scale with a tiepoint takes precedence over a matrix; ground control points alone give no
/// transform.
fn transform(ifd: &Ifd) -> Option<[f64; 6]> {
    let (scale, ties) = (doubles(ifd, PIXEL_SCALE), doubles(ifd, TIEPOINTS));
    if let ([a, e, ..], [column, row, _, x, y, _, ..]) = (&scale[..], &ties[..])
        && *a != 0.0
        && *e != 0.0
    {
        let (a, e) = (*a, -e.abs());
        return Some([a, 0.0, x - column * a, 0.0, e, y - row * e]);
    }
    match doubles(ifd, TRANSFORMATION)[..] {
        [a, b, _, c, d, e, _, f, ..] => Some([a, b, c, d, e, f]),
        _ => None,
    }
}

/// Shifts from the outer corner of the first pixel to its center (`step` 0.5) or back (-0.5).
fn half_a_pixel([a, b, c, d, e, f]: [f64; 6], step: f64) -> [f64; 6] {
    [a, b, c + step * a + step * b, d, e, f + step * d + step * e]
}

fn keys(ifd: &Ifd) -> GeoKeys {
    let directory = match ifd.tag(KEYS).map(|tag| &tag.value) {
        Some(TagValue::Short(values)) => values.clone(),
        _ => Vec::new(),
    };
    let texts = ifd.tag(TEXTS).and_then(|tag| tag.value.as_str()).unwrap_or_default();
    GeoKeys { directory, doubles: doubles(ifd, DOUBLES), texts: texts.to_string() }
}

fn doubles(ifd: &Ifd, tag: u16) -> Vec<f64> {
    ifd.tag(tag).and_then(|tag| tag.value.as_f64_vec()).unwrap_or_default()
}

/// Returns the tags that [`place`] reads.
pub(super) fn tags(place: &Place) -> Vec<Tag> {
    let keys = place.keys.clone().with_point(place.pixel_is_point);
    let mut tags = match place.transform {
        Some(transform) if place.pixel_is_point => transform_tags(half_a_pixel(transform, 0.5)),
        Some(transform) => transform_tags(transform),
        None if place.control_points.is_empty() => Vec::new(),
        None => vec![Tag::new(TIEPOINTS, TagValue::Double(place.control_points.concat()))],
    };
    if !keys.directory.is_empty() {
        tags.push(Tag::new(KEYS, TagValue::Short(keys.directory)));
    }
    if !keys.doubles.is_empty() {
        tags.push(Tag::new(DOUBLES, TagValue::Double(keys.doubles)));
    }
    if !keys.texts.is_empty() {
        tags.push(Tag::new(TEXTS, TagValue::Ascii(keys.texts)));
    }
    if let Some(rpc) = &place.rpc {
        tags.push(Tag::new(RPC, TagValue::Double(rpc.numbers().to_vec())));
    }
    tags
}

/// A scale can only express north up, and readers interpret its sign differently, so everything else is a matrix.
fn transform_tags([a, b, c, d, e, f]: [f64; 6]) -> Vec<Tag> {
    if b == 0.0 && d == 0.0 && a > 0.0 && e < 0.0 {
        return vec![
            Tag::new(PIXEL_SCALE, TagValue::Double(vec![a, -e, 0.0])),
            Tag::new(TIEPOINTS, TagValue::Double(vec![0.0, 0.0, 0.0, c, f, 0.0])),
        ];
    }
    let matrix = vec![a, b, 0.0, c, d, e, 0.0, f, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0];
    vec![Tag::new(TRANSFORMATION, TagValue::Double(matrix))]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_north_up_is_written_as_a_scale() {
        let codes = |transform| tags(&Place::new(transform)).iter().map(|tag| tag.code).collect::<Vec<_>>();
        assert_eq!(codes([10.0, 0.0, 500.0, 0.0, -10.0, 4100.0]), [PIXEL_SCALE, TIEPOINTS]);
        assert_eq!(codes([10.0, 0.0, 500.0, 0.0, 10.0, 4100.0]), [TRANSFORMATION]);
        assert_eq!(codes([8.0, 3.0, 500.0, 3.0, -8.0, 4100.0]), [TRANSFORMATION]);
        assert!(tags(&Place::default()).is_empty());
    }
}
