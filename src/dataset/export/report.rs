//! The report of an export.

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::left_out::{LeftOut, LeftOutCounts};
use crate::dataset::domain::{Domain, PerDomain};

/// The number of chips in each split.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct ChipCounts {
    pub training: usize,
    pub validation: usize,
}

/// The results of [`ExportTrainingData::export`](crate::dataset::ExportTrainingData::export). `Display` prints a
/// summary of a few lines.
///
/// For pairs, both domains have the same numbers.
#[derive(Debug, Clone)]
pub struct ExportReport {
    pub(super) output: PathBuf,
    pub(super) chips: PerDomain<ChipCounts>,
    pub(super) left_out: PerDomain<LeftOutCounts>,
    pub(super) earlier: usize,
    pub(super) time: Duration,
}

impl ExportReport {
    /// Returns the folder to pass to [`prepare_data`](crate::prepare_data).
    pub fn output(&self) -> &Path {
        &self.output
    }

    /// Returns the number of chips of a domain.
    pub fn chips(&self, domain: Domain) -> usize {
        let ChipCounts { training, validation } = self.chips.get(domain);
        training + validation
    }

    /// Returns how many of them are for validation.
    pub fn validation_chips(&self, domain: Domain) -> usize {
        self.chips.get(domain).validation
    }

    /// Returns the number of windows of a domain's scenes that were not exported, by reason.
    pub fn left_out(&self, domain: Domain) -> impl Iterator<Item = (LeftOut, u64)> {
        self.left_out.get(domain).0.iter().map(|(reason, count)| (*reason, *count))
    }

    /// Returns the number of chips in both domains together that an earlier call had already written.
    pub fn earlier_chips(&self) -> usize {
        self.earlier
    }

    /// Returns the duration of the call.
    pub fn time(&self) -> Duration {
        self.time
    }
}

impl fmt::Display for ExportReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.output.display())?;
        for domain in Domain::BOTH {
            let ChipCounts { training, validation } = self.chips.get(domain);
            writeln!(f, "  {domain}: {training} chips for training, {validation} for validation")?;
            writeln!(f, "     windows left out: {}", self.left_out.get(domain))?;
        }
        Ok(())
    }
}
