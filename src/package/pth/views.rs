//! The state dict in a pickle, checked as far as possible before a storage is read.

use std::collections::{HashMap, HashSet};

use super::PthLimits;
use crate::error::{Error, ErrorKind, Result, shown};
use crate::package::pickle::{Pickle, Storage, TensorView, Value};

/// Keys under which training scripts save the state dict beside other things, in the order of the search: fastai and
/// arcgis.learn; Lightning and many others; PyTorch's tutorial; the rest.
pub(super) const NAMES: [&str; 6] = ["model", "state_dict", "model_state_dict", "net", "network", "params"];

pub(crate) type Views<'p, 'a> = Vec<(&'a str, &'p TensorView<'a>)>;

/// Returns the entries of the state dict, checked as far as possible before a storage is read.
pub(crate) fn tensor_views<'p, 'a>(pickle: &'p Pickle<'a>, limits: &PthLimits) -> Result<Views<'p, 'a>> {
    let mut names = HashSet::new();
    let named = |&(key, value): &(Value<'a>, Value<'a>)| {
        let Value::Str(name) = key else {
            return Err(
                Error::new(ErrorKind::Format, "a key of the state dict is not a string").found(pickle.describe(key))
            );
        };
        if !names.insert(name) {
            return Err(Error::new(ErrorKind::Format, format!("the state dict has the key `{}` twice", shown(name))));
        }
        let tensor = pickle.tensor(value).filter(|view| view.storage.dtype.kind().is_some()).ok_or_else(|| {
            Error::new(ErrorKind::Unsupported, format!("`{}` cannot be read", shown(name)))
                .expected("a tensor of 16-, 32- or 64-bit floats, or of integers")
                .found(pickle.tensor(value).map_or(pickle.describe(value), |view| view.storage.dtype.describe()))
        })?;
        Ok((name, tensor))
    };
    let entries = state_dict(pickle)?;
    let holds_tensors = entries.iter().any(|&(_, value)| pickle.tensor(value).is_some());
    // Numbers and strings among tensors are not weights.
    let is_meant = |entry: &&(Value<'a>, Value<'a>)| !(holds_tensors && pickle.is_plain(entry.1));
    let views = entries.iter().filter(is_meant).map(named).collect::<Result<Views>>()?;
    check_claims(&views, limits)?;
    Ok(views)
}

/// Returns the tensors themselves, or the value of the first of [`NAMES`] that is a dict.
fn state_dict<'p, 'a>(pickle: &'p Pickle<'a>) -> Result<&'p [(Value<'a>, Value<'a>)]> {
    let top = pickle.dict(pickle.top()).ok_or_else(|| {
        Error::new(ErrorKind::Unsupported, "the file contains no state dict")
            .expected("a dict of tensors")
            .found(pickle.describe(pickle.top()))
    })?;
    let under = |name: &&str| {
        let named = top.iter().find(|(key, _)| *key == Value::Str(name));
        named.and_then(|(_, value)| pickle.dict(*value))
    };
    if let Some(inner) = NAMES.iter().find_map(under) {
        return Ok(inner);
    }
    let is_tensor = |&(_, value): &(_, Value)| pickle.tensor(value).is_some();
    let holds_dicts = top.iter().any(|&(_, value)| pickle.dict(value).is_some());
    if holds_dicts && !top.iter().any(is_tensor) {
        return Err(several(top));
    }
    Ok(top)
}

/// Returns the error for a checkpoint whose parts have unknown names: any guess could be another network.
fn several(top: &[(Value, Value)]) -> Error {
    let names = top.iter().take(20).filter_map(|(key, _)| match key {
        Value::Str(name) => Some(shown(name)),
        _ => None,
    });
    Error::new(ErrorKind::Unsupported, "the state dict is not found")
        .expected(format!("a dict of tensors, or one under {}", NAMES.map(|name| format!("`{name}`")).join(", ")))
        .found(format!("the keys {}", names.map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")))
        .help("In Python: torch.save(torch.load(path, weights_only=True)[key], new_path).")
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

/// Returns the number of elements of a view; `None` if it exceeds its storage or the count overflows.
fn elements(view: &TensorView) -> Option<u64> {
    if view.size.len() != view.stride.len() {
        return None;
    }
    // Even an empty tensor must not have dimensions whose product libtorch cannot represent.
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
    Error::new(ErrorKind::Format, format!("`{}` lies outside its storage", shown(name)))
        .expected(format!("a view into {} elements", view.storage.elements))
        .found(format!("shape {:?}, strides {:?}, offset {}", view.size, view.stride, view.offset))
}
