//! Draws a bar chart of time ratios as SVG.

use crate::compare_step::Row;

const WIDTH: usize = 760;
const LABELS: usize = 250;
const LINE: usize = 24;
const COLORS: [(&str, &str); 3] = [("geolearn", "#1b7837"), ("plain", "#999999"), ("tuned", "#5b84b1")];

/// Draws a bar per row. Bars longer than one and a half times the plain recipe are cut off; the number still shows the
/// ratio.
pub fn bars(rows: &[Row]) -> String {
    let height = LINE * (rows.len() + 2);
    let longest = rows.iter().map(|row| row.ratio[0]).fold(1.0, f64::max).min(1.5);
    let scale = (WIDTH - LABELS - 80) as f64 / longest;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{WIDTH}\" height=\"{height}\" font-family=\"sans-serif\" font-size=\"13\">\n<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n<text x=\"8\" y=\"17\">Time of a training step, relative to the plain PyTorch recipe (lower is better)</text>\n"
    );
    for (i, row) in rows.iter().enumerate() {
        let y = LINE * (i + 1) + 8;
        let color = COLORS.iter().find(|(way, _)| *way == row.way).map_or("#000000", |(_, color)| color);
        let long = row.ratio[0].min(longest) * scale;
        svg.push_str(&format!(
            "<text x=\"8\" y=\"{}\">{} {} {}</text><rect x=\"{LABELS}\" y=\"{y}\" width=\"{long:.0}\" height=\"16\" fill=\"{color}\"/><text x=\"{:.0}\" y=\"{}\">{:.2}</text>\n",
            y + 13,
            row.size,
            row.way,
            row.precision,
            LABELS as f64 + long + 6.0,
            y + 13,
            row.ratio[0],
        ));
    }
    svg + "</svg>\n"
}
