//! Adam for all parameters in one kernel.

use tch::Tensor;

use super::forms::AdamStep;
use super::linked;
use crate::error::{Error, ErrorKind, Result};

/// The tensors that Adam updates; entry i of each list belongs to the same parameter.
#[derive(Debug)]
pub(crate) struct AdamTensors {
    params: Vec<Tensor>,
    first: Vec<Tensor>,
    second: Vec<Tensor>,
    /// Step counts as f32 scalars; the kernel needs one per parameter, on its device.
    steps: Vec<Tensor>,
}

/// Returns what the kernel, which iterates over raw memory, depends on: size, dtype, device and strides.
type Form = (Vec<i64>, tch::Kind, tch::Device, Vec<i64>);

fn form(tensor: &Tensor) -> Form {
    let size = tensor.size();
    // The stride of a dimension with one element does not matter.
    let steps = size.iter().zip(tensor.stride()).map(|(&n, step)| if n == 1 { 1 } else { step }).collect();
    (size, tensor.kind(), tensor.device(), steps)
}

/// Returns whether the elements fill one contiguous block of memory, each once.
fn is_dense((size, _, _, steps): &Form) -> bool {
    let mut dimensions: Vec<_> = steps.iter().zip(size).filter(|(_, n)| **n != 1).collect();
    dimensions.sort();
    let mut filled = 1;
    for (&step, &n) in dimensions {
        if step != filled {
            return false;
        }
        filled *= n;
    }
    true
}

/// Returns the gradient in the memory order of its parameter, as the kernel requires.
pub(crate) fn arranged_like(gradient: &Tensor, parameter: &Tensor) -> Result<Tensor> {
    if form(gradient) == form(parameter) {
        return Ok(gradient.shallow_clone());
    }
    tch::no_grad(|| {
        let mut arranged = parameter.f_empty_like()?.f_detach()?;
        arranged.f_copy_(gradient)?;
        Ok(arranged)
    })
}

impl AdamTensors {
    /// Wraps parameters, first and second moments, and step counts. They share memory with the given tensors.
    ///
    /// # Errors
    /// `Usage` unless parameters are dense, moments are laid out like them, and step counts are single f32 values.
    pub fn new(params: Vec<Tensor>, [first, second, steps]: [Vec<Tensor>; 3]) -> Result<Self> {
        let n = params.len();
        if [first.len(), second.len(), steps.len()] != [n; 3] {
            return Err(Error::new(ErrorKind::Usage, "Adam's lists differ in length").expected(n));
        }
        for i in 0..n {
            let wanted = form(&params[i]);
            if !is_dense(&wanted) || [&first[i], &second[i]].iter().any(|tensor| form(tensor) != wanted) {
                return Err(misfit(i, &wanted));
            }
            if (steps[i].numel(), steps[i].kind()) != (1, tch::Kind::Float) {
                return Err(Error::new(ErrorKind::Usage, "a step count of Adam is not one f32"));
            }
        }
        Ok(Self { params, first, second, steps })
    }

    /// Returns the parameters.
    pub fn params(&self) -> &[Tensor] {
        &self.params
    }

    /// Returns first moments, second moments and step counts.
    pub fn moments(&self) -> [&[Tensor]; 3] {
        [&self.first, &self.second, &self.steps]
    }

    /// Returns the entries at these indices, which must exist. They share memory with the originals.
    pub fn subset(&self, places: &[usize]) -> Self {
        let of = |list: &[Tensor]| places.iter().map(|&i| list[i].shallow_clone()).collect();
        Self { params: of(&self.params), first: of(&self.first), second: of(&self.second), steps: of(&self.steps) }
    }

    /// Performs a step of Adam with decoupled weight decay on all parameters, in place, in one kernel.
    ///
    /// # Errors
    /// `Usage` unless each gradient is [laid out like](arranged_like) its parameter.
    pub fn step(&mut self, grads: &mut [Tensor], numbers: AdamStep) -> Result<()> {
        if grads.len() != self.params.len() {
            return Err(Error::new(ErrorKind::Usage, "Adam's lists differ in length").expected(self.params.len()));
        }
        if let Some(i) = (0..grads.len()).find(|&i| form(&grads[i]) != form(&self.params[i])) {
            return Err(misfit(i, &form(&self.params[i])));
        }
        let lists = [&mut self.params, &mut self.first, &mut self.second, &mut self.steps];
        linked::fused_adamw(lists.map(Vec::as_mut_slice), grads, numbers)
    }
}

fn misfit(place: usize, wanted: &Form) -> Error {
    Error::new(ErrorKind::Usage, format!("Adam's tensors differ at {place}"))
        .expected(format!("dense ones of size, dtype, device and strides {wanted:?}"))
}
