//! Validates two sets of feature vectors.

use tch::{Kind, Tensor};

use crate::error::{Error, ErrorKind, Result};

/// Returns both sets in double precision, on the device of the first.
///
/// # Shapes
/// (N, D) and (M, D) of any kind; the results have the same shapes.
///
/// # Errors
/// `Usage` for other shapes, fewer than two vectors, or nonfinite values.
pub(super) fn checked(first: &Tensor, second: &Tensor) -> Result<(Tensor, Tensor)> {
    let (a, b) = (one(first, "first")?, one(second, "second")?);
    let (in_a, in_b) = (a.size2()?.1, b.size2()?.1);
    if in_a != in_b {
        return Err(Error::new(ErrorKind::Usage, "feature vectors of two sets cannot be compared")
            .expected(format!("{in_a} features in the second set as in the first"))
            .found(in_b));
    }
    let b = b.f_to_device(a.device())?;
    Ok((a, b))
}

fn one(features: &Tensor, name: &str) -> Result<Tensor> {
    let refused = |expected: &str, found: String| {
        let what = format!("the {name} set of images cannot be compared with another by its features");
        Error::new(ErrorKind::Usage, what).expected(expected).found(found)
    };
    match features.size()[..] {
        [count, length] if count >= 2 && length >= 1 => {}
        [count, length] if length >= 1 => {
            let help = "One image has no spread; compare it pixel by pixel with its truth instead.";
            return Err(refused("at least 2 images", count.to_string()).help(help));
        }
        ref size => return Err(refused("a vector of features for each image", format!("the shape {size:?}"))),
    }
    let features = features.f_detach()?.f_to_kind(Kind::Double)?;
    if features.f_isfinite()?.f_all()?.f_int64_value(&[])? == 0 {
        return Err(refused("finite numbers", "NaN or infinite ones".into()));
    }
    Ok(features)
}

#[cfg(test)]
mod tests {
    use tch::Device;

    use super::*;

    #[test]
    fn what_cannot_be_compared_is_named() {
        let zeros = |size: &[i64]| Tensor::zeros(size, (Kind::Float, Device::Cpu));
        let message = |a: &Tensor, b: &Tensor| {
            let error = checked(a, b).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Usage);
            error.to_string()
        };
        let good = zeros(&[2, 4]);
        assert!(message(&zeros(&[1, 4]), &good).contains("the first set"));
        assert!(message(&good, &zeros(&[1, 4])).contains("at least 2 images, found 1"));
        assert!(message(&good, &zeros(&[2, 5])).contains("expected 4 features in the second set"));
        assert!(message(&good, &zeros(&[4])).contains("the shape [4]"));
        assert!(message(&good, &zeros(&[4, 0])).contains("the shape [4, 0]"));
        for value in [f64::NAN, f64::INFINITY] {
            assert!(message(&good.full_like(value), &good).contains("finite"));
        }
        assert_eq!(checked(&good, &good).unwrap().1.kind(), Kind::Double);
    }
}
