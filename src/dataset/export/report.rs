//! What an export did.

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::left_out::{LeftOut, LeftOutCounts};
use crate::dataset::domain::{Domain, PerDomain};

/// Number of chips by their use.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct ChipCounts {
    pub training: usize,
    pub validation: usize,
}

/// What [`ExportTrainingData::export`](crate::dataset::ExportTrainingData::export) did. Printed, it is a summary of some lines.
///
/// Of pairs, both domains have the same numbers.
#[derive(Debug, Clone)]
pub struct ExportReport {
    pub(super) output: PathBuf,
    pub(super) chips: PerDomain<ChipCounts>,
    pub(super) left_out: PerDomain<LeftOutCounts>,
    pub(super) earlier: usize,
    pub(super) time: Duration,
}

impl ExportReport {
    /// The folder, for [`prepare_data`](crate::prepare_data).
    pub fn output(&self) -> &Path {
        &self.output
    }

    /// Number of chips of a domain.
    pub fn chips(&self, domain: Domain) -> usize {
        let ChipCounts { training, validation } = self.chips.get(domain);
        training + validation
    }

    /// Number of those that are for validation.
    pub fn validation_chips(&self, domain: Domain) -> usize {
        self.chips.get(domain).validation
    }

    /// Number of windows of a domain's scenes of which no chip was made, by the reason.
    pub fn left_out(&self, domain: Domain) -> impl Iterator<Item = (LeftOut, u64)> {
        self.left_out.get(domain).0.iter().map(|(reason, count)| (*reason, *count))
    }

    /// Number of chips, of both domains together, that an earlier call had written already.
    pub fn earlier_chips(&self) -> usize {
        self.earlier
    }

    /// From the call to its end.
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
