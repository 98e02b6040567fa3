//! Whether the processes that make a fit together are about to make the same one.

use serde_json::{Value, json};

use super::difference::first_difference;
use super::history::History;
use super::options::FitOptions;
use super::plan::Plan;
use super::translator::Translator;
use crate::dataset::DataBunch;
use crate::error::{Error, ErrorKind, Result};
use crate::nn::bytes_of;
use crate::peers::{self, Peers};

/// Checks that all processes have the same model with the same weights, the same data and the same options. Otherwise
/// each would wait for what others never send, or learn something else.
///
/// # Errors
/// `Usage`, in each process, that names what differs from the first process.
pub(super) fn check_agreement(
    peers: &dyn Peers,
    model: &dyn Translator,
    data: &DataBunch,
    (options, plan): (&FitOptions, &Plan),
    history: &History,
) -> Result<()> {
    if peers.part().is_whole() {
        return Ok(());
    }
    let said = described(model, data, (options, plan), history).map(|value| value.to_string().into_bytes());
    let said = peers::in_turn(peers, said)?;
    let values = said.iter().map(|words| serde_json::from_slice(words)).collect::<std::result::Result<Vec<Value>, _>>();
    let values = values.map_err(|e| Error::new(ErrorKind::Usage, "processes run other programs").because(e))?;
    for (rank, value) in values.iter().enumerate() {
        if let Some((key, first, other)) = first_difference("", &values[0], value) {
            return Err(Error::new(ErrorKind::Usage, format!("process {rank} does not make the fit of process 0: {key} differs"))
                .expected(first)
                .found(other)
                .help("Run the same program with the same options and data in every process, and begin with the same weights."));
        }
    }
    Ok(())
}

/// All on which steps and exchanges depend.
fn described(
    model: &dyn Translator,
    data: &DataBunch,
    (options, plan): (&FitOptions, &Plan),
    history: &History,
) -> Result<Value> {
    let columns: Vec<String> = options.metric_columns().into_iter().map(|column| column.name).collect();
    Ok(json!({
        "version": env!("CARGO_PKG_VERSION"),
        "model": model.configuration()?,
        "data": data.digest(),
        // Told apart here, since a rate that is to be found has no number yet.
        "find_lr": plan.is_to_be_found(),
        "fit": plan,
        "validate_every": options.validate_every,
        "resume": options.resume,
        "metrics": columns,
        "monitor": options.asked_monitor(),
        // Losses are read at other steps on CUDA.
        "cuda": model.torch_device().is_cuda(),
        "epochs_before": history.epochs().len(),
        "steps_before": history.steps(),
        "weights": checksum(model)?,
    }))
}

/// CRC-32C of all that training changes.
fn checksum(model: &dyn Translator) -> Result<String> {
    let (mut sum, mut buffer) = (0, Vec::new());
    for (name, tensor) in model.state().tensors {
        bytes_of(&tensor, tensor.kind(), &mut buffer)?;
        sum = crc32c::crc32c_append(crc32c::crc32c_append(sum, name.as_bytes()), &buffer);
    }
    Ok(format!("{sum:08x}"))
}
