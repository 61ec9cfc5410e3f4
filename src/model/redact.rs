//! Secrets, and the mask over everything that leaves the process.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use aho_corasick::{AhoCorasick, MatchKind};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use secrecy::{ExposeSecret, SecretString};

/// What is shown in a secret's place.
pub const MASK: &str = "•••";

/// A secret under this many characters is masked only where it stands alone as a word.
pub(crate) const SHORT: usize = 6;

/// A text that must not be shown. Wiped from memory when dropped.
#[derive(Clone)]
pub struct Secret(SecretString);

impl Secret {
    /// Takes a text as secret.
    #[must_use]
    pub fn new(text: String) -> Self {
        Self(SecretString::from(text))
    }

    /// The text itself, for the request it is meant for.
    #[must_use]
    pub fn reveal(&self) -> &str {
        self.0.expose_secret()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(MASK)
    }
}

/// Masks every whole occurrence of a set of secrets, also URL-, JSON-, HTML- and
/// base64-encoded ones.
#[derive(Default)]
pub struct Redactor {
    long: Option<AhoCorasick>,
    short: Vec<Secret>,
}

impl Redactor {
    /// A mask for these secrets; empty ones are passed over.
    #[must_use]
    pub fn new<'a>(secrets: impl IntoIterator<Item = &'a Secret>) -> Self {
        let mut patterns = BTreeSet::new();
        let mut short = Vec::new();
        for secret in secrets {
            match secret.reveal().chars().count() {
                0 => {}
                1..SHORT => short.push(secret.clone()),
                _ => patterns.extend(spellings(secret.reveal())),
            }
        }
        let long = (!patterns.is_empty())
            .then(|| {
                AhoCorasick::builder()
                    .match_kind(MatchKind::LeftmostLongest)
                    .build(&patterns)
                    .ok()
            })
            .flatten();
        Self { long, short }
    }

    /// `text` with every secret masked; borrowed when there was none.
    #[must_use]
    pub fn clean<'t>(&self, text: &'t str) -> Cow<'t, str> {
        let mut cleaned = Cow::Borrowed(text);
        if let Some(long) = &self.long
            && long.is_match(text)
        {
            let mut out = String::with_capacity(text.len());
            long.replace_all_with(text, &mut out, |_, _, out| {
                out.push_str(MASK);
                true
            });
            cleaned = Cow::Owned(out);
        }
        for secret in &self.short {
            if let Some(masked) = mask_words(&cleaned, secret.reveal()) {
                cleaned = Cow::Owned(masked);
            }
        }
        cleaned
    }

    /// Masks in place.
    pub fn clean_in_place(&self, text: &mut String) {
        if let Cow::Owned(cleaned) = self.clean(text) {
            *text = cleaned;
        }
    }
}

impl fmt::Debug for Redactor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Redactor")
    }
}

/// Every way in which a secret may be written down by a library, a server or a log.
fn spellings(secret: &str) -> BTreeSet<String> {
    let json = serde_json::to_string(secret).unwrap_or_default();
    let json = json.trim_matches('"').to_owned();
    let html = secret
        .replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;");
    let percent = percent_encode(secret);
    BTreeSet::from([
        json.replace('/', "\\/"),
        json,
        html.replace('"', "&quot;").replace('\'', "&#39;"),
        html.replace('"', "&#34;").replace('\'', "&#x27;"),
        html,
        percent.replace("%20", "+"),
        percent.to_lowercase(),
        percent,
        secret.escape_debug().to_string(),
        secret.to_owned(),
    ])
    .into_iter()
    .chain(base64_spellings(secret.as_bytes()))
    .collect()
}

fn percent_encode(text: &str) -> String {
    use std::fmt::Write as _;
    text.bytes().fold(String::new(), |mut out, byte| {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
            out.push(byte as char);
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
        out
    })
}

/// Inside a longer base64 text (`user:password`) the secret may start at any of three
/// alignments; the characters that its neighbours share are left out.
fn base64_spellings(secret: &[u8]) -> Vec<String> {
    let mut spelled = Vec::new();
    for offset in 0..3_usize {
        let mut padded = vec![0; offset];
        padded.extend_from_slice(secret);
        let first = (offset * 8).div_ceil(6);
        let last = padded.len() * 8 / 6;
        for engine in [&STANDARD_NO_PAD, &URL_SAFE_NO_PAD] {
            spelled.push(engine.encode(&padded)[first..last].to_owned());
        }
    }
    spelled
}

/// Masks `word` where no letter or digit touches it; none when nothing was masked.
fn mask_words(text: &str, word: &str) -> Option<String> {
    let mut out = String::new();
    let mut kept = 0;
    for (at, _) in text.match_indices(word) {
        let end = at + word.len();
        let before = text[..at].chars().next_back();
        let after = text[end..].chars().next();
        if at < kept || [before, after].iter().flatten().any(|c| c.is_alphanumeric()) {
            continue;
        }
        out.push_str(&text[kept..at]);
        out.push_str(MASK);
        kept = end;
    }
    (kept > 0).then(|| out + &text[kept..])
}

/// The process's current mask; a reload widens it, so that a message that was written
/// under the old configuration is masked still.
#[derive(Clone, Default)]
pub struct SharedRedactor(Arc<RwLock<(Vec<Secret>, Arc<Redactor>)>>);

impl SharedRedactor {
    /// The mask as it is now.
    #[must_use]
    pub fn current(&self) -> Arc<Redactor> {
        let guard = self.0.read().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(&guard.1)
    }

    /// Adds secrets to the mask.
    pub fn learn<'a>(&self, secrets: impl IntoIterator<Item = &'a Secret>) {
        let mut guard = self.0.write().unwrap_or_else(PoisonError::into_inner);
        for secret in secrets {
            if !guard.0.iter().any(|known| known.reveal() == secret.reveal()) {
                guard.0.push(secret.clone());
            }
        }
        guard.1 = Arc::new(Redactor::new(&guard.0));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::engine::general_purpose::STANDARD;

    fn clean(secret: &str, text: &str) -> String {
        Redactor::new([&Secret::new(secret.to_owned())])
            .clean(text)
            .into_owned()
    }

    #[test]
    fn a_secret_is_masked_however_it_is_written() {
        let secret = "pa ss\"<w&rd>/1";
        for spelled in [
            secret.to_owned(),
            "pa%20ss%22%3Cw%26rd%3E%2F1".into(),
            "pa+ss%22%3Cw%26rd%3E%2F1".into(),
            r#"pa ss\"<w&rd>/1"#.into(),
            "pa ss&quot;&lt;w&amp;rd&gt;/1".into(),
        ] {
            let shown = clean(secret, &format!("before {spelled} after"));
            assert_eq!(shown, "before ••• after", "{spelled}");
        }
    }

    #[test]
    fn a_secret_inside_longer_base64_is_masked_at_every_alignment() {
        for user in ["q", "qa", "bot", "robo"] {
            let header = STANDARD.encode(format!("{user}:let-me-in-please"));
            let shown = clean("let-me-in-please", &format!("Basic {header}"));
            assert!(shown.contains(MASK), "{shown}");
            assert!(!shown.contains("bWUtaW4"), "{shown}");
        }
    }

    #[test]
    fn a_short_secret_is_masked_only_as_a_word() {
        assert_eq!(clean("abc", "abc, abcd, x=abc"), "•••, abcd, x=•••");
    }

    #[test]
    fn the_longest_secret_wins_where_two_overlap() {
        let secrets = [
            Secret::new("https://h/".into()),
            Secret::new("https://h/long-token".into()),
        ];
        assert_eq!(
            Redactor::new(&secrets).clean("to https://h/long-token."),
            "to •••."
        );
    }
}
