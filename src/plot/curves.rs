//! Losses over epochs.

use plotters::prelude::*;

use super::canvas::{INK, drawn, text, trouble};
use super::picture::Picture;
use crate::error::{Error, ErrorKind, Result};
use crate::train::History;

/// Colours that people who see no red or no green can tell apart (Okabe and Ito 2008).
const COLOURS: [RGBColor; 6] = [
    RGBColor(0, 0, 0),
    RGBColor(230, 159, 0),
    RGBColor(0, 114, 178),
    RGBColor(0, 158, 115),
    RGBColor(213, 94, 0),
    RGBColor(204, 121, 167),
];
const SIZE: (u32, u32) = (960, 640);

/// One line for each loss; the upper chart shows those of the generators, the lower the discriminators'.
pub(crate) fn losses(history: &History) -> Result<Picture> {
    if history.epochs().is_empty() {
        return Err(Error::new(ErrorKind::Usage, "there are no losses to plot yet").help("Call fit first."));
    }
    let names = history.names().iter().map(String::as_str);
    let (lower, upper): (Vec<&str>, Vec<&str>) = names.partition(|name| name.starts_with("discriminator"));
    let image = drawn(SIZE.0, SIZE.1, |area| {
        let (top, bottom) = area.split_vertically((SIZE.1 * 3) / 5);
        chart(&top, "Generators: weighted losses, mean of each epoch", history, &upper, 0)?;
        chart(&bottom, "Discriminators", history, &lower, 4)
    })?;
    Ok(Picture::new(image))
}

type Area<'a> = DrawingArea<BitMapBackend<'a>, plotters::coord::Shift>;

fn chart(area: &Area<'_>, title: &str, history: &History, names: &[&str], first_colour: usize) -> Result<()> {
    let curves: Vec<(&str, Vec<f64>)> =
        names.iter().filter_map(|name| history.losses(name).map(|curve| (*name, curve))).collect();
    let highest = curves.iter().flat_map(|(_, c)| c).copied().fold(0.0, f64::max);
    let last = history.epochs().len() as f64;
    let mut chart = ChartBuilder::on(area)
        .caption(title, text(18))
        .margin(12)
        .x_label_area_size(36)
        .y_label_area_size(56)
        .build_cartesian_2d(1.0..last.max(2.0), 0.0..(highest * 1.05).max(1e-6))
        .map_err(trouble)?;
    chart
        .configure_mesh()
        .x_desc("epoch")
        .y_desc("loss")
        .label_style(text(14))
        .axis_desc_style(text(15))
        .x_label_formatter(&|x| format!("{x:.0}"))
        .light_line_style(WHITE)
        .draw()
        .map_err(trouble)?;
    for (i, (name, curve)) in curves.into_iter().enumerate() {
        let colour = COLOURS[(first_colour + i) % COLOURS.len()];
        let points: Vec<(f64, f64)> = curve.into_iter().enumerate().map(|(e, y)| (e as f64 + 1.0, y)).collect();
        let dots = points.iter().map(|&point| Circle::new(point, 3, colour.filled())).collect::<Vec<_>>();
        chart.draw_series(dots).map_err(trouble)?;
        chart
            .draw_series(LineSeries::new(points, colour.stroke_width(2)))
            .map_err(trouble)?
            .label(name)
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 18, y)], colour.stroke_width(2)));
    }
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::UpperRight)
        .label_font(text(14))
        .background_style(WHITE.mix(0.85))
        .border_style(INK.mix(0.4))
        .draw()
        .map_err(trouble)
}
