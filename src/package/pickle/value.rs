//! What a pickle holds once it is read: plain data in one flat list, so that no nesting can exhaust the stack.

use tch::Kind;

/// A value; compound ones are an index into [`Pickle`]'s list.
///
/// Floats carry nothing: weights never lie in them.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Value<'a> {
    None,
    Bool(bool),
    Float,
    Int(i64),
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
    /// A number of NumPy, or its type: of no interest here, but learning rates are kept as such.
    Opaque,
}

/// The only names that a pickle may mention.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Global {
    OrderedDict,
    RebuildTensor,
    RebuildParameter,
    /// One of the functions that make a number of NumPy.
    NumpyNumber,
    Storage(Dtype),
}

impl Global {
    pub(crate) fn named(module: &str, name: &str) -> Option<Self> {
        Some(match (module, name) {
            ("collections", "OrderedDict") => Self::OrderedDict,
            ("torch._utils", "_rebuild_tensor" | "_rebuild_tensor_v2") => Self::RebuildTensor,
            ("torch._utils", "_rebuild_parameter") => Self::RebuildParameter,
            // Beside weights: what a schedule computed goes into the optimiser's state as such a number.
            ("numpy.core.multiarray" | "numpy._core.multiarray", "scalar")
            | ("numpy", "dtype")
            | ("_codecs", "encode") => Self::NumpyNumber,
            ("torch", name) => Self::Storage(Dtype::of_storage(name)?),
            _ => return None,
        })
    }
}

/// The type of a storage's elements.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dtype {
    F32,
    F64,
    F16,
    Bf16,
    I64,
    I32,
    I16,
    I8,
    U8,
}

impl Dtype {
    fn of_storage(class: &str) -> Option<Self> {
        Some(match class {
            "FloatStorage" => Self::F32,
            "DoubleStorage" => Self::F64,
            "HalfStorage" => Self::F16,
            "BFloat16Storage" => Self::Bf16,
            "LongStorage" => Self::I64,
            "IntStorage" => Self::I32,
            "ShortStorage" => Self::I16,
            "CharStorage" => Self::I8,
            "ByteStorage" => Self::U8,
            _ => return None,
        })
    }

    pub(crate) fn kind(self) -> Kind {
        match self {
            Self::F32 => Kind::Float,
            Self::F64 => Kind::Double,
            Self::F16 => Kind::Half,
            Self::Bf16 => Kind::BFloat16,
            Self::I64 => Kind::Int64,
            Self::I32 => Kind::Int,
            Self::I16 => Kind::Int16,
            Self::I8 => Kind::Int8,
            Self::U8 => Kind::Uint8,
        }
    }

    /// Bytes of one element.
    pub(crate) fn width(self) -> u64 {
        self.kind().elt_size_in_bytes() as u64
    }
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
            Value::Int(_) => "an integer",
            Value::Str(_) => "a string",
            Value::Global(_) => "a class or function",
            Value::Object(_) => match self.object(value) {
                Some(Object::Tuple(_)) => "a tuple",
                Some(Object::List(_)) => "a list",
                Some(Object::Dict(_)) => "a dict",
                Some(Object::Storage { .. }) => "a storage",
                Some(Object::Tensor(_)) => "a tensor",
                Some(Object::Opaque) => "a number of NumPy",
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
