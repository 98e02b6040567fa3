//! The pickle machine: a stack, a memo, a list of objects, each of bounded size.

use std::collections::HashMap;

use super::bytes::Bytes;
use super::opcode as op;
use super::value::{Object, Value};
use crate::error::{Error, ErrorKind, Result};

/// Limit of all values in tuples, lists and dicts, as a multiple of the limit of each other part.
const ITEMS: usize = 4;

pub(super) struct Machine<'a> {
    pub(super) bytes: Bytes<'a>,
    pub(super) stack: Vec<Value<'a>>,
    /// Stack heights at MARKs; values below the last one cannot be popped.
    marks: Vec<usize>,
    pub(super) memo: HashMap<u32, Value<'a>>,
    pub(super) objects: Vec<Object<'a>>,
    /// Number of values in containers.
    items: usize,
    max_values: usize,
}

impl<'a> Machine<'a> {
    /// Creates a machine that has read nothing yet; the limits are those of [`read`](super::read).
    pub(super) fn new(bytes: &'a [u8], max_values: usize) -> Self {
        Self {
            bytes: Bytes::new(bytes),
            stack: Vec::new(),
            marks: Vec::new(),
            memo: HashMap::new(),
            objects: Vec::new(),
            items: 0,
            max_values,
        }
    }

    pub(super) fn push(&mut self, value: Value<'a>) -> Result<()> {
        self.check_room(self.stack.len(), "stack")?;
        self.stack.push(value);
        Ok(())
    }

    pub(super) fn create(&mut self, object: Object<'a>) -> Result<()> {
        if let Object::Tuple(items) = &object {
            self.hold(items.len())?;
        }
        self.check_room(self.objects.len(), "objects")?;
        self.objects.push(object);
        self.push(Value::Object(self.objects.len() - 1))
    }

    /// Counts values that a container keeps.
    pub(super) fn hold(&mut self, count: usize) -> Result<()> {
        self.items = self.items.saturating_add(count);
        self.check_room(self.items / ITEMS, "items")
    }

    pub(super) fn check_room(&self, used: usize, what: &str) -> Result<()> {
        if used < self.max_values {
            return Ok(());
        }
        Err(Error::new(ErrorKind::Limits, format!("pickle is too large ({what})"))
            .expected(format!("at most {} values", self.max_values)))
    }

    pub(super) fn mark(&mut self) -> Result<()> {
        self.check_room(self.marks.len(), "marks")?;
        self.marks.push(self.stack.len());
        Ok(())
    }

    pub(super) fn pop(&mut self) -> Result<Value<'a>> {
        let floor = self.marks.last().copied().unwrap_or(0);
        if self.stack.len() <= floor {
            return Err(self.broken("its stack is empty"));
        }
        self.stack.pop().ok_or_else(|| self.broken("its stack is empty"))
    }

    pub(super) fn pop_to_mark(&mut self) -> Result<Vec<Value<'a>>> {
        let mark = self.marks.pop().ok_or_else(|| self.broken("a MARK is missing"))?;
        // Heights only grow above a mark, so it lies within the stack.
        Ok(self.stack.split_off(mark.min(self.stack.len())))
    }

    pub(super) fn top_object(&mut self) -> Option<&mut Object<'a>> {
        match self.stack.last()? {
            Value::Object(index) => self.objects.get_mut(*index),
            _ => None,
        }
    }

    pub(super) fn unsupported(&self, code: u8) -> Error {
        Error::new(ErrorKind::Unsupported, format!("pickle uses {}", op::describe(code)))
            .found(format!("it at byte {}", self.bytes.position().saturating_sub(1)))
            .help("A state dict of tensors needs no such opcode; the file was not written by a plain torch.save.")
    }

    pub(super) fn broken(&self, why: &str) -> Error {
        Error::new(ErrorKind::Format, format!("pickle is broken at byte {}: {why}", self.bytes.position()))
    }
}
