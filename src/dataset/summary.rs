//! A short text summary of prepared data.

use std::fmt;

use super::batch_size::BatchSize;
use super::bunch::{DataBunch, Split};
use super::domain::Domain;
use super::shape::Shape;

impl fmt::Display for DataBunch {
    /// Formats a summary of a few lines.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.path().display())?;
        for domain in Domain::BOTH {
            let Shape { dtype, height, width, .. } = self.domain(domain).reader.shape;
            let bands = self.bands(domain);
            if let Some(scenes) = &self.domain(domain).scenes {
                scenes.describe(f, domain, (width, height), &format!("{bands} {} of {dtype}", plural(bands)))?;
                continue;
            }
            let (train, valid) = (self.len(domain), self.valid_len(domain));
            writeln!(
                f,
                "  {domain}: {train} training and {valid} validation chips, {width} x {height} pixels, {bands} {} of {dtype}",
                plural(bands)
            )?;
        }
        self.shared.remarks.iter().try_for_each(|remark| writeln!(f, "  {remark}"))?;
        if self.dataset_type().is_paired() && !self.has_scenes() {
            let (train, valid) = (self.pairs(Split::Train).len(), self.pairs(Split::Valid).len());
            let by = if self.domain(Domain::A).reader.asked.half.is_some() { "halves of files" } else { "names" };
            writeln!(f, "  {train} training and {valid} validation pairs, by {by}")?;
        }
        if !self.skipped().is_empty() {
            let images = if self.has_scenes() { "scenes" } else { "chips" };
            writeln!(f, "  {} {images} left out", self.skipped().len())?;
        }
        if self.batch_size_option() == BatchSize::Auto {
            return write!(f, "  batch size to be measured, seed {}", self.seed());
        }
        write!(f, "  {} batches of {} an epoch, seed {}", self.batches_per_epoch(), self.batch_size(), self.seed())
    }
}

fn plural(bands: usize) -> &'static str {
    if bands == 1 { "band" } else { "bands" }
}

impl fmt::Debug for DataBunch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DataBunch({self})")
    }
}
