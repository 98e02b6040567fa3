//! CUDA graphs: recorded GPU work that is launched again in one call.

use std::ffi::c_int;
use std::sync::{Mutex, PoisonError};

use tch::Device;

use super::linked::{self, Graph};
use crate::error::{Error, ErrorKind, Result};

/// Only one recording runs at a time in the process, because freeing memory before a recording would abort another.
static RECORDING: Mutex<()> = Mutex::new(());

/// A CUDA stream other than the device's default one.
#[derive(Debug)]
pub(crate) struct SideStream {
    device: c_int,
    number: i64,
}

impl SideStream {
    /// # Errors
    /// `Device` if the device is not a CUDA device.
    pub fn new(device: Device) -> Result<Self> {
        let Device::Cuda(index) = device else {
            return Err(Error::new(ErrorKind::Device, "only CUDA has streams").found(format!("{device:?}")));
        };
        let device = c_int::try_from(index).unwrap_or(c_int::MAX);
        Ok(Self { device, number: linked::stream_new(device)? })
    }

    /// Runs `work` with this as the thread's current stream. It starts after previously submitted work, and work
    /// submitted later starts after it.
    pub fn run<T>(&self, work: impl FnOnce() -> Result<T>) -> Result<T> {
        let mut inside = Inside { device: self.device, before: Some(linked::stream_enter(self.device, self.number)?) };
        let result = work();
        inside.leave()?;
        result
    }
}

/// A guard that restores the thread's previous stream, even after a panic.
struct Inside {
    device: c_int,
    before: Option<i64>,
}

impl Inside {
    fn leave(&mut self) -> Result<()> {
        self.before.take().map_or(Ok(()), |before| linked::stream_leave(self.device, before))
    }
}

impl Drop for Inside {
    fn drop(&mut self) {
        if let Err(error) = self.leave() {
            tracing::warn!(%error, "the previous stream cannot wait for the other");
        }
    }
}

/// A recorded piece of work. Its inputs and outputs are tensors with fixed addresses: each launch reads the inputs and
/// writes the outputs.
#[derive(Debug)]
pub(crate) struct CudaGraph(Graph);

impl CudaGraph {
    /// Records the kernels of `work` without running them. Its new tensors are in memory that belongs to the graph, or
    /// is shared with `beside`, after which it must then always run; they are valid only until then.
    ///
    /// Tensors that `work` reads but did not create must stay alive, at the same address, as long as the graph.
    ///
    /// # Errors
    /// Errors of `work`, and libtorch's for work that cannot be recorded, such as waiting for the device. Nothing has
    /// run in that case, and the device stays usable.
    pub fn record<T>(
        stream: &SideStream,
        beside: Option<&CudaGraph>,
        work: impl FnOnce() -> Result<T>,
    ) -> Result<(Self, T)> {
        let _alone = RECORDING.lock().unwrap_or_else(PoisonError::into_inner);
        // Memory that libtorch caches outside of the graph cannot be used by it, nor freed during the recording.
        linked::cuda_release()?;
        stream.run(|| {
            let mut graph = linked::graph_new(stream.device)?;
            linked::graph_begin(&mut graph, beside.map(|graph| &graph.0))?;
            let mut recording = Recording { graph: &mut graph, ended: false };
            let result = work();
            let ended = recording.end();
            drop(recording);
            let result = result?;
            ended?;
            Ok((Self(graph), result))
        })
    }

    /// Submits the work to the thread's current stream.
    pub fn replay(&mut self) -> Result<()> {
        linked::graph_replay(&mut self.0)
    }
}

/// A recording that must be ended, even after a panic.
struct Recording<'a> {
    graph: &'a mut Graph,
    ended: bool,
}

impl Recording<'_> {
    fn end(&mut self) -> Result<()> {
        if std::mem::replace(&mut self.ended, true) { Ok(()) } else { linked::graph_end(self.graph) }
    }
}

impl Drop for Recording<'_> {
    fn drop(&mut self) {
        if let Err(error) = self.end() {
            tracing::warn!(%error, "the recording of a CUDA graph cannot be ended");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;
    use tch::{Kind, Tensor};

    fn sum(tensor: &Tensor) -> f64 {
        tensor.sum(Kind::Double).double_value(&[])
    }

    #[test]
    fn a_processor_has_no_streams() {
        assert_eq!(SideStream::new(Device::Cpu).unwrap_err().kind(), ErrorKind::Device);
    }

    /// Without CUDA there is nothing to look up, and asking is harmless.
    #[test]
    fn what_is_missing_is_an_error() {
        if !tch::Cuda::is_available() {
            assert!(SideStream::new(Device::Cuda(0)).is_err());
            assert!(linked::graph_new(0).is_err());
        }
    }

    #[test]
    fn on_cuda_a_graph_reads_its_inputs_anew() {
        let Some(device) = testing::cuda() else { return };
        let mut input = Tensor::ones([1000], (Kind::Float, device));
        let stream = SideStream::new(device).unwrap();
        let work = || Ok((&input * 2.0).cumsum(0, Kind::Float));
        let _ = stream.run(work).unwrap();
        let (mut graph, output) = CudaGraph::record(&stream, None, work).unwrap();
        for value in [1.0, 3.0] {
            let _ = input.fill_(value);
            graph.replay().unwrap();
            assert_eq!(output.double_value(&[999]), 2000.0 * value);
        }
    }

    /// Gradients are computed on one of libtorch's threads, and are recorded nevertheless.
    #[test]
    fn on_cuda_gradients_are_recorded_and_a_second_graph_shares_the_memory() {
        let Some(device) = testing::cuda() else { return };
        let stream = SideStream::new(device).unwrap();
        let weight = Tensor::ones([64, 64], (Kind::Float, device)).set_requires_grad(true);
        let mut input = Tensor::ones([64, 64], (Kind::Float, device));
        let gradient = || {
            let loss = (&weight * &input).square().sum(Kind::Float);
            Ok(Tensor::f_run_backward(&[&loss], &[&weight], false, false)?.remove(0))
        };
        let _ = stream.run(gradient).unwrap();
        let (mut first, of_first) = CudaGraph::record(&stream, None, gradient).unwrap();
        let (mut second, of_second) = CudaGraph::record(&stream, Some(&first), || Ok(&of_first + 1.0)).unwrap();
        for value in [1.0, 2.0] {
            let _ = input.fill_(value);
            first.replay().unwrap();
            second.replay().unwrap();
            // The derivative of (w x)^2 with respect to w is 2 w x^2.
            assert_eq!(sum(&of_second), 4096.0 * (2.0 * value * value + 1.0));
        }
    }

    /// Waiting for the device aborts a recording. Everything works afterwards: memory, random numbers, another
    /// recording.
    #[test]
    fn on_cuda_what_cannot_be_recorded_leaves_nothing_behind() {
        let Some(device) = testing::cuda() else { return };
        let stream = SideStream::new(device).unwrap();
        let tensor = Tensor::ones([1000], (Kind::Float, device));
        let error = CudaGraph::record(&stream, None, || Ok((&tensor + 1.0).f_double_value(&[7])?)).unwrap_err();
        testing::tell(&format!("waiting while recording: {error}"));
        let refused = || -> Result<()> { Err(Error::new(ErrorKind::Usage, "not today")) };
        assert_eq!(CudaGraph::record(&stream, None, refused).unwrap_err().kind(), ErrorKind::Usage);
        linked::cuda_release().unwrap();
        assert!(sum(&Tensor::rand([1000], (Kind::Float, device))) > 0.0);
        let (mut graph, output) = CudaGraph::record(&stream, None, || Ok(&tensor * 3.0)).unwrap();
        graph.replay().unwrap();
        assert_eq!(sum(&output), 3000.0);
    }
}
