//! The embedded fonts. `fonts/README.md` says what they cover and how they were made.

use crate::Typeface;
use std::sync::LazyLock;
use typst::foundations::Bytes;
use typst::text::Font;

/// In the order in which a character looks for its glyph.
static FILES: [&[u8]; 9] = [
    include_bytes!("../fonts/Inter-Regular.otf"),
    include_bytes!("../fonts/Inter-SemiBold.otf"),
    include_bytes!("../fonts/LibertinusSerif-Regular.otf"),
    include_bytes!("../fonts/LibertinusSerif-Semibold.otf"),
    include_bytes!("../fonts/NotoSansHebrew-Regular.ttf"),
    include_bytes!("../fonts/NotoSansArabic-Regular.ttf"),
    include_bytes!("../fonts/NotoSansThai-Regular.ttf"),
    include_bytes!("../fonts/NotoSansArmenian-Regular.ttf"),
    include_bytes!("../fonts/NotoSansGeorgian-Regular.ttf"),
];

/// Parsed once a process.
pub(crate) static FONTS: LazyLock<Vec<Font>> =
    LazyLock::new(|| FILES.iter().filter_map(|file| Font::new(Bytes::new(*file), 0)).collect());

/// The fonts in the order in which a character of a document in `typeface` looks for its glyph: the typeface, then
/// Inter, which covers most, then the other scripts.
pub(crate) fn in_order(typeface: Typeface) -> impl Iterator<Item = &'static Font> {
    let of = |wanted: Typeface| FONTS.iter().filter(move |font| font.info().family == wanted.family());
    let chosen = of(typeface);
    let standard = of(Typeface::default()).filter(move |_| typeface != Typeface::default());
    let scripts =
        FONTS.iter().filter(|font| Typeface::ALL.iter().all(|face| font.info().family != face.family()));
    chosen.chain(standard).chain(scripts)
}

/// Family names in that order: the template's `font` list.
pub(crate) fn families(typeface: Typeface) -> Vec<&'static str> {
    let mut families: Vec<_> = in_order(typeface).map(|font| font.info().family.as_str()).collect();
    families.dedup();
    families
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_embedded_font_is_usable() {
        assert_eq!(FONTS.len(), FILES.len());
        let counts = Typeface::ALL.map(|typeface| families(typeface).len());
        assert_eq!(counts, [6, 7], "five scripts, Inter, and the serif only where it is chosen");
        assert_eq!(families(Typeface::LibertinusSerif)[..2], ["Libertinus Serif", "Inter"]);
    }

    #[test]
    fn both_weights_cover_the_same_characters() {
        for typeface in Typeface::ALL {
            let weights: Vec<_> =
                FONTS.iter().filter(|font| font.info().family == typeface.family()).collect();
            assert_eq!(weights.len(), 2);
            assert_eq!(weights[0].info().coverage, weights[1].info().coverage);
            assert_eq!([400, 600], [0, 1].map(|place| weights[place].info().variant.weight.to_number()));
        }
    }
}
