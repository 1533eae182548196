//! Files that are read: regular ones only, and never more of one than is supported.
//!
//! A FIFO would be waited for, and a device need not end. Both are refused before they are opened.

use std::cell::Cell;
use std::fs::{File, Metadata};
use std::io::{Error, ErrorKind, Read};
use std::path::Path;
use std::rc::Rc;

/// Most bytes of a scenario file.
pub(crate) const SIZE: u64 = 4 << 20;

/// Opens a regular file.
///
/// # Errors
/// Why it cannot be read.
pub(crate) fn open(path: &Path) -> Result<File, String> {
    // Before it is opened, as to open a FIFO is to wait; and again, as the name may mean something else by then.
    regular(&std::fs::metadata(path).map_err(|why| why.to_string())?)?;
    let file = File::open(path).map_err(|why| why.to_string())?;
    regular(&file.metadata().map_err(|why| why.to_string())?)?;
    Ok(file)
}

fn regular(about: &Metadata) -> Result<(), String> {
    match about.is_dir() {
        true => Err("it is a directory".into()),
        false if about.is_file() => Ok(()),
        false => Err("it is no regular file, but a device, a pipe or a socket; copy it into a file first".into()),
    }
}

/// Reads a file that is as large as a scenario may be.
///
/// # Errors
/// Why it cannot be read: it is not there, no regular file, larger, or not UTF-8 text.
pub fn read_file(path: &Path) -> Result<String, String> {
    read_text(path, SIZE)
}

/// Reads a file of at most so many bytes.
///
/// # Errors
/// As [`read_file`].
pub fn read_text(path: &Path, most: u64) -> Result<String, String> {
    let file = open(path)?;
    let too_large = || format!("it is larger than {} MiB", most >> 20);
    if file.metadata().is_ok_and(|about| about.len() > most) {
        return Err(too_large());
    }
    let mut bytes = Vec::new();
    // It may grow meanwhile.
    file.take(most + 1).read_to_end(&mut bytes).map_err(|why| why.to_string())?;
    if bytes.len() as u64 > most {
        return Err(too_large());
    }
    String::from_utf8(bytes).map_err(|why| {
        let line = 1 + why.as_bytes()[..why.utf8_error().valid_up_to()].iter().filter(|b| **b == b'\n').count();
        format!("line {line} is not UTF-8 text")
    })
}

/// A file of rows none of which is longer than is supported, however its quotes stand.
pub(crate) struct Rows<R> {
    from: R,
    /// Bytes read since the last row was complete; set to 0 by the caller that takes the rows.
    pub(crate) since: Rc<Cell<u64>>,
}

impl<R: Read> Rows<R> {
    /// Most bytes of a row.
    pub(crate) const LONGEST: u64 = 1 << 20;

    pub(crate) fn of(from: R) -> Rows<R> {
        Rows { from, since: Rc::default() }
    }
}

impl<R: Read> Read for Rows<R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        if self.since.get() > Self::LONGEST {
            let why = format!("a row of more than {} MiB", Self::LONGEST >> 20);
            return Err(Error::new(ErrorKind::InvalidData, why));
        }
        let read = self.from.read(buffer)?;
        self.since.set(self.since.get() + read as u64);
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_and_a_folder_are_no_files() {
        assert_eq!(read_file(Path::new(".")), Err("it is a directory".to_string()));
        if cfg!(unix) {
            let why = read_file(Path::new("/dev/null")).expect_err("a device");
            assert!(why.starts_with("it is no regular file"), "{why}");
        }
    }

    #[test]
    fn a_row_without_an_end_is_given_up() {
        for endless in [b'x', b'"'] {
            let mut rows = Rows::of(std::io::repeat(endless));
            let why = std::io::copy(&mut rows, &mut std::io::sink()).expect_err("a row of any length");
            assert_eq!(why.to_string(), "a row of more than 1 MiB");
        }
    }
}
