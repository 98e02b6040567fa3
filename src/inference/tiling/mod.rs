//! Tier 1 of 3: how an image is cut into tiles, and how much memory that takes. Plain geometry and arithmetic: no
//! tensors, no networks, no files. The tiers above, `strategy` and `scenes`, use it.

mod budget;
mod chip_places;
mod halo;
mod nodes;
mod out_of_range;
mod overlap;
mod part;
mod sample_size;
mod spans;
mod steps;
mod thinned;
mod tile_plan;
mod tile_size;

pub(super) use budget::{Budget, at_once};
pub(super) use chip_places::{common_size, evenly, grid, shares, spread};
pub(super) use halo::HALOS;
pub(crate) use halo::Halo;
pub(super) use nodes::{Nodes, SPACINGS, bytes_of_nodes};
pub(super) use out_of_range::out_of_range;
pub(super) use overlap::{Overlap, OverlappingTiles, bytes_of_rows};
pub(crate) use part::Part;
pub(super) use sample_size::{chip_side, is_gathered_whole, wanted_pixels};
pub(super) use spans::Span;
pub(super) use steps::{Borders, Steps};
pub(super) use thinned::ThinnedList;
pub(super) use tile_plan::{PixelBytes, STEP_BYTES, TilePlan};
pub(crate) use tile_size::TileSize;
pub(super) use tile_size::{NetworkSides, SIDES, TileLayout, TileRequest};
