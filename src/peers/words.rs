//! Numbers, answers and errors, exchanged between processes.

use super::group::Peers;
use crate::error::{Error, ErrorKind, Result};

/// Sums each number over all processes, in the order of their ranks: the same bits in each.
pub(crate) fn sum_values(peers: &dyn Peers, values: Vec<f64>) -> Result<Vec<f64>> {
    if peers.part().is_whole() {
        return Ok(values);
    }
    let bytes = values.iter().flat_map(|value| value.to_le_bytes()).collect();
    let mut sums = vec![0.0; values.len()];
    for (rank, bytes) in peers.gather_bytes(bytes)?.into_iter().enumerate() {
        let (numbers, rest) = bytes.as_chunks();
        if numbers.len() != sums.len() || !rest.is_empty() {
            return Err(Error::new(ErrorKind::Usage, format!("process {rank} is not at the same place of the fit"))
                .expected(format!("{} numbers", sums.len()))
                .found(format!("{} bytes", bytes.len()))
                .help("Run the same program with the same options in every process."));
        }
        sums.iter_mut().zip(numbers).for_each(|(sum, number)| *sum += f64::from_le_bytes(*number));
    }
    Ok(sums)
}

/// Whether it holds in any process.
pub(crate) fn any(peers: &dyn Peers, holds: bool) -> Result<bool> {
    Ok(in_turn(peers, Ok(vec![u8::from(holds)]))?.iter().any(|said| said.as_slice() == [1]))
}

/// Returns what every process says, by rank; or an error in all of them when one has an error to tell. That one gets its
/// own back, the others an error of the same kind.
pub(crate) fn in_turn(peers: &dyn Peers, said: Result<Vec<u8>>) -> Result<Vec<Vec<u8>>> {
    if peers.part().is_whole() {
        return said.map(|said| vec![said]);
    }
    let message = match &said {
        Ok(words) => [&[FINE], words.as_slice()].concat(),
        Err(error) => [&[number(error.kind())], error.to_string().as_bytes()].concat(),
    };
    let mut messages = peers.gather_bytes(message)?;
    said?;
    for (rank, message) in messages.iter_mut().enumerate() {
        match message.split_first() {
            Some((&FINE, _)) => drop(message.remove(0)),
            other => return Err(failed(rank, other)),
        }
    }
    Ok(messages)
}

/// Before words that are no error.
const FINE: u8 = 0;

/// The error of another process.
fn failed(rank: usize, message: Option<(&u8, &[u8])>) -> Error {
    let (kind, words) = message.map_or((None, &b"no word"[..]), |(number, words)| (kind(*number), words));
    let kind = kind.unwrap_or(ErrorKind::Callback);
    let verb = if kind == ErrorKind::Stopped { "was stopped" } else { "failed" };
    Error::new(kind, format!("process {rank} {verb}")).because(String::from_utf8_lossy(words).into_owned())
}

/// A number for each kind of error, for processes of the same program.
fn number(kind: ErrorKind) -> u8 {
    match kind {
        ErrorKind::Io => 1,
        ErrorKind::Layout => 2,
        ErrorKind::Format => 3,
        ErrorKind::Unsupported => 4,
        ErrorKind::Limits => 5,
        ErrorKind::Usage => 6,
        ErrorKind::Device => 7,
        ErrorKind::Diverged => 8,
        ErrorKind::Callback => 9,
        ErrorKind::Stopped => 10,
        ErrorKind::Torch => 11,
        ErrorKind::Peer => 12,
    }
}

fn kind(wanted: u8) -> Option<ErrorKind> {
    use ErrorKind::{Callback, Device, Diverged, Format, Io, Layout, Limits, Peer, Stopped, Torch, Unsupported, Usage};
    let all = [Io, Layout, Format, Unsupported, Limits, Usage, Device, Diverged, Callback, Stopped, Torch, Peer];
    all.into_iter().find(|kind| number(*kind) == wanted)
}

#[cfg(test)]
mod tests {
    use super::super::group::Alone;
    use super::*;
    use crate::testing::crew;

    #[test]
    fn numbers_are_summed_by_rank() {
        let sums = crew(3, |peers| sum_values(peers, vec![1.0, f64::from(peers.part().rank as u32)]).unwrap());
        assert_eq!(sums, [[3.0, 3.0]; 3]);
        assert_eq!(sum_values(&Alone, vec![0.1]).unwrap(), [0.1]);
    }

    #[test]
    fn other_numbers_tell_of_another_place() {
        let found = crew(2, |peers| sum_values(peers, vec![1.0; 1 + peers.part().rank]).unwrap_err().to_string());
        assert!(found[0].contains("process 1 is not at the same place"), "{found:?}");
    }

    #[test]
    fn one_is_enough_for_any() {
        assert_eq!(crew(3, |peers| any(peers, peers.part().rank == 2).unwrap()), [true; 3]);
        assert_eq!(crew(3, |peers| any(peers, false).unwrap()), [false; 3]);
        assert!(any(&Alone, true).unwrap() && !any(&Alone, false).unwrap());
    }

    /// All fail, with the same kind; each kind survives the way.
    #[test]
    fn an_error_of_one_is_one_of_all() {
        for number in 1..=12 {
            let kind = kind(number).unwrap();
            let found = crew(2, |peers| {
                let own = || Error::new(kind, "the disk is full").at("x");
                in_turn(peers, if peers.part().leads() { Err(own()) } else { Ok(vec![7]) }).unwrap_err()
            });
            assert!(found.iter().all(|error| error.kind() == kind));
            assert_eq!(found[0].to_string(), "x: the disk is full");
            let verb = if kind == ErrorKind::Stopped { "was stopped" } else { "failed" };
            assert_eq!(found[1].to_string(), format!("process 0 {verb} (x: the disk is full)"));
        }
        assert!(kind(FINE).is_none());
        assert_eq!(in_turn(&Alone, Ok(vec![7])).unwrap(), [[7]]);
    }
}
