//! Metadata in GDAL's own tags: nodata, and the names, scales, and statistics of bands.

use std::path::Path;

use roxmltree::{Document, Node};
use tiff_reader::{Ifd, Tag, TagValue};

use crate::raster::{BandScale, Dtype, StatedStatistics, number, say_anything};

const METADATA: u16 = 42112;
const NODATA: u16 = 42113;
/// The item that marks a file as a mask, and gives its kind.
const MASK_FLAGS: &str = "INTERNAL_MASK_FLAGS_1";

/// Returns the nodata value if a sample of this type can have it. Text without a number is ignored with a warning,
/// whereas GDAL would use 0; so is a 64-bit integer that `f64` cannot represent.
pub(super) fn nodata(path: &Path, ifd: &Ifd, dtype: Dtype) -> Option<f64> {
    let text = ifd.tag(NODATA)?.value.as_str()?.trim_matches('\0');
    if text.trim().is_empty() {
        return None;
    }
    let value = number::nodata(text, dtype);
    if value.is_none() {
        tracing::warn!(path = %path.display(), text, "the nodata value cannot be used; no pixel is taken for empty");
    }
    value
}

/// The metadata items of each band.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Told {
    pub names: Vec<Option<String>>,
    pub scales: Vec<BandScale>,
    pub statistics: Vec<Option<StatedStatistics>>,
    /// Whether the file is a mask of an image next to it.
    pub is_mask: bool,
    /// Nodata values of all bands.
    pub nodata_values: Option<String>,
}

pub(super) fn told(path: &Path, ifd: &Ifd, bands: usize) -> Told {
    let text = ifd.tag(METADATA).and_then(|tag| tag.value.as_str()).unwrap_or_default();
    Told::parse(text, bands).unwrap_or_else(|error| {
        tracing::warn!(path = %path.display(), %error, "GDAL's metadata is no XML; names and scales of bands are unknown");
        Told::nothing(bands)
    })
}

impl Told {
    fn nothing(bands: usize) -> Self {
        Self {
            names: vec![None; bands],
            scales: vec![BandScale::default(); bands],
            statistics: vec![None; bands],
            is_mask: false,
            nodata_values: None,
        }
    }

    /// Parses items such as `<Item name="DESCRIPTION" sample="0" role="description">text</Item>`.
    fn parse(xml: &str, bands: usize) -> Result<Self, roxmltree::Error> {
        let mut told = Self::nothing(bands);
        let xml = xml.trim_matches(|c: char| c == '\0' || c.is_whitespace());
        if xml.is_empty() {
            return Ok(told);
        }
        let document = Document::parse(xml)?;
        let mut items_of = vec![Vec::new(); bands];
        for item in document.descendants().filter(|node| node.has_tag_name("Item")) {
            told.take(item);
            if let Some(items) = index(item).and_then(|band| items_of.get_mut(band)) {
                items.push((item.attribute("name").unwrap_or_default(), item.text().unwrap_or_default()));
            }
        }
        told.statistics = items_of.into_iter().map(|items| StatedStatistics::of_metadata(items.into_iter())).collect();
        told.scales.iter_mut().filter(|scale| !scale.is_sound()).for_each(|scale| *scale = BandScale::default());
        Ok(told)
    }

    fn take(&mut self, item: Node<'_, '_>) {
        self.is_mask |= item.attribute("name") == Some(MASK_FLAGS);
        if item.attribute("name") == Some("NODATA_VALUES") && item.attribute("domain").is_none() {
            self.nodata_values = item.text().map(str::to_string);
        }
        let Some(band) = index(item).filter(|band| *band < self.names.len()) else { return };
        // GDAL escapes the text twice, and must keep doing so for compatibility.
        let text = unescape(item.text().unwrap_or_default());
        match item.attribute("role") {
            Some("description") => self.names[band] = Some(text),
            Some("scale") => self.scales[band].scale = number::leading(&text).unwrap_or(1.0),
            Some("offset") => self.scales[band].offset = number::leading(&text).unwrap_or(0.0),
            _ => {}
        }
    }
}

/// Returns the band that an item belongs to, counted from 0.
fn index(item: Node<'_, '_>) -> Option<usize> {
    item.attribute("sample")?.parse().ok()
}

/// Decodes character references; invalid ones are kept as they are.
fn unescape(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find('&') {
        plain.push_str(&rest[..start]);
        rest = &rest[start..];
        let reference = rest.find(';').and_then(|end| Some((character(&rest[1..end])?, end)));
        let (character, end) = reference.unwrap_or(('&', 0));
        plain.push(character);
        rest = &rest[end + 1..];
    }
    plain + rest
}

fn character(reference: &str) -> Option<char> {
    match reference {
        "lt" => Some('<'),
        "gt" => Some('>'),
        "quot" => Some('"'),
        "apos" => Some('\''),
        "amp" => Some('&'),
        _ => {
            let number = reference.strip_prefix('#')?;
            let code = match number.strip_prefix(['x', 'X']) {
                Some(digits) => u32::from_str_radix(digits, 16),
                None => number.parse(),
            };
            char::from_u32(code.ok()?)
        }
    }
}

/// Returns the tags that [`nodata`] and [`told`] read.
pub(super) fn tags(nodata: Option<f64>, dtype: Dtype, names: &[Option<String>], scales: &[BandScale]) -> Vec<Tag> {
    let text = |tag, text| Tag::new(tag, TagValue::Ascii(text));
    let says = names.iter().any(Option::is_some) || say_anything(scales);
    let metadata = says.then(|| text(METADATA, metadata(names, scales)));
    let nodata = nodata.map(|value| text(NODATA, number::nodata_text(value, dtype)));
    metadata.into_iter().chain(nodata).collect()
}

fn metadata(names: &[Option<String>], scales: &[BandScale]) -> String {
    let item = |name: &str, band: usize, text: &str| {
        let role = name.to_ascii_lowercase();
        format!("  <Item name=\"{name}\" sample=\"{band}\" role=\"{role}\">{text}</Item>\n")
    };
    let described = names.iter().enumerate().filter_map(|(band, name)| {
        Some(item("DESCRIPTION", band, &escape(&escape(&without_controls(name.as_ref()?)))))
    });
    let plain = |scale: &&(usize, &BandScale)| *scale.1 != BandScale::default();
    let scaled = scales.iter().enumerate().filter(|scale| plain(&scale)).map(|(band, scale)| {
        item("OFFSET", band, &format!("{:?}", scale.offset)) + &item("SCALE", band, &format!("{:?}", scale.scale))
    });
    format!("<GDALMetadata>\n{}</GDALMetadata>\n", described.chain(scaled).collect::<String>())
}

/// XML cannot contain control characters; GDAL omits them too.
fn without_controls(text: &str) -> String {
    let keeps = |c: &char| !matches!(c, '\0'..='\x1f' | '\u{fffe}' | '\u{ffff}') || matches!(c, '\t' | '\n' | '\r');
    text.chars().filter(keeps).collect()
}

/// `&` first, so that nothing is escaped twice.
fn escape(text: &str) -> String {
    let pairs = [("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ("\"", "&quot;"), ("\r", "&#13;")];
    pairs.iter().fold(text.to_string(), |text, (from, to)| text.replace(from, to))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn names(xml: &str) -> Vec<Option<String>> {
        Told::parse(xml, 3).unwrap().names
    }

    #[test]
    fn names_and_scales_are_told_from_other_items() {
        let xml = r#"<GDALMetadata>
          <Item name="SCALE" sample="0" role="scale">2</Item>
          <Item name="OFFSET" sample="2" role="offset">-1,5</Item>
          <Item name="OWNER">x</Item>
          <Item name="DESCRIPTION" sample="1" role="description">near &lt;infra&gt; &amp;amp;lt; red</Item>
          <Item name="DESCRIPTION" sample="9" role="description">none</Item>
        </GDALMetadata>"#;
        let told = Told::parse(xml, 3).unwrap();
        assert_eq!(told.names, [None, Some("near <infra> &lt; red".to_string()), None]);
        assert_eq!(told.scales, [BandScale::new(2.0, 0.0), BandScale::default(), BandScale::new(1.0, -1.5)]);
        let hostile = xml.replace(">2<", ">0<").replace("-1,5", "inf");
        assert_eq!(Told::parse(&hostile, 3).unwrap().scales, [BandScale::default(); 3]);
        assert!(Told::parse("<Item sample=\"x", 1).is_err());
        assert_eq!(Told::parse("\0", 1).unwrap(), Told::nothing(1));
    }

    #[test]
    fn references_to_characters_are_followed_once_and_again() {
        let item = |text: &str| format!("<a><Item sample='0' role='description'>{text}</Item></a>");
        for (text, name) in [
            ("a &lt;b&gt; &#956;m &amp;amp;", "a <b> μm &"),
            ("&#x3bc;&#x3BC;&#956;", "μμμ"),
            ("&amp;#956; &amp;apos;", "μ '"),
            ("<![CDATA[a < b]]>", "a < b"),
            ("&amp;bogus; &amp; &amp;#xffffff;", "&bogus; & &#xffffff;"),
        ] {
            assert_eq!(names(&item(text))[0].as_deref(), Some(name), "{text}");
        }
    }

    proptest! {
        #[test]
        fn names_of_any_text_are_found_again(name in "[^\\x00-\\x08\\x0b\\x0c\\x0e-\\x1f\\u{fffe}\\u{ffff}]{1,20}") {
            let found = names(&metadata(&[None, Some(name.clone())], &[]));
            prop_assert_eq!(&found, &[None, Some(name), None]);
        }

        #[test]
        fn scales_are_found_again(scale in prop::num::f64::NORMAL, offset in prop::num::f64::NORMAL) {
            let scales = [BandScale::default(), BandScale::new(scale, offset)];
            let found = Told::parse(&metadata(&[], &scales), 2).unwrap().scales;
            prop_assert_eq!(found, scales);
        }

        #[test]
        fn any_text_is_metadata_or_an_error(text in "\\PC{0,40}") {
            if let Ok(told) = Told::parse(&format!("<a>{text}</a>"), 1) {
                prop_assert_eq!(told.names.len(), 1);
            }
            let _ = unescape(&text);
        }
    }

    #[test]
    fn what_says_nothing_is_not_written() {
        assert!(tags(None, Dtype::U8, &[None, None], &[BandScale::default(); 2]).is_empty());
    }
}
