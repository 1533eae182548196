//! A sheet to draw on: shapes and safe text over plotters' SVG backend.

use super::style::{RGBAColor, RGBColor, Shape, Words};
use super::tidy::tidy;
use crate::text;
use plotters_backend::text_anchor::HPos;
use plotters_backend::{DrawingBackend, FontTransform};
use plotters_svg::SVGBackend;
use std::fmt;
use unicode_width::UnicodeWidthChar;

/// Why a picture could not be drawn: the drawing library's words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlotError(String);

impl PlotError {
    pub(crate) fn because(why: impl fmt::Display) -> PlotError {
        PlotError(why.to_string())
    }
}

impl fmt::Display for PlotError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot draw: {}", self.0)
    }
}

impl std::error::Error for PlotError {}

/// Colours by what they mean.
pub(super) mod ink {
    use super::super::style::RGBColor;
    pub const PAPER: RGBColor = RGBColor(0xff, 0xff, 0xff);
    pub const TEXT: RGBColor = RGBColor(0x1f, 0x29, 0x33);
    pub const MUTED: RGBColor = RGBColor(0x5b, 0x67, 0x75);
    pub const GRID: RGBColor = RGBColor(0xe3, 0xe7, 0xec);
    pub const OUT: RGBColor = RGBColor(0xe9, 0xec, 0xf0);
    pub const OUTAGE: RGBColor = RGBColor(0xe6, 0x9f, 0x00);
    pub const VERMILLION: RGBColor = RGBColor(0xd5, 0x5e, 0x00);
    pub const BLUE: RGBColor = RGBColor(0x00, 0x72, 0xb2);
    pub const SKY: RGBColor = RGBColor(0x56, 0xb4, 0xe9);
    pub const GREEN: RGBColor = RGBColor(0x00, 0x9e, 0x73);
    pub const ORANGE: RGBColor = RGBColor(0xe6, 0x9f, 0x00);
    pub const PURPLE: RGBColor = RGBColor(0xcc, 0x79, 0xa7);
    pub const GREY: RGBColor = RGBColor(0x99, 0x99, 0x99);

    /// The colours above as the words of a label: dark enough on paper to be read (4.5 to 1, WCAG AA).
    pub fn words(color: RGBColor) -> RGBColor {
        match color {
            VERMILLION => RGBColor(0xa8, 0x4a, 0x00),
            GREEN => RGBColor(0x00, 0x70, 0x52),
            ORANGE => RGBColor(0x80, 0x58, 0x00),
            SKY => RGBColor(0x1c, 0x6a, 0x98),
            PURPLE => RGBColor(0x98, 0x44, 0x74),
            GREY => MUTED,
            other => other,
        }
    }
}

/// Units of the document for each unit of a drawing: positions are whole numbers, so this is their resolution.
const SCALE: f64 = 2.0;
pub(super) const FONT: &str = "Inter, Helvetica Neue, Helvetica, Arial, Liberation Sans, DejaVu Sans, sans-serif";
/// plotters divides font sizes by this.
const PLOTTERS_FONT: f64 = 1.24;

/// Where a text stands relative to its point.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Anchor {
    Start,
    Middle,
    End,
}

/// How a text looks.
#[derive(Clone, Copy, Debug)]
pub(super) struct Type {
    pub size: f64,
    pub color: RGBColor,
    pub bold: bool,
}

impl Type {
    pub(super) fn new(size: f64, color: RGBColor) -> Self {
        Type { size, color, bold: false }
    }

    pub(super) fn bold(self) -> Self {
        Type { bold: true, ..self }
    }
}

/// The sheet. Positions are in units of a drawing, y downwards.
pub(super) struct Canvas<'a> {
    backend: SVGBackend<'a>,
}

/// Draws a picture of the given size and gives it a title and a description for those who cannot see it.
pub(super) fn draw(
    size: (f64, f64),
    title: &str,
    description: &str,
    paint: impl FnOnce(&mut Canvas<'_>) -> Result<(), PlotError>,
) -> Result<String, PlotError> {
    let body = layer(size, |canvas| {
        canvas.rect((0.0, 0.0), size, &ink::PAPER.mix(1.0))?;
        paint(canvas)
    })?;
    Ok(document(size, "", (title, description), &body))
}

/// What a painter draws on a sheet of that size, without the `svg` element around it.
pub(super) fn layer(
    size: (f64, f64),
    paint: impl FnOnce(&mut Canvas<'_>) -> Result<(), PlotError>,
) -> Result<String, PlotError> {
    let mut body = String::new();
    {
        let pixels = (units(size.0).unsigned_abs(), units(size.1).unsigned_abs());
        let mut canvas = Canvas { backend: SVGBackend::with_string(&mut body, pixels) };
        paint(&mut canvas)?;
        canvas.backend.present().map_err(PlotError::because)?;
    }
    // plotters closes the whole drawing in an element of its own, without a view box; `document` and `window` make theirs.
    let inside = body.split_once('>').map_or("", |(_, rest)| rest);
    Ok(tidy(inside.trim_start().trim_end().strip_suffix("</svg>").unwrap_or(inside)))
}

/// The `svg` element around what layers hold; `extra` are further attributes of it, as they stand.
pub(super) fn document(size: (f64, f64), extra: &str, (title, description): (&str, &str), body: &str) -> String {
    let (title, description) = (escape(title), escape(description));
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{}\" height=\"{}\" viewBox=\"0 0 {} {}\" \
         role=\"img\" aria-label=\"{title}. {description}\" font-family=\"{FONT}\" stroke-linejoin=\"round\"{extra}>\n\
         <title>{title}</title>\n<desc>{description}</desc>\n{body}</svg>\n",
        size.0,
        size.1,
        units(size.0),
        units(size.1)
    )
}

/// A layer in a window of its own, whose left and right edge a script may move: the part of a picture that stands
/// over a time axis.
pub(super) fn window(from: (f64, f64), to: (f64, f64), body: &str) -> String {
    let (x, y) = (units(from.0), units(from.1));
    let (w, h) = (units(to.0) - x, units(to.1) - y);
    format!(
        "<svg class=\"plot\" x=\"{x}\" y=\"{y}\" width=\"{w}\" height=\"{h}\" viewBox=\"{x} {y} {w} {h}\" \
         preserveAspectRatio=\"none\">\n{body}</svg>\n"
    )
}

pub(super) fn units(value: f64) -> i32 {
    (value * SCALE).round() as i32
}

/// Text for XML and HTML, outside plotters, which escapes what it is given.
pub(crate) fn escape(words: &str) -> String {
    let mut safe = String::new();
    for c in text::clean(words, true).chars() {
        match c {
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '&' => safe.push_str("&amp;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&apos;"),
            c => safe.push(c),
        }
    }
    safe
}

/// Widths of the letters from space to tilde in thousandths of the size: the wider of Inter Regular and Inter Bold
/// (`fonts/`, version 4), which are wider than Helvetica and Arial.
#[rustfmt::skip]
const WIDTHS: [u16; 95] = [
    281, 325, 403, 650, 655, 859, 674, 222, 409, 409, 565, 680, 303, 469, 298, 390,
    688, 489, 630, 659, 678, 645, 660, 595, 661, 660, 298, 303, 680, 680, 680, 562,
    1031, 748, 661, 752, 727, 613, 587, 761, 746, 281, 570, 690, 567, 915, 753, 782,
    648, 783, 656, 655, 668, 741, 748, 1036, 714, 724, 667, 409, 390, 409, 488, 477,
    497, 580, 635, 587, 635, 598, 386, 633, 624, 272, 272, 582, 272, 912, 622, 614,
    632, 632, 409, 562, 388, 622, 586, 850, 574, 586, 572, 409, 374, 409, 680,
];
/// How much wider a text is taken for than Inter sets it: a reader may have another font.
const WIDER: f64 = 1.06;

/// Estimated width of a text: fonts differ, so rather too wide. `tests/boxes.rs` holds pictures to it.
pub(super) fn text_width(words: &str, size: f64) -> f64 {
    let em = |c: char| match c {
        ' '..='~' => f64::from(WIDTHS[c as usize - ' ' as usize]) / 1000.0,
        '·' => 0.30,
        '±' => 0.68,
        c if c.width().unwrap_or(0) > 1 || c.is_uppercase() => 1.10,
        c if c.is_alphabetic() => 0.80,
        _ => 1.0,
    };
    words.chars().map(em).sum::<f64>() * size * WIDER
}

/// `words` cut with an ellipsis to a width in units.
pub(super) fn fit(words: &str, size: f64, room: f64) -> String {
    let safe = text::clean(words, true);
    if text_width(&safe, size) <= room {
        return safe;
    }
    let mut cut = String::new();
    let mut used = text_width("…", size);
    for c in safe.chars() {
        used += text_width(c.encode_utf8(&mut [0; 4]), size);
        if used > room {
            break;
        }
        cut.push(c);
    }
    format!("{}…", cut.trim_end())
}

impl Canvas<'_> {
    pub(super) fn rect(&mut self, from: (f64, f64), to: (f64, f64), color: &RGBAColor) -> Result<(), PlotError> {
        let (from, to) = ((units(from.0), units(from.1)), (units(to.0), units(to.1)));
        if to.0 <= from.0 || to.1 <= from.1 {
            return Ok(());
        }
        self.backend.draw_rect(from, to, &Shape { color: *color, width: 1 }, true).map_err(PlotError::because)
    }

    pub(super) fn line(&mut self, points: &[(f64, f64)], width: f64, color: &RGBAColor) -> Result<(), PlotError> {
        if points.len() < 2 {
            return Ok(());
        }
        let style = Shape { color: *color, width: (width * SCALE).round().max(1.0) as u32 };
        let points: Vec<(i32, i32)> = points.iter().map(|(x, y)| (units(*x), units(*y))).collect();
        self.backend.draw_path(points, &style).map_err(PlotError::because)
    }

    pub(super) fn area(&mut self, points: &[(f64, f64)], color: &RGBAColor) -> Result<(), PlotError> {
        if points.len() < 3 {
            return Ok(());
        }
        let points: Vec<(i32, i32)> = points.iter().map(|(x, y)| (units(*x), units(*y))).collect();
        self.backend.fill_polygon(points, &Shape { color: *color, width: 1 }).map_err(PlotError::because)
    }

    /// A dashed horizontal line.
    pub(super) fn dashes(&mut self, from: (f64, f64), to_x: f64, color: &RGBAColor) -> Result<(), PlotError> {
        let (mut x, y) = from;
        while x < to_x {
            self.line(&[(x, y), ((x + 7.0).min(to_x), y)], 1.5, color)?;
            x += 12.0;
        }
        Ok(())
    }

    /// Text, centred on `at` vertically.
    pub(super) fn text(&mut self, words: &str, at: (f64, f64), anchor: Anchor, look: Type) -> Result<(), PlotError> {
        self.put(words, at, anchor, look, FontTransform::None)
    }

    /// Text that reads upwards, centred on `at`.
    pub(super) fn text_upwards(&mut self, words: &str, at: (f64, f64), look: Type) -> Result<(), PlotError> {
        self.put(words, at, Anchor::Middle, look, FontTransform::Rotate270)
    }

    fn put(
        &mut self,
        words: &str,
        at: (f64, f64),
        anchor: Anchor,
        look: Type,
        turn: FontTransform,
    ) -> Result<(), PlotError> {
        let anchor = match anchor {
            Anchor::Start => HPos::Left,
            Anchor::Middle => HPos::Center,
            Anchor::End => HPos::Right,
        };
        let size = look.size * SCALE * PLOTTERS_FONT;
        let style = Words { font: FONT, size, bold: look.bold, color: look.color, anchor, turn };
        self.backend
            .draw_text(&text::clean(words, true), &style, (units(at.0), units(at.1)))
            .map_err(PlotError::because)
    }
}

#[cfg(test)]
mod tests {
    use super::ink::{self, *};
    use super::*;

    /// Relative luminance by WCAG 2.
    fn luminance(RGBColor(r, g, b): RGBColor) -> f64 {
        let linear = |part: u8| {
            let part = f64::from(part) / 255.0;
            if part <= 0.04045 { part / 12.92 } else { libm::pow((part + 0.055) / 1.055, 2.4) }
        };
        0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b)
    }

    #[test]
    fn words_can_be_read_on_paper() {
        for color in [TEXT, MUTED, VERMILLION, BLUE, SKY, GREEN, ORANGE, PURPLE, GREY] {
            let contrast = (luminance(PAPER) + 0.05) / (luminance(ink::words(color)) + 0.05);
            assert!(contrast >= 4.5, "{color:?}: {contrast:.2}");
        }
    }
}
