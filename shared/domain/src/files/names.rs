//! Names of files: kept as the client gave them, and handed out so that no file system and no screen is fooled.

use std::collections::HashSet;

use serde::{Deserialize, Serialize};

/// Most characters of a file's name.
pub const FILE_NAME_MAX: usize = 1_000;
/// Most bytes of a name that is handed out. File systems take 255; some is left for " (2)" and ".part".
const SAFE_BYTES_MAX: usize = 200;
/// Most bytes of an ending that survives when a name is cut.
const ENDING_BYTES_MAX: usize = 20;
/// What is handed out when nothing of a name can be.
const NAMELESS: &str = "file";

/// The name that the client gave: any text of 1 to [`FILE_NAME_MAX`] characters, control characters included, as file
/// systems have it. Text to show, never a path and never a key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct FileName(String);

/// Why a text is no file's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// Nothing but white space.
    #[error("must not be empty")]
    Empty,
    /// More characters than are kept.
    #[error("must have at most {FILE_NAME_MAX} characters, has {0}")]
    TooLong(usize),
}

impl FileName {
    /// The text, as it was given.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name under which it is saved: without what Windows, macOS or Linux read as something else than a character
    /// of a name, and without what turns text around or hides it ("gpj.exe" must not look like "exe.jpg").
    pub fn safe(&self) -> String {
        let kept = self.0.chars().filter(|c| !is_hidden(*c) && !c.is_control());
        let plain: String = kept.map(|c| if r#"/\:*?"<>|"#.contains(c) { '_' } else { c }).collect();
        let plain = plain.trim_matches(|c: char| c == '.' || c.is_whitespace());
        let name = if is_reserved(plain) { format!("_{plain}") } else { plain.to_owned() };
        // Cutting may leave a blank or a dot at the end.
        let name = cut(&name, SAFE_BYTES_MAX);
        let name = name.trim_end_matches(|c: char| c == '.' || c.is_whitespace());
        if name.is_empty() { NAMELESS.to_owned() } else { name.to_owned() }
    }
}

impl TryFrom<String> for FileName {
    type Error = NameError;

    fn try_from(text: String) -> Result<Self, NameError> {
        let length = text.chars().count();
        if text.trim().is_empty() {
            return Err(NameError::Empty);
        }
        if length > FILE_NAME_MAX { Err(NameError::TooLong(length)) } else { Ok(Self(text)) }
    }
}

impl From<FileName> for String {
    fn from(name: FileName) -> String {
        name.0
    }
}

/// Characters that change how the others are shown: direction, width, tags.
fn is_hidden(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{180e}' | '\u{200b}'..='\u{200f}'
        | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}'
        | '\u{fff0}'..='\u{ffff}' | '\u{e0000}'..='\u{e0fff}')
}

/// Names that Windows takes for devices, whatever their ending.
/// <https://learn.microsoft.com/windows/win32/fileio/naming-a-file>
fn is_reserved(name: &str) -> bool {
    let stem = name.split('.').next().unwrap_or_default().trim_end().to_uppercase();
    let numbered = |prefix: &str| {
        let digit = stem.strip_prefix(prefix).and_then(|rest| {
            let mut characters = rest.chars();
            characters.next().filter(|_| characters.next().is_none())
        });
        digit.is_some_and(|c| matches!(c, '0'..='9' | '¹' | '²' | '³'))
    };
    matches!(stem.as_str(), "CON" | "PRN" | "AUX" | "NUL" | "CONIN$" | "CONOUT$")
        || numbered("COM")
        || numbered("LPT")
}

/// The ending with its dot, if it is one that people would miss.
fn ending(name: &str) -> &str {
    let dot = name.rfind('.').filter(|dot| *dot > 0);
    let found = dot.and_then(|dot| name.get(dot..)).unwrap_or_default();
    if found.len() <= ENDING_BYTES_MAX { found } else { "" }
}

/// As much of the name as fits, with its ending.
fn cut(name: &str, bytes: usize) -> String {
    if name.len() <= bytes {
        return name.to_owned();
    }
    let ending = ending(name);
    let room = bytes.saturating_sub(ending.len());
    let end = (0..=room).rev().find(|end| name.is_char_boundary(*end)).unwrap_or_default();
    format!("{}{ending}", name.get(..end).unwrap_or_default())
}

/// `Content-Disposition` for a download (RFC 6266): always an attachment, under its safe name. The name with all its
/// letters follows in the extended form, percent-encoded (RFC 8187).
pub fn content_disposition(name: &FileName) -> String {
    disposition_of(&name.safe())
}

/// As [`content_disposition`], for a name that is safe already.
pub fn disposition_of(safe: &str) -> String {
    let ascii: String =
        safe.chars().map(|c| if c.is_ascii_graphic() && c != '%' || c == ' ' { c } else { '_' }).collect();
    let mut extended = String::new();
    for byte in safe.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                extended.push(char::from(byte))
            }
            _ => extended.push_str(&format!("%{byte:02X}")),
        }
    }
    format!("attachment; filename=\"{ascii}\"; filename*=UTF-8''{extended}")
}

/// Hands out names for the files of one folder: safe ones, no two that a file system takes for the same.
#[derive(Debug, Default)]
pub struct Folder {
    taken: HashSet<String>,
}

impl Folder {
    /// A folder with nothing in it.
    pub fn new() -> Self {
        Self::default()
    }

    /// The name of the next file: its safe name, with a number if the folder has that one already, in whatever case.
    pub fn name(&mut self, name: &FileName) -> String {
        let safe = name.safe();
        let ending = ending(&safe);
        let stem = safe.strip_suffix(ending).unwrap_or(&safe);
        let mut candidate = safe.clone();
        // Ends: each turn tries a name that is longer than all names of fewer turns, or other than them.
        let mut number = 1_u32;
        while !self.taken.insert(candidate.to_lowercase()) {
            number = number.saturating_add(1);
            candidate = format!("{stem} ({number}){ending}");
        }
        candidate
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn name(text: &str) -> FileName {
        FileName::try_from(text.to_owned()).unwrap()
    }

    #[test]
    fn case_f02_names_are_kept_as_they_were_given() {
        for text in ["../../etc/passwd", "a\r\nSet-Cookie: x", " led by a blank", "gpj.\u{202e}exe", "🦀.log"]
        {
            assert_eq!(name(text).as_str(), text);
        }
        assert_eq!(FileName::try_from(" \t".to_owned()), Err(NameError::Empty));
        assert_eq!(name(&"ü".repeat(1_000)).as_str().chars().count(), 1_000);
        assert_eq!(FileName::try_from("x".repeat(1_001)), Err(NameError::TooLong(1_001)));
    }

    #[test]
    fn case_f02_names_are_disarmed_in_the_download_header() {
        let header = |text: &str| content_disposition(&name(text));
        assert_eq!(header("log.txt"), "attachment; filename=\"log.txt\"; filename*=UTF-8''log.txt");
        assert_eq!(
            header("../../etc/\"passwd\""),
            "attachment; filename=\"_.._etc__passwd_\"; filename*=UTF-8''_.._etc__passwd_"
        );
        assert_eq!(
            header("Prüfung\u{202e}gpj.exe"),
            "attachment; filename=\"Pr_funggpj.exe\"; filename*=UTF-8''Pr%C3%BCfunggpj.exe"
        );
        assert_eq!(header("..."), "attachment; filename=\"file\"; filename*=UTF-8''file");
        assert_eq!(
            header("a\r\nSet-Cookie: x"),
            "attachment; filename=\"aSet-Cookie_ x\"; filename*=UTF-8''aSet-Cookie_%20x"
        );
    }

    #[test]
    fn case_f02_no_name_is_a_device_or_a_path() {
        for (given, safe) in [
            ("CON", "_CON"),
            ("nul.txt", "_nul.txt"),
            ("Com1.log.gz", "_Com1.log.gz"),
            ("LPT³", "_LPT³"),
            ("aux .txt", "_aux .txt"),
            ("console.log", "console.log"),
            ("COM10", "COM10"),
            ("C:\\Windows\\win.ini", "C__Windows_win.ini"),
            ("...hidden", "hidden"),
            ("ends in dots...", "ends in dots"),
            ("\u{202e}\u{200b}", "file"),
            ("\u{0}\u{1f}\u{7f}", "file"),
            ("family 👨\u{200d}👩.png", "family 👨👩.png"),
        ] {
            assert_eq!(name(given).safe(), safe, "{given:?}");
        }
    }

    #[test]
    fn case_f02_a_long_name_keeps_its_ending() {
        let safe = name(&format!("{}.tar.gz", "ü".repeat(900))).safe();
        assert!(safe.len() <= SAFE_BYTES_MAX && safe.ends_with("ü.gz"), "{safe}");
        let crabs = name(&"🦀".repeat(1_000)).safe();
        assert_eq!(crabs, "🦀".repeat(SAFE_BYTES_MAX / 4));
    }

    #[test]
    fn case_f05_files_of_one_name_get_numbers() {
        let mut folder = Folder::new();
        let names = ["a.txt", "A.TXT", "a (2).txt", "a.txt", "b", "b", "..", "file"];
        let given: Vec<String> = names.iter().map(|text| folder.name(&name(text))).collect();
        assert_eq!(
            given,
            ["a.txt", "A (2).TXT", "a (2) (2).txt", "a (3).txt", "b", "b (2)", "file", "file (2)"]
        );
    }

    proptest! {
        #[test]
        fn a_safe_name_is_one_segment_of_any_file_system(text in "\\PC{1,40}|[\\x00-\\x7f]{1,40}|.{1,1000}") {
            prop_assume!(FileName::try_from(text.clone()).is_ok());
            let safe = name(&text).safe();
            prop_assert!(!safe.is_empty() && safe.len() <= SAFE_BYTES_MAX);
            prop_assert!(!safe.contains(['/', '\\', ':', '*', '?', '"', '<', '>', '|']));
            prop_assert!(!safe.chars().any(|c| c.is_control() || is_hidden(c)));
            prop_assert!(!safe.ends_with(['.', ' ']) && !safe.starts_with('.'));
            prop_assert!(!is_reserved(&safe));
            let header = content_disposition(&name(&text));
            prop_assert!(header.is_ascii() && !header.contains(['\r', '\n']));
            prop_assert_eq!(header.matches('"').count(), 2);
        }

        #[test]
        fn no_two_files_of_a_folder_have_one_name(texts in prop::collection::vec("[abAB.() 2]{1,6}", 1..60)) {
            let mut folder = Folder::new();
            let mut seen = HashSet::new();
            for text in texts {
                let Ok(given) = FileName::try_from(text) else { continue };
                prop_assert!(seen.insert(folder.name(&given).to_lowercase()));
            }
        }
    }
}
