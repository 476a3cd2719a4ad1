//! The timeline of a lane: a row of cells for each outcome, the durations, the items.

use super::super::view::{Strip, Tone};
use super::canvas::{Canvas, Side, WIDTH, cut, drawn};

const HEIGHT: i32 = 176;
const LEFT: i32 = 56;
const RIGHT: i32 = WIDTH as i32 - 54;
/// The height of a row of cells with its distance, and of a cell.
const STEP: i32 = 17;
const CELL: i32 = 11;
/// Where the durations and the items are drawn.
const DURATIONS: (i32, i32) = (78, 114);
const ITEMS: (i32, i32) = (126, 154);

pub fn draw(strip: &Strip) -> (String, u32) {
    drawn(HEIGHT.unsigned_abs(), |canvas| {
        for ((name, tone, cells, total), row) in strip.rows.iter().zip(0..) {
            let top = 2 + row * STEP;
            canvas.text(name, (LEFT - 8, top + CELL / 2), Side::Before, Tone::Muted);
            canvas.text(&cut(total, WIDTH as i32 - RIGHT - 6), (WIDTH as i32, top + CELL / 2), Side::Before, Tone::Ink);
            cells.iter().enumerate().for_each(|(index, share)| cell(canvas, index, cells.len(), top, *tone, *share));
        }
        let [median, greatest] = &strip.durations;
        let most = greatest.iter().flatten().copied().fold(1.0, f64::max);
        axis(canvas, DURATIONS, "time", &strip.duration_max);
        line(canvas, greatest, most, DURATIONS, Tone::Light);
        line(canvas, median, most, DURATIONS, Tone::Main);
        let items: Vec<Option<f64>> = strip.items.iter().map(|items| Some(*items)).collect();
        let most = strip.items.iter().copied().fold(1.0, f64::max);
        axis(canvas, ITEMS, "items", &strip.items_total);
        line(canvas, &items, most, ITEMS, Tone::Main);
        let [first, middle, last] = &strip.labels;
        let bottom = HEIGHT - 9;
        canvas.text(first, (LEFT, bottom), Side::After, Tone::Muted);
        if middle != first && middle != last {
            canvas.text(middle, ((LEFT + RIGHT) / 2, bottom), Side::Around, Tone::Muted);
        }
        if last != first {
            canvas.text(last, (RIGHT, bottom), Side::Before, Tone::Muted);
        }
    })
}

/// Where a time begins.
fn x(index: usize, of: usize) -> i32 {
    LEFT + (RIGHT - LEFT) * index as i32 / of.max(1) as i32
}

/// A cell: the fuller it is, the darker.
fn cell(canvas: &Canvas<'_>, index: usize, of: usize, top: i32, tone: Tone, share: f64) {
    let (from, to) = (x(index, of), x(index + 1, of));
    let gap = i32::from(to - from > 3);
    let (tone, share) = if share > 0.0 { (tone, 0.35 + 0.65 * share) } else { (Tone::Grid, 0.5) };
    canvas.fill((from, top), (to - gap, top + CELL), tone, share);
}

fn axis(canvas: &Canvas<'_>, (top, bottom): (i32, i32), name: &str, most: &str) {
    canvas.line(vec![(LEFT, bottom), (RIGHT, bottom)], Tone::Grid, 1);
    canvas.text(name, (LEFT - 8, (top + bottom) / 2), Side::Before, Tone::Muted);
    canvas.text(&cut(most, WIDTH as i32 - RIGHT - 6), (WIDTH as i32, (top + bottom) / 2), Side::Before, Tone::Ink);
}

/// A line that is broken where there is no value.
fn line(canvas: &Canvas<'_>, values: &[Option<f64>], most: f64, (top, bottom): (i32, i32), tone: Tone) {
    let middle = |index| (x(index, values.len()) + x(index + 1, values.len())) / 2;
    let y = |value: f64| bottom - (value / most * f64::from(bottom - top)).round() as i32;
    let mut points = vec![];
    for (index, value) in values.iter().enumerate() {
        match value {
            Some(value) => points.push((middle(index), y(*value))),
            None => stroke(canvas, std::mem::take(&mut points), tone),
        }
    }
    stroke(canvas, points, tone);
}

/// A line, or a dot where it is one point.
fn stroke(canvas: &Canvas<'_>, points: Vec<(i32, i32)>, tone: Tone) {
    match points.as_slice() {
        [] => {}
        [one] => canvas.dot(*one, 2, tone),
        _ => canvas.line(points, tone, 2),
    }
}
