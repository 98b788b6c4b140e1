//! Draws a [`Plot`] as SVG. The background is painted, so that it can be read on a dark page as well.

use plotters::coord::Shift;
use plotters::coord::ranged1d::ValueFormatter;
use plotters::coord::types::RangedCoordf64;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::Result;
use super::plot::Plot;
use super::ticks::Ticks;

/// Of the axes and what is between them.
const CHART: (u32, u32) = (720, 470);
const TITLE_ROOM: u32 = 44;
/// Wide enough for a letter of the legend.
const LETTER: f64 = 7.4;
const FONT: &str = "Helvetica, Arial, sans-serif";
const INK: RGBColor = RGBColor(0x22, 0x22, 0x22);
const GRID: RGBColor = RGBColor(0xe2, 0xe2, 0xe2);
const PAPER: RGBColor = RGBColor(0xff, 0xff, 0xff);
/// By Okabe and Ito, for all kinds of colour vision; without the yellow, which is lost on white.
const COLOURS: [RGBColor; 7] = [
    RGBColor(0x00, 0x72, 0xb2),
    RGBColor(0xd5, 0x5e, 0x00),
    RGBColor(0x00, 0x9e, 0x73),
    RGBColor(0xcc, 0x79, 0xa7),
    RGBColor(0xe6, 0x9f, 0x00),
    RGBColor(0x56, 0xb4, 0xe9),
    RGBColor(0x22, 0x22, 0x22),
];
/// A line with more points than this has a mark at some of them.
const MOST_MARKS: usize = 9;

type Canvas<'a> = DrawingArea<SVGBackend<'a>, Shift>;

/// The picture, as text.
///
/// # Errors
/// None that is known: drawing into a string does not fail.
pub fn svg(plot: &Plot) -> Result<String> {
    let longest = plot.lines.iter().map(|(name, _)| name.chars().count()).max().unwrap_or_default();
    let legend = (longest as f64 * LETTER) as u32 + 62;
    let rows = plot.lines.len() as u32 * 22;
    let (width, height) = (CHART.0 + legend, TITLE_ROOM + CHART.1.max(rows + 40));
    let mut text = String::new();
    {
        let canvas = SVGBackend::with_string(&mut text, (width, height)).into_drawing_area();
        canvas.fill(&PAPER)?;
        let (title, rest) = canvas.split_vertically(TITLE_ROOM);
        let title_style = (FONT, 19).into_font().color(&INK).pos(Pos::new(HPos::Left, VPos::Center));
        title.draw_text(&plot.title, &title_style, (16, TITLE_ROOM as i32 / 2 + 2))?;
        let (chart, legend) = rest.split_horizontally(CHART.0);
        draw_chart(plot, &chart)?;
        draw_legend(plot, &legend)?;
        canvas.present()?;
    }
    Ok(accessible(&text, &plot.title))
}

/// Axes, grid and lines.
fn draw_chart(plot: &Plot, canvas: &Canvas<'_>) -> Result<()> {
    let values = |of: fn(&(f64, f64)) -> f64| -> Vec<f64> {
        plot.lines.iter().flat_map(|(_, points)| points.iter().map(of)).collect()
    };
    let across = Ticks::of(plot.across.scale, &values(|point| point.0), true);
    let up = Ticks::of(plot.up.scale, &values(|point| point.1), false);
    let mut chart = ChartBuilder::on(canvas)
        .margin_right(22)
        .margin_left(10)
        .margin_bottom(8)
        .x_label_area_size(48)
        .y_label_area_size(78)
        .build_cartesian_2d(Places(across.clone()), Places(up.clone()))?;
    chart
        .configure_mesh()
        .x_desc(plot.across.label)
        .y_desc(plot.up.label)
        .axis_desc_style((FONT, 15).into_font().color(&INK))
        .label_style((FONT, 13).into_font().color(&INK))
        .axis_style(INK)
        .bold_line_style(GRID)
        .light_line_style(TRANSPARENT)
        .draw()?;
    for (index, (_, points)) in plot.lines.iter().enumerate() {
        let place = |&(x, y): &(f64, f64)| (plot.across.scale.place(x), plot.up.scale.place(y));
        let places: Vec<_> =
            points.iter().map(place).filter(|(x, y)| x.is_finite() && y.is_finite()).collect();
        let style = colour(index).stroke_width(2);
        if is_dashed(index) {
            chart.draw_series(DashedLineSeries::new(places.iter().copied(), 7, 4, style))?;
        } else {
            chart.draw_series(LineSeries::new(places.iter().copied(), style))?;
        }
        for &at in &marked(&places, index) {
            chart.draw_series(std::iter::once(EmptyElement::at(at) + mark(index)))?;
        }
    }
    Ok(())
}

fn draw_legend(plot: &Plot, canvas: &Canvas<'_>) -> Result<()> {
    let style = (FONT, 14).into_font().color(&INK).pos(Pos::new(HPos::Left, VPos::Center));
    for (index, (name, _)) in plot.lines.iter().enumerate() {
        let y = 16 + index as i32 * 22;
        let line = colour(index).stroke_width(2);
        let pieces: &[(i32, i32)] = if is_dashed(index) { &[(0, 9), (25, 34)] } else { &[(0, 34)] };
        for &(from, to) in pieces {
            canvas.draw(&PathElement::new(vec![(from, y), (to, y)], line))?;
        }
        canvas.draw(&(EmptyElement::at((17, y)) + mark(index)))?;
        canvas.draw_text(name, &style, (42, y))?;
    }
    Ok(())
}

/// Where a line has its marks: lines of many points begin at different ones, so that marks do not hide each other.
fn marked(places: &[(f64, f64)], index: usize) -> Vec<(f64, f64)> {
    if places.len() <= MOST_MARKS {
        return places.to_vec();
    }
    let (Some(first), Some(last)) = (places.first(), places.last()) else { return Vec::new() };
    let step = (last.0 - first.0) / MOST_MARKS as f64;
    let shift = (index % 4) as f64 / 4.0;
    let wanted = (0..MOST_MARKS).map(|n| first.0 + (n as f64 + shift) * step);
    wanted.filter_map(|x| places.iter().find(|place| place.0 >= x).copied()).collect()
}

fn colour(index: usize) -> RGBColor {
    COLOURS[index % COLOURS.len()]
}

fn is_dashed(index: usize) -> bool {
    (index / COLOURS.len()) % 2 == 1
}

/// The mark of a line, around the point that it is put on: shapes take turns, so that colour alone need not tell.
fn mark(index: usize) -> Polygon<(i32, i32)> {
    const SHAPES: [&[(i32, i32)]; 5] = [
        &[(-3, -4), (3, -4), (4, -3), (4, 3), (3, 4), (-3, 4), (-4, 3), (-4, -3)],
        &[(-4, -4), (4, -4), (4, 4), (-4, 4)],
        &[(0, -5), (5, 4), (-5, 4)],
        &[(0, -6), (6, 0), (0, 6), (-6, 0)],
        &[(0, 5), (5, -4), (-5, -4)],
    ];
    Polygon::new(SHAPES[index % SHAPES.len()].to_vec(), colour(index).filled())
}

/// An axis that has its labels where [`Ticks`] says.
struct Places(Ticks);

impl Ranged for Places {
    type FormatOption = plotters::coord::ranged1d::NoDefaultFormatting;
    type ValueType = f64;

    fn map(&self, value: &f64, limit: (i32, i32)) -> i32 {
        RangedCoordf64::from(self.0.from..self.0.to).map(value, limit)
    }

    fn key_points<Hint: plotters::coord::ranged1d::KeyPointHint>(&self, hint: Hint) -> Vec<f64> {
        if hint.weight().allow_light_points() {
            return Vec::new();
        }
        self.0.at.iter().map(|(place, _)| *place).collect()
    }

    fn range(&self) -> std::ops::Range<f64> {
        self.0.from..self.0.to
    }
}

impl ValueFormatter<f64> for Places {
    fn format_ext(&self, value: &f64) -> String {
        let label = self.0.at.iter().find(|(place, _)| place == value);
        label.map(|(_, label)| label.clone()).unwrap_or_default()
    }
}

/// With a title for those who do not see it.
fn accessible(svg: &str, title: &str) -> String {
    let title = title.replace('&', "&amp;").replace('<', "&lt;");
    match svg.split_once("<svg") {
        Some((_, rest)) => match rest.split_once('>') {
            Some((attributes, inside)) => {
                format!("<svg role=\"img\"{attributes}>\n<title>{title}</title>{inside}")
            }
            None => svg.to_owned(),
        },
        None => svg.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::plot::Axis;
    use super::*;

    fn plot(lines: usize) -> Plot {
        let points =
            |line: usize| (0..40).map(move |n| (f64::from(n) / 40.0, f64::from(n + 1) * (line + 1) as f64));
        Plot {
            file: "a",
            title: "Locks & <others>".to_owned(),
            across: Axis::percentile("cycles"),
            up: Axis::logarithmic("time, us"),
            lines: (0..lines).map(|line| (format!("line <{line}>"), points(line).collect())).collect(),
        }
    }

    #[test]
    fn every_line_is_drawn_and_named() {
        let text = svg(&plot(9)).unwrap();
        for line in 0..9 {
            assert!(text.contains(&format!("line &lt;{line}&gt;")), "{text}");
        }
        assert!(text.contains("<title>Locks &amp; &lt;others></title>"), "{text}");
        assert!(text.contains("p99") || text.contains("p90"), "{text}");
    }

    #[test]
    fn a_plot_without_points_is_an_empty_one() {
        let mut plot = plot(1);
        plot.lines[0].1 = vec![(f64::NAN, 1.0), (0.5, -1.0)];
        assert!(svg(&plot).unwrap().ends_with("</svg>\n"));
    }
}
