//! The reconstruction loss, for cycle consistency and identity.

use tch::{Reduction, Tensor};

use crate::error::Result;
use crate::ffi;

/// Returns the mean absolute difference (Zhu et al. 2017, equation 2 and section 5.2) as a scalar.
pub(crate) fn l1(image: &Tensor, wanted: &Tensor) -> Result<Tensor> {
    ffi::on_one_thread(|| Ok(image.f_l1_loss(wanted, Reduction::Mean)?))
}
