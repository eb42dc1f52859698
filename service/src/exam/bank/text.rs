//! The bytes of a bank file as text.
//!
//! Input: bytes, and the encoding if somebody said it. Output: a text without a byte order mark, or one sentence on
//! what was seen and what reads it. Must not know: what the text says.

use contract::Fault;
use encoding_rs::Encoding;

/// How a caller names the encoding, at the end of a sentence.
const OPTION: &str = "(--encoding, or `encoding` in Settings and API)";

/// Decodes a file: in the encoding that is named, or by its byte order mark, or as UTF-8.
///
/// # Errors
/// The encoding is not known, or the bytes are not of it.
pub fn decode(bytes: &[u8], encoding: Option<&str>) -> Result<String, Fault> {
    let named = match encoding {
        Some(label) => Some(Encoding::for_label(label.as_bytes()).ok_or_else(|| {
            fault(format!("the encoding {label:?} is not known; known are utf-8, utf-16le, windows-1252, euc-kr and the others of the WHATWG Encoding Standard"))
        })?),
        None => Encoding::for_bom(bytes).map(|(encoding, _)| encoding),
    };
    if let Some(encoding) = named {
        let (text, seen, has_errors) = encoding.decode(bytes);
        if has_errors {
            return Err(fault(format!(
                "the file is not {}: some of its bytes have no meaning there",
                seen.name()
            )));
        }
        return without_nul(text.into_owned());
    }
    if let Some(place) = bytes.iter().position(|byte| *byte == 0) {
        let label = if place % 2 == 1 { "utf-16le" } else { "utf-16be" };
        let is_utf_16 = bytes.len() >= 4 && bytes.iter().filter(|byte| **byte == 0).count() > bytes.len() / 4;
        if is_utf_16 {
            return Err(fault(format!(
                "the file looks like UTF-16 without a byte order mark; name its encoding, {label} {OPTION}"
            )));
        }
    }
    match std::str::from_utf8(bytes) {
        Ok(text) => without_nul(text.to_owned()),
        Err(error) => {
            let place = error.valid_up_to();
            let line = 1 + bytes[..place].iter().filter(|byte| **byte == b'\n').count();
            Err(fault(format!(
                "the file is not UTF-8 at byte {place}: line {line} holds the byte 0x{:02X}; save it as UTF-8, or name its encoding, often windows-1252 {OPTION}",
                bytes[place]
            )))
        }
    }
}

fn without_nul(text: String) -> Result<String, Fault> {
    match text.find('\0') {
        Some(place) => Err(fault(format!("the file holds the character U+0000 at byte {place}"))),
        None => Ok(text),
    }
}

fn fault(message: String) -> Fault {
    Fault { field: String::new(), message }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encodings_are_read_or_named() {
        let utf_16: Vec<u8> = "\u{feff}Größe".encode_utf16().flat_map(u16::to_le_bytes).collect();
        assert_eq!(decode(&utf_16, None).unwrap(), "Größe");
        assert_eq!(decode("\u{feff}Größe".as_bytes(), None).unwrap(), "Größe");
        assert_eq!(decode(b"Gr\xf6\xdfe", Some("windows-1252")).unwrap(), "Größe");
        let refused = |bytes: &[u8], encoding| decode(bytes, encoding).unwrap_err().message;
        assert!(refused(b"a,b\nGr\xf6", None).contains("line 2 holds the byte 0xF6"));
        assert!(refused(&utf_16[2..], None).contains("utf-16le"));
        assert!(refused(b"a", Some("klingon")).contains("\"klingon\" is not known"));
        assert!(refused(b"Gr\xf6", Some("utf-8")).contains("not UTF-8"));
        assert!(refused(b"item\0", None).contains("U+0000 at byte 4"));
    }
}
