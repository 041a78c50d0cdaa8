//! What a file's content begins with, held against the media type that was declared for it.

use super::MediaType;

/// Bytes of the beginning that tell what a file is. Office documents name themselves within the first kilobytes.
pub const BEGINNING_BYTES: u64 = 8 * 1024;

/// The type that says nothing, and so contradicts nothing.
const ANYTHING: &str = "application/octet-stream";

/// Types whose content cannot begin otherwise than it always does.
const RECOGNISED: &[&str] = &[
    "application/gzip",
    "application/pdf",
    "application/x-7z-compressed",
    "application/zip",
    "image/gif",
    "image/jpeg",
    "image/png",
    "image/webp",
];

/// Different words for the same.
const ALIASES: &[(&str, &str)] = &[
    ("application/x-gzip", "application/gzip"),
    ("application/x-zip", "application/zip"),
    ("application/x-zip-compressed", "application/zip"),
    ("application/x-pdf", "application/pdf"),
    ("application/vnd.rar", "application/x-rar-compressed"),
    ("application/x-rar", "application/x-rar-compressed"),
    ("application/x-msdownload", "application/vnd.microsoft.portable-executable"),
    ("application/x-dosexec", "application/vnd.microsoft.portable-executable"),
    ("image/jpg", "image/jpeg"),
    ("image/pjpeg", "image/jpeg"),
    ("image/x-png", "image/png"),
    ("audio/x-wav", "audio/wav"),
    ("audio/vnd.wave", "audio/wav"),
    ("text/xml", "application/xml"),
];

/// Whether a file that begins like this can be what it was declared to be. What the content says of itself counts,
/// never the name. Only a contradiction is one: plain text and data that nobody recognises pass as anything that has no
/// beginning of its own.
pub fn fits(declared: &MediaType, beginning: &[u8]) -> bool {
    let declared = canonical(declared.as_str());
    if declared == ANYTHING {
        return true;
    }
    match infer::get(beginning).map(|found| canonical(found.mime_type())) {
        None => !RECOGNISED.contains(&declared),
        Some(found) => found == declared || is_container_of(found, declared),
    }
}

fn canonical(media_type: &str) -> &str {
    ALIASES.iter().find(|(alias, _)| *alias == media_type).map_or(media_type, |(_, name)| name)
}

/// Whether files of the one type are made of the other: documents are zip archives, drawings are XML, logs may hold
/// anything that is text.
fn is_container_of(found: &str, declared: &str) -> bool {
    let (kind, subtype) = declared.split_once('/').unwrap_or_default();
    let office = subtype.starts_with("vnd.");
    match found {
        "application/zip" => {
            office || subtype.ends_with("+zip") || matches!(subtype, "java-archive" | "x-java-archive")
        }
        "application/gzip" => {
            matches!(subtype, "x-tgz" | "x-gtar" | "x-gtar-compressed" | "x-compressed-tar")
        }
        "application/xml" | "text/html" | "text/x-shellscript" => {
            kind == "text"
                || subtype.ends_with("+xml")
                || matches!(declared, "application/xml" | "application/x-sh" | "application/json")
        }
        // The old Office formats share one container, and so do the new ones where they do not name themselves early.
        _ if found.starts_with("application/vnd.openxmlformats-")
            || found.starts_with("application/vnd.oasis.")
            || found.starts_with("application/vnd.ms-")
            || matches!(found, "application/msword" | "application/x-ole-storage") =>
        {
            office || matches!(declared, "application/msword" | "application/zip")
        }
        "video/mp4" | "audio/m4a" | "video/quicktime" | "video/x-m4v" => {
            matches!(declared, "video/mp4" | "audio/mp4" | "audio/x-m4a" | "video/quicktime" | "video/x-m4v")
        }
        "video/x-matroska" | "video/webm" => {
            matches!(declared, "video/webm" | "audio/webm" | "video/x-matroska")
        }
        "audio/ogg" | "video/ogg" => {
            matches!(declared, "audio/ogg" | "video/ogg" | "application/ogg" | "audio/opus")
        }
        _ => false,
    }
}

/// The media type under which a file is handed out: its own where no browser would run it, else the one that says
/// nothing. Every download is an attachment all the same.
pub fn served_as(declared: &MediaType) -> &str {
    const HARMLESS: &[&str] = &[
        "application/gzip",
        "application/json",
        "application/msword",
        "application/pdf",
        "application/zip",
        "image/gif",
        "image/jpeg",
        "image/png",
        "image/webp",
        "text/csv",
        "text/plain",
    ];
    let declared = declared.as_str();
    let office = declared.starts_with("application/vnd.openxmlformats-officedocument.")
        || declared.starts_with("application/vnd.oasis.opendocument.")
        || declared.starts_with("application/vnd.ms-");
    if office || HARMLESS.contains(&declared) { declared } else { ANYTHING }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PNG: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR";
    const PDF: &[u8] = b"%PDF-1.7\n";
    const ZIP: &[u8] = b"PK\x03\x04\x14\0\0\0\x08\0";
    const EXE: &[u8] = b"MZ\x90\0\x03\0\0\0\x04\0\0\0\xff\xff\0\0";
    const HTML: &[u8] = b"<!DOCTYPE html><html><script>alert(1)</script>";

    fn media(text: &str) -> MediaType {
        MediaType::try_from(text.to_owned()).unwrap()
    }

    #[test]
    fn case_f01_content_must_be_what_it_was_declared_to_be() {
        for (declared, content, expected) in [
            ("image/png", PNG, true),
            ("image/x-png", PNG, true),
            ("image/jpeg", PNG, false),
            ("application/pdf", PDF, true),
            ("application/pdf", ZIP, false),
            ("application/pdf", &b"no PDF at all"[..], false),
            ("image/png", HTML, false),
            ("text/plain", EXE, false),
            ("application/pdf", EXE, false),
            ("application/zip", ZIP, true),
            ("application/vnd.openxmlformats-officedocument.wordprocessingml.document", ZIP, true),
            ("application/java-archive", ZIP, true),
            ("text/plain", &b"2026-11-30 all is well"[..], true),
            ("text/csv", &b"a;b;c"[..], true),
            ("text/plain", HTML, true),
            ("text/html", HTML, true),
            ("application/octet-stream", EXE, true),
            ("application/x-portico", &b"\x01\x02"[..], true),
        ] {
            assert_eq!(fits(&media(declared), content), expected, "{declared} {content:?}");
        }
    }

    #[test]
    fn case_f07_nothing_that_a_browser_runs_is_handed_out_as_such() {
        for active in
            ["text/html", "image/svg+xml", "application/xhtml+xml", "text/xml", "application/javascript"]
        {
            assert_eq!(served_as(&media(active)), "application/octet-stream");
        }
        for harmless in ["image/png", "application/pdf", "text/plain", "application/vnd.ms-excel"] {
            assert_eq!(served_as(&media(harmless)), harmless);
        }
    }
}
