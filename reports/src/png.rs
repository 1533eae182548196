//! SVG pictures as PNG, for programs that take no SVG.
//!
//! Words are set in Inter (`fonts/`, SIL Open Font License), which is inside the program: the same picture on every
//! machine. Only Latin, Greek and Cyrillic letters are: words in other scripts show as empty boxes, though not in the SVG.

use resvg::tiny_skia::{Pixmap, Transform};
use resvg::usvg::{Options, Tree, fontdb};
use std::fmt;
use std::sync::Arc;

/// Pixels for each unit of a drawing.
const SCALE: f32 = 2.0;
/// No picture is larger, to either side.
const PIXELS_MAX: f32 = 16_000.0;

/// Why a picture could not be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PngError(String);

impl fmt::Display for PngError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot make a PNG: {}", self.0)
    }
}

impl std::error::Error for PngError {}

/// Turns SVG pictures into PNG; keep it for all of them.
pub struct Painter {
    options: Options<'static>,
}

impl Default for Painter {
    fn default() -> Self {
        let mut fonts = fontdb::Database::new();
        fonts.load_font_data(include_bytes!("../fonts/Inter-Regular.otf").to_vec());
        fonts.load_font_data(include_bytes!("../fonts/Inter-Bold.otf").to_vec());
        fonts.set_sans_serif_family("Inter");
        let options = Options { fontdb: Arc::new(fonts), font_family: "Inter".into(), ..Options::default() };
        Painter { options }
    }
}

impl Painter {
    /// The picture as PNG, two pixels for each unit of the drawing.
    ///
    /// # Errors
    ///
    /// [`PngError`] where the text is no SVG or the picture is empty.
    pub fn png(&self, svg: &str) -> Result<Vec<u8>, PngError> {
        let tree = Tree::from_str(svg, &self.options).map_err(|why| PngError(why.to_string()))?;
        let size = tree.size();
        let scale = SCALE.min(PIXELS_MAX / size.width().max(size.height()));
        let (width, height) = ((size.width() * scale).ceil() as u32, (size.height() * scale).ceil() as u32);
        let mut pixels = Pixmap::new(width, height).ok_or_else(|| PngError("it has no size".to_owned()))?;
        resvg::render(&tree, Transform::from_scale(scale, scale), &mut pixels.as_mut());
        pixels.encode_png().map_err(|why| PngError(why.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn picture(words: &str) -> String {
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"200\" height=\"40\" viewBox=\"0 0 200 40\" \
             font-family=\"Inter, Helvetica, sans-serif\"><rect width=\"200\" height=\"40\" fill=\"#FFFFFF\"/>\
             <text x=\"10\" y=\"25\" font-size=\"16\" fill=\"#000000\">{words}</text></svg>"
        )
    }

    fn dark(png: &[u8]) -> usize {
        let pixels = Pixmap::decode_png(png).unwrap();
        assert_eq!((pixels.width(), pixels.height()), (400, 80));
        pixels.pixels().iter().filter(|p| p.red() < 128).count()
    }

    #[test]
    fn words_are_there_and_the_same_every_time() {
        let painter = Painter::default();
        let png = painter.png(&picture("dropped 52.6% ±0.3 → é Ω Ж")).unwrap();
        assert_eq!(png, Painter::default().png(&picture("dropped 52.6% ±0.3 → é Ω Ж")).unwrap());
        assert!(dark(&png) > 800, "{}", dark(&png));
        assert_eq!(dark(&painter.png(&picture("")).unwrap()), 0);
        assert!(painter.png("<p>").is_err());
    }
}
