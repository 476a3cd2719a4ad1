//! Lines over the hours of a day.

use plotters::coord::ranged1d::Ranged as _;
use plotters::coord::types::RangedCoordf64;

use super::super::view::{Lines, Tone};
use super::canvas::{Side, WIDTH, drawn, width_of};

const HEIGHT: i32 = 190;
const TOP: i32 = 10;
const BOTTOM: i32 = HEIGHT - 24;
/// The most values on the axis.
const TICKS: usize = 4;
/// The distance of two names below the axis.
const NAME_WIDTH: i32 = 42;

pub fn draw(lines: &Lines) -> (String, u32) {
    let values = lines.series.iter().flat_map(|series| series.values.iter().flatten());
    // A little room above the highest value.
    let most = values.copied().fold(1.0, f64::max) * 1.05;
    let ticks = RangedCoordf64::from(0.0..most).key_points(TICKS);
    let left = ticks.iter().map(|tick| width_of(&(lines.value)(*tick))).max().unwrap_or(0) + 8;
    let right = WIDTH as i32 - 22;
    let y = |value: f64| BOTTOM - (value / most * f64::from(BOTTOM - TOP)).round() as i32;
    let gaps = lines.points.len().saturating_sub(1).max(1) as i32;
    let x = |index: usize| left + 22 + (right - left - 22) * index as i32 / gaps;
    drawn(HEIGHT.unsigned_abs(), |canvas| {
        for tick in &ticks {
            canvas.line(vec![(left, y(*tick)), (right, y(*tick))], Tone::Grid, 1);
            canvas.text(&(lines.value)(*tick), (left - 6, y(*tick)), Side::Before, Tone::Muted);
        }
        let mut free = 0;
        for (index, name) in lines.points.iter().enumerate() {
            if x(index) >= free {
                canvas.text(name, (x(index), BOTTOM + 14), Side::Around, Tone::Muted);
                free = x(index) + NAME_WIDTH;
            }
        }
        for series in &lines.series {
            let points = series.values.iter().enumerate();
            let points: Vec<_> = points.filter_map(|(index, value)| Some((x(index), y((*value)?)))).collect();
            points.iter().for_each(|point| canvas.dot(*point, 3, series.tone));
            canvas.line(points, series.tone, 2);
        }
    })
}

#[cfg(test)]
mod tests {
    use super::super::super::view::Series;
    use super::*;

    #[test]
    fn a_line_has_round_values_beside_it() {
        let series = Series { name: "median".into(), tone: Tone::Main, values: vec![Some(0.0), None, Some(100.0)] };
        let lines = Lines {
            points: vec!["08:00".into(), "09:00".into(), "10:00".into()],
            series: vec![series],
            value: |v| format!("{v}"),
        };
        let (svg, _) = draw(&lines);
        for part in ["\n50\n", "\n100\n", "\n08:00\n", "var(--main)"] {
            assert!(svg.contains(part), "{part:?} in {svg}");
        }
        assert!(!svg.contains('#') && !svg.contains("http"), "{svg}");
    }
}
