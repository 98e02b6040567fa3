//! Ports for processes that a test starts.

use std::net::{Ipv4Addr, TcpListener};
use std::sync::atomic::{AtomicU16, Ordering};

/// Below the ports that systems give to outgoing connections (from 32768 on Linux, by default), of which tests make many: one of
/// these could take a port between this check and its use.
const PORTS: std::ops::Range<u16> = 20_000..32_000;

/// Returns a port that nothing listens on, another one at each call.
pub fn free_port() -> u16 {
    static TRIED: AtomicU16 = AtomicU16::new(0);
    let count = PORTS.end - PORTS.start;
    // Test programs that run at the same time begin at different places.
    let begin = (std::process::id().wrapping_mul(7919) % u32::from(count)) as u16;
    let tried = std::iter::repeat_with(|| TRIED.fetch_add(1, Ordering::Relaxed) % count).take(usize::from(count));
    let port = |tried: u16| PORTS.start + ((u32::from(begin) + u32::from(tried)) % u32::from(count)) as u16;
    let is_free = |port: &u16| TcpListener::bind((Ipv4Addr::UNSPECIFIED, *port)).is_ok();
    tried.map(port).find(is_free).unwrap()
}
