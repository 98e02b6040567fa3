//! Fréchet distance of two sets of feature vectors: Heusel et al. 2017, arXiv:1706.08500, equation 6; Dowson and Landau
//! 1982, "The Fréchet distance between multivariate normal distributions", Journal of Multivariate Analysis 12.

use tch::{Kind, Tensor};

use super::features;
use crate::error::Result;

/// Eigenvalues below this many units in the last place of the largest are rounding errors of 0.
const ROUNDING: f64 = 10.0 * f64::EPSILON;

/// Computes the Fréchet distance of the normal distributions with the means and unbiased covariances of two sets,
/// `|m1 - m2|² + Tr(S1 + S2 - 2 (S1 S2)^½)`; for Inception features, this is the FID. It is the square of the distance,
/// as usually reported.
///
/// With fewer images than features the covariances are singular. The distance is still defined, but biased upward: it
/// falls as images are added, so only distances between sets of the same sizes should be compared.
///
/// `Tr (S1 S2)^½` is the sum of the singular values of `X1 X2ᵀ`, where `Sk = Xkᵀ Xk` and the rows of `Xk` are the
/// centered vectors divided by the square root of their number minus 1. This avoids the square root of a D x D matrix:
/// for N and M images, only the eigenvalues of a matrix of side min(N, M, D) are needed. The result is accurate to 1e-6
/// of `Tr (S1 + S2)`, and much better if no singular value is below 1e-8 of the largest.
///
/// # Shapes
/// (N, D) and (M, D) of any kind, computed in double precision; the result is at least 0.
///
/// # Errors
/// `Usage` if there are fewer than two vectors in a set (a covariance needs two), if values are not finite, or if the
/// numbers of features differ.
pub(crate) fn frechet_distance(first: &Tensor, second: &Tensor) -> Result<f64> {
    let (first, second) = features::checked(first, second)?;
    let (mean_a, spread_a) = mean_and_spread(&first)?;
    let (mean_b, spread_b) = mean_and_spread(&second)?;
    let means = square_sum(&(mean_a.f_sub(&mean_b)?))?;
    let traces = square_sum(&spread_a)? + square_sum(&spread_b)?;
    let product = factor(spread_a)?.f_mm(&factor(spread_b)?.f_tr()?)?;
    Ok((means + traces - 2.0 * singular_value_sum(&product)?).max(0.0))
}

/// Returns the mean (1, D), and the matrix X (N, D) for which `Xᵀ X` is the unbiased covariance.
fn mean_and_spread(features: &Tensor) -> Result<(Tensor, Tensor)> {
    let mean = features.f_mean_dim(&[0i64][..], true, Kind::Double)?;
    let freedom = (features.size2()?.0 - 1) as f64;
    let spread = features.f_sub(&mean)?.f_div_scalar(freedom.sqrt())?;
    Ok((mean, spread))
}

/// Returns a factor of the same covariance with at most D rows: the triangular matrix of a QR decomposition.
fn factor(spread: Tensor) -> Result<Tensor> {
    let (count, length) = spread.size2()?;
    if count <= length {
        return Ok(spread);
    }
    Ok(Tensor::f_linalg_qr(&spread, "r")?.1)
}

/// Uses the eigenvalues of the smaller Gram matrix: ten times as fast as libtorch's singular values of 2,000 x 2,000.
fn singular_value_sum(matrix: &Tensor) -> Result<f64> {
    let (rows, columns) = matrix.size2()?;
    let turned = matrix.f_tr()?;
    let gram = if rows <= columns { matrix.f_mm(&turned)? } else { turned.f_mm(matrix)? };
    let squares = gram.f_linalg_eigvalsh("L")?;
    let least = squares.f_max()?.f_double_value(&[])?.max(0.0) * ROUNDING;
    let kept = squares.f_where_self(&squares.f_gt(least)?, &squares.f_zeros_like()?)?;
    Ok(kept.f_sqrt()?.f_sum(Kind::Double)?.f_double_value(&[])?)
}

fn square_sum(values: &Tensor) -> Result<f64> {
    Ok(values.f_square()?.f_sum(Kind::Double)?.f_double_value(&[])?)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::metrics::fixtures::{features, truth};
    use crate::random::Seed;
    use crate::testing::Tolerance;

    /// Draws vectors from a normal distribution, with a different spread for each feature.
    fn draws(name: &str, seed: u64, count: i64, length: i64) -> Tensor {
        let values = Seed(seed).stream(name, 0).normals((count * length) as usize);
        let spread = Tensor::linspace(0.1, 2.0, length, (Kind::Double, tch::Device::Cpu));
        Tensor::from_slice(&values).to_kind(Kind::Double).view([count, length]) * spread
    }

    /// Computes the textbook formula, with square roots of the covariances.
    fn by_square_roots(a: &Tensor, b: &Tensor) -> f64 {
        let covariance = |x: &Tensor| x.tr().cov(1, None::<Tensor>, None::<Tensor>);
        let (s1, s2) = (covariance(a), covariance(b));
        let (values, vectors) = s1.linalg_eigh("L");
        let root = (&vectors * values.clamp_min(0.0).sqrt()).mm(&vectors.tr());
        let product = root.mm(&s2).mm(&root).linalg_eigvalsh("L").clamp_min(0.0).sqrt().sum(Kind::Double);
        let means = (a.mean_dim(0, false, Kind::Double) - b.mean_dim(0, false, Kind::Double)).square();
        let trace = |s: &Tensor| s.trace().double_value(&[]);
        means.sum(Kind::Double).double_value(&[]) + trace(&s1) + trace(&s2) - 2.0 * product.double_value(&[])
    }

    #[test]
    fn distance_is_that_of_scipys_square_root() {
        let (a, b) = (features("a"), features("b"));
        let found = frechet_distance(&a, &b).unwrap();
        Tolerance { abs: 0.0, rel: 1e-9 }.number("full rank", found, truth("/frechet").as_f64().unwrap());
    }

    /// With fewer vectors than features, `sqrtm` is not accurate enough; the fixture has NumPy's singular values.
    /// Square roots of rounding errors instead of 0 would show at 1e-10.
    #[test]
    fn singular_covariances_are_exact() {
        let (a, b) = (features("a").narrow(0, 0, 20), features("b").narrow(0, 0, 15));
        let found = frechet_distance(&a, &b).unwrap();
        Tolerance { abs: 0.0, rel: 1e-12 }.number("few", found, truth("/frechet_few").as_f64().unwrap());
        let found = frechet_distance(&features("a"), &b).unwrap();
        Tolerance { abs: 0.0, rel: 1e-12 }.number("mixed", found, truth("/frechet_mixed").as_f64().unwrap());
    }

    #[test]
    fn both_ways_to_the_trace_agree() {
        for (n, m, d) in [(5, 9, 32), (31, 64, 32), (100, 80, 32), (32, 33, 32), (2, 2, 32)] {
            let (a, b) = (draws("a", 1, n, d), draws("b", 2, m, d) * 1.3 + 0.2);
            // The square roots of the covariances treat rounding errors of 0 as eigenvalues: each adds about 1e-8 of
            // the largest.
            let tolerance = Tolerance { abs: 0.0, rel: 1e-7 };
            tolerance.number(&format!("{n} {m}"), frechet_distance(&a, &b).unwrap(), by_square_roots(&a, &b));
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]

        /// A set translated by c has the distance |c|², and one also scaled by s about its mean has |c|² + (1 - s)² Tr
        /// S, whether or not there are enough vectors for a covariance of full rank.
        #[test]
        fn moved_and_stretched_sets(
            seed in 0u64..1000, count in 2i64..40, length in 1i64..20, s in 0.0f64..3.0, c in -2.0f64..2.0,
        ) {
            let a = draws("a", seed, count, length);
            let mean = a.mean_dim(&[0i64][..], true, Kind::Double);
            let b = (&a - &mean) * s + &mean + c;
            let variance = a.var_dim(0, true, false).sum(Kind::Double).double_value(&[]);
            let expected = c * c * length as f64 + (1.0 - s).powi(2) * variance;
            let found = frechet_distance(&a, &b).unwrap();
            prop_assert!((found - expected).abs() <= 1e-6 * (1.0 + variance * s.max(1.0)), "{found} {expected}");
        }

        #[test]
        fn distance_is_symmetric_and_order_does_not_matter(seed in 0u64..1000, n in 2i64..30, m in 2i64..30) {
            let (a, b) = (draws("a", seed, n, 16), draws("b", seed, m, 16) + 0.5);
            let found = frechet_distance(&a, &b).unwrap();
            let mut order: Vec<i64> = (0..n).collect();
            Seed(seed).stream("order", 0).shuffle(&mut order);
            let shuffled = a.index_select(0, &Tensor::from_slice(&order));
            for other in [frechet_distance(&b, &a), frechet_distance(&shuffled, &b)] {
                prop_assert!((other.unwrap() - found).abs() < 1e-6, "{found}");
            }
            prop_assert!(frechet_distance(&a, &shuffled).unwrap() < 1e-6);
        }
    }
}
