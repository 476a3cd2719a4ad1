//! Horizontal bars: the name before it, the number after it.

use super::super::view::{Bar, Bars, Tone};
use super::canvas::{Canvas, Side, WIDTH, cut, drawn, width_of};

/// The height of a bar with its distance, and of the bar.
const STEP: i32 = 20;
const THICK: i32 = 12;
const MARGIN: i32 = 4;
/// The widest name.
const NAME_MAX: i32 = 124;

pub fn draw(bars: &Bars) -> (String, u32) {
    let height = bars.bars.len() as i32 * STEP + 2 * MARGIN;
    drawn(height.unsigned_abs(), |canvas| {
        let widest = |text: fn(&Bar) -> &str| bars.bars.iter().map(|bar| width_of(text(bar))).max().unwrap_or(0);
        let left = widest(|bar| &bar.label).min(NAME_MAX) + 8;
        let right = WIDTH as i32 - widest(|bar| &bar.number) - 8;
        let values = bars.bars.iter().flat_map(|bar| [Some(bar.value), bar.before]).flatten();
        let most = values.chain(bars.limit).fold(f64::MIN_POSITIVE, f64::max);
        let x = |value: f64| left + (value / most * f64::from(right - left)).round() as i32;
        for (bar, index) in bars.bars.iter().zip(0..) {
            one(canvas, bar, MARGIN + index * STEP, (left, right), x);
        }
        if let Some(limit) = bars.limit {
            canvas.line(vec![(x(limit), 0), (x(limit), height)], Tone::Ink, 1);
        }
    })
}

fn one(canvas: &Canvas<'_>, bar: &Bar, top: i32, (left, right): (i32, i32), x: impl Fn(f64) -> i32) {
    let (middle, above) = (top + STEP / 2, top + (STEP - THICK) / 2);
    canvas.text(&cut(&bar.label, NAME_MAX), (left - 8, middle), Side::Before, Tone::Ink);
    canvas.fill((left, above), (right, above + THICK), Tone::Grid, 0.5);
    // A value that is not nothing is seen.
    let end = if bar.value > 0.0 { x(bar.value).max(left + 1) } else { left };
    if end > left {
        canvas.fill((left, above), (end, above + THICK), Tone::Main, 1.0);
    }
    if bar.bad > 0.0 {
        canvas.fill((left, above), (x(bar.bad).max(left + 1), above + THICK), Tone::Bad, 1.0);
    }
    if let Some(before) = bar.before {
        canvas.line(vec![(x(before), above - 2), (x(before), above + THICK + 2)], Tone::Ink, 2);
    }
    canvas.text(&bar.number, (WIDTH as i32, middle), Side::Before, Tone::Ink);
}
