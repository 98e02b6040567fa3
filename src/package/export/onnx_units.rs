//! ONNX nodes that scale samples of files for the network, and its output back.

use super::onnx_graph::{FLOAT, Graph, INPUT, OUTPUT, int, ints};
use super::{InputUnits, MASK, NodataLookalike, OutputUnits, Units};
use crate::raster::Dtype;

const BOOL: u64 = 9;
const DOUBLE: u64 = 11;
/// 1 where a pixel of the input has no data in any band; the output needs it.
const EMPTY: &str = "empty";

/// Returns the `TensorProto.DataType` of samples.
pub(super) fn data_type(dtype: Dtype) -> u64 {
    match dtype {
        Dtype::U8 => 2,
        Dtype::I8 => 3,
        Dtype::U16 => 4,
        Dtype::I16 => 5,
        Dtype::I32 => 6,
        Dtype::I64 => 7,
        Dtype::U32 => 12,
        Dtype::U64 => 13,
        Dtype::F32 => FLOAT,
        Dtype::F64 => DOUBLE,
    }
}

impl Graph<'_> {
    /// Adds the nodes from [`INPUT`] to the network's input.
    pub(super) fn scaled(&mut self, units: &InputUnits) -> String {
        let value = self.chosen(units);
        let gaps = self.gaps(&value, units);
        let min = self.for_each("input_min", &units.min, units.arithmetic);
        let factor = self.for_each("input_factor", &units.factor, units.arithmetic);
        let one = self.single("one", 1.0, units.arithmetic);
        let mut scaled = self.chain(&value, &[("Sub", &min), ("Mul", &factor), ("Sub", &one)]);
        if units.clip {
            let minus_one = self.single("minus_one", -1.0, units.arithmetic);
            scaled = self.node("Clip", &[&scaled, &minus_one, &one], &[]);
        }
        if let Some(gaps) = gaps {
            let zero = self.single("zero", 0.0, units.arithmetic);
            scaled = self.node("Where", &[&gaps, &zero, &scaled], &[]);
        }
        self.cast(&scaled, FLOAT)
    }

    /// Returns the band of each channel, in the type of the arithmetic.
    fn chosen(&mut self, units: &InputUnits) -> String {
        let mut value = INPUT.to_string();
        if !units.takes_all_bands() {
            let bands = self.list("bands", &units.channels);
            value = self.node("Gather", &[&value, &bands], &[int("axis", 1)]);
        }
        let value = self.cast(&value, data_type(units.arithmetic));
        if units.tensor == units.samples { value } else { self.node("Round", &[&value], &[]) }
    }

    /// Returns where there is no data, (N, C or 1, H, W), and sets [`EMPTY`] for the output.
    fn gaps(&mut self, value: &str, units: &InputUnits) -> Option<String> {
        let by_value = units.nodata.map(|nodata| self.is_like(value, nodata, units.samples, units.arithmetic));
        let by_number = units.samples.is_float().then(|| self.is_not_finite(value));
        let by_mask = units.has_mask.then(|| {
            let has_data = self.cast(MASK, BOOL);
            self.node("Not", &[&has_data], &[])
        });
        let all = [by_value, by_number, by_mask].into_iter().flatten();
        let gaps = all.reduce(|one, other| self.node("Or", &[&one, &other], &[]))?;
        let numbers = self.cast(&gaps, FLOAT);
        self.named_node("ReduceMin", &[&numbers], &[ints("axes", &[1])], EMPTY);
        Some(if units.goes_by_pixel { self.cast(EMPTY, BOOL) } else { gaps })
    }

    fn is_not_finite(&mut self, value: &str) -> String {
        let (nan, infinite) = (self.node("IsNaN", &[value], &[]), self.node("IsInf", &[value], &[]));
        self.node("Or", &[&nan, &infinite], &[])
    }

    /// Returns whether values count as the nodata value; see `Sample::is_like`.
    fn is_like(&mut self, value: &str, nodata: f64, samples: Dtype, arithmetic: Dtype) -> String {
        let other = self.single("nodata", nodata, arithmetic);
        let equal = self.node("Equal", &[value, &other], &[]);
        if !samples.is_float() {
            return equal;
        }
        let margin = self.single("margin", 2.0 * f64::from(f32::EPSILON), arithmetic);
        let (difference, sum) = (self.node("Sub", &[value, &other], &[]), self.node("Add", &[value, &other], &[]));
        let (difference, sum) = (self.node("Abs", &[&difference], &[]), self.node("Abs", &[&sum], &[]));
        let most = self.node("Mul", &[&sum, &margin], &[]);
        let near = self.node("Less", &[&difference, &most], &[]);
        self.node("Or", &[&equal, &near], &[])
    }

    /// Adds the nodes from the network's output to [`OUTPUT`].
    pub(super) fn samples(&mut self, made: &str, units: &Units) {
        let Units { output, .. } = units;
        let mut value = self.unscaled(made, output);
        if let Some((least, most)) = output.limits() {
            value = self.rounded(&value, least, most, output.arithmetic);
        }
        if let Some(lookalike) = output.lookalike {
            value = self.moved_off_nodata(&value, lookalike, output);
        }
        if let Some(empty) = output.empty {
            let (gaps, empty) = (self.cast(EMPTY, BOOL), self.single("empty_value", empty, output.arithmetic));
            value = self.node("Where", &[&gaps, &empty, &value], &[]);
        }
        self.named_node("Cast", &[&value], &[int("to", data_type(output.tensor) as i64)], OUTPUT);
    }

    fn unscaled(&mut self, made: &str, units: &OutputUnits) -> String {
        let mut value = made.to_string();
        if units.bands < units.channels {
            let (start, end) = (self.list("first_band", &[0]), self.list("last_band", &[units.bands as i64]));
            let axis = self.list("band_axis", &[1]);
            value = self.node("Slice", &[&value, &start, &end, &axis], &[]);
        }
        let value = self.cast(&value, data_type(units.arithmetic));
        let one = self.single("one", 1.0, units.arithmetic);
        let half = self.for_each("output_half_range", &units.half_range, units.arithmetic);
        let min = self.for_each("output_min", &units.min, units.arithmetic);
        self.chain(&value, &[("Add", &one), ("Mul", &half), ("Add", &min)])
    }

    /// Rounds to the nearest integer, halves away from zero, whereas ONNX's own `Round` rounds them to even numbers.
    fn rounded(&mut self, value: &str, least: f64, most: f64, arithmetic: Dtype) -> String {
        let (least, most) = (self.single("least", least, arithmetic), self.single("most", most, arithmetic));
        let half = self.single("half", 0.5, arithmetic);
        let value = self.node("Clip", &[value, &least, &most], &[]);
        let (sign, size) = (self.node("Sign", &[&value], &[]), self.node("Abs", &[&value], &[]));
        let size = self.node("Add", &[&size, &half], &[]);
        let size = self.node("Floor", &[&size], &[]);
        self.node("Mul", &[&sign, &size], &[])
    }

    /// Moves values that would be taken for "no data" to the next value.
    fn moved_off_nodata(&mut self, value: &str, lookalike: NodataLookalike, units: &OutputUnits) -> String {
        let mut is_like = self.is_like(value, lookalike.value, units.samples, units.arithmetic);
        if !lookalike.always {
            let any = self.node("ReduceMax", &[EMPTY], &[ints("axes", &[1, 2, 3])]);
            let any = self.cast(&any, BOOL);
            is_like = self.node("And", &[&is_like, &any], &[]);
        }
        let instead = self.single("instead", lookalike.instead, units.arithmetic);
        self.node("Where", &[&is_like, &instead, value], &[])
    }

    fn cast(&mut self, value: &str, to: u64) -> String {
        self.node("Cast", &[value], &[int("to", to as i64)])
    }

    /// Adds a number for each channel.
    fn for_each(&mut self, name: &str, values: &[f64], arithmetic: Dtype) -> String {
        self.numbers(name.to_string(), &[1, values.len() as i64, 1, 1], values, arithmetic)
    }

    /// Adds one number for all channels. Numbers of another value or type have another name.
    fn single(&mut self, name: &str, value: f64, arithmetic: Dtype) -> String {
        self.numbers(format!("{name}_{value:e}_{arithmetic}"), &[], &[value], arithmetic)
    }

    fn numbers(&mut self, name: String, dims: &[i64], values: &[f64], arithmetic: Dtype) -> String {
        let bytes: Vec<u8> = match arithmetic {
            Dtype::F64 => values.iter().flat_map(|value| value.to_le_bytes()).collect(),
            _ => values.iter().flat_map(|&value| (value as f32).to_le_bytes()).collect(),
        };
        self.constant(name, dims, data_type(arithmetic), &bytes)
    }
}
