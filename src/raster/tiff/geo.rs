//! The georeference of a GeoTIFF (OGC 19-008).

use tiff_reader::{Ifd, TagValue};

use crate::raster::{Crs, Place};

const PIXEL_SCALE: u16 = 33550;
const TIEPOINTS: u16 = 33922;
const TRANSFORMATION: u16 = 34264;
const KEYS: u16 = 34735;
const TEXTS: u16 = 34737;

const MODEL_TYPE: u16 = 1024;
const RASTER_TYPE: u16 = 1025;
const CITATION: u16 = 1026;
const GEODETIC_CRS: u16 = 2048;
const GEODETIC_CITATION: u16 = 2049;
const PROJECTED_CRS: u16 = 3072;
const PROJECTED_CITATION: u16 = 3073;

const GEOGRAPHIC: u16 = 2;
const GEOCENTRIC: u16 = 3;
const POINT: u16 = 2;

pub(super) fn place(ifd: &Ifd) -> Place {
    let keys = GeoKeys::of(ifd);
    let pixel_is_point = keys.number(RASTER_TYPE) == Some(POINT);
    let corner = |transform| if pixel_is_point { half_a_pixel_back(transform) } else { transform };
    Place { transform: transform(ifd).map(corner), crs: keys.crs(), pixel_is_point }
}

/// As GDAL: pixel scale with a tiepoint before a matrix; ground control points alone give none.
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

/// From the centre of the first pixel to its outer corner.
fn half_a_pixel_back([a, b, c, d, e, f]: [f64; 6]) -> [f64; 6] {
    [a, b, c - 0.5 * a - 0.5 * b, d, e, f - 0.5 * d - 0.5 * e]
}

fn doubles(ifd: &Ifd, tag: u16) -> Vec<f64> {
    ifd.tag(tag).and_then(|tag| tag.value.as_f64_vec()).unwrap_or_default()
}

/// The key directory: four numbers a key (key, where the value is, count, value or index).
struct GeoKeys<'a> {
    directory: &'a [u16],
    texts: &'a str,
}

impl<'a> GeoKeys<'a> {
    fn of(ifd: &'a Ifd) -> Self {
        let directory = match ifd.tag(KEYS).map(|tag| &tag.value) {
            Some(TagValue::Short(values)) => values,
            _ => &[][..],
        };
        let texts = ifd.tag(TEXTS).and_then(|tag| tag.value.as_str()).unwrap_or_default();
        Self { directory, texts }
    }

    fn entry(&self, key: u16) -> Option<[u16; 4]> {
        let entries = self.directory.get(4..)?.as_chunks::<4>().0;
        entries.iter().find(|entry| entry[0] == key).copied()
    }

    fn number(&self, key: u16) -> Option<u16> {
        self.entry(key).filter(|entry| entry[1] == 0).map(|entry| entry[3])
    }

    fn text(&self, key: u16) -> Option<&'a str> {
        let [_, _, count, start] = self.entry(key).filter(|entry| entry[1] == TEXTS)?;
        let start = usize::from(start);
        let text = self.texts.get(start..(start + usize::from(count)).min(self.texts.len()))?;
        Some(text.trim_end_matches(['|', '\0']).trim()).filter(|text| !text.is_empty())
    }

    fn crs(&self) -> Option<Crs> {
        /// 32767 means "described by other keys", 0 "undefined".
        fn registered(number: u16) -> bool {
            (1024..32767).contains(&number)
        }
        let key = match self.number(MODEL_TYPE) {
            Some(GEOGRAPHIC | GEOCENTRIC) => GEODETIC_CRS,
            Some(_) => PROJECTED_CRS,
            None if self.entry(PROJECTED_CRS).is_some() => PROJECTED_CRS,
            None => GEODETIC_CRS,
        };
        let number = self.number(key).filter(|number| registered(*number)).map(Crs::Epsg);
        let text = || [CITATION, PROJECTED_CITATION, GEODETIC_CITATION].iter().find_map(|key| self.text(*key));
        number.or_else(|| text().map(|text| Crs::Text(text.to_string())))
    }
}
