//! Checks that the processes of a fit agree on what they are about to train.

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
/// they would wait for messages that others never send, or train different models.
///
/// # Errors
/// `Usage` in each process; it names what differs from the first process.
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
    let values = values.map_err(|e| Error::new(ErrorKind::Usage, "the processes run different programs").because(e))?;
    for (rank, value) in values.iter().enumerate() {
        if let Some((key, first, other)) = first_difference("", &values[0], value) {
            return Err(Error::new(
                ErrorKind::Usage,
                format!("process {rank} does not run the same fit as process 0: {key} differs"),
            )
            .expected(first)
            .found(other)
            .help("Run the same program with the same options, data and initial weights in every process."));
        }
    }
    Ok(())
}

/// Describes everything on which steps and exchanges depend.
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
        // Listed separately, because a rate that has to be found has no value yet.
        "find_lr": plan.is_to_be_found(),
        "fit": plan,
        "validate_every": options.validate_every,
        "resume": options.resume,
        "metrics": columns,
        "monitor": options.asked_monitor(),
        // On CUDA, losses are read at other steps.
        "cuda": model.torch_device().is_cuda(),
        "epochs_before": history.epochs().len(),
        "steps_before": history.steps(),
        "weights": checksum(model)?,
    }))
}

/// Computes the CRC-32C of everything that training changes.
fn checksum(model: &dyn Translator) -> Result<String> {
    let (mut sum, mut buffer) = (0, Vec::new());
    for (name, tensor) in model.state().tensors {
        bytes_of(&tensor, tensor.kind(), &mut buffer)?;
        sum = crc32c::crc32c_append(crc32c::crc32c_append(sum, name.as_bytes()), &buffer);
    }
    Ok(format!("{sum:08x}"))
}
