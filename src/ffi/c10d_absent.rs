//! Stub of communication between processes, for building documentation without libtorch.

use std::time::Duration;

use tch::Tensor;

use crate::error::{Error, ErrorKind, Result};

fn absent<T>() -> Result<T> {
    Err(Error::new(ErrorKind::Unsupported, "built without libtorch (feature `doc-only`)"))
}

#[derive(Debug)]
pub(crate) struct KeyStore;

impl KeyStore {
    pub fn open(_: (&str, u16), _: bool, _: &str, _: Duration) -> Result<Self> {
        absent()
    }

    pub fn set_patience(&self, _: Duration) -> Result<()> {
        absent()
    }

    pub fn set(&self, _: &str, _: &[u8]) -> Result<()> {
        absent()
    }

    pub fn add(&self, _: &str, _: i64) -> Result<i64> {
        absent()
    }

    pub fn find(&self, _: &str) -> Result<Option<Vec<u8>>> {
        absent()
    }

    pub fn get(&self, _: &[String]) -> Result<Vec<Vec<u8>>> {
        absent()
    }
}

#[derive(Debug, Clone, Copy)]
pub(crate) enum Listens<'a> {
    AtItsName,
    At(&'a str),
    On(&'a str),
}

pub(crate) fn give_nccl_errors_as_values() {}

pub(crate) fn check_nccl() -> Result<()> {
    absent()
}

#[derive(Debug)]
pub(crate) struct TensorGroup;

impl TensorGroup {
    pub fn connect(_: &KeyStore, _: (usize, usize), _: Duration, _: Listens<'_>) -> Result<Self> {
        absent()
    }

    pub fn connect_nccl(_: &KeyStore, _: (usize, usize), _: usize, _: Duration) -> Result<Self> {
        absent()
    }

    pub fn abort(&mut self) -> Result<()> {
        absent()
    }

    pub fn sum(&mut self, _: &mut Tensor) -> Result<Exchange> {
        absent()
    }

    pub fn gather(&mut self, _: &Tensor, _: &mut [Tensor]) -> Result<Exchange> {
        absent()
    }

    pub fn broadcast(&mut self, _: &mut Tensor) -> Result<Exchange> {
        absent()
    }
}

#[derive(Debug)]
pub(crate) struct Exchange;

impl Exchange {
    pub fn wait(&self, _: Duration) -> Result<bool> {
        absent()
    }
}
