//! The pickle machine: a stack, a memo, a list of objects, each of bounded size.

use std::collections::HashMap;

use super::bytes::Bytes;
use super::opcode as op;
use super::value::{Global, Object, Pickle, Storage, TensorView, Value};
use crate::error::{Error, ErrorKind, Result, shown};

/// Far more than weights have; libtorch refuses more than 64.
const MAX_DIMENSIONS: usize = 16;
/// What lies in tuples, lists and dicts together, as a multiple of the limit for each of the others.
const ITEMS: usize = 4;
/// The newest pickle protocol; later ones would bring opcodes that nobody has defined yet.
const MAX_PROTOCOL: u8 = 5;

/// Reads a pickle; the stack, the memo and the objects may each hold at most `max_values`, and all containers together
/// four times as many.
///
/// Every opcode takes at least one byte and does work in proportion to what it takes or to what earlier
/// opcodes pushed, so time is linear in the length.
pub(crate) fn read(bytes: &[u8], max_values: usize) -> Result<Pickle<'_>> {
    read_first(bytes, max_values).map(|(pickle, _)| pickle)
}

/// Reads the pickle at the beginning of `bytes`, and says how many of them it takes.
pub(crate) fn read_first(bytes: &[u8], max_values: usize) -> Result<(Pickle<'_>, usize)> {
    let mut machine = Machine {
        bytes: Bytes::new(bytes),
        stack: Vec::new(),
        marks: Vec::new(),
        memo: HashMap::new(),
        objects: Vec::new(),
        items: 0,
        max_values,
    };
    loop {
        let code = machine.bytes.u8()?;
        if code == op::STOP {
            let top = machine.pop()?;
            return Ok((Pickle { objects: machine.objects, top }, machine.bytes.position()));
        }
        machine.step(code)?;
    }
}

struct Machine<'a> {
    bytes: Bytes<'a>,
    stack: Vec<Value<'a>>,
    /// Stack heights at which a MARK lies; nothing below the last one can be popped.
    marks: Vec<usize>,
    memo: HashMap<u32, Value<'a>>,
    objects: Vec<Object<'a>>,
    /// How many values lie in containers.
    items: usize,
    max_values: usize,
}

impl<'a> Machine<'a> {
    fn step(&mut self, code: u8) -> Result<()> {
        match code {
            op::PROTO => self.protocol(),
            // Frames only help Python to read ahead.
            op::FRAME => self.bytes.take(8).map(drop),
            op::NONE => self.push(Value::None),
            op::NEWTRUE | op::NEWFALSE => self.push(Value::Bool(code == op::NEWTRUE)),
            op::BINFLOAT => self.bytes.take(8).map(drop).and_then(|()| self.push(Value::Float)),
            op::BININT | op::BININT1 | op::BININT2 | op::LONG1 => self.integer(code),
            op::BINUNICODE | op::SHORT_BINUNICODE | op::BINSTRING | op::SHORT_BINSTRING => self.text(code),
            op::MARK => self.mark(),
            op::EMPTY_TUPLE => self.create(Object::Tuple(Vec::new())),
            op::TUPLE1 => self.short_tuple(1),
            op::TUPLE2 => self.short_tuple(2),
            op::TUPLE3 => self.short_tuple(3),
            op::TUPLE => self.pop_to_mark().and_then(|items| self.create(Object::Tuple(items))),
            op::EMPTY_LIST => self.create(Object::List(Vec::new())),
            op::APPEND => self.pop().and_then(|item| self.extend_list(vec![item])),
            op::APPENDS => self.pop_to_mark().and_then(|items| self.extend_list(items)),
            op::EMPTY_DICT => self.create(Object::Dict(Vec::new())),
            op::SETITEM => self.set_item(),
            op::SETITEMS => self.pop_to_mark().and_then(|items| self.extend_dict(&items)),
            op::BINPUT | op::LONG_BINPUT | op::MEMOIZE => self.put(code),
            op::BINGET | op::LONG_BINGET => self.get(code),
            op::GLOBAL => self.global(),
            op::STACK_GLOBAL => self.stack_global(),
            op::BINPERSID => self.persistent(),
            op::REDUCE => self.reduce(),
            op::BUILD => self.build(),
            other => Err(Error::new(ErrorKind::Unsupported, format!("pickle uses {}", op::describe(other)))
                .found(format!("it at byte {}", self.bytes.position().saturating_sub(1)))
                .help("A state dict of tensors needs no such opcode; the file was not written by a plain torch.save.")),
        }
    }

    fn protocol(&mut self) -> Result<()> {
        match self.bytes.u8()? {
            0..=MAX_PROTOCOL => Ok(()),
            other => Err(Error::new(ErrorKind::Unsupported, "pickle protocol is unknown")
                .expected(format!("at most {MAX_PROTOCOL}"))
                .found(other)),
        }
    }

    fn integer(&mut self, code: u8) -> Result<()> {
        let value = match code {
            op::BININT => i32::from_le_bytes(self.bytes.array()?).into(),
            op::BININT1 => self.bytes.u8()?.into(),
            op::BININT2 => u16::from_le_bytes(self.bytes.array()?).into(),
            _ => self.long()?,
        };
        self.push(Value::Int(value))
    }

    /// Two's complement, least significant byte first, of any length up to eight.
    fn long(&mut self) -> Result<i64> {
        let length = usize::from(self.bytes.u8()?);
        let digits = self.bytes.take(length)?;
        let negative = digits.last().is_some_and(|byte| byte & 0x80 != 0);
        let mut whole = if negative { [0xff; 8] } else { [0; 8] };
        let low = whole.get_mut(..length).ok_or_else(|| {
            Error::new(ErrorKind::Unsupported, "pickle has an integer that is too large")
                .expected("at most 8 bytes")
                .found(length)
        })?;
        low.copy_from_slice(digits);
        Ok(i64::from_le_bytes(whole))
    }

    fn text(&mut self, code: u8) -> Result<()> {
        let length = match code {
            op::SHORT_BINUNICODE | op::SHORT_BINSTRING => self.bytes.u8()?.into(),
            _ => self.bytes.u32()? as usize,
        };
        let text = self.bytes.text(length)?;
        self.push(Value::Str(text))
    }

    fn push(&mut self, value: Value<'a>) -> Result<()> {
        self.check_room(self.stack.len(), "stack")?;
        self.stack.push(value);
        Ok(())
    }

    fn create(&mut self, object: Object<'a>) -> Result<()> {
        if let Object::Tuple(items) = &object {
            self.hold(items.len())?;
        }
        self.check_room(self.objects.len(), "objects")?;
        self.objects.push(object);
        self.push(Value::Object(self.objects.len() - 1))
    }

    /// Counts values that a container keeps.
    fn hold(&mut self, count: usize) -> Result<()> {
        self.items = self.items.saturating_add(count);
        self.check_room(self.items / ITEMS, "items")
    }

    fn check_room(&self, used: usize, what: &str) -> Result<()> {
        if used < self.max_values {
            return Ok(());
        }
        Err(Error::new(ErrorKind::Limits, format!("pickle is too large ({what})"))
            .expected(format!("at most {} values", self.max_values)))
    }

    fn mark(&mut self) -> Result<()> {
        self.check_room(self.marks.len(), "marks")?;
        self.marks.push(self.stack.len());
        Ok(())
    }

    fn pop(&mut self) -> Result<Value<'a>> {
        let floor = self.marks.last().copied().unwrap_or(0);
        if self.stack.len() <= floor {
            return Err(self.broken("its stack is empty"));
        }
        self.stack.pop().ok_or_else(|| self.broken("its stack is empty"))
    }

    fn pop_to_mark(&mut self) -> Result<Vec<Value<'a>>> {
        let mark = self.marks.pop().ok_or_else(|| self.broken("a MARK is missing"))?;
        // Heights only grow above a mark, so it lies within the stack.
        Ok(self.stack.split_off(mark.min(self.stack.len())))
    }

    fn short_tuple(&mut self, count: usize) -> Result<()> {
        let mut items = (0..count).map(|_| self.pop()).collect::<Result<Vec<_>>>()?;
        items.reverse();
        self.create(Object::Tuple(items))
    }

    fn set_item(&mut self) -> Result<()> {
        let value = self.pop()?;
        let key = self.pop()?;
        self.extend_dict(&[key, value])
    }

    /// Adds keys and values, which alternate, to the dict on top of the stack.
    fn extend_dict(&mut self, items: &[Value<'a>]) -> Result<()> {
        self.hold(items.len())?;
        let Some(Object::Dict(entries)) = self.top_object() else {
            return Err(self.broken("it sets an item of what is no dict"));
        };
        let (pairs, rest) = items.as_chunks::<2>();
        entries.extend(pairs.iter().map(|&[key, value]| (key, value)));
        if rest.is_empty() { Ok(()) } else { Err(self.broken("a dict has a key without value")) }
    }

    fn extend_list(&mut self, mut items: Vec<Value<'a>>) -> Result<()> {
        self.hold(items.len())?;
        let Some(Object::List(list)) = self.top_object() else {
            return Err(self.broken("it appends to what is no list"));
        };
        list.append(&mut items);
        Ok(())
    }

    fn top_object(&mut self) -> Option<&mut Object<'a>> {
        match self.stack.last()? {
            Value::Object(index) => self.objects.get_mut(*index),
            _ => None,
        }
    }

    fn put(&mut self, code: u8) -> Result<()> {
        let index = match code {
            op::BINPUT => self.bytes.u8()?.into(),
            op::LONG_BINPUT => self.bytes.u32()?,
            // MEMOIZE counts by itself; check_room keeps the count far below 2^32.
            _ => self.memo.len() as u32,
        };
        self.check_room(self.memo.len(), "memo")?;
        let top = *self.stack.last().ok_or_else(|| self.broken("its stack is empty"))?;
        self.memo.insert(index, top);
        Ok(())
    }

    fn get(&mut self, code: u8) -> Result<()> {
        let index = match code {
            op::BINGET => self.bytes.u8()?.into(),
            _ => self.bytes.u32()?,
        };
        let value = *self
            .memo
            .get(&index)
            .ok_or_else(|| self.broken(&format!("it recalls entry {index}, which was never stored")))?;
        self.push(value)
    }

    fn global(&mut self) -> Result<()> {
        let module = self.bytes.line()?;
        let name = self.bytes.line()?;
        self.push_global(module, name)
    }

    fn stack_global(&mut self) -> Result<()> {
        match (self.pop()?, self.pop()?) {
            (Value::Str(name), Value::Str(module)) => self.push_global(module, name),
            _ => Err(self.broken("a global's name is no string")),
        }
    }

    fn push_global(&mut self, module: &str, name: &str) -> Result<()> {
        let global = Global::named(module, name).ok_or_else(|| {
            Error::new(ErrorKind::Unsupported, format!("pickle asks for `{}.{}`", shown(module), shown(name)))
                .expected("nothing but OrderedDict and tensors of float32, float64, float16, bfloat16 or integers")
                .help("Nothing was run. In Python, save `model.state_dict()` alone; do not open files that you do not trust there.")
        })?;
        self.push(Value::Global(global))
    }

    /// A storage: `('storage', class, key, location, elements)`; in the form of before torch 1.6 with a view into it.
    fn persistent(&mut self) -> Result<()> {
        let id = self.pop()?;
        let (parts, view) = match *self.tuple(id)? {
            [kind, class, key, place, elements] => ([kind, class, key, place, elements], Value::None),
            [kind, class, key, place, elements, view] => ([kind, class, key, place, elements], view),
            _ => return Err(self.broken("a persistent object is no storage")),
        };
        let [Value::Str("storage"), Value::Global(Global::Storage(dtype)), Value::Str(key), Value::Str(_), elements] =
            parts
        else {
            return Err(self.broken("a persistent object is no storage"));
        };
        let storage = Storage { dtype, key, elements: self.length(elements, "a storage's length")? };
        let first = self.view(view, storage)?;
        self.create(Object::Storage { storage, first })
    }

    /// Where a view into a storage, `(key, offset, elements)`, begins; none begins at its first element.
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

    fn reduce(&mut self) -> Result<()> {
        let arguments = self.pop()?;
        match self.pop()? {
            Value::Global(Global::OrderedDict) if self.tuple(arguments)?.is_empty() => {
                self.create(Object::Dict(Vec::new()))
            }
            Value::Global(Global::RebuildTensor) => self.rebuild_tensor(arguments),
            Value::Global(Global::RebuildParameter) => self.rebuild_parameter(arguments),
            Value::Global(Global::NumpyNumber) => {
                self.tuple(arguments).map(drop).and_then(|()| self.create(Object::Opaque))
            }
            _ => Err(self.broken("it calls what cannot be called so")),
        }
    }

    /// `(storage, offset, size, stride, requires_grad, hooks)`, and metadata after it in newer files.
    fn rebuild_tensor(&mut self, arguments: Value<'a>) -> Result<()> {
        let (storage, offset, size, stride) = match self.tuple(arguments)? {
            // Four parts before torch 0.4; metadata after six in newer files.
            &[storage, offset, size, stride]
            | &[storage, offset, size, stride, _, _]
            | &[storage, offset, size, stride, _, _, _] => (storage, offset, size, stride),
            _ => return Err(self.broken("a tensor has a wrong number of parts")),
        };
        let (storage, first) = self.storage(storage)?;
        let offset = self.length(offset, "a tensor's offset")?.checked_add(first);
        let tensor = TensorView {
            storage,
            offset: offset.ok_or_else(|| self.broken("a tensor's offset is too large"))?,
            size: self.lengths(size)?,
            stride: self.lengths(stride)?,
        };
        self.create(Object::Tensor(tensor))
    }

    /// `(tensor, requires_grad, hooks)`: the tensor is all we want.
    fn rebuild_parameter(&mut self, arguments: Value<'a>) -> Result<()> {
        match self.tuple(arguments)? {
            &[tensor, _, _] => self.push(tensor),
            _ => Err(self.broken("a parameter has a wrong number of parts")),
        }
    }

    /// State of a dict is `_metadata`, which says nothing about weights; that of a type of NumPy is its byte order.
    /// Nothing else can have state.
    fn build(&mut self) -> Result<()> {
        self.pop()?;
        match self.top_object() {
            Some(Object::Dict(_) | Object::Opaque) => Ok(()),
            _ => Err(self.broken("it gives state to what is no dict")),
        }
    }

    fn tuple(&self, value: Value) -> Result<&[Value<'a>]> {
        match self.object(value) {
            Some(Object::Tuple(items)) => Ok(items),
            _ => Err(self.broken("it has something else where a tuple belongs")),
        }
    }

    /// A storage, and the element at which its view begins.
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

    /// A size or a stride.
    fn lengths(&self, value: Value) -> Result<Vec<u64>> {
        let items = self.tuple(value)?;
        if items.len() > MAX_DIMENSIONS {
            return Err(self.broken("a tensor has too many dimensions"));
        }
        items.iter().map(|&item| self.length(item, "a tensor's size or stride")).collect()
    }

    fn broken(&self, why: &str) -> Error {
        Error::new(ErrorKind::Format, format!("pickle is broken at byte {}: {why}", self.bytes.position()))
    }
}
