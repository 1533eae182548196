//! What plotters writes, made smaller without changing how it looks.
//!
//! Attributes that say what holds anyway go, and rectangles of one colour that follow each other become one path. Texts
//! cannot be mistaken for either: plotters escapes quotes and angle brackets in them.

use super::canvas::FONT;

/// The shorter form of what stands inside the `svg` element.
pub(super) fn tidy(body: &str) -> String {
    let family = format!(" font-family=\"{FONT}\"");
    let mut out = String::with_capacity(body.len() / 2);
    let mut run = Run::default();
    for line in body.lines() {
        if let Some(rect) = Rect::read(line) {
            run.add(rect, &mut out);
            continue;
        }
        run.end(&mut out);
        if line.starts_with('<') {
            let line = line.replace(&family, "").replace(" opacity=\"1\"", "").replace(" stroke=\"none\"", "");
            out.push_str(&rounded_size(&line).replace(" \"/>", "\"/>"));
        } else {
            out.push_str(line);
        }
        // The words of a text stand on a line of their own; a line break there would be a space.
        if line.starts_with('<') && !line.starts_with("<text") {
            out.push('\n');
        }
    }
    run.end(&mut out);
    out
}

/// `font-size="26.000000000000004"` as `font-size="26"`.
fn rounded_size(line: &str) -> String {
    let Some((before, rest)) = line.split_once("font-size=\"") else { return line.to_owned() };
    let Some((size, after)) = rest.split_once('"') else { return line.to_owned() };
    let size = size.parse::<f64>().map_or(size.to_owned(), |size| format!("{}", (size * 10.0).round() / 10.0));
    format!("{before}font-size=\"{size}\"{after}")
}

/// A filled rectangle: place and size, and how it is filled.
struct Rect<'a> {
    place: [i64; 4],
    look: (&'a str, &'a str),
}

impl<'a> Rect<'a> {
    /// Reads `<rect x=".." y=".." width=".." height=".." opacity=".." fill="#.." stroke="none"/>`.
    fn read(line: &'a str) -> Option<Rect<'a>> {
        let mut values = line.strip_prefix("<rect ")?.split('"').skip(1).step_by(2);
        let mut place = [0; 4];
        for number in &mut place {
            *number = values.next()?.parse().ok()?;
        }
        let look = (values.next()?, values.next()?);
        look.1.starts_with('#').then_some(Rect { place, look })
    }
}

/// Rectangles in a row with one look.
#[derive(Default)]
struct Run<'a> {
    look: Option<(&'a str, &'a str)>,
    rects: Vec<[i64; 4]>,
}

impl<'a> Run<'a> {
    fn add(&mut self, rect: Rect<'a>, out: &mut String) {
        if self.look != Some(rect.look) {
            self.end(out);
            self.look = Some(rect.look);
        }
        self.rects.push(rect.place);
    }

    fn end(&mut self, out: &mut String) {
        let Some((opacity, fill)) = self.look.take() else { return };
        let look = if opacity == "1" { String::new() } else { format!(" opacity=\"{opacity}\"") };
        match self.rects[..] {
            [[x, y, w, h]] => {
                out.push_str(&format!(
                    "<rect x=\"{x}\" y=\"{y}\" width=\"{w}\" height=\"{h}\"{look} fill=\"{fill}\"/>\n"
                ));
            }
            _ => {
                let path: String = self.rects.iter().map(|[x, y, w, h]| format!("M{x} {y}h{w}v{h}h-{w}z")).collect();
                out.push_str(&format!("<path d=\"{path}\"{look} fill=\"{fill}\"/>\n"));
            }
        }
        self.rects.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rectangles_of_one_look_become_one_path() {
        let rect = |x: u32, fill: &str| {
            format!(
                "<rect x=\"{x}\" y=\"2\" width=\"3\" height=\"4\" opacity=\"1\" fill=\"{fill}\" stroke=\"none\"/>\n"
            )
        };
        let body = [rect(1, "#000000"), rect(9, "#000000"), rect(5, "#FFFFFF")].concat();
        assert_eq!(
            tidy(&body),
            "<path d=\"M1 2h3v4h-3zM9 2h3v4h-3z\" fill=\"#000000\"/>\n\
             <rect x=\"5\" y=\"2\" width=\"3\" height=\"4\" fill=\"#FFFFFF\"/>\n"
        );
    }

    #[test]
    fn words_stay_as_they_are() {
        let text = "<text x=\"1\" opacity=\"1\" font-size=\"26.000000000000004\" fill=\"#1F2933\">\n opacity=1 &quot;a&quot; \n</text>\n";
        assert_eq!(tidy(text), "<text x=\"1\" font-size=\"26\" fill=\"#1F2933\"> opacity=1 &quot;a&quot; </text>\n");
    }
}
