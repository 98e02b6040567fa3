//! Moments of the kernel, from which the kernel distance and its standard error are computed. All are unbiased
//! estimates: means over all tuples of different vectors, in closed form (Sutherland and Deka 2019, arXiv:1906.02104).

use tch::{Kind, Tensor};

use crate::error::Result;

/// Rows of a kernel matrix that are in memory at once.
const ROWS: i64 = 1024;

/// Returns the cubic kernel of all pairs, (n, D) and (m, D) to (n, m).
pub(super) fn kernel(x: &Tensor, y: &Tensor) -> Result<Tensor> {
    let products = x.f_mm(&y.f_tr()?)?;
    Ok(products.f_div_scalar(x.size2()?.1)?.f_add_scalar(1.0)?.f_pow_tensor_scalar(3)?)
}

/// Sums over the kernels of distinct vectors of one set.
pub(super) struct Within {
    pub count: f64,
    rows: Tensor,
    total: f64,
    squares: f64,
    row_squares: f64,
}

impl Within {
    pub fn of(x: &Tensor, shift: f64) -> Result<Self> {
        let sums = Sums::of(x, x, shift, true)?;
        let [total, row_squares] = [total(&sums.rows)?, dot(&sums.rows, &sums.rows)?];
        Ok(Self { count: x.size()[0] as f64, rows: sums.rows, total, squares: sums.squares, row_squares })
    }

    pub fn mean(&self) -> f64 {
        self.total / (self.count * (self.count - 1.0))
    }

    /// E k(x, x')².
    fn square(&self) -> f64 {
        self.squares / (self.count * (self.count - 1.0))
    }

    /// E k(x, x') k(x, x'').
    fn chain(&self) -> f64 {
        let n = self.count;
        (self.row_squares - self.squares) / (n * (n - 1.0) * (n - 2.0))
    }

    /// (E k(x, x'))².
    fn mean_square(&self) -> f64 {
        let n = self.count;
        let apart = self.total.powi(2) - 4.0 * self.row_squares + 2.0 * self.squares;
        apart / (n * (n - 1.0) * (n - 2.0) * (n - 3.0))
    }

    /// Returns the variance of a vector's mean kernel with its set.
    pub fn projection(&self) -> f64 {
        self.chain() - self.mean_square()
    }

    /// Returns the variance of the kernel minus its means.
    pub fn interaction(&self) -> f64 {
        self.square() - 2.0 * self.chain() + self.mean_square()
    }

    /// Returns the covariance of a vector's mean kernels with its set and with the `other` vectors.
    pub fn covariance(&self, across: &Tensor, across_total: f64, other: f64) -> Result<f64> {
        let n = self.count;
        let joint = dot(&self.rows, across)?;
        let apart = (self.total * across_total - 2.0 * joint) / (n * (n - 1.0) * (n - 2.0) * other);
        Ok(joint / (n * (n - 1.0) * other) - apart)
    }
}

/// Sums over the kernels between the vectors of two sets.
pub(super) struct Between {
    counts: [f64; 2],
    pub rows: Tensor,
    pub columns: Tensor,
    pub total: f64,
    squares: f64,
    row_squares: f64,
    column_squares: f64,
}

impl Between {
    pub fn of(x: &Tensor, y: &Tensor, shift: f64) -> Result<Self> {
        let Sums { rows, columns, squares } = Sums::of(x, y, shift, false)?;
        let counts = [x, y].map(|v| v.size()[0] as f64);
        let (row_squares, column_squares) = (dot(&rows, &rows)?, dot(&columns, &columns)?);
        Ok(Self { counts, total: total(&rows)?, rows, columns, squares, row_squares, column_squares })
    }

    pub fn mean(&self) -> f64 {
        self.total / (self.counts[0] * self.counts[1])
    }

    /// E k(x, y) k(x, y').
    fn row_chain(&self) -> f64 {
        let [n, m] = self.counts;
        (self.row_squares - self.squares) / (n * m * (m - 1.0))
    }

    /// E k(x, y) k(x', y).
    fn column_chain(&self) -> f64 {
        let [n, m] = self.counts;
        (self.column_squares - self.squares) / (n * m * (n - 1.0))
    }

    /// (E k(x, y))².
    fn mean_square(&self) -> f64 {
        let [n, m] = self.counts;
        let apart = self.total.powi(2) - self.row_squares - self.column_squares + self.squares;
        apart / (n * (n - 1.0) * m * (m - 1.0))
    }

    pub fn row_projection(&self) -> f64 {
        self.row_chain() - self.mean_square()
    }

    pub fn column_projection(&self) -> f64 {
        self.column_chain() - self.mean_square()
    }

    pub fn interaction(&self) -> f64 {
        self.squares / (self.counts[0] * self.counts[1]) - self.row_chain() - self.column_chain() + self.mean_square()
    }
}

/// Computed without ever having the whole kernel matrix in memory.
struct Sums {
    rows: Tensor,
    columns: Tensor,
    squares: f64,
}

impl Sums {
    fn of(x: &Tensor, y: &Tensor, shift: f64, leaves_out_diagonal: bool) -> Result<Self> {
        let mut rows = Vec::new();
        let mut columns = y.f_new_zeros([y.size()[0]], (y.kind(), y.device()))?;
        let mut squares = 0.0;
        let count = x.size()[0];
        for start in (0..count).step_by(ROWS as usize) {
            let length = ROWS.min(count - start);
            let block = kernel(&x.f_narrow(0, start, length)?, y)?.f_sub_scalar(shift)?;
            if leaves_out_diagonal {
                let _ = block.f_narrow(1, start, length)?.f_fill_diagonal_(0.0, false)?;
            }
            rows.push(block.f_sum_dim_intlist(&[1i64][..], false, Kind::Double)?);
            columns = columns.f_add(&block.f_sum_dim_intlist(&[0i64][..], false, Kind::Double)?)?;
            squares += total(&block.f_square()?)?;
        }
        Ok(Self { rows: Tensor::f_cat(&rows, 0)?, columns, squares })
    }
}

fn total(values: &Tensor) -> Result<f64> {
    Ok(values.f_sum(Kind::Double)?.f_double_value(&[])?)
}

fn dot(a: &Tensor, b: &Tensor) -> Result<f64> {
    Ok(a.f_dot(b)?.f_double_value(&[])?)
}
