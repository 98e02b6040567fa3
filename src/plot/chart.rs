//! Draws a chart: curves on a pair of axes, with a legend beside them.

use plotters::coord::Shift;
use plotters::element::DashedPathElement;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::axis::Axis;
use super::canvas::{INK, text, trouble, width_of};
use crate::error::Result;

const TITLE: u32 = 17;
const LABEL: u32 = 14;
const LEGEND_LINE: i32 = 24;
const LEGEND_ROW: i32 = 22;
/// With more points than this, dots would hide the line.
const MOST_DOTS: usize = 25;
const GRID: RGBColor = RGBColor(225, 225, 225);

pub(crate) type Area<'a> = DrawingArea<BitMapBackend<'a>, Shift>;
type Plot<'a, 'b> = ChartContext<'b, BitMapBackend<'a>, Cartesian2d<Axis, Axis>>;
type Point = (f64, f64);

/// Style of a curve.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Line {
    /// A line, with a dot at each point if there are few.
    Solid,
    /// A dashed line, with a ring at each point.
    Dashed,
    /// A thin line in the background.
    Faint,
}

pub(crate) struct Curve {
    /// Name in the legend; empty for none.
    pub label: String,
    pub color: RGBColor,
    pub line: Line,
    pub points: Vec<Point>,
}

/// A vertical line with a label at its upper end.
pub(crate) struct Mark {
    pub x: f64,
    pub label: String,
    pub color: RGBColor,
}

pub(crate) struct Chart {
    pub title: String,
    pub x: Axis,
    pub y: Axis,
    pub curves: Vec<Curve>,
    pub marks: Vec<Mark>,
}

impl Chart {
    pub fn draw(&self, area: &Area<'_>) -> Result<()> {
        let (width, _) = area.dim_in_pixel();
        let labels = self.legend();
        let beside = labels.iter().map(|(label, ..)| width_of(label, LABEL)).max();
        let beside = beside.map_or(0, |text| text + LEGEND_LINE as u32 + 20);
        let (left, right) = area.split_horizontally(width.saturating_sub(beside));
        let mut plot = ChartBuilder::on(&left)
            .caption(&self.title, text(TITLE))
            .margin(8)
            .margin_right(14)
            .x_label_area_size(40)
            .y_label_area_size(66)
            .build_cartesian_2d(self.x.clone(), self.y.clone())
            .map_err(trouble)?;
        self.draw_axes(&mut plot)?;
        self.marks.iter().try_for_each(|mark| self.draw_mark(&mut plot, mark))?;
        self.curves.iter().try_for_each(|curve| self.draw_curve(&mut plot, curve))?;
        let with_dots = self.curves.iter().all(|curve| curve.points.len() <= MOST_DOTS);
        draw_legend(&right, &labels, with_dots)
    }

    fn draw_axes(&self, plot: &mut Plot<'_, '_>) -> Result<()> {
        plot.configure_mesh()
            .x_desc(&self.x.title)
            .y_desc(&self.y.title)
            .label_style(text(LABEL))
            .axis_desc_style(text(LABEL + 1))
            .x_label_formatter(&|at| self.x.label(*at))
            .y_label_formatter(&|at| self.y.label(*at))
            .bold_line_style(GRID)
            .light_line_style(TRANSPARENT)
            .draw()
            .map_err(trouble)
    }

    fn draw_mark(&self, plot: &mut Plot<'_, '_>, mark: &Mark) -> Result<()> {
        let ends = [(mark.x, self.y.low), (mark.x, self.y.high)];
        plot.draw_series([PathElement::new(ends, mark.color.stroke_width(1))]).map_err(trouble)?;
        // The label is to the left of the line if there is space.
        let word = format!(" {} ", mark.label);
        let share = (mark.x - self.x.low) / (self.x.high - self.x.low);
        let room = share * f64::from(plot.plotting_area().dim_in_pixel().0);
        let side = if room > f64::from(width_of(&word, LABEL - 1)) { HPos::Right } else { HPos::Left };
        let style = text(LABEL - 1).pos(Pos::new(side, VPos::Top));
        plot.draw_series([Text::new(word, ends[1], style)]).map_err(trouble).map(drop)
    }

    fn draw_curve(&self, plot: &mut Plot<'_, '_>, curve: &Curve) -> Result<()> {
        for piece in visible(&curve.points, self.y.low, self.y.high) {
            match curve.line {
                Line::Solid => plot.draw_series(LineSeries::new(piece, curve.color.stroke_width(2))),
                Line::Faint => plot.draw_series(LineSeries::new(piece, curve.color.stroke_width(1))),
                Line::Dashed => plot.draw_series(DashedLineSeries::new(piece, 7, 5, curve.color.stroke_width(2))),
            }
            .map_err(trouble)?;
        }
        // A single point would be invisible as a line.
        let dots = if curve.line == Line::Faint { 1 } else { MOST_DOTS };
        if curve.points.len() > dots {
            return Ok(());
        }
        let inside = |point: &&Point| (self.y.low..=self.y.high).contains(&point.1);
        let dots = curve.points.iter().filter(inside).map(|&point| dot(point, curve.color, curve.line));
        let dots = dots.collect::<Vec<_>>();
        plot.draw_series(dots).map_err(trouble).map(drop)
    }

    fn legend(&self) -> Vec<(&str, RGBColor, Line)> {
        let named = self.curves.iter().filter(|curve| !curve.label.is_empty());
        named.map(|curve| (curve.label.as_str(), curve.color, curve.line)).collect()
    }
}

fn draw_legend(area: &Area<'_>, labels: &[(&str, RGBColor, Line)], with_dots: bool) -> Result<()> {
    for (row, (label, color, line)) in labels.iter().enumerate() {
        let y = TITLE as i32 + 30 + row as i32 * LEGEND_ROW;
        let ends = [(0, y), (LEGEND_LINE, y)];
        match line {
            Line::Solid => area.draw(&PathElement::new(ends, color.stroke_width(2))),
            Line::Faint => area.draw(&PathElement::new(ends, color.stroke_width(1))),
            Line::Dashed => area.draw(&DashedPathElement::new(ends, 7, 5, color.stroke_width(2))),
        }
        .map_err(trouble)?;
        if with_dots {
            area.draw(&dot((LEGEND_LINE / 2, y), *color, *line)).map_err(trouble)?;
        }
        let style = text(LABEL).color(&INK).pos(Pos::new(HPos::Left, VPos::Center));
        area.draw(&Text::new(label.to_string(), (LEGEND_LINE + 6, y), style)).map_err(trouble)?;
    }
    Ok(())
}

fn dot<At>(at: At, color: RGBColor, line: Line) -> Circle<At, i32> {
    match line {
        Line::Dashed => Circle::new(at, 5, color.stroke_width(2)),
        _ => Circle::new(at, 4, color.filled()),
    }
}

/// Returns the parts of a curve between `low` and `high`, clipped where it leaves the range and split where it is not
/// finite; otherwise it would be drawn over titles and labels.
fn visible(points: &[Point], low: f64, high: f64) -> Vec<Vec<Point>> {
    let is_inside = |point: Point| (low..=high).contains(&point.1);
    let mut pieces: Vec<Vec<Point>> = Vec::new();
    let mut before: Option<Point> = None;
    for &point in points {
        if !(point.0.is_finite() && point.1.is_finite()) {
            before = None;
            continue;
        }
        match (before, is_inside(point)) {
            (Some(last), true) if !is_inside(last) => pieces.push(vec![crossing(last, point, low, high), point]),
            (Some(last), false) if is_inside(last) => {
                pieces.last_mut().into_iter().for_each(|piece| piece.push(crossing(point, last, low, high)));
            }
            (None, true) => pieces.push(vec![point]),
            (Some(_), true) => pieces.last_mut().into_iter().for_each(|piece| piece.push(point)),
            (_, false) => {}
        }
        before = Some(point);
    }
    pieces
}

/// Returns where the line from a point outside to one inside crosses the edge.
fn crossing(outside: Point, inside: Point, low: f64, high: f64) -> Point {
    let edge = outside.1.clamp(low, high);
    let share = ((edge - inside.1) / (outside.1 - inside.1)).clamp(0.0, 1.0);
    (inside.0 + share * (outside.0 - inside.0), edge)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn curves_are_cut_at_the_edges_and_where_they_are_not_finite() {
        let points = [(0.0, 1.0), (1.0, 3.0), (2.0, 9.0), (3.0, 1.0), (4.0, f64::NAN), (5.0, 2.0)];
        let expected = [vec![(0.0, 1.0), (0.5, 2.0)], vec![(2.875, 2.0), (3.0, 1.0)], vec![(5.0, 2.0)]];
        assert_eq!(visible(&points, 0.0, 2.0), expected);
        assert_eq!(visible(&[(0.0, f64::INFINITY), (1.0, -1e308)], 0.0, 2.0), Vec::<Vec<Point>>::new());
        assert_eq!(visible(&[(0.0, 1.0), (1.0, f64::MAX)], 0.0, 2.0)[0][1].1, 2.0);
    }
}
