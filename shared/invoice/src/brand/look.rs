//! Colours and type of a brand.

use crate::Logo;
use serde::Deserialize;
use std::fmt;

/// Least contrast of text against what is behind it, in hundredths: WCAG 2.2, success criterion 1.4.3 (AA).
const TEXT_CONTRAST_MIN: u64 = 450;

/// How a brand's documents look. The default is Portico's own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Look {
    /// Headings, rules and the amount to be paid. Readable on white and on [`band`](Self::band).
    pub accent: Colour,
    /// Behind the amount to be paid; nothing if absent.
    pub band: Option<Colour>,
    /// The letters.
    pub typeface: Typeface,
    /// In the letterhead instead of the seller's name.
    pub logo: Option<Logo>,
}

impl Default for Look {
    fn default() -> Self {
        Self { accent: Colour(0x0b, 0x4f, 0x6c), band: None, typeface: Typeface::Inter, logo: None }
    }
}

/// Colours that cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ColourError {
    /// Not six hexadecimal digits after a `#`.
    #[error("a colour is written as # and six hexadecimal digits, such as #0b4f6c")]
    Unreadable,
    /// Too little contrast.
    #[error("the contrast of {text} on {ground} is {}.{:02} : 1, text needs 4.50 : 1", hundredths / 100, hundredths % 100)]
    Contrast {
        /// The letters.
        text: Colour,
        /// What is behind them.
        ground: Colour,
        /// Contrast in hundredths.
        hundredths: u64,
    },
}

/// A colour of the sRGB space: red, green, blue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Colour(u8, u8, u8);

impl Colour {
    /// Paper.
    pub const WHITE: Self = Self(255, 255, 255);

    /// Refuses text that is hard to read on `ground`.
    ///
    /// # Errors
    /// [`ColourError::Contrast`] below 4.5 : 1.
    pub fn check_on(self, ground: Self) -> Result<(), ColourError> {
        let hundredths = self.contrast(ground);
        if hundredths >= TEXT_CONTRAST_MIN {
            Ok(())
        } else {
            Err(ColourError::Contrast { text: self, ground, hundredths })
        }
    }

    /// Contrast ratio by WCAG 2.2, in hundredths: from 100 to 2,100.
    fn contrast(self, other: Self) -> u64 {
        let (one, other) = (self.luminance(), other.luminance());
        // 0.05 for the light that every screen and paper reflects.
        let part = |luminance: u64| luminance.saturating_add(LUMINANCE_OF_WHITE / 20);
        part(one.max(other)).saturating_mul(100).checked_div(part(one.min(other))).unwrap_or_default()
    }

    /// Relative luminance by WCAG 2.2: 0 for black, [`LUMINANCE_OF_WHITE`] for white.
    fn luminance(self) -> u64 {
        let Self(red, green, blue) = self;
        2_126 * linear(red) + 7_152 * linear(green) + 722 * linear(blue)
    }
}

/// Ten thousand times the linear value of full light.
const LUMINANCE_OF_WHITE: u64 = 10_000 * 1_000_000;

/// A channel of sRGB as light, in millionths.
#[expect(clippy::float_arithmetic, reason = "the curve of sRGB is a power; no money depends on it")]
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "from 0 to 1,000,000")]
fn linear(channel: u8) -> u64 {
    let value = f64::from(channel) / 255.0;
    let light = if value <= 0.04045 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) };
    (light * 1_000_000.0).round() as u64
}

impl TryFrom<String> for Colour {
    type Error = ColourError;

    fn try_from(text: String) -> Result<Self, ColourError> {
        let digits =
            text.strip_prefix('#').filter(|digits| digits.len() == 6).ok_or(ColourError::Unreadable)?;
        let channel = |from: usize| {
            let pair = digits.get(from..from.saturating_add(2)).ok_or(ColourError::Unreadable)?;
            let all_digits = pair.bytes().all(|digit| digit.is_ascii_hexdigit());
            u8::from_str_radix(pair, 16).ok().filter(|_| all_digits).ok_or(ColourError::Unreadable)
        };
        Ok(Self(channel(0)?, channel(2)?, channel(4)?))
    }
}

impl fmt::Display for Colour {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(red, green, blue) = self;
        write!(f, "#{red:02x}{green:02x}{blue:02x}")
    }
}

/// An embedded typeface for Latin, Greek and Cyrillic text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Deserialize)]
pub enum Typeface {
    /// A sans serif made for screens and figures.
    #[default]
    Inter,
    /// A book face with serifs.
    #[serde(rename = "Libertinus Serif")]
    LibertinusSerif,
}

impl Typeface {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Inter, Self::LibertinusSerif];

    /// Its family name.
    pub fn family(self) -> &'static str {
        match self {
            Self::Inter => "Inter",
            Self::LibertinusSerif => "Libertinus Serif",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn colour(text: &str) -> Colour {
        Colour::try_from(text.to_owned()).unwrap()
    }

    #[test]
    fn contrast_is_what_others_measure() {
        // By https://webaim.org/resources/contrastchecker/.
        assert_eq!(colour("#000000").contrast(Colour::WHITE), 2_100);
        assert_eq!(Colour::WHITE.contrast(Colour::WHITE), 100);
        assert_eq!(colour("#767676").contrast(Colour::WHITE), 454);
        assert_eq!(colour("#777777").contrast(Colour::WHITE), 447);
        assert!(colour("#767676").check_on(Colour::WHITE).is_ok());
        let error = colour("#777777").check_on(Colour::WHITE).unwrap_err();
        assert_eq!(error.to_string(), "the contrast of #777777 on #ffffff is 4.47 : 1, text needs 4.50 : 1");
    }

    #[test]
    fn a_colour_is_six_digits() {
        assert_eq!(colour("#0B4f6c").to_string(), "#0b4f6c");
        for wrong in ["", "0b4f6c", "#0b4f6", "#0b4f6cc", "#0b4f6g", "#+1+2+3", "#äbc", "red"] {
            assert_eq!(Colour::try_from(wrong.to_owned()), Err(ColourError::Unreadable), "{wrong}");
        }
    }

    #[test]
    fn the_default_look_is_readable() {
        assert!(Look::default().accent.check_on(Colour::WHITE).is_ok());
    }
}
