//! Surveys the chips of both domains, and leaves out those that cannot be used.

use std::collections::BTreeSet;
use std::mem;
use std::path::{Path, PathBuf};

use super::cache;
use super::domain::{Domain, PerDomain};
use super::layout::Layout;
use super::options::PrepareData;
use super::pairs;
use super::partners;
use super::survey::{Chips, Survey};
use crate::error::{Error, ErrorKind, Result};

/// Chips that were left out, each with the reason.
pub(super) type SkippedChips = Vec<(PathBuf, String)>;

/// Surveys the chips of both domains and removes unusable ones from `layout`.
///
/// # Errors
/// The first problem with the chips, if they may not be left out or none remains.
pub(super) fn take(options: &PrepareData, layout: &mut Layout) -> Result<(PerDomain<Survey>, SkippedChips)> {
    match options.dataset_type.is_paired() {
        true => of_pairs(options, layout),
        false => of_each(options, layout),
    }
}

fn of_each(options: &PrepareData, layout: &mut Layout) -> Result<(PerDomain<Survey>, SkippedChips)> {
    let mut surveys = PerDomain::try_from_fn(|domain| survey(options, layout, domain))?;
    let left_out =
        Domain::BOTH.into_iter().flat_map(|domain| mem::take(&mut surveys.get_mut(domain).skipped)).collect();
    let bad = names(&left_out);
    for files in [&mut layout.train, &mut layout.valid].into_iter().flat_map(|part| [&mut part.a, &mut part.b]) {
        files.retain(|file| !bad.contains(file.as_path()));
    }
    Ok((surveys, left_out))
}

/// Surveys pairs. A bad chip takes its partner with it, which invalidates the survey of the other domain, so that is
/// repeated.
fn of_pairs(options: &PrepareData, layout: &mut Layout) -> Result<(PerDomain<Survey>, SkippedChips)> {
    let mut all: SkippedChips = layout.unpaired.iter().map(|one| (one.file.clone(), one.reason())).collect();
    warn(&all);
    let bad = misfits(options, layout)?;
    warn(&bad);
    leave_out(layout, bad, &mut all);
    loop {
        let mut a = survey(options, layout, Domain::A)?;
        leave_out(layout, mem::take(&mut a.skipped), &mut all);
        let mut b = survey(options, layout, Domain::B)?;
        let bad = mem::take(&mut b.skipped);
        if bad.is_empty() {
            let surveys = PerDomain { a, b };
            return of_one_size(options, &surveys).map(|()| (surveys, all));
        }
        leave_out(layout, bad, &mut all);
    }
}

/// Finds the pairs that cannot be used. The two halves of a file always match.
fn misfits(options: &PrepareData, layout: &Layout) -> Result<SkippedChips> {
    if layout.halves.a.is_some() {
        return Ok(SkippedChips::new());
    }
    let parts = [&layout.train, &layout.valid];
    let misfits = partners::misfits(options, parts.into_iter().flat_map(|part| part.a.iter().zip(&part.b)))?;
    Ok(misfits.iter().map(|misfit| misfit.left_out()).collect())
}

/// Surveys all training and validation chips of a domain, so that the normalization covers both.
fn survey(options: &PrepareData, layout: &Layout, domain: Domain) -> Result<Survey> {
    let files: Vec<&PathBuf> = layout.train.get(domain).iter().chain(layout.valid.get(domain)).collect();
    let chips = Chips { domain, folder: layout.folders.get(domain), files: &files, half: *layout.halves.get(domain) };
    let survey = cache::survey(options, chips)?;
    survey.warn(chips);
    options.augment.variation(domain).output_size(survey.shape.size())?;
    Ok(survey)
}

/// Removes bad chips and their partners from the layout.
fn leave_out(layout: &mut Layout, bad: SkippedChips, all: &mut SkippedChips) {
    let names = names(&bad);
    for files in [&mut layout.train, &mut layout.valid] {
        let partners = pairs::leave_out(files, &names);
        let reason = |fault: PathBuf| format!("its partner {} is left out", fault.display());
        all.extend(partners.into_iter().map(|(partner, fault)| (partner, reason(fault))));
    }
    all.extend(bad);
}

fn names(left_out: &SkippedChips) -> BTreeSet<&Path> {
    left_out.iter().map(|(file, _)| file.as_path()).collect()
}

/// Warns about chips that were left out.
fn warn(left_out: &SkippedChips) {
    for (file, reason) in left_out {
        tracing::warn!(file = %file.display(), reason, "chip is left out");
    }
}

/// Checks that the chips of both domains have the same target size.
fn of_one_size(options: &PrepareData, surveys: &PerDomain<Survey>) -> Result<()> {
    let [a, b] = [&surveys.a, &surveys.b].map(|survey| survey.shape.size());
    if a == b {
        return Ok(());
    }
    Err(Error::new(ErrorKind::Layout, "the domains of pairs are brought to different sizes")
        .at(&options.path)
        .expected("one size for both")
        .found(format!("{} x {} pixels in A, {} x {} in B", a.1, a.0, b.1, b.0))
        .help("Give one with PrepareData::resize_to(side)."))
}
