//! The two encodings of tables that people hand in: UTF-8, and CP949 (a superset of EUC-KR), which Korean spreadsheets still
//! write. Either may stand behind a UTF-8 byte-order mark.

use std::{borrow::Cow, path::Path};

use encoding_rs::EUC_KR;

use crate::EvalError;

/// The UTF-8 byte-order mark. Some programs put it in front of CP949 too.
pub(crate) const MARK: &[u8] = b"\xef\xbb\xbf";

/// How bytes are characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Encoding {
    /// Also of text that is ASCII alone.
    Utf8,
    /// What the WHATWG calls EUC-KR.
    Cp949,
}

impl Encoding {
    /// The encoding of all of `bytes`, which have no mark. Text that is valid as both is UTF-8.
    ///
    /// # Errors
    /// [`EvalError::Encoding`], with the line of the first byte that is not UTF-8; `file` is what it is called.
    pub(crate) fn of(bytes: &[u8], file: &Path) -> Result<Self, EvalError> {
        let Err(error) = std::str::from_utf8(bytes) else { return Ok(Self::Utf8) };
        if EUC_KR.decode_without_bom_handling_and_without_replacement(bytes).is_some() {
            return Ok(Self::Cp949);
        }
        let line = 1 + bytes[..error.valid_up_to()].iter().filter(|&&byte| byte == b'\n').count() as u64;
        Err(EvalError::Encoding { file: file.to_owned(), line })
    }

    /// The text of a part of bytes found to be of this encoding.
    pub(crate) fn decode(self, bytes: &[u8]) -> Cow<'_, str> {
        match self {
            Self::Utf8 => String::from_utf8_lossy(bytes),
            Self::Cp949 => EUC_KR.decode_without_bom_handling(bytes).0,
        }
    }

    /// The bytes of `text`; `None` if it holds a character that the encoding does not have.
    pub(crate) fn encode(self, text: &str) -> Option<Cow<'_, [u8]>> {
        match self {
            Self::Utf8 => Some(Cow::Borrowed(text.as_bytes())),
            Self::Cp949 => {
                let (bytes, _, unmappable) = EUC_KR.encode(text);
                (!unmappable).then_some(bytes)
            }
        }
    }

    /// What people call it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Utf8 => "UTF-8",
            Self::Cp949 => "CP949",
        }
    }
}

/// The bytes behind a byte-order mark, if there is one.
pub(crate) fn without_mark(bytes: &[u8]) -> &[u8] {
    bytes.strip_prefix(MARK).unwrap_or(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_goes_through_either_encoding_and_back() {
        for encoding in [Encoding::Utf8, Encoding::Cp949] {
            let bytes = encoding.encode("똠방각하, a").unwrap().into_owned();
            assert_eq!(Encoding::of(&bytes, Path::new("a.csv")).unwrap(), encoding);
            assert_eq!(encoding.decode(&bytes), "똠방각하, a");
        }
        assert_eq!(Encoding::Cp949.encode("😊"), None);
    }

    #[test]
    fn bytes_of_another_encoding_name_their_line() {
        let error = Encoding::of(b"id,x\n1,\xff\xfe\n", Path::new("a.csv")).unwrap_err();
        assert_eq!(error.to_string(), "a.csv line 2: neither UTF-8 nor CP949 (EUC-KR); save the file as UTF-8");
        assert_eq!(error.exit_code(), 2);
    }
}
