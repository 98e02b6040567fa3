//! TorchScript that scales samples of files for the network, and its output back.

use super::{InputUnits, MASK, NodataLookalike, OutputUnits, Units};
use crate::raster::Dtype;

/// Returns the code of a type in TorchScript: `c10::ScalarType`.
fn code(dtype: Dtype) -> u8 {
    match dtype {
        Dtype::U8 => 0,
        Dtype::I8 => 1,
        Dtype::I16 => 2,
        Dtype::I32 => 3,
        Dtype::I64 => 4,
        Dtype::F32 => 6,
        Dtype::F64 => 7,
        Dtype::U16 => 27,
        Dtype::U32 => 28,
        Dtype::U64 => 29,
    }
}

/// Returns method `forward` around method `network`. `weight` is a parameter, whose type and device the network uses.
pub(super) fn forward(units: &Units, side: Option<i64>, weight: &str) -> String {
    let bands = units.input.bands;
    let mut lines = vec![
        r#"assert samples.dim() == 4, "expected samples of shape (N, bands, H, W)""#.to_string(),
        format!(r#"assert samples.size(1) == {bands}, "expected the {bands} bands of a file""#),
    ];
    lines.extend(side.map(square));
    if units.input.has_mask {
        lines.push(format!(
            r#"assert {MASK}.dim() == 4 and {MASK}.size(1) == 1, "expected a mask of shape (N, 1, H, W)""#
        ));
        lines.push(format!(
            r#"assert {MASK}.size(2) == samples.size(2) and {MASK}.size(3) == samples.size(3), "expected a mask as large as the samples""#
        ));
    }
    scaled(&units.input, &mut lines);
    lines.push(format!("y = self.network(x.type_as({weight}))"));
    samples(&units.output, &mut lines);
    lines.push(format!("return v.to({})", code(units.output.tensor)));
    let mask = if units.input.has_mask { format!(", {MASK}: Tensor") } else { String::new() };
    let head = format!("def forward(self, samples: Tensor{mask}) -> Tensor:\n");
    lines.iter().fold(head, |text, line| text + "  " + line + "\n")
}

/// Returns a line that refuses other sizes of `samples`.
fn square(side: i64) -> String {
    format!(
        r#"assert samples.size(2) == {side} and samples.size(3) == {side}, "expected images of {side} x {side} pixels""#
    )
}

/// Adds the lines from `samples` to `x`, with `empty` where no band has data.
fn scaled(units: &InputUnits, lines: &mut Vec<String>) {
    lines.push(format!("x = samples.to({})", code(units.arithmetic)));
    if !units.takes_all_bands() {
        lines.push(format!("x = x.index_select(1, torch.tensor({:?}, device=x.device))", units.channels));
    }
    if units.tensor != units.samples {
        lines.push("x = torch.round(x)".to_string());
    }
    if units.may_have_gaps() {
        lines.push(format!("gap = {}", gaps(units)));
        lines.push("empty = torch.all(gap, 1, True)".to_string());
    }
    let (min, factor) = (for_each(&units.min, "x"), for_each(&units.factor, "x"));
    lines.push(format!("x = (x - {min}) * {factor} - 1.0"));
    if units.clip {
        lines.push("x = torch.clamp(x, -1.0, 1.0)".to_string());
    }
    if units.may_have_gaps() {
        let gap = if units.goes_by_pixel { "empty" } else { "gap" };
        lines.push(format!("x = x.masked_fill({gap}, 0.0)"));
    }
}

fn gaps(units: &InputUnits) -> String {
    let by_value = units.nodata.map(|nodata| is_like("x", nodata, units.samples));
    let by_number = units.samples.is_float().then(|| "torch.logical_not(torch.isfinite(x))".to_string());
    let by_mask = units.has_mask.then(|| format!("({MASK} == 0)"));
    let all: Vec<String> = [by_value, by_number, by_mask].into_iter().flatten().collect();
    all.join(" | ")
}

/// Returns whether values count as the nodata value; see `Sample::is_like`.
fn is_like(name: &str, nodata: f64, samples: Dtype) -> String {
    let other = number(nodata);
    if !samples.is_float() {
        return format!("({name} == {other})");
    }
    let margin = number(2.0 * f64::from(f32::EPSILON));
    format!("(({name} == {other}) | (torch.abs({name} - {other}) < torch.abs({name} + {other}) * {margin}))")
}

/// Adds the lines from `y` to `v`.
fn samples(units: &OutputUnits, lines: &mut Vec<String>) {
    if units.bands < units.channels {
        lines.push(format!("y = y[:, :{}]", units.bands));
    }
    lines.push(format!("v = y.to({})", code(units.arithmetic)));
    let (half, min) = (for_each(&units.half_range, "v"), for_each(&units.min, "v"));
    lines.push(format!("v = (v + 1.0) * {half} + {min}"));
    if let Some((least, most)) = units.limits() {
        lines.push(format!("v = torch.clamp(v, {}, {})", number(least), number(most)));
        // Halves are rounded away from zero; torch's own rounding goes to even numbers.
        lines.push("v = torch.sign(v) * torch.floor(torch.abs(v) + 0.5)".to_string());
    }
    if let Some(NodataLookalike { value, instead, always }) = units.lookalike {
        let mut like = is_like("v", value, units.samples);
        if !always {
            like += " & torch.any(torch.flatten(empty, 1), 1).view([-1, 1, 1, 1])";
        }
        lines.push(format!("v = v.masked_fill({like}, {})", number(instead)));
    }
    if let Some(value) = units.empty {
        lines.push(format!("v = v.masked_fill(empty, {})", number(value)));
    }
}

/// Returns a number for each channel, with type and device of `like`.
fn for_each(values: &[f64], like: &str) -> String {
    let values: Vec<String> = values.iter().map(|&value| number(value)).collect();
    format!("torch.tensor([{}], dtype={like}.dtype, device={like}.device).view([1, -1, 1, 1])", values.join(", "))
}

fn number(value: f64) -> String {
    if value.is_finite() { format!("{value:e}") } else { format!("float(\"{value}\")") }
}
