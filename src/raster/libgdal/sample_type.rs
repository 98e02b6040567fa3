//! The data type of an image's samples, and how to request them from GDAL.

use gdal::Metadata;
use gdal::raster::{GdalDataType, GdalType, RasterBand};

use crate::raster::Dtype;

/// Returns the type of a band's samples; `None` for complex types and for those unknown to this crate.
pub(super) fn of_band(band: &RasterBand<'_>) -> Option<Dtype> {
    let dtype = of_type(band.band_type())?;
    // How GDAL before 3.7 marks signed bytes.
    let is_signed = || band.metadata_item("PIXELTYPE", "IMAGE_STRUCTURE").is_some_and(|kind| kind == "SIGNEDBYTE");
    Some(if dtype == Dtype::U8 && is_signed() { Dtype::I8 } else { dtype })
}

/// Returns a type that can represent samples of all these types.
pub(super) fn of_all(dtypes: &[Dtype]) -> Option<Dtype> {
    let (first, rest) = dtypes.split_first()?;
    if rest.iter().all(|other| other == first) {
        return Some(*first);
    }
    let all = dtypes.iter().copied().map(data_type).reduce(|one, other| one.union(other))?;
    of_type(all)
}

/// By name, since not every version of GDAL has all of them.
fn of_type(kind: GdalDataType) -> Option<Dtype> {
    Some(match kind.name().as_str() {
        "Byte" | "UInt8" => Dtype::U8,
        "Int8" => Dtype::I8,
        "UInt16" => Dtype::U16,
        "Int16" => Dtype::I16,
        "UInt32" => Dtype::U32,
        "Int32" => Dtype::I32,
        "UInt64" => Dtype::U64,
        "Int64" => Dtype::I64,
        "Float32" => Dtype::F32,
        "Float64" => Dtype::F64,
        _ => return None,
    })
}

/// Signed bytes are read as the next wider type, which every version of GDAL has.
fn data_type(dtype: Dtype) -> GdalDataType {
    match dtype {
        Dtype::U8 => u8::datatype(),
        Dtype::I8 | Dtype::I16 => i16::datatype(),
        Dtype::U16 => u16::datatype(),
        Dtype::U32 => u32::datatype(),
        Dtype::I32 => i32::datatype(),
        Dtype::U64 => u64::datatype(),
        Dtype::I64 => i64::datatype(),
        Dtype::F32 => f32::datatype(),
        Dtype::F64 => f64::datatype(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_type_for_all_bands_loses_nothing() {
        use Dtype::{F32, F64, I8, I16, I32, U8, U16, U32};
        for (dtypes, all) in [
            (&[U8, U8][..], U8),
            (&[I8, I8], I8),
            (&[I8, U8], I16),
            (&[U8, U16], U16),
            (&[I16, U16], I32),
            (&[U16, F32], F32),
            (&[U32, F32], F64),
        ] {
            assert_eq!(of_all(dtypes), Some(all), "{dtypes:?}");
        }
        assert_eq!(of_all(&[]), None);
    }
}
