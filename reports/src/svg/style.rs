//! Colours and how things look, in the words of plotters' SVG backend. Of plotters itself nothing is used: it would bring
//! bindings of the browser's drawing into a page's engine.

use plotters_backend::text_anchor::{HPos, Pos, VPos};
use plotters_backend::{BackendColor, BackendStyle, BackendTextStyle, FontFamily, FontStyle, FontTransform};
use std::convert::Infallible;

/// Red, green, blue.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct RGBColor(pub u8, pub u8, pub u8);

impl RGBColor {
    /// Itself, with that opacity from 0 to 1.
    pub(crate) fn mix(self, alpha: f64) -> RGBAColor {
        RGBAColor { color: self, alpha }
    }
}

/// A colour with an opacity.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) struct RGBAColor {
    color: RGBColor,
    alpha: f64,
}

impl RGBAColor {
    fn of_backend(self) -> BackendColor {
        let RGBColor(r, g, b) = self.color;
        BackendColor { alpha: self.alpha, rgb: (r, g, b) }
    }
}

/// A line or an area.
pub(super) struct Shape {
    pub color: RGBAColor,
    /// Width of a line, in units of the document.
    pub width: u32,
}

impl BackendStyle for Shape {
    fn color(&self) -> BackendColor {
        self.color.of_backend()
    }
    fn stroke_width(&self) -> u32 {
        self.width
    }
}

/// Words, centred on their point vertically.
pub(super) struct Words {
    pub font: &'static str,
    /// As the backend takes it.
    pub size: f64,
    pub bold: bool,
    pub color: RGBColor,
    pub anchor: HPos,
    pub turn: FontTransform,
}

impl BackendTextStyle for Words {
    type FontError = Infallible;

    fn color(&self) -> BackendColor {
        self.color.mix(1.0).of_backend()
    }
    fn size(&self) -> f64 {
        self.size
    }
    fn transform(&self) -> FontTransform {
        self.turn.clone()
    }
    fn style(&self) -> FontStyle {
        if self.bold { FontStyle::Bold } else { FontStyle::Normal }
    }
    fn anchor(&self) -> Pos {
        Pos::new(self.anchor, VPos::Center)
    }
    fn family(&self) -> FontFamily<'_> {
        FontFamily::Name(self.font)
    }
    /// Nobody asks: the backend writes words as words.
    fn layout_box(&self, _: &str) -> Result<((i32, i32), (i32, i32)), Infallible> {
        Ok(((0, 0), (0, 0)))
    }
    fn draw<E, F: FnMut(i32, i32, BackendColor) -> Result<(), E>>(
        &self,
        _: &str,
        _: (i32, i32),
        _: F,
    ) -> Result<Result<(), E>, Infallible> {
        Ok(Ok(()))
    }
}
