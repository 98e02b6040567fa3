//! What each opcode of a pickle does.

use super::machine::Machine;
use super::opcode as op;
use super::value::{Global, Object, Pickle, Value};
use crate::error::{Error, ErrorKind, Result, shown};

/// The newest pickle protocol; later ones would have opcodes that are not defined yet.
const MAX_PROTOCOL: u8 = 5;

/// Reads a pickle; the stack, the memo and the objects may each hold at most `max_values`, and all containers together
/// four times as many.
///
/// Every opcode takes at least one byte and does work in proportion to the bytes it reads or to what earlier opcodes
/// pushed, so the time is linear in the length.
pub(crate) fn read(bytes: &[u8], max_values: usize) -> Result<Pickle<'_>> {
    read_first(bytes, max_values).map(|(pickle, _)| pickle)
}

/// Reads the pickle at the start of `bytes`, and returns how many bytes it takes.
pub(crate) fn read_first(bytes: &[u8], max_values: usize) -> Result<(Pickle<'_>, usize)> {
    let mut machine = Machine::new(bytes, max_values);
    loop {
        let code = machine.bytes.u8()?;
        if code == op::STOP {
            let top = machine.pop()?;
            return Ok((Pickle { objects: machine.objects, top }, machine.bytes.position()));
        }
        machine.step(code)?;
    }
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
            op::BINUNICODE | op::SHORT_BINUNICODE | op::BINUNICODE8 | op::BINSTRING | op::SHORT_BINSTRING => {
                self.text(code)
            }
            op::SHORT_BINBYTES | op::BINBYTES | op::BINBYTES8 | op::BYTEARRAY8 => self.skip_bytes(code),
            op::EMPTY_SET => self.create(Object::Opaque),
            op::FROZENSET => self.pop_to_mark().and_then(|_| self.create(Object::Opaque)),
            op::ADDITEMS => self.pop_to_mark().and_then(|_| self.add_to_set()),
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
            op::NEWOBJ => self.new_object(),
            op::BUILD => self.build(),
            other => Err(self.unsupported(other)),
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
            op::BININT => Value::Int(i32::from_le_bytes(self.bytes.array()?).into()),
            op::BININT1 => Value::Int(self.bytes.u8()?.into()),
            op::BININT2 => Value::Int(u16::from_le_bytes(self.bytes.array()?).into()),
            _ => self.long()?,
        };
        self.push(value)
    }

    /// Reads a two's complement integer, least significant byte first, of any length; no number of a tensor has more
    /// than eight bytes.
    fn long(&mut self) -> Result<Value<'a>> {
        let length = usize::from(self.bytes.u8()?);
        let digits = self.bytes.take(length)?;
        let negative = digits.last().is_some_and(|byte| byte & 0x80 != 0);
        let mut whole = if negative { [0xff; 8] } else { [0; 8] };
        let Some(low) = whole.get_mut(..length) else { return Ok(Value::Large) };
        low.copy_from_slice(digits);
        Ok(Value::Int(i64::from_le_bytes(whole)))
    }

    fn text(&mut self, code: u8) -> Result<()> {
        let length = match code {
            op::SHORT_BINUNICODE | op::SHORT_BINSTRING => self.bytes.u8()?.into(),
            op::BINUNICODE8 => self.bytes.length()?,
            _ => self.bytes.u32()? as usize,
        };
        let text = self.bytes.text(length)?;
        self.push(Value::Str(text))
    }

    /// Skips bytes; weights are never inside the pickle itself.
    fn skip_bytes(&mut self, code: u8) -> Result<()> {
        let length = match code {
            op::SHORT_BINBYTES => self.bytes.u8()?.into(),
            op::BINBYTES => self.bytes.u32()? as usize,
            _ => self.bytes.length()?,
        };
        self.bytes.take(length)?;
        self.push(Value::Bytes)
    }

    fn add_to_set(&mut self) -> Result<()> {
        match self.top_object() {
            Some(Object::Opaque) => Ok(()),
            _ => Err(self.broken("it adds to something that is not a set")),
        }
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

    /// Adds alternating keys and values to the dict on top of the stack.
    fn extend_dict(&mut self, items: &[Value<'a>]) -> Result<()> {
        self.hold(items.len())?;
        let entries = match self.top_object() {
            Some(Object::Dict(entries)) => entries,
            // For example a Counter.
            Some(Object::Opaque) => return Ok(()),
            _ => return Err(self.broken("it sets an item of something that is not a dict")),
        };
        let (pairs, rest) = items.as_chunks::<2>();
        entries.extend(pairs.iter().map(|&[key, value]| (key, value)));
        if rest.is_empty() { Ok(()) } else { Err(self.broken("a dict has a key without value")) }
    }

    fn extend_list(&mut self, mut items: Vec<Value<'a>>) -> Result<()> {
        self.hold(items.len())?;
        match self.top_object() {
            Some(Object::List(list)) => list.append(&mut items),
            // For example a deque.
            Some(Object::Opaque) => {}
            _ => return Err(self.broken("it appends to something that is not a list")),
        }
        Ok(())
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
            _ => Err(self.broken("a global's name is not a string")),
        }
    }

    fn push_global(&mut self, module: &str, name: &str) -> Result<()> {
        let global = Global::named(module, name).ok_or_else(|| {
            Error::new(ErrorKind::Unsupported, format!("pickle asks for `{}.{}`", shown(module), shown(name)))
                .expected("nothing but tensors, containers and plain data")
                .help("Nothing was run. In Python, save `model.state_dict()` alone; do not open files that you do not trust there.")
        })?;
        self.push(Value::Global(global))
    }
}
