//! The embedded fonts. `fonts/README.md` says what they cover and how they were made.

use std::sync::LazyLock;
use typst::foundations::Bytes;
use typst::text::Font;

/// In the order in which a character looks for its glyph.
static FILES: [&[u8]; 7] = [
    include_bytes!("../fonts/Inter-Regular.otf"),
    include_bytes!("../fonts/Inter-SemiBold.otf"),
    include_bytes!("../fonts/NotoSansHebrew-Regular.ttf"),
    include_bytes!("../fonts/NotoSansArabic-Regular.ttf"),
    include_bytes!("../fonts/NotoSansThai-Regular.ttf"),
    include_bytes!("../fonts/NotoSansArmenian-Regular.ttf"),
    include_bytes!("../fonts/NotoSansGeorgian-Regular.ttf"),
];

/// Parsed once a process.
pub(crate) static FONTS: LazyLock<Vec<Font>> =
    LazyLock::new(|| FILES.iter().filter_map(|file| Font::new(Bytes::new(*file), 0)).collect());

/// Family names in the order in which a character looks for its glyph: the template's `font` list.
pub(crate) fn families() -> Vec<&'static str> {
    let mut families: Vec<_> = FONTS.iter().map(|font| font.info().family.as_str()).collect();
    families.dedup();
    families
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_embedded_font_is_usable() {
        assert_eq!(FONTS.len(), FILES.len());
        assert_eq!(families().len(), FILES.len() - 1, "only Inter has two weights");
    }

    #[test]
    fn both_weights_cover_the_same_characters() {
        let [regular, semi_bold] = [&FONTS[0], &FONTS[1]];
        assert_eq!(regular.info().coverage, semi_bold.info().coverage);
    }
}
