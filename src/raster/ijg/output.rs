//! From coefficients to pixels: enlarged where subsampled, cropped to the image, colours made.

use super::colour::Colours;
use super::header::{Component, Header};
use super::idct::{self, Points};
use super::scan::{Plane, Planes};
use super::{Fault, Result};

/// How a component reaches the size of the image: in the inverse DCT first, then by repeating samples.
struct Scale {
    points: (Points, Points),
    repeat: (usize, usize),
}

impl Scale {
    fn of(component: &Component, (max_h, max_v): (usize, usize)) -> Result<Self> {
        let (wide, across) = direction(component.h, max_h)?;
        let (high, down) = direction(component.v, max_v)?;
        Ok(Self { points: (wide, high), repeat: (across, down) })
    }
}

fn direction(factor: usize, max: usize) -> Result<(Points, usize)> {
    match max.is_multiple_of(2 * factor) {
        true => Ok((Points::Sixteen, max / (2 * factor))),
        false if max.is_multiple_of(factor) => Ok((Points::Eight, max / factor)),
        false => Err(Fault::Unsupported(format!("JPEG subsampled by {max}/{factor}"))),
    }
}

/// The samples of one row of units, at the size of the image.
struct Strip {
    scale: Scale,
    samples: Vec<u8>,
    stride: usize,
}

impl Strip {
    fn new(component: &Component, plane: &Plane, sampling: (usize, usize)) -> Result<Self> {
        let scale = Scale::of(component, sampling)?;
        let stride = plane.columns * scale.points.0.count();
        Ok(Self { samples: vec![0; stride * component.v * scale.points.1.count()], scale, stride })
    }

    fn fill(&mut self, plane: &Plane, unit_row: usize, rows: usize) {
        let Some(steps) = &plane.steps else { return };
        let (wide, high) = self.scale.points;
        for row in 0..rows {
            let first = (unit_row * rows + row) * plane.columns;
            for (column, block) in plane.blocks[first..first + plane.columns].iter().enumerate() {
                let to = &mut self.samples[row * high.count() * self.stride + column * wide.count()..];
                idct::samples(block, steps, self.scale.points, to, self.stride);
            }
        }
    }

    /// A line of the image; where samples are repeated, they are in `room`.
    fn line<'a>(&'a self, row: usize, width: usize, room: &'a mut Vec<u8>) -> &'a [u8] {
        let (across, down) = self.scale.repeat;
        let line = &self.samples[row / down * self.stride..][..self.stride];
        if across == 1 {
            return &line[..width];
        }
        room.clear();
        room.extend(line.iter().flat_map(|sample| std::iter::repeat_n(*sample, across)).take(width));
        room
    }
}

pub(super) fn pixels(header: &Header, planes: &Planes, colours: Colours) -> Result<Vec<u8>> {
    let frame = header.frame()?;
    let sampling = frame.sampling();
    if planes.planes.iter().any(|plane| plane.steps.is_none()) {
        return super::damaged("a component without a scan");
    }
    let strips = frame.components.iter().zip(&planes.planes).map(|(c, plane)| Strip::new(c, plane, sampling));
    let mut strips = strips.collect::<Result<Vec<_>>>()?;
    let line_bytes = frame.width * colours.bands(frame.components.len());
    let mut pixels = vec![0; line_bytes * frame.height];
    let mut rooms = vec![Vec::new(); strips.len()];
    for (unit_row, lines) in pixels.chunks_mut(line_bytes * 8 * sampling.1).enumerate() {
        for ((strip, plane), component) in strips.iter_mut().zip(&planes.planes).zip(&frame.components) {
            strip.fill(plane, unit_row, component.v);
        }
        for (row, to) in lines.chunks_exact_mut(line_bytes).enumerate() {
            let parts = strips.iter().zip(&mut rooms).map(|(strip, room)| strip.line(row, frame.width, room));
            colours.convert(&parts.collect::<Vec<_>>(), to);
        }
    }
    Ok(pixels)
}
