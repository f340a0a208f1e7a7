//! A plotters backend that remembers: each plot is drawn once, then replayed as SVG and as PNG.
//!
//! Pictures take part in the order of drawing, which plotters' own SVG backend can only do by embedding PNGs with a
//! media type that browsers do not know.

use std::convert::Infallible;

use image::RgbImage;
use plotters::coord::Shift;
use plotters::prelude::{DrawingArea, DrawingBackend, IntoDrawingArea};
use plotters_backend::text_anchor::{HPos, VPos};
use plotters_backend::{
    BackendColor, BackendCoord, BackendStyle, BackendTextStyle, DrawingErrorKind, FontStyle, FontTransform,
};

/// One remembered stroke; coordinates in px of the nominal size, origin at the top left.
#[derive(Clone)]
pub(super) enum Command {
    /// An open line through `points`.
    Line { points: Vec<BackendCoord>, colour: BackendColor, width: u32 },
    /// A filled shape.
    Polygon { points: Vec<BackendCoord>, colour: BackendColor },
    /// A circle, filled or as a ring of `width`.
    Circle { centre: BackendCoord, radius: u32, colour: BackendColor, ring: Option<u32> },
    /// A word.
    Text { text: String, at: BackendCoord, font: Lettering },
    /// A picture at its own size.
    Picture { at: BackendCoord, picture: RgbImage },
}

/// How a word is set.
#[derive(Clone, Copy)]
pub(super) struct Lettering {
    /// Height of a line, px.
    pub size: f64,
    pub bold: bool,
    pub colour: BackendColor,
    pub horizontal: Place,
    pub vertical: Place,
    /// Clockwise quarter turns, 0–3.
    pub turns: u8,
}

/// Where the anchor lies in a word: at its left or top, in its middle, at its right or bottom.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    Start,
    Middle,
    End,
}

/// A drawing of a fixed nominal size.
#[derive(Clone)]
pub(super) struct Sheet {
    pub width: u32,
    pub height: u32,
    pub commands: Vec<Command>,
}

/// Where plots draw.
pub(super) type Area<'a> = DrawingArea<Recorder<'a>, Shift>;
/// What goes wrong when they do: the layout alone, since remembering cannot fail.
pub(super) type DrawError = plotters::drawing::DrawingAreaErrorKind<Infallible>;

/// The backend of a [`Sheet`].
pub(super) struct Recorder<'a> {
    sheet: &'a mut Sheet,
}

impl Sheet {
    pub(super) fn new(width: u32, height: u32) -> Self {
        super::font::register();
        Self { width, height, commands: Vec::new() }
    }

    /// Puts a picture above everything drawn so far.
    pub(super) fn picture(&mut self, at: BackendCoord, picture: RgbImage) {
        self.commands.push(Command::Picture { at, picture });
    }

    pub(super) fn area(&mut self) -> Area<'_> {
        Recorder { sheet: self }.into_drawing_area()
    }
}

type Recorded = Result<(), DrawingErrorKind<Infallible>>;

impl Recorder<'_> {
    fn push(&mut self, colour: BackendColor, command: impl FnOnce() -> Command) -> Recorded {
        if colour.alpha > 0.0 {
            self.sheet.commands.push(command());
        }
        Ok(())
    }
}

impl DrawingBackend for Recorder<'_> {
    type ErrorType = Infallible;

    fn get_size(&self) -> (u32, u32) {
        (self.sheet.width, self.sheet.height)
    }

    fn ensure_prepared(&mut self) -> Recorded {
        Ok(())
    }

    fn present(&mut self) -> Recorded {
        Ok(())
    }

    fn draw_pixel(&mut self, (x, y): BackendCoord, colour: BackendColor) -> Recorded {
        let points = vec![(x, y), (x + 1, y), (x + 1, y + 1), (x, y + 1)];
        self.push(colour, || Command::Polygon { points, colour })
    }

    fn draw_line<S: BackendStyle>(&mut self, from: BackendCoord, to: BackendCoord, style: &S) -> Recorded {
        self.draw_path([from, to], style)
    }

    fn draw_rect<S: BackendStyle>(&mut self, a: BackendCoord, b: BackendCoord, style: &S, fill: bool) -> Recorded {
        let mut points = vec![(a.0, a.1), (b.0, a.1), (b.0, b.1), (a.0, b.1)];
        if fill {
            return self.fill_polygon(points, style);
        }
        points.push(points[0]);
        self.draw_path(points, style)
    }

    fn draw_path<S: BackendStyle, I: IntoIterator<Item = BackendCoord>>(&mut self, path: I, style: &S) -> Recorded {
        let (colour, width) = (style.color(), style.stroke_width());
        self.push(colour, || Command::Line { points: path.into_iter().collect(), colour, width })
    }

    fn draw_circle<S: BackendStyle>(&mut self, centre: BackendCoord, radius: u32, style: &S, fill: bool) -> Recorded {
        let (colour, ring) = (style.color(), (!fill).then_some(style.stroke_width()));
        self.push(colour, || Command::Circle { centre, radius, colour, ring })
    }

    fn fill_polygon<S: BackendStyle, I: IntoIterator<Item = BackendCoord>>(&mut self, vert: I, style: &S) -> Recorded {
        let colour = style.color();
        self.push(colour, || Command::Polygon { points: vert.into_iter().collect(), colour })
    }

    fn draw_text<T: BackendTextStyle>(&mut self, text: &str, style: &T, at: BackendCoord) -> Recorded {
        let font = Lettering {
            size: style.size(),
            bold: matches!(style.style(), FontStyle::Bold),
            colour: style.color(),
            horizontal: match style.anchor().h_pos {
                HPos::Left => Place::Start,
                HPos::Center => Place::Middle,
                HPos::Right => Place::End,
            },
            vertical: match style.anchor().v_pos {
                VPos::Top => Place::Start,
                VPos::Center => Place::Middle,
                VPos::Bottom => Place::End,
            },
            turns: match style.transform() {
                FontTransform::None => 0,
                FontTransform::Rotate90 => 1,
                FontTransform::Rotate180 => 2,
                FontTransform::Rotate270 => 3,
            },
        };
        self.push(font.colour, || Command::Text { text: text.to_owned(), at, font })
    }
}
