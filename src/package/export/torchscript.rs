//! TorchScript: the source text of a network, compiled and packed by libtorch itself.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;

use tch::{Device, Kind, Tensor};

use super::{Exported, METADATA_NAME, torchscript_units};
use crate::error::{Error, Result};
use crate::ffi::Script;
use crate::nn::{ConvShape, EPSILON, Layer, Plan, Upsampling, UpsamplingShape, inside, placed};
use crate::store::{Pending, Ready};

/// Writes the network beside `target`; [`Ready::publish`] renames the file.
///
/// The parameters are float32 on the CPU, without gradient; `.to(device)` and `.half()` move them.
pub(crate) fn write(target: &Path, exported: &Exported) -> Result<Ready> {
    let metadata = exported.metadata.to_json()?;
    let parameters = on_processor(&exported.parameters)?;
    let source = source(exported);
    let script = Script { source: &source, parameters: &parameters, extra: (METADATA_NAME, &metadata) };
    let mut file = Pending::create(target)?;
    let mut written = Ok(());
    script.save(&mut |bytes| {
        if written.is_ok() {
            written = file.write_all(bytes);
        }
    })?;
    written.map_err(|e| Error::io("file cannot be written", target, e).help("Is the disk full?"))?;
    file.finish()
}

/// Moves parameters to the CPU, without copying those that are there already.
fn on_processor(parameters: &[(String, Tensor)]) -> Result<Vec<(String, Tensor)>> {
    let moved =
        |tensor: &Tensor| tensor.f_detach()?.f_to_device_(Device::Cpu, Kind::Float, false, false)?.f_contiguous();
    parameters.iter().map(|(name, tensor)| Ok((name.clone(), moved(tensor)?))).collect()
}

/// Repeats each pixel in both directions.
const DOUBLED: &str = "torch.upsample_nearest2d(y, None, [2.0, 2.0])";

/// Returns the method `forward` and the methods that it calls.
fn source(exported: &Exported) -> String {
    let Exported { plan, parameters, units, side, .. } = exported;
    let network = |name| methods(plan, name, units.is_none().then_some(*side).flatten());
    match units {
        None => network("forward"),
        Some(units) => {
            let weight = parameters.first().map_or_else(String::new, |(name, _)| module(name));
            network("network") + "\n" + &torchscript_units::forward(units, *side, &weight)
        }
    }
}

/// Returns the network as a method of this name, and the method `extended`.
fn methods(plan: &Plan, name: &str, side: Option<i64>) -> String {
    let Plan { layers, factor, smallest_side, .. } = plan;
    let mut body = String::new();
    lines(layers, "", 0, &mut body);
    let square = side.map_or_else(String::new, |side| {
        format!("  assert height == {side} and width == {side}, \"expected images of {side} x {side} pixels\"\n")
    });
    format!(
        r#"def extended(self, x: Tensor, dim: int) -> Tensor:
  n = x.size(dim)
  wanted = (max(n, {smallest_side}) + {most_missing}) // {factor} * {factor}
  if wanted == n:
    return x
  period = max(2 * n - 2, 1)
  index = torch.arange(wanted, device=x.device) % period
  return x.index_select(dim, torch.minimum(index, period - index))

def {name}(self, x: Tensor) -> Tensor:
  assert x.dim() == 4, "expected images of shape (N, C, H, W)"
  height = x.size(2)
  width = x.size(3)
{square}  image = self.extended(self.extended(x, 2), 3)
  y = image
{body}  return y[:, :, :height, :width]
"#,
        most_missing = factor - 1,
    )
}

/// Adds the lines of each layer; `prefix` starts the names of modules, `depth` distinguishes inputs that are kept.
fn lines(layers: &[Layer], prefix: &str, depth: usize, into: &mut String) {
    for (path, layer) in placed(layers, prefix) {
        let value = match layer {
            Layer::Reflect(pad) => reflected(*pad),
            Layer::Convolution(ConvShape { stride, padding, has_bias, .. }) => {
                convolution(&path, (*stride, *padding), *has_bias)
            }
            Layer::Upsampling(shape) => upsampled(&path, *shape, into),
            Layer::InstanceNorm => {
                format!("torch.instance_norm(y, None, None, None, None, True, 0.0, {EPSILON:e}, True)")
            }
            Layer::Rectify(0.0) => "torch.relu(y)".to_string(),
            Layer::Rectify(slope) => format!("torch.leaky_relu(y, {slope:?})"),
            Layer::Tanh => "torch.tanh(y)".to_string(),
            Layer::AddImage => "y + image".to_string(),
            Layer::Residual(layers) => {
                line(&format!("kept{depth} = y"), into);
                lines(layers, &inside(layer, &path), depth + 1, into);
                format!("kept{depth} + y")
            }
            Layer::Skip(layers) => {
                line(&format!("kept{depth} = y"), into);
                lines(layers, &inside(layer, &path), depth + 1, into);
                format!("torch.cat([y, kept{depth}], 1)")
            }
            Layer::Module(_, layers) => {
                lines(layers, &inside(layer, &path), depth, into);
                continue;
            }
            Layer::Enlarge => DOUBLED.to_string(),
            Layer::ZeroPad => "torch.constant_pad_nd(y, [1, 0, 1, 0])".to_string(),
            // Has an effect only in training.
            Layer::Dropout => continue,
        };
        line(&format!("y = {value}"), into);
    }
}

fn upsampled(path: &str, shape: UpsamplingShape, into: &mut String) -> String {
    let UpsamplingShape { form, kernel, has_bias, .. } = shape;
    match form {
        Upsampling::Transposed => {
            let (m, more) = (module(path), i64::from(kernel == 3));
            let bias = bias(&m, has_bias);
            format!("torch.conv_transpose2d(y, {m}.weight, {bias}, [2, 2], [1, 1], [{more}, {more}])")
        }
        Upsampling::Resize => {
            line(&format!("y = {DOUBLED}"), into);
            line(&format!("y = {}", reflected(1)), into);
            convolution(path, (1, 0), has_bias)
        }
    }
}

fn reflected(pad: i64) -> String {
    format!("torch.reflection_pad2d(y, [{pad}, {pad}, {pad}, {pad}])")
}

fn convolution(path: &str, (stride, padding): (i64, i64), has_bias: bool) -> String {
    let m = module(path);
    let bias = bias(&m, has_bias);
    format!("torch.conv2d(y, {m}.weight, {bias}, [{stride}, {stride}], [{padding}, {padding}])")
}

fn bias(module: &str, has_bias: bool) -> String {
    if has_bias { format!("{module}.bias") } else { "None".to_string() }
}

fn line(text: &str, into: &mut String) {
    // Writing to a string cannot fail.
    let _ = writeln!(into, "  {text}");
}

/// Returns a module, whose name is a number and not an identifier.
fn module(path: &str) -> String {
    path.split('.').fold("self".to_string(), |outer, name| format!("getattr({outer}, \"{name}\")"))
}
