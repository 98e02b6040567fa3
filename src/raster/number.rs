//! Parses numbers like GDAL: only the beginning of the text counts, and a comma may be the decimal point.

use super::Dtype;

/// Returns the number at the beginning of a text; `None` if there is none, in which case GDAL would return 0.
///
/// NaN and infinities may have any of their usual names, in any letter case. Numbers beyond the range of `f64` become
/// its largest values, because software that writes 15 digits prints the extremes that way.
pub(super) fn leading(text: &str) -> Option<f64> {
    let text = text.trim_start();
    if let Some(special) = special(text) {
        return Some(special);
    }
    let end = end_of_number(text.as_bytes())?;
    let number: f64 = text.get(..end)?.replace(',', ".").parse().ok()?;
    Some(number.clamp(f64::MIN, f64::MAX))
}

/// Returns the integer at the beginning of a text, unless a fraction or an exponent follows.
fn leading_whole(text: &str) -> Option<i128> {
    let text = text.trim_start();
    let end = usize::from(text.starts_with(['-', '+']));
    let end = end + digits(text.as_bytes().get(end..)?);
    match text.as_bytes().get(end) {
        Some(b'.' | b',' | b'e' | b'E') => None,
        _ => text.get(..end)?.parse().ok(),
    }
}

/// Parses the nodata value for samples of this type. `None` if the text contains no number, or a 64-bit integer that
/// `f64` cannot represent.
pub(super) fn nodata(text: &str, dtype: Dtype) -> Option<f64> {
    let whole = leading_whole(text).filter(|_| matches!(dtype, Dtype::I64 | Dtype::U64));
    let Some(whole) = whole else { return leading(text) };
    let value = whole as f64;
    // The casts saturate, so that the extremes are preserved.
    let (again, has_it) = match dtype {
        Dtype::I64 => ((value as i64).into(), i64::try_from(whole).is_ok()),
        _ => (i128::from(value as u64), u64::try_from(whole).is_ok()),
    };
    (!has_it || again == whole).then_some(value)
}

/// Returns the text that GDAL and [`nodata`] both read as this value.
pub(super) fn nodata_text(value: f64, dtype: Dtype) -> String {
    match dtype {
        Dtype::U64 => (value as u64).to_string(),
        Dtype::F32 | Dtype::F64 if value.is_nan() => "nan".into(),
        Dtype::F32 | Dtype::F64 => format!("{value:?}").trim_end_matches(".0").to_string(),
        _ => (value as i64).to_string(),
    }
}

fn special(text: &str) -> Option<f64> {
    let word = text.split(char::is_whitespace).next()?.to_ascii_lowercase();
    let (word, sign) = match word.strip_prefix('-') {
        Some(rest) => (rest, -1.0),
        None => (word.strip_prefix('+').unwrap_or(&word), 1.0),
    };
    match word {
        "nan" | "1.#qnan" | "1.#snan" | "1.#ind" => Some(f64::NAN),
        "inf" | "infinity" | "1.#inf" => Some(sign * f64::INFINITY),
        _ => None,
    }
}

/// Returns where a decimal number ends: digits, a fraction, an exponent. `None` if there are no digits.
fn end_of_number(text: &[u8]) -> Option<usize> {
    let start = usize::from(matches!(text.first(), Some(b'-' | b'+')));
    let whole = digits(text.get(start..)?);
    let mut end = start + whole;
    let mut any = whole;
    if let Some(b'.' | b',') = text.get(end) {
        let fraction = digits(&text[end + 1..]);
        any += fraction;
        end += 1 + fraction;
    }
    if any == 0 {
        return None;
    }
    if let Some(b'e' | b'E') = text.get(end) {
        let sign = usize::from(matches!(text.get(end + 1), Some(b'-' | b'+')));
        let exponent = digits(text.get(end + 1 + sign..).unwrap_or_default());
        end += if exponent > 0 { 1 + sign + exponent } else { 0 };
    }
    Some(end)
}

fn digits(text: &[u8]) -> usize {
    text.iter().take_while(|byte| byte.is_ascii_digit()).count()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_beginning_counts() {
        let cases =
            [("-9999,0", -9999.0), (" 1,5 m", 1.5), ("1,234.5", 1.234), ("5.", 5.0), ("-.5e1x", -5.0), ("7e", 7.0)];
        for (text, number) in cases {
            assert_eq!(leading(text), Some(number), "{text}");
        }
        for text in ["", " ", "m5", "- 5", "nano", ".", "-", ",e5", "٣"] {
            assert_eq!(leading(text), None, "{text}");
        }
        assert!(["nan", " NaN ", "-nan", "1.#QNAN", "-1.#IND x"].iter().all(|text| leading(text).unwrap().is_nan()));
        assert_eq!(leading("-Infinity"), Some(f64::NEG_INFINITY));
        assert_eq!((leading("-1.79769313486232e+308"), leading("1e999")), (Some(f64::MIN), Some(f64::MAX)));
    }

    /// `nodata.json` contains rasterio's results. This crate differs from it when GDAL returns 0 for text that is not a
    /// number, truncates text that is not a 64-bit integer, or does not recognize a spelling of NaN.
    #[test]
    fn texts_of_nodata_mean_what_gdal_means() {
        const DTYPES: [Dtype; 6] = [Dtype::U8, Dtype::I16, Dtype::F32, Dtype::F64, Dtype::I64, Dtype::U64];
        let truth = std::fs::read_to_string("tests/fixtures/metadata/nodata.json").unwrap();
        let truth: serde_json::Map<String, serde_json::Value> = serde_json::from_str(&truth).unwrap();
        let mut agreed = 0;
        for ((text, of), dtype) in truth.iter().flat_map(|of_text| DTYPES.map(|dtype| (of_text, dtype))) {
            let expected: Option<f64> = of[dtype.name()].as_str().map(|text| text.parse().unwrap());
            let found = nodata(text, dtype).map(|value| dtype.stored(value));
            let is_wide = matches!(dtype, Dtype::I64 | Dtype::U64);
            let about = format!("{text:?} in {dtype}: {found:?}, {expected:?}");
            match (leading(text), found) {
                (None, _) => assert!(found.is_none() && [None, Some(0.0)].contains(&expected), "{about}"),
                // Whatever letters and spaces surround it.
                (Some(number), Some(found)) if !number.is_finite() => assert!(!found.is_finite(), "{about}"),
                (Some(number), Some(found)) if is_wide && leading_whole(text).is_none() => assert_eq!(found, number),
                (Some(_), Some(found)) if dtype.can_mean(found) => {
                    // rasterio has no name for the largest 64-bit value.
                    let is_largest = is_wide && found.abs() > 9e18 && expected.is_none();
                    assert!(expected == Some(found) || is_largest, "{about}");
                    agreed += 1;
                }
                // No sample has it; GDAL wraps it if it is negative, or rounds it to infinity.
                (Some(_), Some(_)) => assert!(expected.is_none_or(|v| v == found.unwrap() || v > 1e18), "{about}"),
                (Some(number), None) => assert!(is_wide && number.abs() > 9e15, "{about}"),
            }
        }
        assert!(agreed > 150, "{agreed}");
    }

    proptest! {
        #[test]
        fn a_number_is_found_again_however_it_is_written(bits: u64, rest in "[ ;a-z]{0,1}[a-z ]{0,5}") {
            let number = f64::from_bits(bits);
            prop_assume!(number.is_finite() && !rest.starts_with('e'));
            for text in [format!("{number}"), format!("{number:?}"), format!("{number:e}"), format!("{number:E}")] {
                prop_assert_eq!(leading(&format!(" {text}{rest}")), Some(number));
                prop_assert_eq!(leading(&text.replace('.', ",")), Some(number));
            }
        }

        #[test]
        fn any_text_is_a_number_or_none(text in "\\PC{0,12}") {
            let (_, _) = (leading(&text), leading_whole(&text));
        }

        #[test]
        fn whole_numbers_keep_all_digits(number: i64) {
            prop_assert_eq!(leading_whole(&format!("{number} m")), Some(number.into()));
            prop_assert_eq!(leading_whole(&format!("{number}.5")), None);
        }
    }
}
