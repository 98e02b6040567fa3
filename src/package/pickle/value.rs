//! What a pickle holds once it is read: plain data in one flat list, so that no nesting can exhaust the stack.

pub(crate) use super::globals::{Dtype, Global};

/// A value; compound ones are an index into [`Pickle`]'s list.
///
/// Floats, large integers and bytes carry nothing: weights never lie in them.
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
        /// The element at which tensors begin to count.
        first: u64,
    },
    Tensor(TensorView<'a>),
    /// A tensor of a kind that weights do not have, by what it is called.
    Other(&'static str),
    /// Plain data of no interest here, such as a number of NumPy, a size or a set.
    Opaque,
}

/// Elements that lie in the entry `data/<key>` of an archive, or at their turn in a file of before torch 1.6.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Storage<'a> {
    pub dtype: Dtype,
    pub key: &'a str,
    /// As the pickle claims it.
    pub elements: u64,
}

/// A tensor as a view into a storage; nothing is checked yet but that no number is negative.
#[derive(Debug, Clone)]
pub(crate) struct TensorView<'a> {
    pub storage: Storage<'a>,
    pub offset: u64,
    pub size: Vec<u64>,
    pub stride: Vec<u64>,
    /// Whether it stands for the negatives of what lies there.
    pub negative: bool,
}

/// A whole pickle.
#[derive(Debug)]
pub(crate) struct Pickle<'a> {
    pub(super) objects: Vec<Object<'a>>,
    pub(super) top: Value<'a>,
}

impl<'a> Pickle<'a> {
    /// The value that the pickle as a whole stands for.
    pub(crate) fn top(&self) -> Value<'a> {
        self.top
    }

    /// The entries of a dict, in order.
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

    /// The items of a list, in order.
    pub(crate) fn list(&self, value: Value) -> Option<&[Value<'a>]> {
        match self.object(value)? {
            Object::List(items) => Some(items),
            _ => None,
        }
    }

    /// Whether a value is data that no tensor can lie in.
    pub(crate) fn is_plain(&self, value: Value) -> bool {
        match self.object(value) {
            Some(object) => matches!(object, Object::Opaque),
            None => true,
        }
    }

    /// All storages that are mentioned, those that no tensor of the state dict uses included.
    pub(crate) fn storages(&self) -> impl Iterator<Item = Storage<'a>> + '_ {
        self.objects.iter().filter_map(|object| match object {
            Object::Storage { storage, .. } => Some(*storage),
            _ => None,
        })
    }

    /// What `value` is, for messages.
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
