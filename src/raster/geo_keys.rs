//! GeoKeys, which specify the coordinate reference system of a GeoTIFF (OGC 19-008).

use super::{Crs, epsg};

/// The tag of the strings; in the directory, it indicates that a key's value is in them.
const TEXTS: u16 = 34737;

const MODEL_TYPE: u16 = 1024;
const RASTER_TYPE: u16 = 1025;
const CITATION: u16 = 1026;
const GEODETIC_CRS: u16 = 2048;
const GEODETIC_CITATION: u16 = 2049;
const PROJECTED_CRS: u16 = 3072;
const PROJECTED_CITATION: u16 = 3073;

const PROJECTED: u16 = 1;
const GEOGRAPHIC: u16 = 2;
const GEOCENTRIC: u16 = 3;
const AREA: u16 = 1;
const POINT: u16 = 2;

/// The keys exactly as in the file, so that a custom CRS is preserved unchanged.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct GeoKeys {
    /// A header of four numbers, then four numbers per key: key, location of the value, count, value or index.
    pub directory: Vec<u16>,
    pub doubles: Vec<f64>,
    pub texts: String,
}

impl GeoKeys {
    /// Creates the minimal keys for a CRS of the EPSG registry.
    pub fn of_epsg(number: u16) -> Self {
        let (model, key) = match epsg::is_geodetic(number) {
            true => (GEOGRAPHIC, GEODETIC_CRS),
            false => (PROJECTED, PROJECTED_CRS),
        };
        let header = [1, 1, 0, 2];
        let directory = [header, [MODEL_TYPE, 0, 1, model], [key, 0, 1, number]].concat();
        Self { directory, ..Self::default() }
    }

    /// Returns the same keys with the raster type set to point or area. Nothing is added for area, which is the
    /// default.
    pub fn with_point(mut self, point: bool) -> Self {
        if self.is_point() == point {
            return self;
        }
        if self.directory.len() < 4 {
            self.directory = vec![1, 1, 0, 0];
        }
        let value = if point { POINT } else { AREA };
        match self.directory.chunks_exact_mut(4).skip(1).find(|entry| entry[0] == RASTER_TYPE) {
            Some(entry) => entry.copy_from_slice(&[RASTER_TYPE, 0, 1, value]),
            None => self.insert([RASTER_TYPE, 0, 1, value]),
        }
        self
    }

    /// Keys must be in ascending order.
    fn insert(&mut self, entry: [u16; 4]) {
        let before = self.entries().iter().take_while(|other| other[0] < entry[0]).count();
        let at = 4 + 4 * before;
        self.directory.splice(at..at, entry);
        self.directory[3] = self.directory[3].saturating_add(1);
    }

    fn entries(&self) -> &[[u16; 4]] {
        self.directory.get(4..).unwrap_or_default().as_chunks::<4>().0
    }

    fn entry(&self, key: u16) -> Option<[u16; 4]> {
        self.entries().iter().find(|entry| entry[0] == key).copied()
    }

    fn number(&self, key: u16) -> Option<u16> {
        self.entry(key).filter(|entry| entry[1] == 0).map(|entry| entry[3])
    }

    fn text(&self, key: u16) -> Option<&str> {
        let [_, _, count, start] = self.entry(key).filter(|entry| entry[1] == TEXTS)?;
        let start = usize::from(start);
        let text = self.texts.get(start..(start + usize::from(count)).min(self.texts.len()))?;
        Some(text.trim_end_matches(['|', '\0']).trim()).filter(|text| !text.is_empty())
    }

    /// Returns whether a sample is a point, not an area.
    pub fn is_point(&self) -> bool {
        self.number(RASTER_TYPE) == Some(POINT)
    }

    /// Returns the CRS that the keys specify.
    pub fn crs(&self) -> Option<Crs> {
        let key = match self.number(MODEL_TYPE) {
            Some(GEOGRAPHIC | GEOCENTRIC) => GEODETIC_CRS,
            Some(_) => PROJECTED_CRS,
            None if self.entry(PROJECTED_CRS).is_some() => PROJECTED_CRS,
            None => GEODETIC_CRS,
        };
        let number = self.number(key).filter(|number| is_registered(*number)).map(Crs::Epsg);
        let text = || [CITATION, PROJECTED_CITATION, GEODETIC_CITATION].iter().find_map(|key| self.text(*key));
        number.or_else(|| text().map(|text| Crs::Text(text.to_string())))
    }
}

/// 32767 means "user-defined", 0 "undefined"; higher codes are for private use.
pub(super) fn is_registered(number: u16) -> bool {
    (1024..32767).contains(&number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_read_back() {
        for number in [4326, 4978, 7844, 3857, 32633, 2056, 27700] {
            assert_eq!(GeoKeys::of_epsg(number).crs(), Some(Crs::Epsg(number)));
        }
        assert_eq!(GeoKeys::default().crs(), None);
    }

    #[test]
    fn points_are_told_without_touching_other_keys() {
        let keys = GeoKeys::of_epsg(32633);
        let points = keys.clone().with_point(true);
        assert_eq!(points.directory, [1, 1, 0, 3, 1024, 0, 1, 1, 1025, 0, 1, 2, 3072, 0, 1, 32633]);
        assert_eq!(points.clone().with_point(false).directory[11], AREA);
        assert_eq!(keys.clone().with_point(false), keys);
        assert_eq!(GeoKeys::default().with_point(true).directory, [1, 1, 0, 1, 1025, 0, 1, 2]);
    }
}
