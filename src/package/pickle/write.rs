//! The bytes that `torch.save` writes for an `OrderedDict` of contiguous float32 tensors.

use std::collections::HashMap;

use super::opcode as op;
use crate::error::{Error, ErrorKind, Result};

/// Python's pickler sets at most this many items at once.
const BATCH: usize = 1000;

const ORDERED_DICT: &str = "collections\nOrderedDict\n";
const REBUILD_TENSOR: &str = "torch._utils\n_rebuild_tensor_v2\n";
const FLOAT_STORAGE: &str = "torch\nFloatStorage\n";

/// Returns the pickle of a state dict whose n-th tensor is in storage n.
///
/// `modules` become `_metadata`: the path of each module and the version of its layout.
pub(crate) fn state_dict(tensors: &[(&str, Vec<i64>)], modules: &[(String, u32)]) -> Result<Vec<u8>> {
    let mut writer = Writer::default();
    writer.out.extend([op::PROTO, 2]);
    writer.ordered_dict();
    writer.items(tensors.iter().enumerate(), |writer, (index, (name, size))| {
        writer.text(name)?;
        writer.tensor(index, size)
    })?;
    if !modules.is_empty() {
        writer.metadata(modules)?;
    }
    writer.out.push(op::STOP);
    Ok(writer.out)
}

#[derive(Default)]
struct Writer {
    out: Vec<u8>,
    memoized: u32,
    /// Memo index of objects that exist only once in Python.
    constants: HashMap<&'static str, u32>,
}

impl Writer {
    fn metadata(&mut self, modules: &[(String, u32)]) -> Result<()> {
        self.out.push(op::EMPTY_DICT);
        self.put();
        self.text("_metadata")?;
        self.ordered_dict();
        self.items(modules.iter(), |writer, (path, version)| {
            writer.text(path)?;
            writer.out.push(op::EMPTY_DICT);
            writer.put();
            writer.constant_text("version");
            writer.integer(i64::from(*version));
            writer.out.push(op::SETITEM);
            Ok(())
        })?;
        self.out.extend([op::SETITEM, op::BUILD]);
        Ok(())
    }

    /// Writes items in batches, each between MARK and SETITEMS; a batch of one has a shorter form.
    fn items<T>(
        &mut self,
        items: impl ExactSizeIterator<Item = T>,
        write: impl Fn(&mut Self, T) -> Result<()>,
    ) -> Result<()> {
        let count = items.len();
        for (index, item) in items.enumerate() {
            let (place, size) = (index % BATCH, (count - index / BATCH * BATCH).min(BATCH));
            if place == 0 && size > 1 {
                self.out.push(op::MARK);
            }
            write(self, item)?;
            if place + 1 == size {
                self.out.push(if size > 1 { op::SETITEMS } else { op::SETITEM });
            }
        }
        Ok(())
    }

    /// `_rebuild_tensor_v2(storage, 0, size, stride, False, OrderedDict())`
    fn tensor(&mut self, index: usize, size: &[i64]) -> Result<()> {
        self.global(REBUILD_TENSOR);
        self.out.push(op::MARK);
        self.storage(index, size.iter().product())?;
        self.integer(0);
        self.tuple(size);
        self.tuple(&contiguous_stride(size));
        self.out.push(op::NEWFALSE);
        self.ordered_dict();
        self.out.push(op::TUPLE);
        self.put();
        self.out.push(op::REDUCE);
        self.put();
        Ok(())
    }

    fn storage(&mut self, index: usize, elements: i64) -> Result<()> {
        self.out.push(op::MARK);
        self.constant_text("storage");
        self.global(FLOAT_STORAGE);
        self.text(&index.to_string())?;
        self.constant_text("cpu");
        self.integer(elements);
        self.out.push(op::TUPLE);
        self.put();
        self.out.push(op::BINPERSID);
        Ok(())
    }

    fn ordered_dict(&mut self) {
        self.global(ORDERED_DICT);
        self.out.extend([op::EMPTY_TUPLE, op::REDUCE]);
        self.put();
    }

    fn tuple(&mut self, items: &[i64]) {
        let code = match items.len() {
            // Python has one empty tuple and does not memoize it.
            0 => return self.out.push(op::EMPTY_TUPLE),
            1 => op::TUPLE1,
            2 => op::TUPLE2,
            3 => op::TUPLE3,
            _ => op::TUPLE,
        };
        if code == op::TUPLE {
            self.out.push(op::MARK);
        }
        items.iter().for_each(|&item| self.integer(item));
        self.out.push(code);
        self.put();
    }

    fn integer(&mut self, value: i64) {
        if let Ok(value) = u8::try_from(value) {
            self.out.extend([op::BININT1, value]);
        } else if let Ok(value) = u16::try_from(value) {
            self.out.push(op::BININT2);
            self.out.extend(value.to_le_bytes());
        } else if let Ok(value) = i32::try_from(value) {
            self.out.push(op::BININT);
            self.out.extend(value.to_le_bytes());
        } else {
            // The fewest bytes that preserve the sign.
            let bytes = value.to_le_bytes();
            let bits = 65 - value.unsigned_abs().leading_zeros();
            let length = (bits.div_ceil(8) as usize).min(8);
            self.out.extend([op::LONG1, length as u8]);
            self.out.extend(bytes.iter().take(length));
        }
    }

    fn text(&mut self, text: &str) -> Result<()> {
        let length = u32::try_from(text.len()).map_err(|_| {
            Error::new(ErrorKind::Limits, "a tensor's name is too long").expected("less than 4 GiB").found(text.len())
        })?;
        self.out.push(op::BINUNICODE);
        self.out.extend(length.to_le_bytes());
        self.out.extend(text.as_bytes());
        self.put();
        Ok(())
    }

    fn constant_text(&mut self, text: &'static str) {
        self.constant(text, |out| {
            out.push(op::BINUNICODE);
            out.extend((text.len() as u32).to_le_bytes());
            out.extend(text.as_bytes());
        });
    }

    /// Writes a global; `lines` are the module and the name, each with a line feed.
    fn global(&mut self, lines: &'static str) {
        self.constant(lines, |out| {
            out.push(op::GLOBAL);
            out.extend(lines.as_bytes());
        });
    }

    /// Writes a constant in full the first time, and recalls it from the memo later.
    fn constant(&mut self, key: &'static str, write: impl Fn(&mut Vec<u8>)) {
        if let Some(&index) = self.constants.get(key) {
            return self.indexed(op::BINGET, op::LONG_BINGET, index);
        }
        write(&mut self.out);
        self.constants.insert(key, self.memoized);
        self.put();
    }

    fn put(&mut self) {
        self.indexed(op::BINPUT, op::LONG_BINPUT, self.memoized);
        self.memoized += 1;
    }

    fn indexed(&mut self, short: u8, long: u8, index: u32) {
        if let Ok(index) = u8::try_from(index) {
            self.out.extend([short, index]);
        } else {
            self.out.push(long);
            self.out.extend(index.to_le_bytes());
        }
    }
}

/// Returns the steps between neighbors along each dimension, as torch counts them: a length of 0 counts as 1.
fn contiguous_stride(size: &[i64]) -> Vec<i64> {
    let mut stride = vec![1; size.len()];
    let mut step = 1;
    for (place, &length) in stride.iter_mut().zip(size).rev() {
        *place = step;
        step *= length.max(1);
    }
    stride
}
