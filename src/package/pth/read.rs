//! From a `.pth` to tensors.

use std::collections::{HashMap, HashSet};
use std::path::Path;

use tch::Tensor;

use super::PthLimits;
use super::archive::Archive;
use crate::error::{Error, ErrorKind, Result};
use crate::package::pickle::{self, Pickle, Storage, TensorView, Value};

/// Reads the tensors of a state dict in the order of the file.
///
/// They lie on the CPU, have the file's dtype, are contiguous and share no memory. Of a dict that holds a
/// state dict under `model`, as arcgis.learn writes it together with the optimiser's state, that one is read.
///
/// # Errors
/// [`ErrorKind::Format`] for a file that is damaged or contradicts itself, [`ErrorKind::Unsupported`] for
/// one that holds more than tensors, [`ErrorKind::Limits`] for one beyond `limits`.
pub(crate) fn read(path: &Path, limits: &PthLimits) -> Result<Vec<(String, Tensor)>> {
    read_archive(path, limits).map_err(|e| e.at(path))
}

fn read_archive(path: &Path, limits: &PthLimits) -> Result<Vec<(String, Tensor)>> {
    let mut archive = Archive::open(path, limits)?;
    let limits = &limits.for_file(archive.length());
    let bytes = archive.pickle(limits)?;
    let pickle = pickle::read(&bytes, limits.values)?;
    let views = tensor_views(&pickle, limits)?;
    let mut storages = Storages { archive, users: users(&views), loaded: HashMap::new() };
    views.into_iter().map(|(name, view)| Ok((name.to_owned(), storages.tensor(name, view)?))).collect()
}

pub(crate) type Views<'p, 'a> = Vec<(&'a str, &'p TensorView<'a>)>;

/// The entries of the state dict, as far as they can be checked before a storage is read.
pub(crate) fn tensor_views<'p, 'a>(pickle: &'p Pickle<'a>, limits: &PthLimits) -> Result<Views<'p, 'a>> {
    let mut names = HashSet::new();
    let named = |&(key, value): &(Value<'a>, Value<'a>)| {
        let Value::Str(name) = key else {
            return Err(
                Error::new(ErrorKind::Format, "a key of the state dict is no string").found(pickle.describe(key))
            );
        };
        if !names.insert(name) {
            return Err(Error::new(ErrorKind::Format, format!("the state dict has the key `{name}` twice")));
        }
        let tensor = pickle.tensor(value).ok_or_else(|| {
            Error::new(ErrorKind::Unsupported, format!("`{name}` cannot be read"))
                .expected("a tensor")
                .found(pickle.describe(value))
        })?;
        Ok((name, tensor))
    };
    let views = state_dict(pickle)?.iter().map(named).collect::<Result<Views>>()?;
    check_claims(&views, limits)?;
    Ok(views)
}

fn state_dict<'p, 'a>(pickle: &'p Pickle<'a>) -> Result<&'p [(Value<'a>, Value<'a>)]> {
    let top = pickle.dict(pickle.top()).ok_or_else(|| {
        Error::new(ErrorKind::Unsupported, "file holds no state dict")
            .expected("a dict of tensors")
            .found(pickle.describe(pickle.top()))
    })?;
    let model = top.iter().find(|(key, _)| *key == Value::Str("model")).and_then(|(_, value)| pickle.dict(*value));
    Ok(model.unwrap_or(top))
}

fn check_claims(views: &Views, limits: &PthLimits) -> Result<()> {
    let mut storages: HashMap<&str, Storage> = HashMap::new();
    let mut budget = limits.tensor_bytes;
    let mut storage_budget = limits.tensor_bytes;
    for (name, view) in views {
        let storage = view.storage;
        let known = storages.insert(storage.key, storage);
        if known.is_some_and(|known| known != storage) {
            return Err(Error::new(ErrorKind::Format, format!("storage {:?} is described in two ways", storage.key)));
        }
        let elements = elements(view).ok_or_else(|| outside(name, view))?;
        budget = spend(budget, elements, storage, limits)?;
        if known.is_none() {
            storage_budget = spend(storage_budget, storage.elements, storage, limits)?;
        }
    }
    Ok(())
}

fn spend(budget: u64, elements: u64, storage: Storage, limits: &PthLimits) -> Result<u64> {
    let bytes = elements.checked_mul(storage.dtype.width());
    bytes.and_then(|bytes| budget.checked_sub(bytes)).ok_or_else(|| {
        Error::new(ErrorKind::Limits, "tensors are too large")
            .expected(format!("at most {} bytes in all", limits.tensor_bytes))
    })
}

/// How many elements a view has; `None` when it reaches out of its storage or the count overflows.
fn elements(view: &TensorView) -> Option<u64> {
    if view.size.len() != view.stride.len() {
        return None;
    }
    // Even an empty tensor must not have dimensions whose product libtorch cannot hold.
    let count = view.size.iter().try_fold(1u64, |count, &length| count.checked_mul(length.max(1)))?;
    i64::try_from(count).ok()?;
    if view.size.contains(&0) {
        return (view.offset <= view.storage.elements).then_some(0);
    }
    let last = view
        .size
        .iter()
        .zip(&view.stride)
        .try_fold(view.offset, |last, (&length, &step)| last.checked_add((length - 1).checked_mul(step)?))?;
    (last < view.storage.elements).then_some(count)
}

fn outside(name: &str, view: &TensorView) -> Error {
    Error::new(ErrorKind::Format, format!("`{name}` lies outside its storage"))
        .expected(format!("a view into {} elements", view.storage.elements))
        .found(format!("shape {:?}, strides {:?}, offset {}", view.size, view.stride, view.offset))
}

/// How many tensors look into each storage.
fn users<'a>(views: &Views<'_, 'a>) -> HashMap<&'a str, usize> {
    let mut users = HashMap::new();
    for (_, view) in views {
        *users.entry(view.storage.key).or_insert(0) += 1;
    }
    users
}

/// The storages, each read when it is first needed and dropped after its last use.
struct Storages<'a> {
    archive: Archive,
    users: HashMap<&'a str, usize>,
    loaded: HashMap<&'a str, Tensor>,
}

impl<'a> Storages<'a> {
    fn tensor(&mut self, name: &str, view: &TensorView<'a>) -> Result<Tensor> {
        let key = view.storage.key;
        let left = self.users.get_mut(key).map_or(0, |left| {
            *left = left.saturating_sub(1);
            *left
        });
        let (storage, shared) = match self.loaded.remove(key) {
            Some(storage) => (storage, true),
            None => (self.load(view.storage)?, left > 0),
        };
        let tensor = copy_out(&storage, view, shared)
            .map_err(|e| Error::new(ErrorKind::Torch, format!("`{name}` cannot be made")).because(e))?;
        if left > 0 {
            self.loaded.insert(key, storage);
        }
        Ok(tensor)
    }

    /// A storage as a flat tensor.
    fn load(&mut self, storage: Storage) -> Result<Tensor> {
        // check_claims bounded the product.
        let length = storage.elements.saturating_mul(storage.dtype.width());
        let bytes = self.archive.storage(storage.key, length)?;
        // The length of `bytes` is exactly what libtorch will copy.
        Ok(Tensor::f_from_data_size(&bytes, &[storage.elements as i64], storage.dtype.kind())?)
    }
}

/// The view as a tensor of its own; a storage that nobody else uses is not copied again.
fn copy_out(storage: &Tensor, view: &TensorView, shared: bool) -> std::result::Result<Tensor, tch::TchError> {
    // Every number was checked against the storage, whose length is an i64; for an empty view any stride
    // will do, and a dimension of length 1 is never stepped along.
    let size: Vec<i64> = view.size.iter().map(|&length| length as i64).collect();
    let options = (view.storage.dtype.kind(), tch::Device::Cpu);
    if size.contains(&0) {
        return Tensor::f_zeros(&size, options);
    }
    let whole = view.size.iter().product::<u64>() == view.storage.elements;
    if whole && !shared && is_contiguous(view) {
        return storage.f_reshape(&size);
    }
    let stride: Vec<i64> =
        view.size.iter().zip(&view.stride).map(|(&length, &step)| if length == 1 { 1 } else { step as i64 }).collect();
    let window = storage.f_as_strided(&size, &stride, view.offset as i64)?;
    let mut own = Tensor::f_empty(&size, options)?;
    own.f_copy_(&window)?;
    Ok(own)
}

fn is_contiguous(view: &TensorView) -> bool {
    let mut step = 1;
    view.size.iter().zip(&view.stride).rev().all(|(&length, &stride)| {
        let fits = length == 1 || stride == step;
        step *= length;
        fits
    })
}
