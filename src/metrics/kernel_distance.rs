//! Kernel distance of two sets of feature vectors, with its standard error: Bińkowski et al. 2018, arXiv:1801.01401,
//! and Sutherland and Deka 2019, arXiv:1906.02104.

use tch::{Kind, Tensor};

use super::features;
use super::kernel_moments::{Between, Within, kernel};
use crate::error::Result;

/// Number of vectors that the variance of the estimate needs in each set: some of its terms involve four different
/// ones.
const LEAST_FOR_ERROR: i64 = 4;

/// An estimate of the squared maximum mean discrepancy between the distributions of two sets.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct KernelDistance {
    /// The unbiased estimate, which may be below 0 for similar sets.
    pub value: f64,
    /// The standard deviation of `value` over sets of these sizes; `None` with fewer than four vectors in a set.
    pub standard_error: Option<f64>,
}

/// Computes the unbiased squared maximum mean discrepancy with the kernel `k(x, y) = (x·y / D + 1)³`; for Inception
/// features, this is the KID, which is often reported times 1,000.
///
/// This is the U-statistic over all pairs of vectors. Other programs, such as clean-fid, report the mean over 100
/// random subsets of at most 1,000 images. For two sets of equal size that fit into one subset, the results are the
/// same; otherwise the mean over subsets has the same expectation but additional noise from the choice of subsets. The
/// spread over subsets is not a standard error, because subsets share images.
///
/// The standard error comes from Hoeffding's decomposition of the U-statistic: for sets of n and m, `4/n Var g(x) + 4/m
/// Var g(y) + 2/(n(n-1)) Vxx + 2/(m(m-1)) Vyy + 4/(nm) Vxy`, where g is the difference of the mean kernels with either
/// set, and V is the variance of the kernel minus its means over either argument. Each term is estimated without bias,
/// and set to 0 if the estimate is negative. For sets from the same distribution, the first two terms vanish; a
/// jackknife would then be 40 % too large.
///
/// # Shapes
/// (N, D) and (M, D) of any kind, computed in double precision.
///
/// # Errors
/// `Usage` if there are fewer than two vectors in a set, if values are not finite, or if the numbers of features
/// differ.
pub(crate) fn kernel_distance(first: &Tensor, second: &Tensor) -> Result<KernelDistance> {
    let (x, y) = features::checked(first, second)?;
    let shift = typical_kernel(&x, &y)?;
    let (within_x, within_y) = (Within::of(&x, shift)?, Within::of(&y, shift)?);
    let between = Between::of(&x, &y, shift)?;
    let value = within_x.mean() + within_y.mean() - 2.0 * between.mean();
    let has_error = x.size()[0].min(y.size()[0]) >= LEAST_FOR_ERROR;
    let variance = if has_error { Some(variance(&within_x, &within_y, &between)?) } else { None };
    Ok(KernelDistance { value, standard_error: variance.map(f64::sqrt) })
}

/// The kernel of the two means. Subtracting a constant from all kernels changes neither the distance nor its error,
/// only the rounding.
fn typical_kernel(x: &Tensor, y: &Tensor) -> Result<f64> {
    let mean = |v: &Tensor| v.f_mean_dim(&[0i64][..], true, Kind::Double);
    Ok(kernel(&mean(x)?, &mean(y)?)?.f_double_value(&[0, 0])?)
}

fn variance(x: &Within, y: &Within, between: &Between) -> Result<f64> {
    let (n, m) = (x.count, y.count);
    let of_x = x.projection() + between.row_projection() - 2.0 * x.covariance(&between.rows, between.total, m)?;
    let of_y = y.projection() + between.column_projection() - 2.0 * y.covariance(&between.columns, between.total, n)?;
    let terms = [
        4.0 / n * of_x,
        4.0 / m * of_y,
        2.0 / (n * (n - 1.0)) * x.interaction(),
        2.0 / (m * (m - 1.0)) * y.interaction(),
        4.0 / (n * m) * between.interaction(),
    ];
    Ok(terms.iter().map(|term| term.max(0.0)).sum())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use tch::Device;

    use super::*;
    use crate::metrics::fixtures::{features, truth};
    use crate::random::{Seed, Stream};
    use crate::testing::Tolerance;

    fn normal(stream: &mut Stream, count: i64, length: i64) -> Tensor {
        Tensor::from_slice(&stream.normals((count * length) as usize)).view([count, length])
    }

    #[test]
    fn distance_is_numpys() {
        let found = kernel_distance(&features("a"), &features("b")).unwrap();
        let tolerance = Tolerance { abs: 0.0, rel: 1e-12 };
        tolerance.number("distance", found.value, truth("/kernel").as_f64().unwrap());
        // Sums over all draws without replacement, of the first 9 and 7.
        let (a, b) = (features("a").narrow(0, 0, 9), features("b").narrow(0, 0, 7));
        let few = kernel_distance(&a, &b).unwrap();
        tolerance.number("few", few.value, truth("/kernel_few").as_f64().unwrap());
        let expected = truth("/kernel_few_error").as_f64().unwrap();
        Tolerance { abs: 0.0, rel: 1e-9 }.number("error", few.standard_error.unwrap(), expected);
    }

    /// The standard error compared with the spread of the distances of 400 pairs of sets, which itself is known to 3.5
    /// %.
    #[test]
    fn standard_error_is_the_spread_over_sets() {
        let changes: [(&str, i64, i64, f64, f64); 4] = [
            ("alike", 30, 30, 1.0, 0.0),
            ("unequal", 16, 50, 1.0, 0.0),
            ("moved", 30, 40, 1.0, 0.4),
            ("wide", 25, 25, 1.6, 0.1),
        ];
        for (name, n, m, stretch, shift) in changes {
            let mut stream = Seed(11).stream(name, 0);
            let draw =
                |_| kernel_distance(&normal(&mut stream, n, 12), &(normal(&mut stream, m, 12) * stretch + shift));
            let found: Vec<KernelDistance> = (0..400).map(draw).collect::<Result<_>>().unwrap();
            let mean = found.iter().map(|d| d.value).sum::<f64>() / 400.0;
            let spread = (found.iter().map(|d| (d.value - mean).powi(2)).sum::<f64>() / 399.0).sqrt();
            let error = (found.iter().map(|d| d.standard_error.unwrap().powi(2)).sum::<f64>() / 400.0).sqrt();
            assert!((error / spread - 1.0).abs() < 0.2, "{name}: {error} for {spread}");
            // Unbiased: similar sets have a mean distance of 0, within five standard errors.
            assert!(!name.starts_with(['a', 'u']) || mean.abs() < 5.0 * spread / 20.0, "{name}: {mean}, {spread}");
        }
    }

    #[test]
    fn few_vectors_have_no_error_and_blocks_add_up() {
        let mut stream = Seed(2).stream("few", 0);
        let (three, many) = (normal(&mut stream, 3, 5), normal(&mut stream, 2100, 5));
        let found = kernel_distance(&three, &many).unwrap();
        assert_eq!(found.standard_error, None);
        let whole = |x: &Tensor, y: &Tensor| (x.mm(&y.tr()) / 5.0 + 1.0).pow_tensor_scalar(3);
        let own = |x: &Tensor| {
            let (n, kernels) = (x.size()[0] as f64, whole(x, x));
            (kernels.sum(Kind::Double) - kernels.trace()).double_value(&[]) / (n * (n - 1.0))
        };
        let cross = whole(&three, &many).mean(Kind::Double).double_value(&[]);
        Tolerance::abs(1e-12).number("blocks", found.value, own(&three) + own(&many) - 2.0 * cross);
        let zeros = Tensor::zeros([4, 3], (Kind::Float, Device::Cpu));
        let none = kernel_distance(&zeros, &zeros).unwrap();
        assert_eq!(none, KernelDistance { value: 0.0, standard_error: Some(0.0) });
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]

        #[test]
        fn distance_is_symmetric_and_order_does_not_matter(seed in 0u64..1000, n in 4i64..20, m in 4i64..20) {
            let mut stream = Seed(seed).stream("sets", 0);
            let (a, b) = (normal(&mut stream, n, 8), normal(&mut stream, m, 8) + 0.3);
            let mut order: Vec<i64> = (0..n).collect();
            stream.shuffle(&mut order);
            let shuffled = a.index_select(0, &Tensor::from_slice(&order));
            let found = kernel_distance(&a, &b).unwrap();
            for other in [kernel_distance(&b, &a).unwrap(), kernel_distance(&shuffled, &b).unwrap()] {
                prop_assert!((found.value - other.value).abs() < 1e-10, "{found:?} {other:?}");
                let errors = [found, other].map(|d| d.standard_error.unwrap());
                prop_assert!((errors[0] - errors[1]).abs() < 1e-6, "{errors:?}");
            }
        }
    }
}
