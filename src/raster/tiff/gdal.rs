//! What GDAL keeps in tags of its own: nodata and the names of bands.

use tiff_reader::{Ifd, Tag, TagValue};

const METADATA: u16 = 42112;
const NODATA: u16 = 42113;

pub(super) fn nodata(ifd: &Ifd) -> Option<f64> {
    let text = ifd.tag(NODATA)?.value.as_str()?;
    text.trim_matches(|c: char| c == '\0' || c.is_whitespace()).parse().ok()
}

pub(super) fn band_names(ifd: &Ifd, bands: usize) -> Vec<Option<String>> {
    let mut names = vec![None; bands];
    let text = ifd.tag(METADATA).and_then(|tag| tag.value.as_str()).unwrap_or_default();
    for (band, name) in descriptions(text) {
        if let Some(to) = names.get_mut(band) {
            *to = Some(name);
        }
    }
    names
}

/// Band and text of each `<Item name="DESCRIPTION" sample="0" role="description">text</Item>`. GDAL escapes the text
/// twice, and has to keep to that.
fn descriptions(xml: &str) -> impl Iterator<Item = (usize, String)> + '_ {
    xml.split("<Item ").skip(1).filter_map(|item| {
        let (attributes, rest) = item.split_once('>')?;
        let (text, _) = rest.split_once("</Item>")?;
        let band = attribute(attributes, "sample")?.parse().ok()?;
        (attribute(attributes, "role") == Some("description")).then(|| (band, unescape(&unescape(text))))
    })
}

fn attribute<'a>(attributes: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = attributes.split_once(&format!("{name}=\""))?;
    rest.split_once('"').map(|(value, _)| value)
}

/// `&amp;` last, so that nothing is unescaped twice.
fn unescape(text: &str) -> String {
    let pairs = [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&apos;", "'"), ("&amp;", "&")];
    pairs.iter().fold(text.to_string(), |text, (from, to)| text.replace(from, to))
}

/// The tags that say what [`nodata`] and [`band_names`] read.
pub(super) fn tags(nodata: Option<f64>, names: &[Option<String>]) -> Vec<Tag> {
    let text = |tag, text| Tag::new(tag, TagValue::Ascii(text));
    let names = Some(names).filter(|names| names.iter().any(Option::is_some)).map(metadata);
    let nodata = nodata.map(|value| if value.is_nan() { "nan".into() } else { value.to_string() });
    names.map(|names| text(METADATA, names)).into_iter().chain(nodata.map(|value| text(NODATA, value))).collect()
}

fn metadata(names: &[Option<String>]) -> String {
    let item = |(band, name): (usize, &Option<String>)| {
        let name = escape(&escape(name.as_ref()?));
        Some(format!("  <Item name=\"DESCRIPTION\" sample=\"{band}\" role=\"description\">{name}</Item>\n"))
    };
    let items: String = names.iter().enumerate().filter_map(item).collect();
    format!("<GDALMetadata>\n{items}</GDALMetadata>\n")
}

/// `&` first, so that nothing is escaped twice.
fn escape(text: &str) -> String {
    let pairs = [("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ("\"", "&quot;")];
    pairs.iter().fold(text.to_string(), |text, (from, to)| text.replace(from, to))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_bands_are_told_from_other_items() {
        let xml = r#"<GDALMetadata>
          <Item name="SCALE" sample="0" role="scale">2</Item>
          <Item name="OWNER">x</Item>
          <Item name="DESCRIPTION" sample="1" role="description">near &lt;infra&gt; &amp;amp;lt; red</Item>
        </GDALMetadata>"#;
        assert_eq!(descriptions(xml).collect::<Vec<_>>(), [(1, "near <infra> &lt; red".to_string())]);
        assert_eq!(descriptions("<Item sample=\"x").count(), 0);
    }

    #[test]
    fn names_of_any_text_are_found_again() {
        let names = [None, Some("<Item> & \"&amp;\" größe".to_string()), Some("b".to_string())];
        let found: Vec<_> = descriptions(&metadata(&names)).collect();
        assert_eq!(found, [(1, names[1].clone().unwrap()), (2, "b".to_string())]);
        assert!(tags(None, &[None, None]).is_empty());
    }

    #[test]
    fn nodata_is_written_in_full() {
        for value in [-9999.0, 0.1, f64::MIN, f64::from(f32::MIN), f64::INFINITY, 18446744073709551615.0, 5e-324] {
            let tags = tags(Some(value), &[]);
            assert_eq!(tags[0].value.as_str().unwrap().parse(), Ok(value));
        }
        assert_eq!(tags(Some(f64::NAN), &[])[0].value.as_str(), Some("nan"));
    }
}
