//! One pass over all chips: does each decode, and do they agree in size and bands?

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::domain::Domain;
use super::statistics::{ChipMoments, Statistics, combine};
use crate::error::{Error, ErrorKind, Result};
use crate::raster::{Limits, Raster};

/// So many bad chips are named in a message.
const NAMED_AT_MOST: usize = 5;
const LEAVE_OUT: &str = "Mend or remove them, or leave them out with PrepareData::bad_chips(BadChips::Skip).";

/// What to do with a chip that cannot be read, or that differs from the others in size or bands.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum BadChips {
    /// `prepare` fails and names the chips. The default.
    #[default]
    Fail,
    /// The chips are left out, with a warning each; see [`DataBunch::skipped`](crate::DataBunch::skipped).
    Skip,
}

/// Bands and size of a chip.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Shape {
    pub bands: usize,
    pub height: usize,
    pub width: usize,
}

impl Shape {
    pub fn of(image: &Raster) -> Self {
        Self { bands: image.bands(), height: image.height(), width: image.width() }
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plural = if self.bands == 1 { "" } else { "s" };
        write!(f, "{} x {} pixels with {} band{plural}", self.width, self.height, self.bands)
    }
}

/// What the pass found in one domain.
#[derive(Debug)]
pub(super) struct Survey {
    /// Shape of every chip that is kept, after resizing.
    pub shape: Shape,
    pub statistics: Statistics,
    /// Chips that are left out, each with the reason.
    pub skipped: Vec<(PathBuf, String)>,
}

type Looked<'a> = (&'a PathBuf, Result<(Shape, ChipMoments)>);

impl Survey {
    /// Decodes every one of `files`. Chips are looked at in parallel; the findings are put together in their order.
    pub fn of(
        root: &Path,
        domain: Domain,
        files: &[&PathBuf],
        resize_to: Option<usize>,
        bad: BadChips,
    ) -> Result<Self> {
        let looked: Vec<Looked> = files.par_iter().map(|file| (*file, look(file, resize_to))).collect();
        let (mut good, mut skipped) = readable(root, looked, bad)?;
        let shape = match shapes(&good) {
            shapes if shapes.len() > 1 && bad == BadChips::Fail => return Err(mixed(root, domain, &shapes)),
            shapes => most_common(&shapes),
        };
        let shape = shape.ok_or_else(|| none_left(root, domain, &skipped))?;
        for (file, (found, _)) in good.iter().filter(|(_, (found, _))| *found != shape) {
            skipped.push(((*file).clone(), format!("has {found}, most chips have {shape}")));
        }
        good.retain(|(_, (found, _))| *found == shape);
        for (file, reason) in &skipped {
            tracing::warn!(file = %file.display(), reason, "chip is left out");
        }
        let statistics = combine(good.iter().map(|(_, (_, moments))| moments));
        Ok(Self { shape, statistics, skipped })
    }
}

type Good<'a> = Vec<(&'a PathBuf, (Shape, ChipMoments))>;

/// Statistics are those of the chip as it is; only the shape is that after resizing.
fn look(file: &Path, resize_to: Option<usize>) -> Result<(Shape, ChipMoments)> {
    let chip = Raster::open_within(file, &Limits::default())?;
    let mut shape = Shape::of(&chip);
    if let Some(side) = resize_to {
        (shape.height, shape.width) = (side, side);
    }
    Ok((shape, ChipMoments::of(&chip)))
}

fn readable<'a>(root: &Path, looked: Vec<Looked<'a>>, bad: BadChips) -> Result<(Good<'a>, Vec<(PathBuf, String)>)> {
    let (mut good, mut failed) = (Vec::new(), Vec::new());
    let all = looked.len();
    for (file, result) in looked {
        match result {
            Ok(found) => good.push((file, found)),
            Err(error) => failed.push((file, error)),
        }
    }
    if bad == BadChips::Fail && !failed.is_empty() {
        return Err(unreadable(root, all, failed));
    }
    Ok((good, failed.into_iter().map(|(file, error)| (file.clone(), error.to_string())).collect()))
}

fn unreadable(root: &Path, all: usize, failed: Vec<(&PathBuf, Error)>) -> Error {
    let mut lines: Vec<String> = failed.iter().take(NAMED_AT_MOST).map(|(_, error)| error.to_string()).collect();
    if failed.len() > NAMED_AT_MOST {
        lines.push(format!("and {} more", failed.len() - NAMED_AT_MOST));
    }
    let kind = failed.first().map_or(ErrorKind::Format, |(_, error)| error.kind());
    let place = match failed.as_slice() {
        [(file, _)] => file.as_path(),
        _ => root,
    };
    Error::new(kind, format!("{} of {all} chips cannot be used", failed.len()))
        .at(place)
        .found(lines.join("; "))
        .help(LEAVE_OUT)
}

/// How many chips have each shape, with the first of them.
type Shapes<'a> = BTreeMap<Shape, (usize, &'a Path)>;

fn shapes<'a>(good: &Good<'a>) -> Shapes<'a> {
    let mut shapes = Shapes::new();
    for (file, (shape, _)) in good {
        shapes.entry(*shape).or_insert((0, file.as_path())).0 += 1;
    }
    shapes
}

/// Of shapes that are equally common, the smallest.
fn most_common(shapes: &Shapes<'_>) -> Option<Shape> {
    shapes.iter().rev().max_by_key(|(_, (count, _))| *count).map(|(shape, _)| *shape)
}

fn mixed(root: &Path, domain: Domain, shapes: &Shapes<'_>) -> Error {
    let lines: Vec<String> = shapes
        .iter()
        .take(NAMED_AT_MOST)
        .map(|(shape, (count, example))| format!("{count} of {shape} (such as {})", example.display()))
        .collect();
    let bands_differ = shapes.keys().any(|shape| shapes.keys().next().is_some_and(|first| first.bands != shape.bands));
    let help = if bands_differ {
        "Keep chips of one kind, or leave the rarer ones out with PrepareData::bad_chips(BadChips::Skip)."
    } else {
        "Make them equal with PrepareData::resize_to(side), or leave the rarer ones out with PrepareData::bad_chips(BadChips::Skip)."
    };
    Error::new(ErrorKind::Layout, format!("the chips of domain {domain} differ in size or bands"))
        .at(root)
        .expected("one size and number of bands")
        .found(lines.join(", "))
        .help(help)
}

fn none_left(root: &Path, domain: Domain, skipped: &[(PathBuf, String)]) -> Error {
    let reason = skipped.first().map(|(_, reason)| reason.as_str()).unwrap_or("no chips");
    Error::new(ErrorKind::Layout, format!("no chip of domain {domain} can be used"))
        .at(root)
        .found(format!("{} bad chips, the first: {reason}", skipped.len()))
}
