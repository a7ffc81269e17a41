//! The headers and the directory of a zip (APPNOTE 6.3.9), as far as a dataset needs them.

/// Lengths and CRC-32 stand behind the content.
pub(super) const LENGTHS_BEHIND: u16 = 1 << 3;

const VERSION: u16 = 45;
const MADE_BY_UNIX: u16 = 3 << 8;
/// The content is deflated.
pub(super) const DEFLATED: u16 = 8;
/// It is as it is.
pub(super) const STORED: u16 = 0;
/// The first day a zip knows: the same content gives the same bytes.
const DATE: u16 = 1 << 5 | 1;
/// A file that its owner alone may read.
const MODE: u32 = 0o100_600 << 16;
const ZIP64: u16 = 1;
const ELSEWHERE: u32 = u32::MAX;

/// One file.
#[derive(Clone, Debug, Default)]
pub(super) struct Entry {
    /// Its path.
    pub(super) path: String,
    /// Where its header begins.
    pub(super) at: u64,
    /// [`DEFLATED`] or [`STORED`].
    pub(super) method: u16,
    /// General purpose flags.
    pub(super) flags: u16,
    /// CRC-32 of it.
    pub(super) crc: u32,
    /// Its length.
    pub(super) bytes: u64,
    /// Its length deflated.
    pub(super) packed_bytes: u64,
}

/// The directory, as files come.
#[derive(Debug, Default)]
pub(super) struct Directory {
    bytes: Vec<u8>,
    files: u64,
}

impl Entry {
    /// What stands before its content.
    pub(super) fn header(&self) -> Vec<u8> {
        let behind = self.flags & LENGTHS_BEHIND != 0;
        let large = behind || !fits(self.bytes) || !fits(self.packed_bytes);
        let mut header = Vec::new();
        put(&mut header, &[&0x0403_4b50_u32.to_le_bytes()]);
        self.common(&mut header, large);
        put(&mut header, &[&(if large { 20_u16 } else { 0 }).to_le_bytes(), self.path.as_bytes()]);
        if large {
            put(&mut header, &[&ZIP64.to_le_bytes(), &16_u16.to_le_bytes()]);
            put(&mut header, &[&self.bytes.to_le_bytes(), &self.packed_bytes.to_le_bytes()]);
        }
        header
    }

    /// What stands behind the content of one whose lengths stand there.
    pub(super) fn trailer(&self) -> Vec<u8> {
        let mut trailer = Vec::new();
        put(&mut trailer, &[&0x0807_4b50_u32.to_le_bytes(), &self.crc.to_le_bytes()]);
        put(&mut trailer, &[&self.packed_bytes.to_le_bytes(), &self.bytes.to_le_bytes()]);
        trailer
    }

    /// From the version to the length of the name.
    fn common(&self, output: &mut Vec<u8>, large: bool) {
        let length = |bytes: u64| if large { ELSEWHERE } else { u32::try_from(bytes).unwrap_or(ELSEWHERE) };
        let name = u16::try_from(self.path.len()).expect("paths of a dataset are short");
        put(output, &[&VERSION.to_le_bytes(), &self.flags.to_le_bytes(), &self.method.to_le_bytes()]);
        put(output, &[&0_u16.to_le_bytes(), &DATE.to_le_bytes(), &self.crc.to_le_bytes()]);
        put(output, &[&length(self.packed_bytes).to_le_bytes(), &length(self.bytes).to_le_bytes()]);
        put(output, &[&name.to_le_bytes()]);
    }
}

impl Directory {
    /// Adds a file that is whole.
    pub(super) fn add(&mut self, entry: &Entry) {
        let large = !fits(entry.bytes) || !fits(entry.packed_bytes) || !fits(entry.at);
        let at = if large { ELSEWHERE } else { u32::try_from(entry.at).unwrap_or(ELSEWHERE) };
        put(&mut self.bytes, &[&0x0201_4b50_u32.to_le_bytes(), &(MADE_BY_UNIX | VERSION).to_le_bytes()]);
        entry.common(&mut self.bytes, large);
        put(&mut self.bytes, &[&(if large { 28_u16 } else { 0 }).to_le_bytes(), &0_u16.to_le_bytes()]);
        put(&mut self.bytes, &[&0_u16.to_le_bytes(), &0_u16.to_le_bytes(), &MODE.to_le_bytes(), &at.to_le_bytes()]);
        put(&mut self.bytes, &[entry.path.as_bytes()]);
        if large {
            put(&mut self.bytes, &[&ZIP64.to_le_bytes(), &24_u16.to_le_bytes(), &entry.bytes.to_le_bytes()]);
            put(&mut self.bytes, &[&entry.packed_bytes.to_le_bytes(), &entry.at.to_le_bytes()]);
        }
        self.files += 1;
    }

    /// The directory and the end of a zip whose directory begins here.
    pub(super) fn end(&self, at: u64) -> Vec<u8> {
        let mut end = self.bytes.clone();
        let (bytes, files) = (self.bytes.len() as u64, self.files);
        let large = files >= u64::from(u16::MAX) || !fits(at) || !fits(bytes);
        if large {
            let version = VERSION.to_le_bytes();
            put(&mut end, &[&0x0606_4b50_u32.to_le_bytes(), &44_u64.to_le_bytes(), &version, &version]);
            put(&mut end, &[&0_u32.to_le_bytes(), &0_u32.to_le_bytes(), &files.to_le_bytes(), &files.to_le_bytes()]);
            put(&mut end, &[&bytes.to_le_bytes(), &at.to_le_bytes()]);
            put(&mut end, &[&0x0706_4b50_u32.to_le_bytes(), &0_u32.to_le_bytes()]);
            put(&mut end, &[&(at + bytes).to_le_bytes(), &1_u32.to_le_bytes()]);
        }
        let files = if large { u16::MAX } else { u16::try_from(files).unwrap_or(u16::MAX) };
        let narrow = |number: u64| if large { ELSEWHERE } else { u32::try_from(number).unwrap_or(ELSEWHERE) };
        put(&mut end, &[&0x0605_4b50_u32.to_le_bytes(), &0_u32.to_le_bytes()]);
        put(&mut end, &[&files.to_le_bytes(), &files.to_le_bytes()]);
        put(&mut end, &[&narrow(bytes).to_le_bytes(), &narrow(at).to_le_bytes(), &0_u16.to_le_bytes()]);
        end
    }
}

fn fits(number: u64) -> bool {
    number < u64::from(ELSEWHERE)
}

fn put(output: &mut Vec<u8>, parts: &[&[u8]]) {
    parts.iter().for_each(|part| output.extend_from_slice(part));
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read as _;
    use zip::ZipArchive;

    #[test]
    fn offsets_beyond_32_bits_are_found_again() {
        // The directory of a zip whose one file lies 5 GiB in: only its end is here, and is read as such.
        let entry =
            Entry { path: "data/a.csv".into(), at: 5 << 30, bytes: 6 << 30, packed_bytes: 5 << 29, ..Entry::default() };
        let mut directory = Directory::default();
        directory.add(&entry);
        let end = directory.end(8 << 30);
        let sparse = Sparse { before: 8 << 30, end, at: 0 };
        let mut zip = ZipArchive::new(sparse).expect("a zip");
        assert_eq!(zip.len(), 1);
        assert!(zip.by_index_raw(0).is_err(), "its header is not there");
    }

    #[test]
    fn many_files_are_counted_beyond_16_bits() {
        let mut directory = Directory::default();
        let mut bytes = Vec::new();
        for number in 0..70_000_u32 {
            let at = bytes.len() as u64;
            let entry =
                Entry { path: format!("f/{number}"), at, method: DEFLATED, packed_bytes: 2, ..Entry::default() };
            bytes.extend(entry.header());
            bytes.extend_from_slice(&[3, 0]);
            directory.add(&entry);
        }
        let end = directory.end(bytes.len() as u64);
        bytes.extend(end);
        let mut zip = ZipArchive::new(std::io::Cursor::new(bytes)).expect("a zip");
        assert_eq!(zip.len(), 70_000);
        let mut content = Vec::new();
        zip.by_name("f/69999").expect("the last").read_to_end(&mut content).expect("read");
        assert!(content.is_empty());
    }

    /// Zeros, and an end.
    struct Sparse {
        before: u64,
        end: Vec<u8>,
        at: u64,
    }

    impl std::io::Read for Sparse {
        fn read(&mut self, output: &mut [u8]) -> std::io::Result<usize> {
            if self.at < self.before {
                let zeros = usize::try_from((self.before - self.at).min(output.len() as u64)).expect("small");
                output[..zeros].fill(0);
                self.at += zeros as u64;
                return Ok(zeros);
            }
            let from = usize::try_from(self.at - self.before).expect("small").min(self.end.len());
            let read = (&self.end[from..]).read(output)?;
            self.at += read as u64;
            Ok(read)
        }
    }

    impl std::io::Seek for Sparse {
        fn seek(&mut self, to: std::io::SeekFrom) -> std::io::Result<u64> {
            let length = self.before + self.end.len() as u64;
            let to = match to {
                std::io::SeekFrom::Start(at) => Some(at),
                std::io::SeekFrom::End(by) => length.checked_add_signed(by),
                std::io::SeekFrom::Current(by) => self.at.checked_add_signed(by),
            };
            self.at = to.ok_or(std::io::ErrorKind::InvalidInput)?;
            Ok(self.at)
        }
    }
}
