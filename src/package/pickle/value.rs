//! The values of a pickle after reading: plain data in one flat list, so that nesting cannot exhaust the stack.

pub(crate) use super::globals::{Dtype, Global};

/// A value; compound ones are an index into [`Pickle`]'s list.
///
/// Floats, large integers and bytes are not stored: they never contain weights.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Value<'a> {
    None,
    Bool(bool),
    Float,
    Int(i64),
    /// An integer of more than eight bytes.
    Large,
    Bytes,
    Str(&'a str),
    Global(Global),
    Object(usize),
}

#[derive(Debug)]
pub(crate) enum Object<'a> {
    Tuple(Vec<Value<'a>>),
    List(Vec<Value<'a>>),
    Dict(Vec<(Value<'a>, Value<'a>)>),
    Storage {
        storage: Storage<'a>,
        /// The element at which the offsets of tensors start.
        first: u64,
    },
    Tensor(TensorView<'a>),
    /// A tensor of a kind that weights never have, with its description.
    Other(&'static str),
    /// Plain data that does not matter here, such as a NumPy number, a size or a set.
    Opaque,
}

/// Elements in the entry `data/<key>` of an archive, or in sequence in a file from before torch 1.6.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Storage<'a> {
    pub dtype: Dtype,
    pub key: &'a str,
    /// As claimed by the pickle.
    pub elements: u64,
}

/// A tensor as a view into a storage; the only check so far is that no number is negative.
#[derive(Debug, Clone)]
pub(crate) struct TensorView<'a> {
    pub storage: Storage<'a>,
    pub offset: u64,
    pub size: Vec<u64>,
    pub stride: Vec<u64>,
    /// Whether it stands for the negatives of the values.
    pub negative: bool,
}

/// A complete pickle.
#[derive(Debug)]
pub(crate) struct Pickle<'a> {
    pub(super) objects: Vec<Object<'a>>,
    pub(super) top: Value<'a>,
}

impl<'a> Pickle<'a> {
    /// Returns the value of the pickle as a whole.
    pub(crate) fn top(&self) -> Value<'a> {
        self.top
    }

    /// Returns the entries of a dict, in order.
    pub(crate) fn dict(&self, value: Value) -> Option<&[(Value<'a>, Value<'a>)]> {
        match self.object(value)? {
            Object::Dict(entries) => Some(entries),
            _ => None,
        }
    }

    pub(crate) fn tensor(&self, value: Value) -> Option<&TensorView<'a>> {
        match self.object(value)? {
            Object::Tensor(tensor) => Some(tensor),
            _ => None,
        }
    }

    /// Returns the items of a list, in order.
    pub(crate) fn list(&self, value: Value) -> Option<&[Value<'a>]> {
        match self.object(value)? {
            Object::List(items) => Some(items),
            _ => None,
        }
    }

    /// Returns whether a value is data that cannot contain a tensor.
    pub(crate) fn is_plain(&self, value: Value) -> bool {
        match self.object(value) {
            Some(object) => matches!(object, Object::Opaque),
            None => true,
        }
    }

    /// Returns all storages that are mentioned, even if no tensor of the state dict uses them.
    pub(crate) fn storages(&self) -> impl Iterator<Item = Storage<'a>> + '_ {
        self.objects.iter().filter_map(|object| match object {
            Object::Storage { storage, .. } => Some(*storage),
            _ => None,
        })
    }

    /// Describes `value` for messages.
    pub(crate) fn describe(&self, value: Value) -> &'static str {
        match value {
            Value::None => "None",
            Value::Bool(_) => "a bool",
            Value::Float => "a float",
            Value::Int(_) | Value::Large => "an integer",
            Value::Bytes => "bytes",
            Value::Str(_) => "a string",
            Value::Global(_) => "a class or function",
            Value::Object(_) => match self.object(value) {
                Some(Object::Tuple(_)) => "a tuple",
                Some(Object::List(_)) => "a list",
                Some(Object::Dict(_)) => "a dict",
                Some(Object::Storage { .. }) => "a storage",
                Some(Object::Tensor(_)) => "a tensor",
                Some(Object::Other(kind)) => kind,
                Some(Object::Opaque) => "plain data",
                None => "nothing",
            },
        }
    }

    fn object(&self, value: Value) -> Option<&Object<'a>> {
        match value {
            Value::Object(index) => self.objects.get(index),
            _ => None,
        }
    }
}
