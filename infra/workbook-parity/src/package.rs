//! The file as a zip archive: how large it may be, and whether macros are in it.

use std::io::{self, Cursor, Read};

use zip::ZipArchive;

use crate::Unusable;

/// Largest file that is read.
pub const FILE_BYTES_MAX: usize = 8 * 1024 * 1024;
/// Most bytes of all its parts, unpacked.
pub const UNPACKED_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// Most parts of a file.
pub const PARTS_MAX: usize = 500;

/// Where a workbook keeps its macros.
const MACROS: &str = "xl/vbaProject.bin";

/// Refuses what is no workbook, or too large; says whether macros are in it. What a part unpacks to is counted, not
/// believed: the archive's own figures can be wrong.
///
/// # Errors
/// [`Unusable::NotAWorkbook`], [`Unusable::TooLarge`].
pub(crate) fn inspect(file: &[u8]) -> Result<bool, Unusable> {
    if file.len() > FILE_BYTES_MAX {
        return Err(Unusable::TooLarge);
    }
    let broken = |error: &dyn std::error::Error| Unusable::NotAWorkbook(error.to_string());
    let mut archive = ZipArchive::new(Cursor::new(file)).map_err(|error| broken(&error))?;
    if archive.len() > PARTS_MAX {
        return Err(Unusable::TooLarge);
    }
    let mut room = UNPACKED_BYTES_MAX;
    let mut macros = false;
    for number in 0..archive.len() {
        let part = archive.by_index(number).map_err(|error| broken(&error))?;
        macros |= part.name().is_ok_and(|name| name == MACROS);
        let unpacked = io::copy(&mut part.take(room + 1), &mut io::sink()).map_err(|error| broken(&error))?;
        room = room.checked_sub(unpacked).ok_or(Unusable::TooLarge)?;
    }
    Ok(macros)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use zip::{ZipWriter, write::SimpleFileOptions};

    use super::*;

    fn archive(parts: usize, zeros: usize) -> Vec<u8> {
        let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
        for number in 0..parts {
            writer.start_file(format!("{number}"), SimpleFileOptions::default()).unwrap();
            writer.write_all(&vec![0; zeros]).unwrap();
        }
        writer.finish().unwrap().into_inner()
    }

    #[test]
    fn what_is_too_large_is_refused_before_it_is_read() {
        assert_eq!(inspect(&archive(3, 1_000)), Ok(false));
        assert_eq!(inspect(&vec![0; FILE_BYTES_MAX + 1]), Err(Unusable::TooLarge));
        assert_eq!(inspect(&archive(PARTS_MAX + 1, 0)), Err(Unusable::TooLarge));
        // 70 MiB of nothing are some kilobytes.
        let bomb = archive(7, 10 * 1024 * 1024);
        assert!(bomb.len() < 100_000);
        assert_eq!(inspect(&bomb), Err(Unusable::TooLarge));
        assert!(matches!(inspect(b"Date;Minutes"), Err(Unusable::NotAWorkbook(_))));
    }
}
