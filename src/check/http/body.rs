//! A body's bytes as text.

use encoding_rs::{Encoding, UTF_8};

/// How far into a page its own word about the character set is looked for (HTML, §4.2.5.5).
const PRESCAN_BYTES: usize = 1_024;

/// A body as text.
#[derive(Debug, PartialEq, Eq)]
pub struct Decoded {
    /// What does not fit the character set stands as `U+FFFD`.
    pub text: String,
    /// What is wrong with the label, for whoever has to mend it.
    pub remark: Option<String>,
}

/// Reads the body in the character set that its first bytes (a byte order mark), its header or
/// itself names, in this order, and as UTF-8 when none does.
#[must_use]
pub fn decode(body: &[u8], content_type: Option<&str>) -> Decoded {
    let label = content_type.and_then(charset_of).or_else(|| named_inside(body));
    let known = label.as_deref().map(encoding_of);
    let encoding = known.flatten().unwrap_or(UTF_8);
    let (text, used, damaged) = encoding.decode(body);
    let is_text = !is_binary(content_type, body);
    let remark = match (label, known) {
        (Some(label), Some(None)) => Some(format!(
            "the answer says its character set is `{label}`, which is none; it was read as {}",
            used.name()
        )),
        (label, _) if damaged && is_text => Some(format!(
            "the answer is not {}{}{}",
            used.name(),
            if label.is_some() {
                ", which it says it is"
            } else {
                ""
            },
            likely(body, used)
        )),
        _ => None,
    };
    Decoded {
        text: text.into_owned(),
        remark,
    }
}

/// The labels of the Encoding Standard, and Microsoft's for Korean that it lacks.
fn encoding_of(label: &str) -> Option<&'static Encoding> {
    let korean = ["cp949", "ms949", "x-windows-949", "uhc"];
    if korean.iter().any(|name| name.eq_ignore_ascii_case(label)) {
        return Some(encoding_rs::EUC_KR);
    }
    Encoding::for_label(label.as_bytes())
}

/// The character set that would fit.
fn likely(body: &[u8], used: &'static Encoding) -> String {
    [
        UTF_8,
        encoding_rs::EUC_KR,
        encoding_rs::SHIFT_JIS,
        encoding_rs::GBK,
    ]
    .into_iter()
    .filter(|other| *other != used)
    .find(|other| {
        other
            .decode_without_bom_handling_and_without_replacement(body)
            .is_some()
    })
    .map(|other| format!("; it may be {}", other.name()))
    .unwrap_or_default()
}

/// `charset=` of a Content-Type.
fn charset_of(content_type: &str) -> Option<String> {
    content_type.split(';').skip(1).find_map(|part| {
        let (name, value) = part.split_once('=')?;
        let value = value.trim().trim_matches(['"', '\'']);
        (name.trim().eq_ignore_ascii_case("charset") && !value.is_empty()).then(|| value.to_owned())
    })
}

/// What a page or an XML document says of itself in its first bytes.
fn named_inside(body: &[u8]) -> Option<String> {
    let start = String::from_utf8_lossy(&body[..body.len().min(PRESCAN_BYTES)]).to_ascii_lowercase();
    let after = |mark: &str, from: &str| {
        let rest = &from[from.find(mark)? + mark.len()..];
        let rest = rest.trim_start().strip_prefix('=')?.trim_start();
        let value = rest.trim_start_matches(['"', '\'']);
        let end = value
            .find(|c: char| !(c.is_ascii_alphanumeric() || "-_:.".contains(c)))
            .unwrap_or(value.len());
        (end > 0).then(|| value[..end].to_owned())
    };
    if start.trim_start().starts_with("<?xml") {
        return after("encoding", start.split("?>").next()?);
    }
    start.match_indices("<meta").find_map(|(at, _)| {
        let tag = start[at..].split('>').next()?;
        after("charset", tag)
    })
}

/// Whether the body is no text at all.
#[must_use]
pub fn is_binary(content_type: Option<&str>, start: &[u8]) -> bool {
    let kind = content_type.unwrap_or_default().to_ascii_lowercase();
    let named = ["image/", "audio/", "video/", "font/"]
        .iter()
        .any(|family| kind.starts_with(family) && !kind.starts_with("image/svg"));
    let has_mark = [&b"\xfe\xff"[..], b"\xff\xfe"]
        .iter()
        .any(|mark| start.starts_with(mark));
    named || (!has_mark && start.iter().take(512).any(|byte| *byte == 0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn korean(text: &str) -> Vec<u8> {
        encoding_rs::EUC_KR.encode(text).0.into_owned()
    }

    #[test]
    fn the_character_set_is_taken_from_where_it_is_named() {
        let meta = korean("<html><head><meta charset=\"euc-kr\"><title>안녕</title>");
        let old =
            korean("<META http-equiv='Content-Type' content='text/html; charset=euc-kr'><title>안녕</title>");
        let xml = korean("<?xml version='1.0' encoding='euc-kr'?><a>안녕</a>");
        let marked = "\u{feff}안녕".as_bytes().to_vec();
        let wide: Vec<u8> = [0xff, 0xfe]
            .into_iter()
            .chain("안녕".encode_utf16().flat_map(u16::to_le_bytes))
            .collect();
        for (body, kind) in [
            (korean("안녕"), Some("text/plain; charset=EUC-KR")),
            (korean("안녕"), Some("text/plain;charset=\"ks_c_5601-1987\"")),
            (korean("안녕"), Some("text/plain; charset=cp949")),
            (meta, Some("text/html")),
            (old, Some("text/html")),
            (xml, Some("application/xml")),
            (marked, Some("text/plain; charset=euc-kr")),
            (wide, None),
            ("안녕".into(), None),
        ] {
            let decoded = decode(&body, kind);
            assert!(decoded.text.contains("안녕"), "{kind:?}: {}", decoded.text);
            assert_eq!(decoded.remark, None, "{kind:?}");
        }
    }

    #[test]
    fn a_wrong_label_is_remarked_on() {
        for (body, kind, remark) in [
            (
                korean("안녕하세요"),
                Some("text/html; charset=utf-8"),
                "the answer is not UTF-8, which it says it is; it may be EUC-KR",
            ),
            (
                korean("안녕하세요"),
                None,
                "the answer is not UTF-8; it may be EUC-KR",
            ),
            (
                b"fine".to_vec(),
                Some("text/html; charset=utf-9"),
                "the answer says its character set is `utf-9`, which is none; it was read as UTF-8",
            ),
        ] {
            assert_eq!(decode(&body, kind).remark.as_deref(), Some(remark));
        }
        assert_eq!(decode(b"\x89PNG\0\0\xff", Some("image/png")).remark, None);
    }
}
