//! The text of a PDF as another program reads it, without white space: where lines break is the layout's business.

use lopdf::Document;

/// The text of each page.
pub fn pages(pdf: &[u8]) -> Vec<String> {
    let document = Document::load_mem(pdf).expect("a PDF");
    document
        .get_pages()
        .keys()
        .map(|page| squeeze(&document.extract_text(&[*page]).expect("text of a page")))
        .collect()
}

/// The text of the whole document.
pub fn text(pdf: &[u8]) -> String {
    pages(pdf).concat()
}

/// `text` without white space.
pub fn squeeze(text: &str) -> String {
    text.chars().filter(|c| !c.is_whitespace()).collect()
}
