//! Whether a file is FIT, whole and undamaged: lengths and checksums, nothing of what the records say.
//!
//! ```text
//! file   | header | data | 2 CRC of header and data, little endian | perhaps a further file |
//! header | 1 length: 12 or 14 | 1 version | 2 profile | 4 length of the data, little endian | ".FIT" |
//!        | 14 only: 2 CRC of the 12 bytes before, or zero |
//! ```
//! Source: FIT Protocol, "File Header", "CRC", "Chained FIT Files".

const SHORT_HEADER: usize = 12;
const LONG_HEADER: usize = 14;
const CRC_BYTES: u64 = 2;

/// Push-fed.
pub(crate) struct Fit {
    place: Place,
    /// Of the file's bytes so far. Over a whole file with its own checksum at the end, it is zero.
    crc: u16,
    header: [u8; LONG_HEADER],
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    /// So many bytes of the header are known.
    Header(usize),
    /// So many bytes of data and checksum are left.
    Data(u64),
    /// A file has ended; another may follow.
    Between,
    /// It is no FIT file.
    Elsewhere,
}

impl Fit {
    pub(crate) fn new() -> Self {
        Self { place: Place::Header(0), crc: 0, header: [0; LONG_HEADER] }
    }

    /// The next bytes.
    pub(crate) fn push(&mut self, mut bytes: &[u8]) {
        while let Some((&first, rest)) = bytes.split_first() {
            match self.place {
                Place::Elsewhere => return,
                Place::Between => (self.place, self.crc) = (Place::Header(0), 0),
                Place::Header(known) => {
                    self.header[known] = first;
                    self.crc = crc(self.crc, &[first]);
                    self.place = self.header_grown(known + 1);
                    bytes = rest;
                }
                Place::Data(left) => {
                    let taken = usize::try_from(left).unwrap_or(usize::MAX).min(bytes.len());
                    self.crc = crc(self.crc, &bytes[..taken]);
                    bytes = &bytes[taken..];
                    self.place = match (left - taken as u64, self.crc) {
                        (0, 0) => Place::Between,
                        (0, _) => Place::Elsewhere,
                        (left, _) => Place::Data(left),
                    };
                }
            }
        }
    }

    /// Whether the file, or the last of several, has ended here.
    pub(crate) fn is_whole(&self) -> bool {
        self.place == Place::Between
    }

    fn header_grown(&self, known: usize) -> Place {
        let length = usize::from(self.header[0]);
        if !matches!(length, SHORT_HEADER | LONG_HEADER) {
            return Place::Elsewhere;
        }
        if known < length {
            return Place::Header(known);
        }
        let [_, _, _, _, d0, d1, d2, d3, magic @ .., c0, c1] = self.header;
        let stated = if length == LONG_HEADER { u16::from_le_bytes([c0, c1]) } else { 0 };
        if magic != *b".FIT" || (stated != 0 && stated != crc(0, &self.header[..SHORT_HEADER])) {
            return Place::Elsewhere;
        }
        Place::Data(u64::from(u32::from_le_bytes([d0, d1, d2, d3])) + CRC_BYTES)
    }
}

/// The remainder of each byte: CRC-16 with the polynomial 0x8005, bits reversed.
const REMAINDERS: [u16; 256] = {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < table.len() {
        let mut remainder = byte as u16;
        let mut bit = 0;
        while bit < 8 {
            remainder = if remainder & 1 == 1 { remainder >> 1 ^ 0xA001 } else { remainder >> 1 };
            bit += 1;
        }
        table[byte] = remainder;
        byte += 1;
    }
    table
};

fn crc(before: u16, bytes: &[u8]) -> u16 {
    bytes.iter().fold(before, |crc, &byte| crc >> 8 ^ REMAINDERS[usize::from(crc as u8 ^ byte)])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{any, prop_assert, prop_assert_eq, proptest};

    use super::*;

    /// The checksum as long division, bit by bit.
    fn reference(bytes: &[u8]) -> u16 {
        let mut crc: u16 = 0;
        for bit in bytes.iter().flat_map(|byte| (0..8).map(move |place| u16::from(byte >> place & 1))) {
            let out = crc & 1 ^ bit;
            crc = (crc >> 1) ^ (out * 0xA001);
        }
        crc
    }

    fn file(header_bytes: u8, data: &[u8]) -> Vec<u8> {
        let mut file = vec![header_bytes, 0x20, 0x5C, 0x08];
        file.extend_from_slice(&u32::try_from(data.len()).expect("short").to_le_bytes());
        file.extend_from_slice(b".FIT");
        if header_bytes == 14 {
            let crc = reference(&file);
            file.extend_from_slice(&crc.to_le_bytes());
        }
        file.extend_from_slice(data);
        let crc = reference(&file);
        file.extend_from_slice(&crc.to_le_bytes());
        file
    }

    fn is_fit(file: &[u8], piece: usize) -> bool {
        let mut fit = Fit::new();
        file.chunks(piece).for_each(|piece| fit.push(piece));
        fit.is_whole()
    }

    #[test]
    fn whole_files_of_both_headers_and_chains_of_them_are_fit() {
        let chain = [file(14, b"some records"), file(12, b"and more")].concat();
        for piece in [1, 3, 1000] {
            for file in [&file(12, b"some records"), &file(14, b"some records"), &file(14, b""), &chain] {
                assert!(is_fit(file, piece));
            }
        }
        let mut no_header_crc = file(14, b"some records");
        no_header_crc[12..14].fill(0);
        let end = no_header_crc.len() - 2;
        let crc = reference(&no_header_crc[..end]).to_le_bytes();
        no_header_crc[end..].copy_from_slice(&crc);
        assert!(is_fit(&no_header_crc, 7), "a header may do without its checksum");
    }

    #[test]
    fn no_byte_can_be_cut_off_put_behind_or_altered() {
        for whole in [file(12, b"some records"), file(14, b"some records")] {
            for length in 0..whole.len() {
                assert!(!is_fit(&whole[..length], 5), "cut to {length}");
            }
            assert!(!is_fit(&[&whole[..], b"\0"].concat(), 5));
            for at in (0..whole.len()).filter(|at| !(12..14).contains(at)) {
                let mut altered = whole.clone();
                altered[at] ^= 0x10;
                assert!(!is_fit(&altered, 5), "byte {at}");
            }
        }
        assert!(!is_fit(b"", 1));
    }

    proptest! {
        #[test]
        fn checksum_is_the_remainder_of_long_division(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            prop_assert_eq!(crc(0, &bytes), reference(&bytes));
        }

        #[test]
        fn any_bytes_are_taken_without_a_fault(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            prop_assert!(is_fit(&bytes, 1) == is_fit(&bytes, 64));
        }
    }
}
