//! Communication between processes that share a translation. An error in one process is an error in all.

use std::ops::Range;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::resume_store::ResumeStore;
use crate::error::{Error, ErrorKind, Result};
use crate::inference::tiling::TileSize;
use crate::peers::{self, Peers};
use crate::raster::RasterSpec;

/// Opens the store of an output, first in the first process and then in the others; returns whether the output is
/// complete.
pub(super) fn open_stores(
    peers: &dyn Peers,
    folder: PathBuf,
    (fingerprint, spec): (&Value, RasterSpec),
    output: &Path,
) -> Result<(ResumeStore, bool)> {
    if peers.part().leads() {
        let open_stores = ResumeStore::open(folder, fingerprint, spec);
        let (store, said) = exchange_results(peers, open_stores, |store| vec![u8::from(store.is_done(output))])?;
        barrier(peers, Ok(()))?;
        return Ok((store, said[0] == [1]));
    }
    let is_done = peers::in_turn(peers, Ok(Vec::new()))?[0] == [1];
    let (store, _) = exchange_results(peers, ResumeStore::join(folder, spec), |_| Vec::new())?;
    Ok((store, is_done))
}

/// Sends this process's result to the others and returns it with their messages; if one process has an error, all
/// return one.
pub(super) fn exchange_results<T>(
    peers: &dyn Peers,
    own: Result<T>,
    tell: impl FnOnce(&T) -> Vec<u8>,
) -> Result<(T, Vec<Vec<u8>>)> {
    let (own, words) = match own {
        Ok(own) => (Ok(own), Ok(Vec::new())),
        Err(error) => (Err(()), Err(error)),
    };
    let words = words.map(|_: Vec<u8>| own.as_ref().map_or(Vec::new(), tell));
    let said = peers::in_turn(peers, words)?;
    let own = own.map_err(|()| Error::new(ErrorKind::Peer, "an error of this process was lost"))?;
    Ok((own, said))
}

/// Waits until all processes have arrived; if one has an error, all return one.
pub(super) fn barrier(peers: &dyn Peers, own: Result<()>) -> Result<()> {
    exchange_results(peers, own, |()| Vec::new()).map(drop)
}

/// Returns the steps that the first process finds missing, in all processes.
pub(super) fn missing_in_first(
    peers: &dyn Peers,
    find: impl FnOnce() -> Vec<Range<usize>>,
) -> Result<Vec<Range<usize>>> {
    if peers.part().is_whole() {
        return Ok(find());
    }
    let unsound = |e| Error::new(ErrorKind::Format, "the steps cannot be sent to other processes").because(e);
    let own = match peers.part().leads() {
        true => serde_json::to_vec(&find()).map_err(unsound),
        false => Ok(Vec::new()),
    };
    serde_json::from_slice(&peers::in_turn(peers, own)?[0]).map_err(unsound)
}

/// Chooses tiles for which all processes have memory, and checks that all are about to write the same outputs.
///
/// # Errors
/// `Usage` that names the process that writes other outputs, and what differs.
pub(super) fn tiles(peers: &dyn Peers, own: Result<TileSize>, outputs: Option<&[Value]>) -> Result<TileSize> {
    if peers.part().is_whole() {
        return own;
    }
    let described =
        |tiles: &TileSize| json!({ "side": tiles.side, "outputs": outputs.map(digest) }).to_string().into_bytes();
    let (tiles, said) = exchange_results(peers, own, described)?;
    let values =
        said.iter().map(|words| serde_json::from_slice::<Value>(words)).collect::<std::result::Result<Vec<_>, _>>();
    let values = values.map_err(|e| Error::new(ErrorKind::Usage, "the processes run different programs").because(e))?;
    if let Some(rank) = values.iter().position(|value| value["outputs"] != values[0]["outputs"]) {
        return Err(Error::new(
            ErrorKind::Usage,
            format!("process {rank} does not write the same outputs as process 0"),
        )
        .found(values[rank]["outputs"].to_string())
        .expected(values[0]["outputs"].to_string())
        .help("Give all processes the same scenes, model and options."));
    }
    let side =
        values.iter().filter_map(|value| value["side"].as_u64()).min().and_then(|side| usize::try_from(side).ok());
    Ok(TileSize { side: side.unwrap_or(tiles.side), ..tiles })
}

/// Returns checksums of what decides the outputs, key by key, ignoring what may differ, such as the number of a device.
fn digest(outputs: &[Value]) -> Value {
    let mut sums = serde_json::Map::new();
    for (key, value) in outputs.iter().filter_map(Value::as_object).flatten() {
        let text = match (key.as_str(), value.as_str()) {
            // Each process has its own CUDA device.
            ("arithmetic", Some(text)) => text.split('(').next().unwrap_or(text).to_owned(),
            _ => value.to_string(),
        };
        let before = sums.get(key).and_then(Value::as_u64).and_then(|sum| u32::try_from(sum).ok()).unwrap_or(0);
        sums.insert(key.clone(), crc32c::crc32c_append(before, text.as_bytes()).into());
    }
    Value::Object(sums)
}
