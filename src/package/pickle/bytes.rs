//! A cursor over untrusted bytes.

use crate::error::{Error, ErrorKind, Result};

pub(crate) struct Bytes<'a> {
    rest: &'a [u8],
    whole: usize,
}

impl<'a> Bytes<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes, whole: bytes.len() }
    }

    /// Returns how many bytes have been read.
    pub(crate) fn position(&self) -> usize {
        self.whole - self.rest.len()
    }

    pub(crate) fn take(&mut self, count: usize) -> Result<&'a [u8]> {
        let (taken, rest) = self.rest.split_at_checked(count).ok_or_else(|| self.ends(count))?;
        self.rest = rest;
        Ok(taken)
    }

    pub(crate) fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        self.take(N)?.try_into().map_err(|_| self.ends(N))
    }

    pub(crate) fn u8(&mut self) -> Result<u8> {
        self.array().map(u8::from_le_bytes)
    }

    pub(crate) fn u32(&mut self) -> Result<u32> {
        self.array().map(u32::from_le_bytes)
    }

    /// Reads an eight-byte length; one that exceeds memory also exceeds the remaining bytes.
    pub(crate) fn length(&mut self) -> Result<usize> {
        self.array().map(|bytes| usize::try_from(u64::from_le_bytes(bytes)).unwrap_or(usize::MAX))
    }

    /// Reads UTF-8 text of `length` bytes.
    pub(crate) fn text(&mut self, length: usize) -> Result<&'a str> {
        let at = self.position();
        std::str::from_utf8(self.take(length)?).map_err(|e| {
            Error::new(ErrorKind::Format, format!("pickle has a string that is not UTF-8 at byte {at}")).because(e)
        })
    }

    /// Reads UTF-8 text up to a line feed, which is dropped.
    pub(crate) fn line(&mut self) -> Result<&'a str> {
        let length = self.rest.iter().position(|&byte| byte == b'\n').ok_or_else(|| self.ends(self.rest.len() + 1))?;
        let line = self.text(length)?;
        self.take(1)?;
        Ok(line)
    }

    fn ends(&self, wanted: usize) -> Error {
        Error::new(ErrorKind::Format, "pickle is truncated")
            .expected(format!("{wanted} more bytes at byte {}", self.position()))
            .found(self.rest.len())
    }
}
