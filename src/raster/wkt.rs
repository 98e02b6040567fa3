//! Extracts the EPSG code from a CRS in text form.

use std::path::Path;

use super::{Crs, Place};

/// Sets the CRS of a georeference from a text. Without an EPSG code, only its name is kept, which this crate cannot
/// write to a GeoTIFF.
pub(super) fn put(place: &mut Place, text: &str, image: &Path) {
    let text = text.trim();
    if text.is_empty() {
        return;
    }
    let known = number(text).and_then(|number| place.clone().with_epsg(number).ok());
    *place = known.unwrap_or_else(|| {
        tracing::warn!(
            path = %image.display(),
            "the reference system of this file, or beside it, has no EPSG number; it is not written to outputs"
        );
        let name = name(text).unwrap_or(text).to_string();
        Place { crs: Some(Crs::Text(name)), keys: Default::default(), ..place.clone() }
    });
}

/// Returns the code of the whole CRS: `EPSG:32633`, or the authority at the end of a WKT; its parts have authorities
/// too.
fn number(text: &str) -> Option<u16> {
    if let Some(number) = text.strip_prefix("EPSG:") {
        return number.trim().parse().ok();
    }
    let entries = entries(text);
    let own = entries.iter().rev().find(|entry| entry.depth == 1 && ["AUTHORITY", "ID"].contains(&entry.keyword))?;
    let mut parts = own.rest.split(',').map(|part| part.trim().trim_matches('"'));
    let (authority, number) = (parts.next()?, parts.next()?);
    let digits = number.split(|c: char| !c.is_ascii_digit()).next()?;
    authority.eq_ignore_ascii_case("EPSG").then(|| digits.parse().ok())?
}

fn name(text: &str) -> Option<&str> {
    text.split('"').nth(1)
}

/// A keyword before a bracket, the nesting depth there, and what follows.
struct Entry<'a> {
    keyword: &'a str,
    depth: usize,
    rest: &'a str,
}

fn entries(text: &str) -> Vec<Entry<'_>> {
    let (mut entries, mut depth, mut start, mut is_quoted) = (Vec::new(), 0usize, 0, false);
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            b'"' => is_quoted = !is_quoted,
            _ if is_quoted => {}
            b'[' | b'(' => {
                entries.push(Entry { keyword: text[start..at].trim(), depth, rest: &text[at + 1..] });
                (depth, start) = (depth + 1, at + 1);
            }
            b']' | b')' => (depth, start) = (depth.saturating_sub(1), at + 1),
            b',' => start = at + 1,
            _ => {}
        }
    }
    entries
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_number_of_the_whole_counts() {
        let base = r#"GEOGCS["WGS 84",DATUM["x, [y",SPHEROID["z",1,2]],AUTHORITY["EPSG","4326"]]"#;
        assert_eq!(number(base), Some(4326));
        assert_eq!(number(&format!(r#"PROJCS["p",{base},UNIT["m",1],AUTHORITY["EPSG","32633"]]"#)), Some(32633));
        assert_eq!(number(&format!(r#"PROJCS["p",{base},UNIT["m",1]]"#)), None);
        assert_eq!(number(&format!(r#"PROJCS["p",{base},AUTHORITY["ESRI","54009"]]"#)), None);
        assert_eq!(number(r#"PROJCRS["p",BASEGEOGCRS["b",ID["EPSG",4326]],ID["EPSG",3857]]"#), Some(3857));
        assert_eq!(number("EPSG:2056"), Some(2056));
        assert_eq!(name(base), Some("WGS 84"));
    }

    proptest! {
        #[test]
        fn any_text_has_a_number_or_none(text in r#"[A-Z\[\]\(\)",0-9 µ]{0,60}"#) {
            let _ = (number(&text), name(&text));
        }
    }
}
