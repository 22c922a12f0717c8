//! Bytes to text: gzip, byte-order marks, UTF-8, and CP949 (EUC-KR), which Korean spreadsheets still write.

use std::io::Read;

use chardetng::{EncodingDetector, Iso2022JpDetection, Utf8Detection};
use encoding_rs::{EUC_KR, Encoding};

use crate::error::{DataError, Result};

/// Decompresses a whole gzip file, all its members.
pub(super) fn gunzip(bytes: &[u8], file: &str) -> Result<Vec<u8>> {
    let mut out = Vec::new();
    match flate2::read::MultiGzDecoder::new(bytes).read_to_end(&mut out) {
        Ok(_) => Ok(out),
        // The input is in memory, so every error is one of its contents.
        Err(error) => Err(DataError::Gzip { file: file.to_owned(), detail: error.to_string() }),
    }
}

/// Text of `bytes`, strictly: nothing is replaced.
pub(super) fn to_utf8(bytes: Vec<u8>, file: &str) -> Result<String> {
    if let Some((encoding, mark)) = Encoding::for_bom(&bytes) {
        return match encoding.decode_without_bom_handling_and_without_replacement(&bytes[mark..]) {
            Some(text) => Ok(text.into_owned()),
            None => Err(error_at(&bytes, mark, file, &format!("; its mark says {}", encoding.name()))),
        };
    }
    let bytes = match String::from_utf8(bytes) {
        Ok(text) => return Ok(text),
        Err(error) => error.into_bytes(),
    };
    let guess = guess(&bytes, true);
    if guess == EUC_KR
        && let Some(text) = EUC_KR.decode_without_bom_handling_and_without_replacement(&bytes)
    {
        return Ok(text.into_owned());
    }
    let hint = if guess == EUC_KR { String::new() } else { format!("; it looks like {}", guess.name()) };
    Err(error_at(&bytes, 0, file, &hint))
}

/// The likeliest encoding of bytes that are not UTF-8 (all there are, if `whole`), given that a Korean file is likely.
///
/// Many byte strings are valid CP949 by chance, so it must also look like it.
pub(crate) fn guess(bytes: &[u8], whole: bool) -> &'static Encoding {
    let mut detector = EncodingDetector::new(Iso2022JpDetection::Deny);
    detector.feed(bytes, whole);
    detector.guess(Some(b"kr"), Utf8Detection::Deny)
}

/// Names the first byte from `start` on that is not UTF-8.
fn error_at(bytes: &[u8], start: usize, file: &str, hint: &str) -> DataError {
    let offset = match std::str::from_utf8(&bytes[start..]) {
        Ok(_) => start,
        Err(error) => start + error.valid_up_to(),
    };
    DataError::Encoding {
        file: file.to_owned(),
        offset,
        line: 1 + bytes[..offset].iter().filter(|&&b| b == b'\n').count() as u64,
        value: bytes[offset.min(bytes.len() - 1)],
        hint: hint.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    const TEXT: &str = "id,text\n1,정말 재미있는 영화였습니다 ㅋㅋㅋ\n2,돈이 아깝다 진짜 별로\n";

    fn decode(bytes: &[u8]) -> Result<String> {
        to_utf8(bytes.to_vec(), "a.csv")
    }

    #[test]
    fn utf8_with_and_without_a_mark_and_utf16_read_the_same() {
        assert_eq!(decode(TEXT.as_bytes()).unwrap(), TEXT);
        assert_eq!(decode(&[b"\xef\xbb\xbf", TEXT.as_bytes()].concat()).unwrap(), TEXT);
        let little: Vec<u8> = "\u{feff}".chars().chain(TEXT.chars()).flat_map(|c| (c as u16).to_le_bytes()).collect();
        assert_eq!(decode(&little).unwrap(), TEXT);
        let big: Vec<u8> = "\u{feff}".chars().chain(TEXT.chars()).flat_map(|c| (c as u16).to_be_bytes()).collect();
        assert_eq!(decode(&big).unwrap(), TEXT);
    }

    #[test]
    fn cp949_is_detected_its_extension_of_euc_kr_included() {
        let text = format!("{TEXT}3,똠방각하 펲시콜라\n");
        let (bytes, _, lossy) = EUC_KR.encode(&text);
        assert!(!lossy);
        assert_eq!(decode(&bytes).unwrap(), text);
    }

    #[test]
    fn other_bytes_name_the_first_bad_one() {
        let mut bytes = TEXT.as_bytes().to_vec();
        bytes.truncate(20);
        bytes.extend(b"\xff\xfe\xff\n");
        let error = decode(&bytes).unwrap_err().to_string();
        assert!(error.contains("on line 2 is neither UTF-8 nor CP949"), "{error}");
    }

    #[test]
    fn gzip_members_are_joined_and_damage_is_reported() {
        let zip = |part: &str| {
            let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
            encoder.write_all(part.as_bytes()).unwrap();
            encoder.finish().unwrap()
        };
        let whole = [zip("id,text\n"), zip("1,a\n")].concat();
        assert_eq!(gunzip(&whole, "a.csv.gz").unwrap(), b"id,text\n1,a\n");
        let error = gunzip(&whole[..whole.len() - 5], "a.csv.gz").unwrap_err();
        assert!(error.to_string().starts_with("a.csv.gz: damaged gzip file"), "{error}");
        assert!(gunzip(b"id,text\n", "a.csv.gz").is_err());
    }
}
