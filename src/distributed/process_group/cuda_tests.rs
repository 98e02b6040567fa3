//! Tests of NCCL collectives in a group of one process, which is all that one GPU allows. Without a GPU these tests say
//! so and pass.

use std::time::Duration;

use tch::{Device, Kind, Tensor};

use super::super::backend::{Backend, GroupConfig};
use super::super::environment::Environment;
use super::super::transport::Transport;
use super::ProcessGroup;
use crate::peers::Peers;
use crate::testing;

fn config(backend: Backend, bf16_gradients: bool) -> GroupConfig {
    GroupConfig { timeout: Duration::from_secs(120), backend, bf16_gradients }
}

fn group(config: GroupConfig) -> ProcessGroup {
    let port = testing::free_port().to_string();
    let get = |name: &str| {
        let value = match name {
            "RANK" | "LOCAL_RANK" => "0",
            "WORLD_SIZE" => "1",
            "MASTER_ADDR" => "127.0.0.1",
            "MASTER_PORT" => port.as_str(),
            _ => return None,
        };
        Some(value.to_owned())
    };
    ProcessGroup::connect(Environment::read(get).unwrap().unwrap(), config).unwrap()
}

/// Values that each of the kinds holds exactly.
fn values(kind: Kind, device: Device) -> Tensor {
    Tensor::arange(1000, (Kind::Float, Device::Cpu)).remainder(128.0).to_kind(kind).to_device(device)
}

#[test]
fn nccl_carries_tensors_of_each_kind_on_cuda() {
    let Some(device) = testing::cuda() else { return };
    let group = group(config(Backend::Nccl, false));
    assert_eq!(group.backend(), Backend::Nccl);
    for kind in [Kind::Float, Kind::Double, Kind::BFloat16] {
        let expected = values(kind, device);
        let mut sum = expected.copy();
        group.sum(&mut sum).unwrap();
        let pending = group.begin_gradients(expected.copy()).unwrap();
        // Kernels and collectives between the start and the end of a collective.
        let product = &expected * 2.0;
        let gathered = group.gather(&product).unwrap();
        let later = pending.finish().unwrap();
        let mut told = expected.copy();
        group.run(|backends| backends.broadcast(Transport::Nccl, &mut told)).unwrap();
        for (what, found) in [("sum", &sum), ("gradients", &later), ("broadcast", &told)] {
            assert_eq!((found.device(), found.kind()), (device, kind), "{what}");
            assert!(found == &expected, "{what} of {kind:?}");
        }
        assert!(gathered.len() == 1 && gathered[0] == product, "gather of {kind:?}");
    }
    // Tensors in CPU memory still use Gloo.
    assert_eq!(group.gather_bytes(vec![7; 1000]).unwrap(), [vec![7; 1000]]);
    assert_eq!(group.broadcast(vec![1, 2]).unwrap(), [1, 2]);
}

#[test]
fn gradients_are_summed_in_bfloat16_on_cuda() {
    let Some(device) = testing::cuda() else { return };
    let group = group(config(Backend::Auto, true));
    assert_eq!(group.backend(), Backend::Nccl);
    let gradients = Tensor::rand([1000], (Kind::Float, device));
    let found = group.begin_gradients(gradients.copy()).unwrap().finish().unwrap();
    assert!(found == gradients.to_kind(Kind::BFloat16).to_kind(Kind::Float) && found != gradients);
}

/// A collective on another device would wait forever.
#[test]
fn another_device_than_that_of_nccl_is_an_error_on_cuda() {
    let Some(_) = testing::cuda() else { return };
    let group = group(config(Backend::Nccl, false));
    if tch::Cuda::device_count() > 1 {
        let mut other = Tensor::zeros([4], (Kind::Float, Device::Cuda(1)));
        assert!(group.sum(&mut other).unwrap_err().to_string().contains("cuda:0"));
    }
    group.barrier().unwrap();
}

/// The same calls on the CPU, with Gloo.
#[test]
fn a_group_of_one_process_runs_collectives() {
    for is_bf16 in [false, true] {
        let group = group(config(Backend::Gloo, is_bf16));
        let expected = values(Kind::Double, Device::Cpu);
        let pending = group.begin_gradients(expected.copy()).unwrap();
        assert!(group.gather(&expected).unwrap()[0] == expected);
        assert!(pending.finish().unwrap() == expected);
        let mut told = expected.copy();
        group.run(|backends| backends.broadcast(Transport::Gloo, &mut told)).unwrap();
        assert!(told == expected && !group.is_alone());
    }
}
