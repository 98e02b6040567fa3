//! The calls in a pickle, which are data here: tensors and their storages are recorded, everything else is skipped.

use super::machine::Machine;
use super::opcode as op;
use super::value::{Global, Object, Storage, TensorView, Value};
use crate::error::Result;

/// Far more than weights have; libtorch allows at most 64.
const MAX_DIMENSIONS: usize = 16;
const UNCALLABLE: &str = "it calls something that cannot be called this way";

impl<'a> Machine<'a> {
    /// Reads a storage: `('storage', class, key, location, elements)`; in the format before torch 1.6 with a view into
    /// it.
    pub(super) fn persistent(&mut self) -> Result<()> {
        let id = self.pop()?;
        let (parts, view) = match *self.tuple(id)? {
            [kind, class, key, place, elements] => ([kind, class, key, place, elements], Value::None),
            [kind, class, key, place, elements, view] => ([kind, class, key, place, elements], view),
            _ => return Err(self.broken("a persistent object is not a storage")),
        };
        let [Value::Str("storage"), Value::Global(Global::Storage(dtype)), Value::Str(key), Value::Str(_), elements] =
            parts
        else {
            return Err(self.broken("a persistent object is not a storage"));
        };
        let storage = Storage { dtype, key, elements: self.length(elements, "a storage's length")? };
        let first = self.view(view, storage)?;
        self.create(Object::Storage { storage, first })
    }

    /// Returns the start of a view into a storage, `(key, offset, elements)`; without a view it is the first element.
    fn view(&self, view: Value, storage: Storage) -> Result<u64> {
        if view == Value::None {
            return Ok(0);
        }
        let &[Value::Str(_), offset, elements] = self.tuple(view)? else {
            return Err(self.broken("a storage's view has wrong parts"));
        };
        let first = self.length(offset, "a view's offset")?;
        let end = first.checked_add(self.length(elements, "a view's length")?);
        match end.is_some_and(|end| end <= storage.elements) {
            true => Ok(first),
            false => Err(self.broken("a view lies outside its storage")),
        }
    }

    fn length(&self, value: Value, what: &str) -> Result<u64> {
        let length = if let Value::Int(length) = value { u64::try_from(length).ok() } else { None };
        length.ok_or_else(|| self.broken(&format!("{what} is negative or no integer")))
    }

    pub(super) fn reduce(&mut self) -> Result<()> {
        let arguments = self.pop()?;
        match self.pop()? {
            Value::Global(Global::RebuildSubclass) => self.rebuild_subclass(arguments),
            Value::Global(global) => self.call(global, arguments),
            _ => Err(self.broken(UNCALLABLE)),
        }
    }

    fn call(&mut self, global: Global, arguments: Value<'a>) -> Result<()> {
        match global {
            Global::OrderedDict if self.tuple(arguments)?.is_empty() => self.create(Object::Dict(Vec::new())),
            Global::RebuildTensor => self.rebuild_tensor(arguments),
            Global::RebuildParameter => self.rebuild_parameter(arguments),
            Global::RebuildOther(kind) => {
                self.tuple(arguments).map(drop).and_then(|()| self.create(Object::Other(kind)))
            }
            Global::Plain => self.tuple(arguments).map(drop).and_then(|()| self.create(Object::Opaque)),
            _ => Err(self.broken(UNCALLABLE)),
        }
    }

    /// Reads `(function, class, arguments, state)`: a tensor of its own class, or with attributes.
    fn rebuild_subclass(&mut self, arguments: Value<'a>) -> Result<()> {
        match *self.tuple(arguments)? {
            // These do not include another call of this kind, so there is no deeper nesting.
            [Value::Global(function), Value::Global(_), arguments, _] => self.call(function, arguments),
            _ => Err(self.broken("a tensor of a class of its own has wrong parts")),
        }
    }

    /// Creates an object of a class whose objects are skipped.
    pub(super) fn new_object(&mut self) -> Result<()> {
        let arguments = self.pop()?;
        match self.pop()? {
            Value::Global(Global::Plain) => self.call(Global::Plain, arguments),
            _ => Err(self.unsupported(op::NEWOBJ)),
        }
    }

    /// Reads `(storage, offset, size, stride, requires_grad, hooks)`, followed by metadata in newer files.
    fn rebuild_tensor(&mut self, arguments: Value<'a>) -> Result<()> {
        let (storage, offset, size, stride, metadata) = match self.tuple(arguments)? {
            // Four parts before torch 0.4; metadata after six in newer files.
            &[storage, offset, size, stride] | &[storage, offset, size, stride, _, _] => {
                (storage, offset, size, stride, Value::None)
            }
            &[storage, offset, size, stride, _, _, metadata] => (storage, offset, size, stride, metadata),
            _ => return Err(self.broken("a tensor has a wrong number of parts")),
        };
        let (storage, first) = self.storage(storage)?;
        let offset = self.length(offset, "a tensor's offset")?.checked_add(first);
        let tensor = TensorView {
            storage,
            offset: offset.ok_or_else(|| self.broken("a tensor's offset is too large"))?,
            size: self.lengths(size)?,
            stride: self.lengths(stride)?,
            negative: self.is_negative(metadata),
        };
        self.create(Object::Tensor(tensor))
    }

    /// Returns whether the view stands for the negatives of the storage's values, like the imaginary part of a
    /// conjugate.
    fn is_negative(&self, metadata: Value) -> bool {
        match self.object(metadata) {
            Some(Object::Dict(entries)) => entries.contains(&(Value::Str("neg"), Value::Bool(true))),
            _ => false,
        }
    }

    /// Reads `(tensor, requires_grad, hooks)`, followed by state: only the tensor matters.
    fn rebuild_parameter(&mut self, arguments: Value<'a>) -> Result<()> {
        match self.tuple(arguments)? {
            &[tensor, _, _] | &[tensor, _, _, _] => self.push(tensor),
            _ => Err(self.broken("a parameter has a wrong number of parts")),
        }
    }

    /// Applies state. That of a dict is `_metadata`, which says nothing about weights; that of a NumPy type is its byte
    /// order. Nothing else can have state.
    pub(super) fn build(&mut self) -> Result<()> {
        self.pop()?;
        match self.top_object() {
            Some(Object::Dict(_) | Object::Opaque) => Ok(()),
            _ => Err(self.broken("it gives state to something that is not a dict")),
        }
    }

    fn tuple(&self, value: Value) -> Result<&[Value<'a>]> {
        match self.object(value) {
            Some(Object::Tuple(items)) => Ok(items),
            _ => Err(self.broken("it has another value in place of a tuple")),
        }
    }

    /// Returns a storage, and the element at which its view starts.
    fn storage(&self, value: Value) -> Result<(Storage<'a>, u64)> {
        match self.object(value) {
            Some(&Object::Storage { storage, first }) => Ok((storage, first)),
            _ => Err(self.broken("a tensor has no storage")),
        }
    }

    fn object(&self, value: Value) -> Option<&Object<'a>> {
        match value {
            Value::Object(index) => self.objects.get(index),
            _ => None,
        }
    }

    /// Reads a size or a stride.
    fn lengths(&self, value: Value) -> Result<Vec<u64>> {
        let items = self.tuple(value)?;
        if items.len() > MAX_DIMENSIONS {
            return Err(self.broken("a tensor has too many dimensions"));
        }
        items.iter().map(|&item| self.length(item, "a tensor's size or stride")).collect()
    }
}
