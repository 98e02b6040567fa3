//! Norm statistics of whole scenes.

use serde::{Deserialize, Serialize};
use tch::{Kind, Tensor};

use super::progress::Progress;
use super::statistics_chips::chips;
use super::translation::Translation;
use crate::error::{Error, ErrorKind, Result};
use crate::inference::tiling::{Part, TileSize, chip_side, is_gathered_whole, wanted_pixels};
use crate::nn::Moments;
use crate::peers::{self, Peers};
use crate::raster::Source;

/// Gathers statistics over several scenes together, one set for each layer; `None` if no scene has data.
pub(crate) fn gathered(
    translation: &Translation<'_>,
    tiles: TileSize,
    scenes: &[&Source],
    progress: &mut Progress,
) -> Result<Option<Vec<Moments>>> {
    progress.check_stop()?;
    let chips = match scenes {
        [scene] if tiles.takes_whole(scene.size()) || is_gathered_whole(scene.size()) => {
            let (height, width) = scene.size();
            vec![scene.window(0, 0, height, width)?]
        }
        _ => {
            let pixels = scenes.iter().map(|scene| Part::whole(scene.size()).pixels()).sum();
            chips(scenes, wanted_pixels(tiles.side, pixels), chip_side(translation.chip), progress)?
        }
    };
    progress.add_network(chips.iter().map(|chip| chip.height() as u64 * chip.width() as u64).sum());
    translation.pooled(&chips)
}

/// Gathers statistics in the first process and sends them to all: the same bits in each.
pub(crate) fn gathered_once(
    peers: &dyn Peers,
    (translation, tiles): (&Translation<'_>, TileSize),
    scenes: &[&Source],
    progress: &mut Progress,
) -> Result<Option<Vec<Moments>>> {
    if peers.part().is_whole() {
        return gathered(translation, tiles, scenes, progress);
    }
    let own = match peers.part().leads() {
        true => gathered(translation, tiles, scenes, progress).and_then(|moments| encoded(moments.as_deref())),
        false => Ok(Vec::new()),
    };
    decoded(&peers::in_turn(peers, own)?[0], translation.device)
}

/// The two tensors of a layer, each with its shape and the bits of its values.
#[derive(Serialize, Deserialize)]
struct Layer([(Vec<i64>, Vec<u32>); 2]);

fn encoded(moments: Option<&[Moments]>) -> Result<Vec<u8>> {
    let tensor = |tensor: &Tensor| -> Result<_> {
        let flat = tensor.f_to_device_(tch::Device::Cpu, Kind::Float, false, false)?.f_reshape([-1])?;
        Ok((tensor.size(), Vec::<f32>::try_from(flat)?.into_iter().map(f32::to_bits).collect()))
    };
    let layer = |moments: &Moments| Ok(Layer([tensor(&moments.mean)?, tensor(&moments.scale)?]));
    let layers = moments.map(|layers| layers.iter().map(layer).collect::<Result<Vec<_>>>()).transpose()?;
    serde_json::to_vec(&layers).map_err(encoding_error)
}

fn decoded(words: &[u8], device: tch::Device) -> Result<Option<Vec<Moments>>> {
    let layers: Option<Vec<Layer>> = serde_json::from_slice(words).map_err(encoding_error)?;
    let tensor = |(size, bits): (Vec<i64>, Vec<u32>)| -> Result<_> {
        let values: Vec<f32> = bits.into_iter().map(f32::from_bits).collect();
        Ok(Tensor::f_from_slice(&values)?.f_reshape(size.as_slice())?.f_to_device(device)?)
    };
    let layer = |Layer([mean, scale])| Ok(Moments { mean: tensor(mean)?, scale: tensor(scale)? });
    layers.map(|layers| layers.into_iter().map(layer).collect()).transpose()
}

fn encoding_error(error: serde_json::Error) -> Error {
    Error::new(ErrorKind::Format, "the statistics of a scene cannot be sent to other processes").because(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statistics_are_sent_bit_for_bit() {
        let values = [f32::INFINITY, 0.1f32, 1.0 / 3.0, -1e-30, 3.402_823_5e38, 1e-45, 16_777_217.0, -0.0];
        let mean = Tensor::from_slice(&values).view([2, 4]);
        let moments = [Moments { scale: &mean * 7.0 / 3.0 * 1e-3, mean }];
        let found = decoded(&encoded(Some(&moments)).unwrap(), tch::Device::Cpu).unwrap().unwrap();
        assert!(found[0].mean == moments[0].mean && found[0].scale == moments[0].scale);
        assert_eq!(found[0].mean.size(), [2, 4]);
        assert!(decoded(&encoded(None).unwrap(), tch::Device::Cpu).unwrap().is_none());
        assert!(decoded(b"", tch::Device::Cpu).is_err());
    }
}
