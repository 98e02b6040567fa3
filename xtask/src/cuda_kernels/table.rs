//! Tabulates the resources of kernels, and checks them against limits.

use std::fmt::Write;

use serde_json::Value;

use crate::trouble::{Result, Trouble};

/// With this many registers, two blocks of 256 threads fit on a multiprocessor, which has 65,536.
const MOST_REGISTERS: u64 = 128;
/// The compiler spills a value or two if another register would cost a whole block.
const MOST_SPILLED: u64 = 16;
/// The maximum of a block without opting in to more.
const MOST_SHARED: u64 = 48 << 10;

/// Resources of one kernel for one element type on one GPU generation.
#[derive(Debug, PartialEq)]
pub struct Row {
    kernel: String,
    element: String,
    architecture: String,
    registers: u64,
    /// Bytes per block.
    shared: u64,
    /// Bytes per thread.
    spilled: u64,
}

pub fn rows(lines: &str) -> Result<Vec<Row>> {
    let rows: Option<Vec<_>> = lines.lines().map(row).collect();
    rows.filter(|rows| !rows.is_empty())
        .ok_or_else(|| Trouble::new(format!("expected the resources of the kernels from NVRTC, found {lines:?}")))
}

fn row(line: &str) -> Option<Row> {
    let value: Value = serde_json::from_str(line).ok()?;
    let text = |name| value[name].as_str().map(String::from);
    // A kernel with no registers is one whose report was not understood.
    Some(Row {
        kernel: text("kernel")?,
        element: text("element")?,
        architecture: text("architecture")?,
        registers: value["registers"].as_u64().filter(|registers| *registers > 0)?,
        shared: value["shared"].as_u64()?,
        spilled: value["spilled"].as_u64()?,
    })
}

pub fn text(rows: &[Row]) -> String {
    let mut text =
        format!("{:<8}{:<9}{:<34}{:>10}{:>8}{:>9}\n", "GPU", "element", "kernel", "registers", "shared", "spilled");
    for row in rows {
        let Row { architecture, element, kernel, registers, shared, spilled } = row;
        let _ = writeln!(text, "{architecture:<8}{element:<9}{kernel:<34}{registers:>10}{shared:>8}{spilled:>9}");
    }
    text
}

/// Fails if a kernel exceeds a limit.
pub fn judge(rows: &[Row]) -> Result<()> {
    let over = |row: &&Row| row.registers > MOST_REGISTERS || row.spilled > MOST_SPILLED || row.shared > MOST_SHARED;
    let names: Vec<_> =
        rows.iter().filter(over).map(|row| format!("{} ({}, {})", row.kernel, row.element, row.architecture)).collect();
    if names.is_empty() {
        return Ok(());
    }
    Err(Trouble::new(format!(
        "more than {MOST_REGISTERS} registers, {MOST_SPILLED} bytes spilled or {MOST_SHARED} bytes of shared memory: {}",
        names.join(", ")
    ))
    .advice("keep fewer values per thread; the table above lists the resources of each kernel"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(registers: u64, shared: u64, spilled: u64) -> String {
        format!(
            r#"{{"architecture": "sm_90", "element": "f32", "kernel": "k", "registers": {registers}, "shared": {shared}, "spilled": {spilled}}}"#
        )
    }

    #[test]
    fn kernels_within_all_limits_pass() {
        let rows = rows(&[line(96, 1024, 0), line(20, 0, 16)].join("\n")).unwrap();
        judge(&rows).unwrap();
        assert!(text(&rows).contains("96    1024        0"), "{}", text(&rows));
    }

    #[test]
    fn a_kernel_beyond_any_limit_is_named() {
        for line in [line(129, 0, 0), line(96, 49_153, 0), line(96, 0, 17)] {
            assert!(judge(&rows(&line).unwrap()).unwrap_err().to_string().contains("k (f32, sm_90)"), "{line}");
        }
    }

    #[test]
    fn a_report_that_is_not_understood_is_no_success() {
        for lines in ["", "nothing", "{}", &line(0, 0, 0)] {
            assert!(rows(lines).is_err(), "{lines}");
        }
    }
}
