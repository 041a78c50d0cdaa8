//! A zip archive as it grows: content goes in, and what the archive gets longer by comes out.
//!
//! Nothing is known beforehand but names and sizes. Check sums follow the content (data descriptors), and the directory
//! comes last: of all that went through, only that is kept, about 250 bytes a file.

use std::{
    cell::Cell,
    io::{self, Write},
};

use bytes::{Bytes, BytesMut};
use jiff::{Timestamp, tz::TimeZone};
use zip::{
    CompressionMethod, DateTime, ZipWriter,
    result::{ZipError, ZipResult},
    write::{SimpleFileOptions, StreamWriter},
};

/// Sizes from here on need 64 bits, which old readers do not know: only such files get them.
const SHORT_SIZES_END: u64 = u32::MAX as u64;

/// An archive that is being written. Files are stored as they are: most of what people attach is compressed already
/// (pictures, documents, archives), and the time that deflating the rest would take costs more than its bytes do.
pub(crate) struct ZipStream {
    zip: ZipWriter<StreamWriter<Growth>>,
}

/// What the archive got longer by since it was last taken.
#[derive(Default)]
struct Growth(Cell<BytesMut>);

impl Write for Growth {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.get_mut().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl ZipStream {
    /// With nothing in it.
    pub fn new() -> Self {
        Self { zip: ZipWriter::new_stream(Growth::default()) }
    }

    /// Ends the file before, and begins one of this size.
    ///
    /// # Errors
    /// [`ZipError`] if the name is taken.
    pub fn begin(&mut self, name: &str, size: u64, modified: Timestamp) -> ZipResult<()> {
        let options = SimpleFileOptions::default()
            .compression_method(CompressionMethod::Stored)
            .large_file(size >= SHORT_SIZES_END)
            .last_modified_time(date_time(modified));
        match u32::try_from(modified.as_second()) {
            // Zip's own times are in nobody knows which time zone; here they are in UTC, and this says so.
            Ok(seconds) => {
                self.zip.start_file(name, options.with_extended_timestamp(Some(seconds), None, None)?)
            }
            Err(_) => self.zip.start_file(name, options),
        }
    }

    /// Adds to the content of the file that was begun.
    ///
    /// # Errors
    /// [`ZipError`] if no file was begun, or it gets longer than its size allows.
    pub fn add(&mut self, content: &[u8]) -> ZipResult<()> {
        self.zip.write_all(content).map_err(ZipError::from)
    }

    /// What the archive got longer by since this was last called.
    pub fn take(&self) -> Bytes {
        self.zip.get_ref().map(|writer| writer.get_ref().0.take().freeze()).unwrap_or_default()
    }

    /// Ends the last file and the archive; returns what it got longer by.
    ///
    /// # Errors
    /// [`ZipError`] if the directory cannot be written.
    pub fn finish(self) -> ZipResult<Bytes> {
        Ok(self.zip.finish()?.into_inner().0.into_inner().freeze())
    }
}

/// In UTC, to two seconds; zip's first moment for what is out of its range.
fn date_time(at: Timestamp) -> DateTime {
    DateTime::try_from(at.to_zoned(TimeZone::UTC).datetime()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::{
        fs::File,
        io::{Read as _, Seek as _, SeekFrom},
    };

    use zip::ZipArchive;

    use super::*;

    fn moment() -> Timestamp {
        "2026-11-22T09:30:00Z".parse().unwrap()
    }

    static ZEROS: [u8; 1 << 20] = [0; 1 << 20];

    /// Writes to the end of `file`, and leaves a hole for zeros.
    fn append(file: &mut File, bytes: &Bytes) {
        match bytes[..] == ZEROS {
            true => {
                file.seek(SeekFrom::Current(1 << 20)).unwrap();
            }
            false => file.write_all(bytes).unwrap(),
        }
    }

    #[test]
    fn case_f05_small_files_are_for_every_reader() {
        let mut zip = ZipStream::new();
        let mut whole = Vec::new();
        for (name, content) in [("Prüfung 🦀.log", "first"), ("empty", ""), ("b.txt", "second")] {
            zip.begin(name, content.len().try_into().unwrap(), moment()).unwrap();
            for letter in content.as_bytes() {
                zip.add(&[*letter]).unwrap();
            }
            whole.extend_from_slice(&zip.take());
            assert!(zip.take().is_empty(), "nothing comes twice");
        }
        whole.extend_from_slice(&zip.finish().unwrap());
        let mut read = ZipArchive::new(io::Cursor::new(whole)).unwrap();
        let names: Vec<String> = read.file_names().map(|name| name.unwrap().into_owned()).collect();
        assert_eq!(names, ["Prüfung 🦀.log", "empty", "b.txt"]);
        for (place, content) in ["first", "", "second"].into_iter().enumerate() {
            let mut file = read.by_index(place).unwrap();
            let mut text = String::new();
            file.read_to_string(&mut text).unwrap();
            assert_eq!(text, content);
            assert_eq!(file.compression(), CompressionMethod::Stored);
            assert_eq!(file.last_modified().unwrap().to_string(), "2026-11-22 09:30:00");
        }
    }

    #[test]
    fn a_name_is_given_once_and_content_needs_a_file() {
        let mut zip = ZipStream::new();
        zip.add(b"x").unwrap_err();
        zip.begin("a", 1, moment()).unwrap();
        zip.begin("a", 1, moment()).unwrap_err();
    }

    /// 4 GiB of zeros and one byte, and a small file behind it: both the size of the one and the place of the other need
    /// 64 bits.
    #[test]
    fn case_f05_what_is_too_large_for_32_bits_is_written_with_64() {
        let size = (4_u64 << 30) + 1;
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("large.zip");
        let mut file = File::create(&path).unwrap();
        let mut zip = ZipStream::new();
        zip.begin("large.bin", size, moment()).unwrap();
        append(&mut file, &zip.take());
        for _ in 0..size >> 20 {
            zip.add(&ZEROS).unwrap();
            append(&mut file, &zip.take());
        }
        zip.add(&[1]).unwrap();
        zip.begin("small.txt", 5, moment()).unwrap();
        zip.add(b"small").unwrap();
        file.write_all(&zip.finish().unwrap()).unwrap();
        drop(file);

        let mut read = ZipArchive::new(File::open(&path).unwrap()).unwrap();
        assert_eq!(read.by_index(0).unwrap().size(), size);
        let mut small = read.by_name("small.txt").unwrap();
        assert!(small.header_start() > size);
        let mut text = String::new();
        small.read_to_string(&mut text).unwrap();
        assert_eq!(text, "small");
    }
}
