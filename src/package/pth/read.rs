//! Reads the tensors of a `.pth`.

use std::collections::HashMap;
use std::io::Cursor;
use std::path::Path;

use tch::Tensor;

use super::PthLimits;
use super::container;
use super::storage::StorageBytes;
use super::views::Views;
use crate::error::{Error, ErrorKind, Result};
use crate::package::pickle::{Storage, TensorView};

/// Tensors and their names.
pub(crate) type Tensors = Vec<(String, Tensor)>;

/// Reads the tensors of a state dict in the order of the file.
///
/// They are on the CPU, have the file's dtype, are contiguous and share no memory. If a dict contains a state dict
/// beside other things, such as the optimizer's state, the state dict is read; [`NAMES`](super::views::NAMES) says
/// where it may be.
///
/// # Errors
/// [`ErrorKind::Format`] for a file that is damaged or contradicts itself, [`ErrorKind::Unsupported`] for one that
/// contains more than tensors, [`ErrorKind::Limits`] for one beyond `limits`.
pub(crate) fn read(path: &Path, limits: &PthLimits) -> Result<Tensors> {
    read_marked(path, limits).map(|(tensors, _)| tensors)
}

/// Reads the tensors and the file's fingerprint of its contents.
pub(crate) fn read_marked(path: &Path, limits: &PthLimits) -> Result<(Tensors, Option<String>)> {
    container::open(path, limits, marked).map_err(|e| e.at(path))
}

/// Reads the tensors and the fingerprint of a file in memory.
pub(crate) fn read_marked_bytes(bytes: &[u8], limits: &PthLimits) -> Result<(Tensors, Option<String>)> {
    container::open_in(Cursor::new(bytes), bytes.len() as u64, limits, marked)
}

fn marked(views: Views, source: &mut dyn StorageBytes) -> Result<(Tensors, Option<String>)> {
    Ok((tensors(views, source)?, source.fingerprint()?))
}

/// Checks that a file that was just written can be read, as far as possible without its storages.
pub(crate) fn check(path: &Path, limits: &PthLimits) -> Result<()> {
    container::open(path, limits, |_, _| Ok(()))
}

fn tensors(views: Views, source: &mut dyn StorageBytes) -> Result<Tensors> {
    let mut storages = Storages { source, users: users(&views), loaded: HashMap::new() };
    views.into_iter().map(|(name, view)| Ok((name.to_owned(), storages.tensor(name, view)?))).collect()
}

/// Counts the tensors that use each storage.
fn users<'a>(views: &Views<'_, 'a>) -> HashMap<&'a str, usize> {
    let mut users = HashMap::new();
    for (_, view) in views {
        *users.entry(view.storage.key).or_insert(0) += 1;
    }
    users
}

/// The storages, each read at first use and dropped after its last use.
struct Storages<'a, 's> {
    source: &'s mut dyn StorageBytes,
    users: HashMap<&'a str, usize>,
    loaded: HashMap<&'a str, Tensor>,
}

impl<'a> Storages<'a, '_> {
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
            .and_then(|tensor| if view.negative { tensor.f_neg() } else { Ok(tensor) })
            .map_err(|e| Error::new(ErrorKind::Torch, format!("`{name}` cannot be made")).because(e))?;
        if left > 0 {
            self.loaded.insert(key, storage);
        }
        Ok(tensor)
    }

    /// Reads a storage as a flat tensor.
    fn load(&mut self, storage: Storage) -> Result<Tensor> {
        // check_claims bounded the product.
        let length = storage.elements.saturating_mul(storage.dtype.width());
        let bytes = self.source.storage(storage.key, length)?;
        let kind = storage.dtype.kind().ok_or_else(|| Error::new(ErrorKind::Unsupported, storage.dtype.describe()))?;
        // The length of `bytes` is exactly what libtorch will copy.
        Ok(Tensor::f_from_data_size(&bytes, &[storage.elements as i64], kind)?)
    }
}

/// Copies the view to its own tensor; a storage with a single user is not copied again.
fn copy_out(storage: &Tensor, view: &TensorView, shared: bool) -> std::result::Result<Tensor, tch::TchError> {
    // Every number was checked against the storage, whose length is an i64; for an empty view any stride is fine, and a
    // dimension of length 1 is never stepped along.
    let size: Vec<i64> = view.size.iter().map(|&length| length as i64).collect();
    let options = (storage.kind(), tch::Device::Cpu);
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
