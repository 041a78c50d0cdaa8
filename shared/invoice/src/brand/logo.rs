//! Logos: pictures that come from outside, so they are taken only if they are nothing but pictures.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use quick_xml::{Reader, events::BytesStart, events::Event};
use std::fmt;
use std::sync::Arc;

/// Most bytes of a logo. A drawn one has a few thousand.
pub const LOGO_BYTES_MAX: usize = 192 * 1024;
/// Most pixels of one side of a bitmap: 80 mm at 600 dots an inch.
pub const LOGO_PIXELS_MAX: u32 = 2_000;
/// Most elements of a drawing.
pub const LOGO_ELEMENTS_MAX: usize = 2_000;

/// Elements that draw and do nothing else. No text (its font would be missing), no `use` and no filters (small
/// drawings that take for ever), no pictures, links, styles or scripts.
const ELEMENTS: [&str; 15] = [
    "svg",
    "g",
    "path",
    "rect",
    "circle",
    "ellipse",
    "line",
    "polyline",
    "polygon",
    "defs",
    "linearGradient",
    "radialGradient",
    "stop",
    "title",
    "desc",
];
/// What every PNG begins with.
const PNG_SIGNATURE: &[u8] = b"\x89PNG\r\n\x1a\n";

/// A picture for the letterhead.
#[derive(Clone, PartialEq, Eq)]
pub struct Logo {
    kind: LogoKind,
    bytes: Arc<[u8]>,
}

/// What a logo is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LogoKind {
    Svg,
    Png,
}

/// Why a picture is not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LogoError {
    /// Too many bytes.
    #[error("the logo has {0} bytes, at most {LOGO_BYTES_MAX} are taken")]
    TooLarge(usize),
    /// Too many elements.
    #[error("the drawing has more than {LOGO_ELEMENTS_MAX} elements")]
    TooManyElements,
    /// Not well-formed.
    #[error("the drawing is not well-formed XML")]
    Malformed,
    /// An element that does more than draw.
    #[error("a drawing may not contain <{0}>")]
    Element(String),
    /// An attribute that reaches out or runs.
    #[error("a drawing may not contain the attribute {0}")]
    Attribute(String),
    /// A document type or a processing instruction: they can define entities and styles.
    #[error("a drawing may not contain declarations or instructions")]
    Declaration,
    /// Not base64.
    #[error("the picture is not base64")]
    Base64,
    /// Not a PNG.
    #[error("the picture is not a PNG")]
    NotPng,
    /// Too many pixels.
    #[error("the picture is {width} x {height} pixels, at most {LOGO_PIXELS_MAX} a side are taken")]
    Pixels {
        /// Across.
        width: u32,
        /// Down.
        height: u32,
    },
    /// The renderer cannot draw it.
    #[error("the logo cannot be drawn: {0}")]
    Undrawable(String),
}

impl Logo {
    /// A drawing (SVG), as text. It draws and does nothing else: see the crate's list of elements.
    ///
    /// # Errors
    /// [`LogoError`] if it is too large, does more than draw, or cannot be drawn.
    pub fn svg(text: &str) -> Result<Self, LogoError> {
        within(text.len())?;
        check_drawing(text)?;
        Self { kind: LogoKind::Svg, bytes: text.as_bytes().into() }.drawn()
    }

    /// A bitmap (PNG), in base64.
    ///
    /// # Errors
    /// [`LogoError`] if it is too large, is none, or cannot be drawn.
    pub fn png_base64(text: &str) -> Result<Self, LogoError> {
        within(text.len() / 4 * 3)?;
        let bytes = BASE64_STANDARD.decode(text).map_err(|_| LogoError::Base64)?;
        within(bytes.len())?;
        let (width, height) = png_size(&bytes).ok_or(LogoError::NotPng)?;
        if width > LOGO_PIXELS_MAX || height > LOGO_PIXELS_MAX {
            return Err(LogoError::Pixels { width, height });
        }
        Self { kind: LogoKind::Png, bytes: bytes.into() }.drawn()
    }

    pub(crate) fn kind(&self) -> LogoKind {
        self.kind
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Itself, if the renderer can draw it: a logo that is taken never makes a document fail.
    fn drawn(self) -> Result<Self, LogoError> {
        crate::press::draw(&self).map_err(LogoError::Undrawable)?;
        Ok(self)
    }
}

/// Not its content.
impl fmt::Debug for Logo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Logo({:?}, {} bytes)", self.kind, self.bytes.len())
    }
}

fn within(bytes: usize) -> Result<(), LogoError> {
    if bytes > LOGO_BYTES_MAX { Err(LogoError::TooLarge(bytes)) } else { Ok(()) }
}

/// Width and height, from the first chunk.
fn png_size(bytes: &[u8]) -> Option<(u32, u32)> {
    let header = bytes.strip_prefix(PNG_SIGNATURE)?;
    let side = |from: usize| {
        let bytes = header.get(from..from.saturating_add(4))?;
        Some(u32::from_be_bytes(bytes.try_into().ok()?))
    };
    (header.get(4..8)? == b"IHDR").then_some(())?;
    Some((side(8)?, side(12)?))
}

fn check_drawing(text: &str) -> Result<(), LogoError> {
    let mut reader = Reader::from_str(text);
    let mut elements = 0_usize;
    // Each turn takes at least a byte of a text that is bounded.
    loop {
        match reader.read_event().map_err(|_| LogoError::Malformed)? {
            Event::Start(element) | Event::Empty(element) => {
                elements = elements.saturating_add(1);
                if elements > LOGO_ELEMENTS_MAX {
                    return Err(LogoError::TooManyElements);
                }
                check_element(&element)?;
            }
            Event::DocType(_) | Event::PI(_) => return Err(LogoError::Declaration),
            Event::GeneralRef(_) | Event::CData(_) => return Err(LogoError::Malformed),
            Event::Eof => break,
            Event::End(_) | Event::Text(_) | Event::Comment(_) | Event::Decl(_) => {}
        }
    }
    if elements == 0 { Err(LogoError::Malformed) } else { Ok(()) }
}

fn check_element(element: &BytesStart) -> Result<(), LogoError> {
    let shown = |name: &str| name.chars().take(40).collect::<String>();
    let name = element.name();
    if !ELEMENTS.contains(&name.as_ref()) {
        return Err(LogoError::Element(shown(name.as_ref())));
    }
    for attribute in element.attributes() {
        let attribute = attribute.map_err(|_| LogoError::Malformed)?;
        let key = attribute.key.as_ref();
        let value = attribute.value.to_ascii_lowercase();
        let runs = key.starts_with("on") || key == "style" || key == "class" || key.ends_with("href");
        // Inside the drawing only: url(#gradient).
        let reaches_out = value.split("url(").skip(1).any(|rest| !rest.trim_start().starts_with('#'));
        if runs || reaches_out || value.contains('&') {
            return Err(LogoError::Attribute(shown(key)));
        }
    }
    Ok(())
}
