//! The names that a pickle may mention. They are never looked up or executed.

use tch::Kind;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Global {
    OrderedDict,
    RebuildTensor,
    RebuildParameter,
    /// A tensor of its own class, created by one of the other functions.
    RebuildSubclass,
    /// A tensor of a kind that weights never have.
    RebuildOther(&'static str),
    Storage(Dtype),
    /// A class or function whose results are data, or a constant: skipped beside weights.
    Plain,
}

impl Global {
    pub(crate) fn named(module: &str, name: &str) -> Option<Self> {
        Some(match (module, name) {
            ("collections", "OrderedDict") => Self::OrderedDict,
            ("torch._utils", "_rebuild_tensor" | "_rebuild_tensor_v2") => Self::RebuildTensor,
            ("torch._utils", "_rebuild_parameter" | "_rebuild_parameter_with_state") => Self::RebuildParameter,
            ("torch._tensor", "_rebuild_from_type_v2") => Self::RebuildSubclass,
            // Used for types without a storage class: 8-bit floats, unsigned integers.
            ("torch._utils", "_rebuild_tensor_v3") => Self::RebuildOther("a tensor of another type"),
            ("torch._utils", "_rebuild_qtensor") => Self::RebuildOther("a quantized tensor"),
            ("torch._utils", "_rebuild_sparse_tensor") => Self::RebuildOther("a sparse tensor"),
            ("torch._utils", "_rebuild_nested_tensor") => Self::RebuildOther("a nested tensor"),
            ("torch._utils", "_rebuild_meta_tensor_no_storage") => Self::RebuildOther("a tensor without values"),
            ("torch.storage", "UntypedStorage") => Self::Storage(Dtype::Untyped),
            ("torch", name) if name.ends_with("Storage") => Self::Storage(Dtype::of_storage(name)?),
            _ if is_plain(module, name) => Self::Plain,
            _ => return None,
        })
    }
}

/// Returns whether this is data that training scripts save beside weights: options, counters, NumPy numbers computed by
/// a schedule.
fn is_plain(module: &str, name: &str) -> bool {
    let names: &[&str] = match module {
        "torch" => return ["Size", "device", "Tensor"].contains(&name) || is_constant(name),
        "torch.nn.parameter" => &["Parameter", "Buffer"],
        "torch.serialization" => &["_get_layout"],
        "torch.torch_version" => &["TorchVersion"],
        "numpy.core.multiarray" | "numpy._core.multiarray" => &["scalar", "_reconstruct"],
        "numpy.core.numeric" | "numpy._core.numeric" => &["_frombuffer"],
        "numpy" => &["dtype", "ndarray"],
        "_codecs" => &["encode"],
        "builtins" | "__builtin__" => &[
            "set",
            "frozenset",
            "bytearray",
            "slice",
            "range",
            "xrange",
            "complex",
            "list",
            "dict",
            "tuple",
            "int",
            "float",
            "bool",
            "str",
            "Ellipsis",
        ],
        "collections" => &["defaultdict", "Counter", "deque"],
        "argparse" => &["Namespace"],
        "types" => &["SimpleNamespace"],
        "pathlib" | "pathlib._local" => {
            &["PosixPath", "WindowsPath", "PurePosixPath", "PureWindowsPath", "Path", "PurePath"]
        }
        "datetime" => &["datetime", "date", "time", "timedelta", "timezone"],
        _ => return false,
    };
    names.contains(&name)
}

/// Returns whether this is an element type or layout: constants of torch's main module.
fn is_constant(name: &str) -> bool {
    const TYPES: [&str; 4] = ["float", "double", "half", "bool"];
    const FAMILIES: [&str; 8] = ["float", "bfloat", "int", "uint", "complex", "qint", "quint", "bits"];
    const LAYOUTS: [&str; 11] = [
        "strided",
        "sparse_coo",
        "sparse_csr",
        "sparse_csc",
        "sparse_bsr",
        "sparse_bsc",
        "jagged",
        "per_tensor_affine",
        "per_channel_affine",
        "per_channel_affine_float_qparams",
        "contiguous_format",
    ];
    let numbered = |family: &&str| {
        name.strip_prefix(*family).is_some_and(|rest| rest.starts_with(|first: char| first.is_ascii_digit()))
    };
    TYPES.contains(&name) || LAYOUTS.contains(&name) || FAMILIES.iter().any(numbered)
}

/// The element type of a storage.
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
    Bool,
    C64,
    C128,
    QI32,
    QI8,
    QU8,
    /// Bytes of any type.
    Untyped,
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
            "BoolStorage" => Self::Bool,
            "ComplexFloatStorage" => Self::C64,
            "ComplexDoubleStorage" => Self::C128,
            "QInt32Storage" => Self::QI32,
            "QInt8Storage" => Self::QI8,
            "QUInt8Storage" => Self::QU8,
            _ => return None,
        })
    }

    /// Returns the type as a tensor kind; `None` for types that weights never have.
    pub(crate) fn kind(self) -> Option<Kind> {
        Some(match self {
            Self::F32 => Kind::Float,
            Self::F64 => Kind::Double,
            Self::F16 => Kind::Half,
            Self::Bf16 => Kind::BFloat16,
            Self::I64 => Kind::Int64,
            Self::I32 => Kind::Int,
            Self::I16 => Kind::Int16,
            Self::I8 => Kind::Int8,
            Self::U8 => Kind::Uint8,
            Self::Bool | Self::C64 | Self::C128 | Self::QI32 | Self::QI8 | Self::QU8 | Self::Untyped => return None,
        })
    }

    /// Returns the bytes of one element.
    pub(crate) fn width(self) -> u64 {
        match self {
            Self::Bool | Self::I8 | Self::U8 | Self::QI8 | Self::QU8 | Self::Untyped => 1,
            Self::F16 | Self::Bf16 | Self::I16 => 2,
            Self::F32 | Self::I32 | Self::QI32 => 4,
            Self::F64 | Self::I64 | Self::C64 => 8,
            Self::C128 => 16,
        }
    }

    /// Describes a tensor of this type for messages.
    pub(crate) fn describe(self) -> &'static str {
        match self {
            Self::Bool => "a tensor of bools (torch.BoolStorage)",
            Self::C64 => "a tensor of complex numbers (torch.ComplexFloatStorage)",
            Self::C128 => "a tensor of complex numbers (torch.ComplexDoubleStorage)",
            Self::QI32 | Self::QI8 | Self::QU8 => "a quantized tensor",
            Self::Untyped => "a tensor of another type",
            _ => "a tensor",
        }
    }
}
