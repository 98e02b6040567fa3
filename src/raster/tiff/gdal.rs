//! What GDAL keeps in tags of its own: nodata and the names of bands.

use tiff_reader::Ifd;

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

/// Band and text of each `<Item name="DESCRIPTION" sample="0" role="description">text</Item>`.
fn descriptions(xml: &str) -> impl Iterator<Item = (usize, String)> + '_ {
    xml.split("<Item ").skip(1).filter_map(|item| {
        let (attributes, rest) = item.split_once('>')?;
        let (text, _) = rest.split_once("</Item>")?;
        let band = attribute(attributes, "sample")?.parse().ok()?;
        (attribute(attributes, "role") == Some("description")).then(|| (band, unescape(text)))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_bands_are_told_from_other_items() {
        let xml = r#"<GDALMetadata>
          <Item name="SCALE" sample="0" role="scale">2</Item>
          <Item name="OWNER">x</Item>
          <Item name="DESCRIPTION" sample="1" role="description">near &lt;infra&gt; &amp;lt; red</Item>
        </GDALMetadata>"#;
        assert_eq!(descriptions(xml).collect::<Vec<_>>(), [(1, "near <infra> &lt; red".to_string())]);
        assert_eq!(descriptions("<Item sample=\"x").count(), 0);
    }
}
