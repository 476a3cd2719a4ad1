//! The drawing of a plot: `plotters` writes SVG, and the colours become those of the page's style.
//!
//! Rule: a colour of the drawing is a name, not a colour. The style says what it looks like on a bright screen, a dark one
//! and on paper.

use plotters::coord::Shift;
use plotters::prelude::{
    Color as _, DrawingArea, IntoDrawingArea as _, IntoFont as _, PathElement, RGBColor, Rectangle, SVGBackend, Text,
    TextStyle,
};
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::super::view::Tone;

/// The width of all plots: that of a telephone between its margins.
pub const WIDTH: u32 = 340;
/// The size of letters, as `plotters` counts it: 1.24 of those of SVG.
const LETTER: f64 = 11.0 * 1.24;

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

/// A plot in the making.
pub struct Canvas<'a> {
    area: Area<'a>,
}

/// The side of a point on which a text stands.
#[derive(Clone, Copy)]
pub enum Side {
    Before,
    After,
    Around,
}

/// Draws a plot of that height. The SVG without its own element.
pub fn drawn(height: u32, draw: impl FnOnce(&Canvas<'_>)) -> (String, u32) {
    let mut svg = String::new();
    {
        let canvas = Canvas { area: SVGBackend::with_string(&mut svg, (WIDTH, height)).into_drawing_area() };
        draw(&canvas);
        // Writing into a string cannot fail.
        let _ = canvas.area.present();
    }
    let inner = svg.split_once('>').and_then(|(_, rest)| rest.rsplit_once("</svg>")).map_or("", |(inner, _)| inner);
    // What every browser takes for granted.
    let mut out =
        inner.replace(" opacity=\"1\"", "").replace(" stroke=\"none\"", "").replace(" font-family=\"sans-serif\"", "");
    for tone in TONES {
        let RGBColor(red, green, blue) = colour(tone);
        out = out.replace(&format!("\"#{red:02X}{green:02X}{blue:02X}\""), &format!("\"var(--{})\"", name(tone)));
    }
    (out, height)
}

const TONES: [Tone; 6] = [Tone::Ink, Tone::Muted, Tone::Grid, Tone::Main, Tone::Light, Tone::Bad];

/// The name of a colour in the style.
pub fn name(tone: Tone) -> &'static str {
    match tone {
        Tone::Ink => "ink",
        Tone::Muted => "muted",
        Tone::Grid => "grid",
        Tone::Main => "main",
        Tone::Light => "light",
        Tone::Bad => "bad",
    }
}

/// What stands for it while the plot is drawn.
fn colour(tone: Tone) -> RGBColor {
    let mark = 0xE0 + tone as u8;
    RGBColor(1, mark, 1)
}

/// The width that a letter needs, in a wide font.
fn letter_width(letter: char) -> f64 {
    match letter {
        'm' | 'w' | 'M' | 'W' | '%' | '@' => 10.9,
        'i' | 'l' | 'j' | '.' | ',' | ':' | ' ' => 4.0,
        'A'..='Z' => 8.6,
        ' '..='~' => 7.1,
        _ => 11.0,
    }
}

/// The width that a text needs.
pub fn width_of(text: &str) -> i32 {
    text.chars().map(letter_width).sum::<f64>().ceil() as i32
}

/// The text in at most that width, with an ellipsis where it is cut.
pub fn cut(text: &str, width: i32) -> String {
    if width_of(text) <= width {
        return text.to_owned();
    }
    let mut free = f64::from(width) - letter_width('…');
    let fits = text.chars().take_while(|letter| {
        free -= letter_width(*letter);
        free >= 0.0
    });
    fits.chain(['…']).collect()
}

impl Canvas<'_> {
    /// A filled rectangle.
    pub fn fill(&self, from: (i32, i32), to: (i32, i32), tone: Tone, share: f64) {
        let style = match share {
            1.0.. => colour(tone).filled(),
            share => colour(tone).mix(share).filled(),
        };
        let _ = self.area.draw(&Rectangle::new([from, to], style));
    }

    /// A line through some points.
    pub fn line(&self, points: Vec<(i32, i32)>, tone: Tone, width: u32) {
        let _ = self.area.draw(&PathElement::new(points, colour(tone).stroke_width(width)));
    }

    /// A point.
    pub fn dot(&self, at: (i32, i32), size: u32, tone: Tone) {
        let _ = self.area.draw(&plotters::prelude::Circle::new(at, size, colour(tone).filled()));
    }

    /// A text whose middle line is at that height.
    pub fn text(&self, text: &str, at: (i32, i32), side: Side, tone: Tone) {
        let place = match side {
            Side::Before => HPos::Right,
            Side::After => HPos::Left,
            Side::Around => HPos::Center,
        };
        let colour = colour(tone);
        let style =
            TextStyle::from(("sans-serif", LETTER).into_font()).color(&colour).pos(Pos::new(place, VPos::Center));
        let _ = self.area.draw(&Text::new(text.to_owned(), at, style));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_that_is_too_wide_ends_in_an_ellipsis() {
        assert_eq!(cut("pending payment", 124), "pending payment");
        let long = "doctor 15fd2e0f-6a31-4443-8571-15351600a753";
        let short = cut(long, 124);
        assert!(short.ends_with('…') && long.starts_with(short.trim_end_matches('…')), "{short}");
        assert!((100..=124).contains(&width_of(&short)), "{short}");
        assert_eq!(cut("", 10), "");
    }
}
