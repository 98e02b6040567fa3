//! The checkpoint file: safetensors, with everything that is not a tensor in the header.

use std::collections::HashMap;
use std::io::Write;
use std::path::Path;

use safetensors::Dtype;
use safetensors::tensor::{Metadata, TensorInfo};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tch::{Kind, Tensor};

use crate::dataset::{DataBunch, DataDigest};
use crate::device::available_memory;
use crate::error::{Error, ErrorKind, Result, shown};
use crate::nn::bytes_of;
use crate::peers::Part;
use crate::store::{self, Pending, Ready};
use crate::tensor_file::{TensorFile, View, check_header};
use crate::train::difference::first_difference;
use crate::train::history::History;
use crate::train::plan::Plan;
use crate::train::snapshot::Snapshot;
use crate::train::state::{Position, TrainState};

/// The key of our part of the header.
const KEY: &str = "geolearn.checkpoint";
/// Limit if the system does not report free memory.
const MOST_BYTES: u64 = 64 << 30;

/// Everything that is not a tensor.
#[derive(Debug, Serialize, Deserialize)]
struct Header {
    /// The release of this crate that wrote the file.
    version: String,
    model: Value,
    data: DataDigest,
    plan: Plan,
    position: Position,
    history: History,
    /// Number of libtorch's threads; another number may round sums differently.
    threads: i32,
    /// Number of processes of the fit; another number may round sums differently. Omitted for one process, as in files
    /// from before there were several.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    processes: usize,
}

fn one() -> usize {
    1
}

fn is_one(count: &usize) -> bool {
    *count == one()
}

/// The contents of a checkpoint.
#[derive(Debug)]
pub(crate) struct Contents {
    header: Header,
    state: TrainState,
}

impl Snapshot<'_> {
    /// Writes a checkpoint, for callbacks that keep their own; an older file is replaced only by a complete one.
    ///
    /// ```
    /// use geolearn::Result;
    /// use geolearn::train::{Callback, EpochReport, Flow};
    ///
    /// /// Keeps every tenth epoch.
    /// struct EveryTenth;
    ///
    /// impl Callback for EveryTenth {
    ///     fn on_epoch_end(&mut self, report: &EpochReport<'_>) -> Result<Flow> {
    ///         if report.epoch % 10 == 0 {
    ///             report.snapshot.save(format!("run1/tenth_{:04}.safetensors", report.epoch))?;
    ///         }
    ///         Ok(Flow::Continue)
    ///     }
    /// }
    /// ```
    ///
    /// # Errors
    /// `Io` if the file cannot be written.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        let path = path.as_ref();
        store::remove_abandoned_of([path]);
        write(path, self)?.publish()?;
        tracing::info!(path = %path.display(), epochs = self.epochs(), "checkpoint written");
        Ok(())
    }
}

/// Writes a snapshot beside `target`.
pub(super) fn write(target: &Path, snapshot: &Snapshot<'_>) -> Result<Ready> {
    let state = snapshot.model.state();
    // Losses reveal a broken update only in the next step; before that, its file must not replace a good one.
    if let Some(name) = state.not_finite()? {
        return Err(Error::new(ErrorKind::Diverged, "the state is not saved")
            .at(target)
            .expected(format!("finite values in {name}"))
            .help("The older checkpoint is unchanged. Lower the learning rate."));
    }
    let header = Header {
        version: env!("CARGO_PKG_VERSION").to_string(),
        model: snapshot.model.configuration()?,
        data: joint_digest(snapshot.data, snapshot.part),
        plan: snapshot.plan.clone(),
        position: snapshot.position.clone(),
        history: snapshot.history.until(snapshot.epochs()),
        threads: tch::get_num_threads(),
        processes: snapshot.part.count,
    };
    let json = serde_json::to_string(&header).map_err(|e| unwritable(target).because(e))?;
    check_length(&json).map_err(|e| e.at(target))?;
    let mut file = Pending::create(target)?;
    let failed = |e| Error::io("checkpoint cannot be written", target, e).help("Is the disk full?");
    let layout = layout(&state, json).map_err(|e| e.at(target))?;
    file.write_all(&(layout.len() as u64).to_le_bytes()).and_then(|()| file.write_all(&layout)).map_err(failed)?;
    let mut buffer = Vec::new();
    for (_, tensor) in &state.tensors {
        // Little-endian, as the format requires, on any machine.
        bytes_of(tensor, tensor.kind(), &mut buffer)?;
        file.write_all(&buffer).map_err(failed)?;
    }
    file.finish()
}

/// JSON of this length takes about 1 GiB of memory at worst; most of it is the history.
const MOST_JSON: usize = 32 << 20;

/// Checks that what is written can be read again.
fn check_length(json: &str) -> Result<()> {
    if json.len() <= MOST_JSON {
        return Ok(());
    }
    Err(Error::new(ErrorKind::Limits, "the checkpoint's header is too long")
        .expected(format!("at most {MOST_JSON} bytes"))
        .found(json.len())
        .help("Most of it is the history: train in fewer epochs of more steps."))
}

fn unwritable(target: &Path) -> Error {
    Error::new(ErrorKind::Format, "checkpoint cannot be written").at(target)
}

/// Builds the header of a safetensors file, in the order of the state.
fn layout(state: &TrainState, json: String) -> Result<Vec<u8>> {
    let failed = || Error::new(ErrorKind::Unsupported, "checkpoint cannot be written");
    let mut begin = 0;
    let mut tensors = Vec::with_capacity(state.tensors.len());
    for (name, tensor) in &state.tensors {
        let dtype = dtype_of(tensor.kind()).ok_or_else(|| failed().found(format!("{name} of {:?}", tensor.kind())))?;
        let end = begin + tensor.numel() * tensor.kind().elt_size_in_bytes();
        let shape = tensor.size().iter().map(|&side| side as usize).collect();
        tensors.push((name.clone(), TensorInfo { dtype, shape, data_offsets: (begin, end) }));
        begin = end;
    }
    let extra = HashMap::from([(KEY.to_string(), json)]);
    let metadata = Metadata::new(Some(extra), tensors).map_err(|e| failed().because(e))?;
    let mut bytes = serde_json::to_vec(&metadata).map_err(|e| failed().because(e))?;
    // The data starts at a multiple of eight.
    bytes.resize(bytes.len().next_multiple_of(8), b' ');
    check_header(&bytes).map(|()| bytes)
}

fn dtype_of(kind: Kind) -> Option<Dtype> {
    match kind {
        Kind::Float => Some(Dtype::F32),
        Kind::Double => Some(Dtype::F64),
        _ => None,
    }
}

fn kind_of(dtype: Dtype) -> Option<Kind> {
    match dtype {
        Dtype::F32 => Some(Kind::Float),
        Dtype::F64 => Some(Kind::Double),
        _ => None,
    }
}

/// Returns what distinguishes the data of a fit from others. Its batches are the joint batches, because the weights
/// depend only on them, up to rounding.
fn joint_digest(data: &DataBunch, part: Part) -> DataDigest {
    DataDigest { batch_size: data.joint_batch_size(part), ..data.digest() }
}

/// Reads a checkpoint from an untrusted file.
pub(crate) fn read(path: &Path) -> Result<Contents> {
    read_bytes(path).map(|(_, contents)| contents)
}

/// Reads a checkpoint, and returns the bytes of the file, too.
pub(super) fn read_bytes(path: &Path) -> Result<(Vec<u8>, Contents)> {
    // For a moment, memory holds the tensors twice.
    let bytes = store::read_capped(path, available_memory().unwrap_or(MOST_BYTES) / 2)?;
    let contents = parse(&bytes).map_err(|e| e.at(path))?;
    Ok((bytes, contents))
}

/// Parses a checkpoint from the untrusted bytes of its file.
pub(in crate::train) fn parse(bytes: &[u8]) -> Result<Contents> {
    let broken = || Error::new(ErrorKind::Format, "this is not a complete checkpoint");
    let file = TensorFile::parse(bytes)?;
    let json = file.extra(KEY).ok_or_else(|| {
        broken().expected(format!("a header with `{KEY}`")).found("another safetensors file").help(
            "To start from the weights of another model use CycleGanBuilder::pretrained_path; to predict use from_model.",
        )
    })?;
    check_length(json)?;
    let header: Header = serde_json::from_str(json).map_err(|e| broken().because(e))?;
    let mut tensors = Vec::new();
    // In the order of the file, which is the order of images in their pools.
    for view in file.views() {
        let View { name, dtype, size, bytes } = view?;
        let kind = kind_of(dtype).ok_or_else(|| broken().found(format!("{} of {dtype:?}", shown(name))))?;
        tensors.push((name.to_owned(), Tensor::f_from_data_size(bytes, &size, kind)?));
    }
    let state = TrainState { tensors };
    if let Some(name) = state.not_finite()? {
        return Err(Error::new(ErrorKind::Format, "the checkpoint holds values that are not finite").found(name));
    }
    Ok(Contents { header, state })
}

impl Contents {
    /// Returns how the model that wrote it was built.
    pub(crate) fn configuration(&self) -> &Value {
        &self.header.model
    }

    /// Returns the digest of its training data.
    pub(crate) fn data(&self) -> &DataDigest {
        &self.header.data
    }

    pub(crate) fn state(&self) -> &TrainState {
        &self.state
    }

    /// Returns the history of its complete epochs.
    pub(crate) fn history(&self) -> &History {
        &self.header.history
    }

    pub(in crate::train) fn plan(&self) -> &Plan {
        &self.header.plan
    }

    pub(in crate::train) fn position(&self) -> &Position {
        &self.header.position
    }

    /// Checks that a fit of `plan` on `data`, by a model with the configuration `model` and in the processes of `part`,
    /// is the one that wrote the checkpoint. The joint batches must be the same, but not the number of processes.
    pub(in crate::train) fn check(&self, model: &Value, data: &DataBunch, plan: &Plan, part: Part) -> Result<()> {
        let Header { model: its_model, data: its_data, plan: its_plan, .. } = &self.header;
        for (what, ours, theirs) in [
            ("model", model, its_model),
            ("data set", &json(joint_digest(data, part).comparable_to(its_data))?, &json(its_data)?),
            ("fit", &json(plan)?, &json(its_plan)?),
        ] {
            if let Some((key, ours, theirs)) = first_difference("", ours, theirs) {
                return Err(Error::new(
                    ErrorKind::Usage,
                    format!("the checkpoint belongs to another {what}: {key} differs"),
                )
                .expected(ours)
                .found(theirs)
                .help(
                    "Use the options with which the checkpoint was written, another folder, or resume(false) \
                         to begin anew; CycleGan::from_checkpoint takes its weights up for a fit of other options.",
                ));
            }
        }
        if self.header.version != env!("CARGO_PKG_VERSION") {
            tracing::warn!(version = self.header.version, "the checkpoint was written by another release");
        }
        let threads = tch::get_num_threads();
        if threads != self.header.threads {
            tracing::warn!(
                threads,
                checkpoint = self.header.threads,
                "libtorch has another number of threads than when the checkpoint was written; what is not computed in f32 on the \
                 processor may round differently"
            );
        }
        if part.count != self.header.processes {
            tracing::warn!(
                processes = part.count,
                checkpoint = self.header.processes,
                "the checkpoint was written by a different number of processes; sums may round differently"
            );
        }
        Ok(())
    }

    /// Checks that the checkpoint contains everything that a model with this history has learned. Its part of an epoch
    /// that was stopped may be included.
    pub(in crate::train) fn check_history(&self, own: &History) -> Result<()> {
        let Header { position, history, .. } = &self.header;
        let (own, kept) = (own.epochs(), history.epochs());
        let partial = position.batches > 0
            && own.len() == kept.len() + 1
            && own.last().is_some_and(|last| last.steps == position.batches as u64);
        let whole = own.len() - usize::from(partial);
        let same = |i: usize| kept.get(i).is_some_and(|k| (&k.losses, k.steps) == (&own[i].losses, own[i].steps));
        if (0..whole).all(same) {
            return Ok(());
        }
        Err(Error::new(ErrorKind::Usage, "the model was trained further than the checkpoint")
            .expected("a fresh model, or one that was trained no further than the checkpoint")
            .found(format!("{} epochs in the model and {} in the checkpoint", own.len(), kept.len()))
            .help("Resume with a new model. For another fit, choose another folder or resume(false)."))
    }

    /// Checks that position and history of an untrusted file agree with each other and with the plan.
    pub(in crate::train) fn check_position(&self, names: &[&str], batches: usize) -> Result<()> {
        let Header { position, history, plan, .. } = &self.header;
        let whole = position.first_epoch.checked_add(position.epochs) == Some(history.epochs().len());
        let within = position.epochs <= plan.epochs && position.batches < batches;
        // Sums of an epoch that has started are those of the model's losses.
        let sums = position.batches == 0 || (position.sums.len() == names.len() && history.names() == names);
        if whole && within && sums && history.is_sound() {
            return Ok(());
        }
        Err(Error::new(ErrorKind::Format, "the checkpoint contradicts itself: its position in the fit is impossible")
            .found(format!("{} epochs and {} batches", position.epochs, position.batches)))
    }
}

fn json(value: impl Serialize) -> Result<Value> {
    serde_json::to_value(value).map_err(|e| Error::new(ErrorKind::Format, "options cannot be compared").because(e))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_that_are_no_checkpoints_are_refused() {
        for bytes in [&b""[..], b"\x08\0\0\0\0\0\0\0{}      ", b"\xff\xff\xff\xff\xff\xff\xff\xff{}", &[0; 100]] {
            assert_eq!(parse(bytes).unwrap_err().kind(), ErrorKind::Format);
        }
    }
}
