//! Naming and moving the tensors of a network.

use tch::Tensor;

use crate::error::{Error, ErrorKind, Result, shown};

/// Named parameters of a network, in the order of PyTorch's `state_dict`. The tensors are shallow copies that share
/// memory with the layers.
pub(crate) type Parameters = Vec<(String, Tensor)>;

/// Copies a tensor to `device`, without gradient and always into its own memory.
pub(crate) fn copied(tensor: &Tensor, device: tch::Device) -> Result<Tensor> {
    Ok(tensor.f_detach()?.f_to_device_(device, tensor.kind(), false, true)?)
}

/// Replaces the contents of `buffer` with the elements as `kind`, row by row, in native byte order. The tensor may be
/// on any device and have any strides.
pub(crate) fn bytes_of(tensor: &Tensor, kind: tch::Kind, buffer: &mut Vec<u8>) -> Result<()> {
    let tensor = tensor.f_detach()?.f_to_device_(tch::Device::Cpu, kind, false, false)?.f_contiguous()?;
    let count = tensor.numel();
    buffer.clear();
    buffer.resize(count * kind.elt_size_in_bytes(), 0);
    Ok(tensor.f_copy_data_u8(buffer, count)?)
}

/// Copies the tensors of `source` into those of `target` with the same names, converting dtype and device.
///
/// # Errors
/// `Usage` if a name is missing, a shape differs or a name is left over; the error names the first difference, and
/// nothing is changed.
pub(crate) fn load_parameters(target: &Parameters, source: &[(String, Tensor)]) -> Result<()> {
    let misfit = |what: String| Error::new(ErrorKind::Usage, what);
    let mut pairs = Vec::with_capacity(target.len());
    for (name, into) in target {
        let Some((_, from)) = source.iter().find(|(other, _)| other == name) else {
            return Err(misfit(format!("tensor {name} is missing from the weights")));
        };
        if from.size() != into.size() {
            return Err(misfit(format!("shape of {name} differs"))
                .expected(format!("{:?}", into.size()))
                .found(format!("{:?}", from.size())));
        }
        pairs.push((into, from));
    }
    if let Some((name, _)) = source.iter().find(|(name, _)| !target.iter().any(|(other, _)| other == name)) {
        return Err(misfit(format!("the weights hold a tensor {} that these networks do not have", shown(name))));
    }
    tch::no_grad(|| pairs.into_iter().try_for_each(|(into, from)| into.shallow_clone().f_copy_(from)))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use tch::{Device, Kind};

    fn one(name: &str, side: i64) -> Parameters {
        vec![(name.to_string(), Tensor::zeros([side], (Kind::Float, Device::Cpu)))]
    }

    #[test]
    fn loading_converts_and_shares_memory() {
        let target = one("w", 3);
        let source = vec![("w".to_string(), Tensor::from_slice(&[1f64, 2.0, 3.0]))];
        load_parameters(&target, &source).unwrap();
        assert_eq!(Vec::<f32>::try_from(&target[0].1).unwrap(), [1.0, 2.0, 3.0]);
    }

    #[test]
    fn the_first_difference_is_named() {
        for (source, part) in [(one("v", 3), "w is missing"), (one("w", 4), "shape of w"), (one("w", 3), "")] {
            let result = load_parameters(&one("w", 3), &source);
            assert_eq!(result.is_ok(), part.is_empty());
            assert!(result.err().map_or(String::new(), |e| e.to_string()).contains(part));
        }
        let mut more = one("w", 3);
        more.extend(one("x", 1));
        assert!(load_parameters(&one("w", 3), &more).unwrap_err().to_string().contains("tensor x"));
    }
}
