//! Formats the results of a GPU machine as tables.

use serde_json::Value;

use super::results::{Results, Step, Trace};
use crate::compare_step::apart;
use crate::trouble::Result;

/// The baseline: PyTorch with its defaults.
const REFERENCE: &str = "plain-default";
/// The reference for losses.
const EXACT: &str = "plain-f32";
/// Arithmetic of a training step for one pair of 256 x 256 images, by the usual count.
const TFLOP_A_PAIR: f64 = 1.88;
/// How many kernels are listed, and how much of their names.
const KERNELS: usize = 12;
const NAME_CHARACTERS: usize = 80;

pub fn text(results: &Results) -> Result<String> {
    let mut parts = vec![machine(results), steps(results)];
    parts.extend(failures(results));
    parts.extend(results.traces.iter().map(trace));
    parts.extend(ceilings(&results.ceilings));
    parts.extend(results.images.iter().filter_map(image));
    parts.extend(scenes(&results.scenes));
    Ok(parts.join("\n\n") + "\n")
}

fn machine(results: &Results) -> String {
    let fact = |name| results.fact(name);
    format!(
        "{}: {}, driver {}, {}, clock at most {}. torch and libtorch {}, Python {}. Commit {}.",
        fact("date"),
        fact("name"),
        fact("driver_version"),
        fact("memory.total"),
        fact("clocks.max.sm"),
        fact("torch"),
        fact("python"),
        fact("commit")
    )
}

fn steps(results: &Results) -> String {
    let mut text = String::from(
        "| Size | Way | Precision | Milliseconds per step | p10 | p90 | Losses not read | Ratio to plain-default | TFLOP/s | Device memory, MiB | Ratio | Loss difference |\n|---|---|---|---|---|---|---|---|---|---|---|---|\n",
    );
    let mut sorted: Vec<&Step> = results.steps.iter().collect();
    // The sort is stable, so ways stay in the order of measurement.
    sorted.sort_by_key(|step| (step.side, step.batch));
    for step in sorted {
        let of = |way: &str| {
            results.steps.iter().find(|other| other.way == way && (other.side, other.batch) == (step.side, step.batch))
        };
        text += &row(step, of(REFERENCE), of(EXACT));
    }
    text.trim_end().into()
}

fn row(step: &Step, reference: Option<&Step>, exact: Option<&Step>) -> String {
    let Step { way, side, batch, precision, median, p10, p90, unread, memory_mib, first_losses } = step;
    let name = if way == "geolearn" { format!("**{way}**") } else { way.clone() };
    let ratio = reference.map(|other| median / other.median);
    let memory_ratio = reference.and_then(|other| Some(memory_mib.as_ref()? / other.memory_mib?));
    let tflops = TFLOP_A_PAIR * (*side as f64 / 256.0).powi(2) * *batch as f64 / (median / 1e3);
    let apart = exact.map(|exact| format!("{:.0e}", apart(first_losses, &exact.first_losses)));
    format!(
        "| {side}x{side} b{batch} | {name} | {precision} | {median:.2} | {p10:.2} | {p90:.2} | {unread:.2} | {} | {tflops:.1} | {} | {} | {} |\n",
        known(ratio, 2),
        known(*memory_mib, 0),
        known(memory_ratio, 2),
        apart.unwrap_or_default()
    )
}

/// Returns an empty string if unknown.
fn known(number: Option<f64>, digits: usize) -> String {
    number.map_or(String::new(), |number| format!("{number:.digits$}"))
}

/// Lists what passed and what failed, the failures as prominently as the rest.
fn failures(results: &Results) -> Option<String> {
    const LEFT_OUT: &str = "left out: ";
    let is_good =
        |line: &&String| line.contains(": exit 0,") || line.ends_with(" tests passed") || line.starts_with(LEFT_OUT);
    let known: Vec<&str> = results.parts.iter().filter_map(|line| line.strip_prefix(LEFT_OUT)).collect();
    let without = if known.is_empty() { String::new() } else { format!(" Left out: {}.", known.join("; ")) };
    let bad: Vec<&str> = results.parts.iter().filter(|line| !is_good(line)).map(String::as_str).collect();
    let all: Vec<&str> = bad.into_iter().chain(results.left_out.iter().map(String::as_str)).collect();
    let tests: Vec<&str> =
        results.parts.iter().filter(|line| line.ends_with(" tests passed")).map(String::as_str).collect();
    let passed = (!tests.is_empty()).then(|| format!("Tests on this device: {}.{without}", tests.join("; ")));
    let failed = (!all.is_empty()).then(|| format!("Failures:\n\n- {}", all.join("\n- ")));
    let both: Vec<String> = passed.into_iter().chain(failed).collect();
    (!both.is_empty()).then(|| both.join("\n\n"))
}

fn trace(trace: &Trace) -> String {
    let found = &trace.summary;
    let mut text = format!(
        "A step under the profiler, {}: {:.1} launches in {:.2} ms, of which the device is busy for {:.2} ms ({:.0} %); the longest \
         gap is {:.2} ms. The host waits for the device {:.1} times; {:.1} MiB are copied.\n\n| Kernel | Launches a step | Milliseconds | Share |\n|---|---|---|---|\n",
        trace.name,
        found.launches,
        found.span,
        found.busy,
        100.0 * found.busy / found.span.max(f64::MIN_POSITIVE),
        found.longest_gap,
        found.waits,
        found.copied_mib
    );
    let all: f64 = found.kernels.iter().map(|kernel| kernel.time).sum();
    for kernel in found.kernels.iter().take(KERNELS) {
        let share = 100.0 * kernel.time / all.max(f64::MIN_POSITIVE);
        text +=
            &format!("| `{}` | {:.1} | {:.2} | {share:.0} % |\n", shown(&kernel.name), kernel.launches, kernel.time);
    }
    text.trim_end().into()
}

/// Shortens the name of a kernel, and removes characters that would break a table.
fn shown(name: &str) -> String {
    name.chars().take(NAME_CHARACTERS).map(|c| if matches!(c, '|' | '`' | '\n') { ' ' } else { c }).collect()
}

fn ceilings(found: &Value) -> Option<String> {
    let number = |name: &str| found[name].as_f64();
    let mut text = format!(
        "What the device reached: products of 8192 x 8192 matrices {} TFLOP/s in bf16 and {} in TF32, copies {} GB/s.",
        known(number("matmul_bf16_tflops"), 0),
        known(number("matmul_tf32_tflops"), 0),
        known(number("copy_gbs"), 0)
    );
    let rows = found["convolutions"].as_array().filter(|rows| !rows.is_empty())?;
    text += " Convolutions in TFLOP/s, NCHW / NHWC:\n\n| Layer | Images | Precision | Forward | Gradient of the data | Gradient of the weights |\n|---|---|---|---|---|---|\n";
    for row in rows.iter().filter(|row| row["layout"] == "NCHW") {
        let same = |other: &&Value| {
            other["layout"] == "NHWC" && ["layer", "images", "dtype"].iter().all(|name| other[name] == row[name])
        };
        let nhwc = rows.iter().find(same).unwrap_or(&Value::Null);
        let pair = |name: &str| format!("{} / {}", known(row[name].as_f64(), 0), known(nhwc[name].as_f64(), 0));
        text += &format!(
            "| {} | {} | {} | {} | {} | {} |\n",
            row["layer"].as_str().unwrap_or("?"),
            row["images"],
            row["dtype"].as_str().unwrap_or("?"),
            pair("forward"),
            pair("data"),
            pair("weights")
        );
    }
    Some(text.trim_end().into())
}

fn image(row: &Value) -> Option<String> {
    let side = row["side"].as_u64()?;
    Some(format!(
        "The default generator translates an image of {side} x {side} pixels, from main memory to main memory, in {:.2} ms (median; \
         {} to {}), with {} MiB of device memory.",
        row["median_ms"].as_f64()?,
        known(row["p10_ms"].as_f64(), 2),
        known(row["p90_ms"].as_f64(), 2),
        known(row["memory_mib"].as_f64(), 0)
    ))
}

fn scenes(rows: &[Value]) -> Option<String> {
    let last = rows.last()?;
    let number = |name: &str| last[name].as_f64();
    let rate = number("megapixels")? / number("seconds")?;
    Some(format!(
        "A scene of {} megapixels takes {} s ({rate:.1} megapixels a second; in the network {} s, reading {} s, writing {} s, side by \
         side), and {} MiB of device memory.",
        known(number("megapixels"), 1),
        known(number("seconds"), 1),
        known(number("network_seconds"), 1),
        known(number("read_seconds"), 1),
        known(number("write_seconds"), 1),
        known(number("memory_mib"), 0)
    ))
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use super::*;
    use crate::scratch::Scratch;
    use std::fs;
    use std::path::Path;
    use std::process::Command;

    /// Returns made-up results, with a trace that is compressed here.
    fn made_up(scratch: &Scratch) -> Results {
        let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/gpu-check");
        for entry in fs::read_dir(fixtures).unwrap().flatten() {
            let copy = scratch.path().join(entry.file_name());
            fs::copy(entry.path(), &copy).unwrap();
            if copy.extension().is_some_and(|extension| extension == "json") && copy.to_string_lossy().contains("trace")
            {
                assert!(Command::new("gzip").arg(copy).status().unwrap().success());
            }
        }
        Results::read(scratch.path()).unwrap()
    }

    #[test]
    fn made_up_results_become_tables() {
        let scratch = Scratch::new("report").unwrap();
        let text = text(&made_up(&scratch)).unwrap();
        for line in [
            "2026-01-02: Made-up GPU, driver 1.2.3, 1000 MiB, clock at most 1500 MHz. torch and libtorch 2.11.0+cu130, Python 3.12.3. Commit abc.",
            "| 256x256 b8 | **geolearn** | bf16 | 50.00 | 49.00 | 52.00 | 48.00 | 0.25 | 300.8 | 4000 | 0.50 | 1e-2 |",
            "| 256x256 b8 | plain-default | tf32 | 200.00 | 190.00 | 210.00 | 199.00 | 1.00 | 75.2 | 8000 | 1.00 | 1e-3 |",
            "| 256x256 b8 | plain-f32 | f32 | 400.00 | 390.00 | 410.00 | 399.00 | 2.00 | 37.6 | 8000 | 1.00 | 0e0 |",
            "Tests on this device: golden: 3 tests passed. Left out: golden: a test whose file is not packed.",
            "- cuda: exit 101, 20 s",
            "- cuda: 1 tests passed, 1 were skipped",
            "- tuned: no time left",
            "- geolearn f32 b8: memory is used up",
            "A step under the profiler, b8-bf16: 2.0 launches in 2.00 ms, of which the device is busy for 1.50 ms (75 %); the longest gap is 1.00 ms.",
            "The host waits for the device 0.5 times; 2.0 MiB are copied.",
            "| `winograd  a` | 1.0 | 1.25 | 71 % |",
            "8192 x 8192 matrices 790 TFLOP/s in bf16 and 400 in TF32, copies 3000 GB/s.",
            "| residual | 16 | bf16 | 300 / 600 | 290 / 580 | 200 / 450 |",
            "The default generator translates an image of 256 x 256 pixels, from main memory to main memory, in 4.50 ms (median; 4.40 to 4.75), with 300 MiB",
            "A scene of 37.7 megapixels takes 2.0 s (18.9 megapixels a second;",
        ] {
            assert!(text.contains(line), "{line:?} is not in\n{text}");
        }
        assert!(!text.contains("- left out"), "{text}");
        // Sizes are sorted, whatever the order of the parts.
        assert!(text.find("b1 | plain-default").unwrap() < text.find("b8 | **geolearn**").unwrap());
    }

    #[test]
    fn names_of_kernels_do_not_break_the_table() {
        assert_eq!(shown("a|b`c"), "a b c");
        assert_eq!(shown(&"x".repeat(500)).len(), NAME_CHARACTERS);
    }
}
