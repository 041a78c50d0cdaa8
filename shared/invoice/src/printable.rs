//! What the embedded fonts can show.
//!
//! PDF/A forbids text without a glyph, so text that no font has would make the export fail. The unit is the grapheme
//! cluster (what a reader takes for one character): a base letter and its accents must come from one font, else the
//! shaper drops one of them.

use crate::{Typeface, fonts};
use std::collections::BTreeSet;
use typst::text::{Font, is_default_ignorable};
use unicode_segmentation::UnicodeSegmentation;

/// Stands on the page for each character that no embedded font has: WHITE SQUARE, what readers know as a missing
/// character. (U+FFFD, the usual one, is not in the fonts.)
pub const REPLACEMENT: char = '\u{25A1}';

/// A run without a place to break is broken after this many characters, so that it cannot run off the page. The
/// narrowest column holds about thirty.
const MAX_UNBROKEN: usize = 24;

/// More marks on one letter than any language writes; a tower of them would cover the lines above it.
const MAX_CLUSTER_CHARS: usize = 8;

/// Where a line may break. The template turns it into spacing too small to see: in the PDF's text it would spoil what a reader
/// copies.
pub(crate) const BREAK: char = '\u{200B}';

/// The characters of `text` that [`render`](crate::render) would replace by [`REPLACEMENT`], each once, in code point
/// order. Check it when text is saved, so that the author hears of it and not the client.
pub fn uncovered(text: &str) -> Vec<char> {
    let cleaned = cleaned(text);
    let mut missing = BTreeSet::new();
    for (cluster, shown) in clusters(&cleaned) {
        if !shown {
            missing.extend(cluster.chars().filter(|c| !is_default_ignorable(*c)));
        }
    }
    missing.into_iter().collect()
}

/// `text` as it can be set:
///
/// - line breaks of all systems become `\n`, other control characters a space;
/// - invisible characters go: directional overrides would let a figure read other than it is written;
/// - what no font has becomes [`REPLACEMENT`];
/// - long runs get places to break.
pub(crate) fn printable(text: &str) -> String {
    let cleaned = cleaned(text);
    let mut out = String::with_capacity(cleaned.len());
    let mut unbroken = 0_usize;
    for (cluster, shown) in clusters(&cleaned) {
        let breaks = cluster.chars().all(char::is_whitespace);
        unbroken = if breaks { 0 } else { unbroken.saturating_add(1) };
        if unbroken > MAX_UNBROKEN {
            out.push(BREAK);
            unbroken = 1;
        }
        if shown {
            out.push_str(cluster);
        } else {
            out.push(REPLACEMENT);
        }
    }
    out
}

/// Without control characters (except `\n`) and without invisible ones. The two joiners stay: Persian spelling needs
/// them. A step of its own, because taking away what stood between two characters can make them one cluster.
fn cleaned(text: &str) -> String {
    text.replace("\r\n", "\n")
        .chars()
        .filter(|c| !is_default_ignorable(*c) || matches!(c, '\u{200C}' | '\u{200D}'))
        .map(|c| match c {
            '\n' | '\r' | '\u{0B}' | '\u{0C}' | '\u{85}' | '\u{2028}' | '\u{2029}' => '\n',
            c if c.is_control() => ' ',
            c => c,
        })
        .collect()
}

/// The grapheme clusters of a cleaned text, and whether each can be shown.
fn clusters(cleaned: &str) -> impl Iterator<Item = (&str, bool)> {
    cleaned.graphemes(true).scan(true, |at_line_start, cluster| {
        let shown = cluster == "\n" || (has_glyphs(cluster) && !(*at_line_start && is_bare_mark(cluster)));
        *at_line_start = cluster == "\n";
        Some((cluster, shown))
    })
}

/// Whether the shaper finds a glyph for each character, whatever typeface the document has: the first font that has any
/// of them must have all.
fn has_glyphs(cluster: &str) -> bool {
    if cluster.chars().nth(MAX_CLUSTER_CHARS).is_some() {
        return false;
    }
    let mut visible = cluster.chars().filter(|c| !is_default_ignorable(*c)).peekable();
    if visible.peek().is_none() {
        return true;
    }
    let has = |font: &Font, c: char| font.info().coverage.contains(u32::from(c));
    Typeface::ALL.into_iter().all(|typeface| {
        let home = fonts::in_order(typeface).find(|font| visible.clone().any(|c| has(font, c)));
        home.is_some_and(|font| visible.clone().all(|c| has(font, c) && !is_private(c)))
    })
}

/// A combining mark with nothing to combine with: the shaper would join it to the line break before it.
fn is_bare_mark(cluster: &str) -> bool {
    ["a", cluster].concat().graphemes(true).count() == 1
}

/// Forbidden in PDF/A level A: nobody else knows what they mean.
fn is_private(c: char) -> bool {
    matches!(u32::from(c), 0xE000..=0xF8FF | 0xF_0000..=0xF_FFFD | 0x10_0000..=0x10_FFFD)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_replacement_is_covered() {
        assert!(uncovered(&REPLACEMENT.to_string()).is_empty());
    }

    #[test]
    fn covered_scripts() {
        for text in [
            "Größe, façade, Łódź, Đắk Lắk, İstanbul, Ærøskøbing",
            "Αθήνα, Київ, Београд",
            "€ £ ¥ ₹ ₿ ₴ – — … “ ” „ ‚ ‘ ’ « » × ÷ − ≤ ≥ → № § ¶ © ® ™ ½",
            "שָׁלוֹם, مرحبا بالعالم, می‌خواهم, اردو",
            "สวัสดีชาวโลก, Բարեւ, გამარჯობა",
            "e\u{301}a\u{308}",
            "line\nbreak\ttab\r\n",
        ] {
            assert!(uncovered(text).is_empty(), "{text}");
        }
    }

    #[test]
    fn missing_characters_are_named_once_in_order() {
        assert_eq!(uncovered("請求書 x 請"), ['書', '求', '請']);
        assert_eq!(uncovered("\u{E000}"), ['\u{E000}']);
        assert_eq!(uncovered("ok 👩‍💻 \u{1F1E9}\u{1F1EA}"), ['🇩', '🇪', '👩', '💻']);
    }

    #[test]
    fn one_replacement_for_each_character_that_a_reader_sees() {
        assert_eq!(printable("a 👩‍💻 b 🇩🇪"), "a □ b □");
        assert_eq!(printable("請求書"), "□□□");
        // A Hebrew letter with a Latin accent: no single font has both.
        assert_eq!(printable("\u{5D0}\u{301}"), "□");
        // Nor once the invisible character between them is gone.
        assert_eq!(printable("a\u{FEFF}\u{5B8}"), "□");
        // A vowel sign without a letter.
        assert_eq!(printable("\u{5B8}a\n\u{5B8}"), "□a\n□");
    }

    #[test]
    fn a_tower_of_marks_is_replaced() {
        let tower = |marks: usize| format!("e{}", "\u{301}".repeat(marks));
        assert_eq!(printable(&tower(MAX_CLUSTER_CHARS - 1)), tower(MAX_CLUSTER_CHARS - 1));
        assert_eq!(printable(&tower(MAX_CLUSTER_CHARS)), "□");
    }

    #[test]
    fn control_characters_become_space_or_line_break() {
        assert_eq!(printable("a\tb\0c\u{7F}d"), "a b c d");
        assert_eq!(printable("a\r\nb\rc\u{2028}d\u{85}e"), "a\nb\nc\nd\ne");
    }

    #[test]
    fn directional_overrides_are_dropped() {
        assert_eq!(printable("\u{202E}00.1\u{202C} \u{2066}x\u{2069}\u{FEFF}"), "00.1 x");
    }

    #[test]
    fn long_runs_can_break() {
        let url = "https://example.com/".repeat(20);
        let text = printable(&url);
        assert_eq!(text.replace(BREAK, ""), url);
        assert!(text.split(BREAK).all(|part| part.chars().count() <= MAX_UNBROKEN));
        let words = "twelve words of usual length in a line that needs no help";
        assert_eq!(printable(words), words);
    }
}
