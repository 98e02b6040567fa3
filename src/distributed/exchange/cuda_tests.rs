//! Exchanges by NCCL, of a group of one process: all that one card can show. Without a device they say so and pass.

use std::net::TcpListener;
use std::time::Duration;

use tch::{Device, Kind, Tensor};

use super::super::backend::{Backend, Wishes};
use super::super::environment::Environment;
use super::super::groups::Road;
use super::Member;
use crate::peers::Peers;
use crate::testing;

fn wishes(backend: Backend, bf16_gradients: bool) -> Wishes {
    Wishes { timeout: Duration::from_secs(120), backend, bf16_gradients }
}

fn member(options: Wishes) -> Member {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port().to_string();
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
    Member::join(Environment::read(get).unwrap().unwrap(), options).unwrap()
}

/// Values that each of the kinds holds exactly.
fn values(kind: Kind, device: Device) -> Tensor {
    Tensor::arange(1000, (Kind::Float, Device::Cpu)).remainder(128.0).to_kind(kind).to_device(device)
}

#[test]
fn tensors_of_each_kind_go_by_nccl_on_cuda() {
    let Some(device) = testing::cuda() else { return };
    let member = member(wishes(Backend::Nccl, false));
    assert_eq!(member.backend(), Backend::Nccl);
    for kind in [Kind::Float, Kind::Double, Kind::BFloat16] {
        let expected = values(kind, device);
        let mut sum = expected.copy();
        member.sum(&mut sum).unwrap();
        let pending = member.begin_gradients(expected.copy()).unwrap();
        // Work of the device's, and exchanges, between the beginning of an exchange and its end.
        let product = &expected * 2.0;
        let gathered = member.gather(&product).unwrap();
        let later = pending.finish().unwrap();
        let mut told = expected.copy();
        member.exchange(|groups| groups.broadcast(Road::Nccl, &mut told)).unwrap();
        for (what, found) in [("sum", &sum), ("gradients", &later), ("broadcast", &told)] {
            assert_eq!((found.device(), found.kind()), (device, kind), "{what}");
            assert!(found == &expected, "{what} of {kind:?}");
        }
        assert!(gathered.len() == 1 && gathered[0] == product, "gather of {kind:?}");
    }
    // What lies on the processor goes by Gloo all the same.
    assert_eq!(member.gather_bytes(vec![7; 1000]).unwrap(), [vec![7; 1000]]);
    assert_eq!(member.broadcast(vec![1, 2]).unwrap(), [1, 2]);
}

#[test]
fn gradients_travel_in_bfloat16_on_cuda() {
    let Some(device) = testing::cuda() else { return };
    let member = member(wishes(Backend::Auto, true));
    assert_eq!(member.backend(), Backend::Nccl);
    let gradients = Tensor::rand([1000], (Kind::Float, device));
    let found = member.begin_gradients(gradients.copy()).unwrap().finish().unwrap();
    assert!(found == gradients.to_kind(Kind::BFloat16).to_kind(Kind::Float) && found != gradients);
}

/// An exchange on another device would wait for processes that never come.
#[test]
fn another_device_than_that_of_nccl_is_an_error_on_cuda() {
    let Some(_) = testing::cuda() else { return };
    let member = member(wishes(Backend::Nccl, false));
    if tch::Cuda::device_count() > 1 {
        let mut other = Tensor::zeros([4], (Kind::Float, Device::Cuda(1)));
        assert!(member.sum(&mut other).unwrap_err().to_string().contains("cuda:0"));
    }
    member.meet().unwrap();
}

/// The same calls on the processor, where Gloo makes them.
#[test]
fn a_group_of_one_process_exchanges_with_itself() {
    for is_bf16 in [false, true] {
        let member = member(wishes(Backend::Gloo, is_bf16));
        let expected = values(Kind::Double, Device::Cpu);
        let pending = member.begin_gradients(expected.copy()).unwrap();
        assert!(member.gather(&expected).unwrap()[0] == expected);
        assert!(pending.finish().unwrap() == expected);
        let mut told = expected.copy();
        member.exchange(|groups| groups.broadcast(Road::Gloo, &mut told)).unwrap();
        assert!(told == expected && !member.is_alone());
    }
}
