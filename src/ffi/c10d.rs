//! Communication between processes: a key-value store that all of them reach, and a group that reduces tensors.

use std::ffi::{CString, c_char, c_int, c_void};
use std::ptr::null_mut;
use std::time::Duration;

use tch::Tensor;
use torch_sys::C_tensor;

use super::linked::{check, give};
use super::variables::set_where_alone;
use crate::error::{Error, ErrorKind, Result};

unsafe extern "C" {
    fn geolearn_store_open(
        host: *const c_char,
        port: u16,
        is_host: bool,
        prefix: *const c_char,
        timeout: i64,
        store: *mut *mut c_void,
    ) -> *mut c_char;
    fn geolearn_store_free(store: *mut c_void);
    fn geolearn_store_patience(store: *mut c_void, timeout: i64) -> *mut c_char;
    fn geolearn_store_set(store: *mut c_void, key: *const c_char, bytes: *const u8, count: usize) -> *mut c_char;
    fn geolearn_store_add(store: *mut c_void, key: *const c_char, number: i64, sum: *mut i64) -> *mut c_char;
    fn geolearn_store_has(store: *mut c_void, key: *const c_char, found: *mut bool) -> *mut c_char;
    fn geolearn_store_get(
        store: *mut c_void,
        keys: *const *const c_char,
        count: usize,
        context: *mut c_void,
        take: unsafe extern "C" fn(*mut c_void, *const c_void, usize),
    ) -> *mut c_char;
    fn geolearn_group_new(
        store: *mut c_void,
        rank: c_int,
        size: c_int,
        timeout: i64,
        interface: *const c_char,
        address: *const c_char,
        group: *mut *mut c_void,
    ) -> *mut c_char;
    fn geolearn_nccl_check() -> *mut c_char;
    fn geolearn_group_new_nccl(
        store: *mut c_void,
        rank: c_int,
        size: c_int,
        device: c_int,
        timeout: i64,
        group: *mut *mut c_void,
    ) -> *mut c_char;
    fn geolearn_group_free(group: *mut c_void);
    fn geolearn_group_abort(group: *mut c_void) -> *mut c_char;
    fn geolearn_group_sum(group: *mut c_void, tensor: *const C_tensor, work: *mut *mut c_void) -> *mut c_char;
    fn geolearn_group_gather(
        group: *mut c_void,
        own: *const C_tensor,
        all: *const *const C_tensor,
        count: usize,
        work: *mut *mut c_void,
    ) -> *mut c_char;
    fn geolearn_group_broadcast(group: *mut c_void, tensor: *const C_tensor, work: *mut *mut c_void) -> *mut c_char;
    fn geolearn_work_wait(work: *mut c_void, timeout: i64, ended: *mut bool) -> *mut c_char;
    fn geolearn_work_free(work: *mut c_void);
}

fn text(text: &str) -> Result<CString> {
    CString::new(text).map_err(|e| Error::new(ErrorKind::Usage, "a name for other processes holds a NUL").because(e))
}

fn milliseconds(time: Duration) -> i64 {
    // libtorch treats 0 as no limit.
    i64::try_from(time.as_millis()).unwrap_or(i64::MAX).max(1)
}

fn number(value: usize) -> c_int {
    c_int::try_from(value).unwrap_or(c_int::MAX)
}

/// A connection to the key-value store, which one of the processes or their launcher hosts.
#[derive(Debug)]
pub(crate) struct KeyStore(*mut c_void);

// SAFETY: libtorch's client takes a lock for each call; the pointer is freed once, by `Drop`.
unsafe impl Send for KeyStore {}
// SAFETY: as above.
unsafe impl Sync for KeyStore {}

impl KeyStore {
    /// Connects to the store at `host`, which this process also hosts if `is_host` is set; retries for up to
    /// `patience`. `prefix` is prepended to all keys.
    pub fn open((host, port): (&str, u16), is_host: bool, prefix: &str, patience: Duration) -> Result<Self> {
        let (host, prefix, mut store) = (text(host)?, text(prefix)?, null_mut());
        // SAFETY: the strings outlive the call; the pointer is to a local that lives through it.
        let open = |to| unsafe {
            geolearn_store_open(host.as_ptr(), port, is_host, prefix.as_ptr(), milliseconds(patience), to)
        };
        check(open(&mut store))?;
        Ok(Self(store))
    }

    /// Sets how long a call waits for an answer.
    pub fn set_patience(&self, patience: Duration) -> Result<()> {
        // SAFETY: a `KeyStore` is what `geolearn_store_open` gave, until it is dropped.
        check(unsafe { geolearn_store_patience(self.0, milliseconds(patience)) })
    }

    pub fn set(&self, key: &str, value: &[u8]) -> Result<()> {
        let key = text(key)?;
        // SAFETY: as for `set_patience`; key and value outlive the call.
        check(unsafe { geolearn_store_set(self.0, key.as_ptr(), value.as_ptr(), value.len()) })
    }

    /// Adds to the number at a key, initially 0, and returns the sum.
    pub fn add(&self, key: &str, more: i64) -> Result<i64> {
        let (key, mut sum) = (text(key)?, 0);
        // SAFETY: as for `set`; the pointer is to a local that lives through the call.
        check(unsafe { geolearn_store_add(self.0, key.as_ptr(), more, &mut sum) })?;
        Ok(sum)
    }

    /// Returns the value of a key, if present.
    pub fn find(&self, key: &str) -> Result<Option<Vec<u8>>> {
        let (name, mut found) = (text(key)?, false);
        // SAFETY: as for `add`.
        check(unsafe { geolearn_store_has(self.0, name.as_ptr(), &mut found) })?;
        Ok(if found { self.get(&[key.to_owned()])?.pop() } else { None })
    }

    /// Returns the values of keys that are present and not empty, in one call.
    pub fn get(&self, keys: &[String]) -> Result<Vec<Vec<u8>>> {
        let keys = keys.iter().map(|key| text(key)).collect::<Result<Vec<_>>>()?;
        let pointers: Vec<_> = keys.iter().map(|key| key.as_ptr()).collect();
        let mut values = Vec::with_capacity(keys.len());
        let mut sink = |bytes: &[u8]| values.push(bytes.to_vec());
        let mut sink: &mut dyn FnMut(&[u8]) = &mut sink;
        let context = (&raw mut sink).cast();
        // SAFETY: as for `set`; `give` takes a pointer to such a sink, and it and what it borrows outlive the call.
        check(unsafe { geolearn_store_get(self.0, pointers.as_ptr(), pointers.len(), context, give) })?;
        Ok(values)
    }
}

impl Drop for KeyStore {
    fn drop(&mut self) {
        // SAFETY: what `geolearn_store_open` gave, given back once.
        unsafe { geolearn_store_free(self.0) }
    }
}

/// The address at which a process listens for the others.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Listens<'a> {
    /// The address that this machine's host name resolves to.
    AtItsName,
    /// This address.
    At(&'a str),
    /// The address of this network interface.
    On(&'a str),
}

/// Makes NCCL errors surface in the failed operation, where libtorch would otherwise abort the process without saying
/// which process is lost. This sets an environment variable, so it works only while no other thread runs; a value set
/// by the user is kept.
pub(crate) fn give_nccl_errors_as_values() {
    const NAME: &str = "TORCH_NCCL_ASYNC_ERROR_HANDLING";
    // libtorch's `CleanUpOnly`: the operation is aborted, and the process continues.
    const CLEAN_UP_ONLY: &str = "2";
    if std::env::var_os(NAME).is_none() && !set_where_alone(&[NAME], CLEAN_UP_ONLY) {
        tracing::info!("other threads are running, so libtorch aborts the process on an NCCL error");
    }
}

/// Checks that NCCL is available: that this libtorch includes it, and that its CUDA library is loaded.
pub(crate) fn check_nccl() -> Result<()> {
    // SAFETY: no preconditions.
    check(unsafe { geolearn_nccl_check() })
}

/// A group of processes that exchange tensors, as seen by one of them. All must make the same calls in the same order.
///
/// CPU tensors use Gloo, CUDA tensors NCCL.
#[derive(Debug)]
pub(crate) struct TensorGroup(*mut c_void);

// SAFETY: libtorch's group may be called from any thread, one at a time, which `&mut self` sees to.
unsafe impl Send for TensorGroup {}

impl TensorGroup {
    /// Connects all processes to each other; every process must call this. `timeout` is libtorch's limit for each
    /// operation.
    pub fn connect(
        store: &KeyStore,
        (rank, size): (usize, usize),
        timeout: Duration,
        listens: Listens<'_>,
    ) -> Result<Self> {
        let (interface, address) = match listens {
            Listens::AtItsName => ("", ""),
            Listens::At(address) => ("", address),
            Listens::On(interface) => (interface, ""),
        };
        let (interface, address, mut group) = (text(interface)?, text(address)?, null_mut());
        let (rank, size, timeout) = (number(rank), number(size), milliseconds(timeout));
        // SAFETY: store and strings outlive the call, and the group keeps a share of the store; the pointer is to a local.
        check(unsafe {
            geolearn_group_new(store.0, rank, size, timeout, interface.as_ptr(), address.as_ptr(), &mut group)
        })?;
        Ok(Self(group))
    }

    /// Connects processes with NCCL, each with its own CUDA device; that of this process has index `device`. Every
    /// process must call this, and waits for the others. `timeout` is as for [`connect`](Self::connect).
    pub fn connect_nccl(
        store: &KeyStore,
        (rank, size): (usize, usize),
        device: usize,
        timeout: Duration,
    ) -> Result<Self> {
        let mut group = null_mut();
        let (rank, size, device, timeout) = (number(rank), number(size), number(device), milliseconds(timeout));
        // SAFETY: as for `connect`.
        check(unsafe { geolearn_group_new_nccl(store.0, rank, size, device, timeout, &mut group) })?;
        Ok(Self(group))
    }

    /// Aborts pending operations, so that the device no longer waits for lost processes. The group cannot be used
    /// afterwards, and must be leaked.
    pub fn abort(&mut self) -> Result<()> {
        // SAFETY: as for `sum`.
        check(unsafe { geolearn_group_abort(self.0) })
    }

    fn begun(call: impl FnOnce(*mut *mut c_void) -> *mut c_char) -> Result<Exchange> {
        let mut work = null_mut();
        check(call(&mut work))?;
        Ok(Exchange(work))
    }

    /// Starts replacing a contiguous tensor by the sum over all processes. The tensor must not be accessed meanwhile.
    pub fn sum(&mut self, tensor: &mut Tensor) -> Result<Exchange> {
        // SAFETY: a `TensorGroup` is what `geolearn_group_new` gave, until it is dropped; the work keeps a share of the tensor.
        Self::begun(|work| unsafe { geolearn_group_sum(self.0, tensor.as_ptr(), work) })
    }

    /// Starts copying the tensors of all processes, contiguous and of one shape, into `all`.
    pub fn gather(&mut self, own: &Tensor, all: &mut [Tensor]) -> Result<Exchange> {
        let pointers: Vec<_> = all.iter().map(|tensor| tensor.as_ptr()).collect();
        // SAFETY: as for `sum`.
        Self::begun(|work| unsafe {
            geolearn_group_gather(self.0, own.as_ptr(), pointers.as_ptr(), pointers.len(), work)
        })
    }

    /// Starts replacing a contiguous tensor by that of the first process.
    pub fn broadcast(&mut self, tensor: &mut Tensor) -> Result<Exchange> {
        // SAFETY: as for `sum`.
        Self::begun(|work| unsafe { geolearn_group_broadcast(self.0, tensor.as_ptr(), work) })
    }
}

impl Drop for TensorGroup {
    /// Waits for pending operations, so a group whose operation failed must be leaked instead.
    fn drop(&mut self) {
        // SAFETY: what `geolearn_group_new` gave, given back once.
        unsafe { geolearn_group_free(self.0) }
    }
}

/// A pending operation.
#[derive(Debug)]
pub(crate) struct Exchange(*mut c_void);

impl Exchange {
    /// Waits up to `most` and returns whether the operation has finished. On CUDA, later work submitted by this
    /// thread sees its results.
    ///
    /// # Errors
    /// The operation's own error, once it has finished.
    pub fn wait(&self, most: Duration) -> Result<bool> {
        let mut ended = false;
        // SAFETY: an `Exchange` is what a group gave, until it is dropped; the pointer is to a local.
        check(unsafe { geolearn_work_wait(self.0, milliseconds(most), &mut ended) })?;
        Ok(ended)
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        // SAFETY: what a group gave, given back once; libtorch's thread has a share of its own.
        unsafe { geolearn_work_free(self.0) }
    }
}
