//! Checks of another program's configuration as a file of ours: a list of checks, each with what
//! could not be carried over beside it.

use url::Url;

use super::yaml::{Node, comment, dashed, pair};

/// Kinds of check that an import makes.
const KINDS: &[&str] = &[
    "command",
    "dns",
    "domain",
    "grpc",
    "heartbeat",
    "http",
    "ping",
    "redis",
    "sql",
    "tcp",
    "tls",
    "udp",
    "websocket",
];

/// Pairs of a map in the order they are written.
pub type Pairs = Vec<(String, Node)>;

/// A file to be.
#[derive(Debug, Default)]
pub struct Sheet {
    /// Its name without the ending; may have folders.
    pub name: String,
    /// What it says about itself first.
    pub head: Vec<String>,
    /// Keys before the checks: `vars`, `defaults`.
    pub shared: Pairs,
    /// The checks.
    pub checks: Vec<Entry>,
    /// What belongs to no check.
    pub left_out: Vec<String>,
}

/// A check to be.
#[derive(Debug, Default)]
pub struct Entry {
    /// Where it stands in the source, for what has no place of its own.
    pub at: String,
    /// What is appended to the file's id; none when the file holds this one alone.
    pub id: Option<String>,
    /// Its keys.
    pub pairs: Pairs,
    /// Lists that stand below each other, each item by itself: `steps`.
    pub lists: Vec<(String, Vec<Node>)>,
    /// What a reader should know.
    pub remarks: Vec<String>,
    /// What could not be carried over.
    pub left_out: Vec<String>,
}

impl Entry {
    /// Adds a key.
    pub fn set(&mut self, key: &str, value: Node) -> &mut Self {
        self.pairs.push((key.to_owned(), value));
        self
    }

    /// Adds a key when there is something.
    pub fn set_some(&mut self, key: &str, value: Option<Node>) -> &mut Self {
        if let Some(value) = value {
            self.set(key, value);
        }
        self
    }

    /// Adds a map when there is something in it.
    pub fn set_map(&mut self, key: &str, pairs: Pairs) -> &mut Self {
        if !pairs.is_empty() {
            self.set(key, Node::Map(pairs));
        }
        self
    }

    /// Adds what must hold: a block, or a list of them.
    pub fn expect(&mut self, mut blocks: Vec<Pairs>) -> &mut Self {
        blocks.retain(|block| !block.is_empty());
        match blocks.len() {
            0 => self,
            1 => self.set_map("expect", blocks.remove(0)),
            _ => self.set("expect", Node::List(blocks.into_iter().map(Node::Map).collect())),
        }
    }

    /// Says that something could not be carried over.
    pub fn leave_out(&mut self, at: &str, why: &str) -> &mut Self {
        let at = if at.is_empty() { self.at.as_str() } else { at };
        self.left_out.push(if at.is_empty() {
            why.to_owned()
        } else {
            format!("{at}: {why}")
        });
        self
    }

    /// The kind of check it is, and its settings.
    #[must_use]
    pub fn kind(&self) -> Option<(&str, &Node)> {
        let found = self.pairs.iter().find(|(key, _)| KINDS.contains(&key.as_str()));
        found.map(|(key, settings)| (key.as_str(), settings))
    }

    fn lines(&self) -> Vec<String> {
        let indent = if self.id.is_some() { 2 } else { 0 };
        let mut lines = Vec::new();
        for remark in &self.remarks {
            lines.extend(comment(remark, indent));
        }
        for why in &self.left_out {
            lines.extend(comment(&format!("left out: {why}"), indent));
        }
        match &self.id {
            Some(id) => {
                let id = ("id".to_owned(), Node::text(id));
                let pairs: Pairs = std::iter::once(id).chain(self.pairs.clone()).collect();
                lines.extend(dashed(&pairs, indent));
            }
            None => lines.extend(
                self.pairs
                    .iter()
                    .flat_map(|(key, value)| pair(key, value, indent)),
            ),
        }
        let below = if self.id.is_some() { indent + 2 } else { indent };
        for (key, items) in &self.lists {
            lines.push(format!("{}{key}:", " ".repeat(below)));
            for node in items {
                lines.extend(match node {
                    Node::Map(pairs) => dashed(pairs, below + 2),
                    other => super::yaml::item(other, below + 2),
                });
            }
        }
        lines
    }
}

impl Sheet {
    /// The file's text.
    #[must_use]
    pub fn yaml(&self) -> String {
        let mut lines: Vec<String> = self.head.iter().flat_map(|text| comment(text, 0)).collect();
        for why in &self.left_out {
            lines.extend(comment(&format!("left out: {why}"), 0));
        }
        lines.extend(self.shared.iter().flat_map(|(key, value)| pair(key, value, 0)));
        if self.checks.iter().any(|check| check.id.is_some()) {
            lines.push("checks:".to_owned());
        }
        lines.extend(self.checks.iter().flat_map(Entry::lines));
        lines.push(String::new());
        lines.join("\n")
    }

    /// Leaves out checks of kinds that there are not, unless `kinds` is empty, and those that ask nobody.
    pub fn tidy(&mut self, kinds: &[&str]) {
        for entry in std::mem::take(&mut self.checks) {
            let why = match entry.kind() {
                Some((kind, _)) if !kinds.is_empty() && !kinds.contains(&kind) => {
                    format!("this version of haetae has no `{kind}` checks")
                }
                Some((_, settings)) if has_no_address(settings) => "it has no address".to_owned(),
                _ => {
                    self.checks.push(entry);
                    continue;
                }
            };
            let id = entry.id.as_deref().unwrap_or(&self.name);
            let settings = entry
                .kind()
                .map(|(kind, settings)| pair(kind, settings, 0).join(" "));
            let told = format!("`{id}`, a check with `{}`: {why}", settings.unwrap_or_default());
            self.left_out.push(told);
            // What else was said of it still holds.
            self.left_out.extend(entry.left_out);
        }
    }

    /// Everything that could not be carried over.
    #[must_use]
    pub fn all_left_out(&self) -> Vec<String> {
        let of_checks = self.checks.iter().flat_map(|check| &check.left_out);
        self.left_out.iter().chain(of_checks).cloned().collect()
    }
}

/// Whom a check asks stands first in its settings.
fn has_no_address(settings: &Node) -> bool {
    match settings {
        Node::Map(pairs) => pairs.first().is_none_or(
            |(_, first)| matches!(first, Node::Text(text) if matches!(text.as_str(), "" | "http://" | "https://")),
        ),
        _ => false,
    }
}

/// A pair of a map.
pub fn pair_of(key: &str, value: Node) -> (String, Node) {
    (key.to_owned(), value)
}

/// A text of the source as one of ours: `${` means nothing there.
pub fn literal(text: &str) -> Node {
    Node::Text(text.replace("${", "$${"))
}

/// A text as it is: one that carries `${env:NAME}` on purpose, or a name, in which `${` means nothing.
pub fn named(text: &str) -> Node {
    Node::text(text)
}

/// Milliseconds as a duration of ours, in the largest unit that is whole.
#[must_use]
pub fn duration(ms: u64) -> String {
    for (unit, length) in [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000)] {
        if ms >= length && ms.is_multiple_of(length) {
            return format!("{}{unit}", ms / length);
        }
    }
    format!("{ms}ms")
}

/// Seconds as a duration of ours.
#[must_use]
pub fn seconds(seconds: f64) -> String {
    duration((seconds * 1_000.0).round().max(1.0) as u64)
}

/// `1m30s`, `250ms`, `48h`, as Go writes them, in milliseconds; `1d` and `1w` of Prometheus too.
#[must_use]
pub fn go_duration(text: &str) -> Option<u64> {
    let mut rest = text.trim();
    let mut total = 0.0;
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (number, tail) = rest.split_at(digits);
        let end = tail
            .find(|c: char| c.is_ascii_digit() || c == '.')
            .unwrap_or(tail.len());
        let (unit, tail) = tail.split_at(end);
        let ms = match unit {
            "ns" => 0.000_001,
            "us" | "µs" => 0.001,
            "ms" => 1.0,
            "s" => 1_000.0,
            "m" => 60_000.0,
            "h" => 3_600_000.0,
            "d" => 86_400_000.0,
            "w" => 604_800_000.0,
            "y" => 31_536_000_000.0,
            _ => return None,
        };
        total += number.parse::<f64>().ok()? * ms;
        rest = tail;
    }
    Some(total.round() as u64)
}

/// A name as the end of an id: letters of any script, digits, `-`, `_` and `.`.
#[must_use]
pub fn id_of(name: &str) -> String {
    let mut id = String::new();
    for c in name.chars() {
        if c.is_alphanumeric() || matches!(c, '_' | '.') {
            id.extend(c.to_lowercase());
        } else if !id.is_empty() && !id.ends_with('-') {
            id.push('-');
        }
    }
    let short: String = id.chars().take(80).collect();
    let short = short.trim_matches(['-', '.']);
    if short.is_empty() { "check" } else { short }.to_owned()
}

/// Gives an id that no other check of the sheet has.
pub fn free_id(wanted: &str, taken: &[Entry]) -> String {
    let ids: Vec<&str> = taken.iter().filter_map(|entry| entry.id.as_deref()).collect();
    let others = (2..1_000_000).map(|n| format!("{wanted}-{n}"));
    std::iter::once(wanted.to_owned())
        .chain(others)
        .find(|id| !ids.contains(&id.as_str()))
        .unwrap_or_else(|| wanted.to_owned())
}

/// The name of an environment variable that stands for a secret: `PAYMENT_PASSWORD`.
#[must_use]
pub fn env_name(parts: &[&str]) -> String {
    let mut name = String::new();
    for c in parts.join("_").chars() {
        if c.is_ascii_alphanumeric() {
            name.push(c.to_ascii_uppercase());
        } else if !name.is_empty() && !name.ends_with('_') {
            name.push('_');
        }
    }
    let name = name.trim_matches('_');
    if name.is_empty() || name.starts_with(|c: char| c.is_ascii_digit()) {
        return format!("SECRET_{name}").trim_end_matches('_').to_owned();
    }
    name.to_owned()
}

/// A secret by its name.
#[must_use]
pub fn env(parts: &[&str]) -> Node {
    Node::Text(format!("${{env:{}}}", env_name(parts)))
}

/// An address without user and password, which belong into `auth`.
#[must_use]
pub fn without_user(url: &str, owner: &str) -> (String, Option<Node>) {
    let Ok(mut parsed) = Url::parse(url) else {
        return (url.to_owned(), None);
    };
    if parsed.username().is_empty() && parsed.password().is_none() {
        return (url.to_owned(), None);
    }
    let user = parsed.username().to_owned();
    let _ = parsed.set_username("");
    let _ = parsed.set_password(None);
    let basic = vec![
        pair_of("user", literal(&user)),
        pair_of("password", env(&[owner, "PASSWORD"])),
    ];
    (parsed.to_string(), Some(Node::one("basic", Node::Map(basic))))
}

/// What the name of a secret has in it.
const SECRET_MARKS: &[&str] = &[
    "password",
    "passwd",
    "passphrase",
    "secret",
    "token",
    "apikey",
    "accesskey",
    "privatekey",
    "authorization",
    "cookie",
    "credential",
    "session",
    "csrf",
    "xsrf",
    "signature",
    "jwt",
    "bearer",
    "otp",
    "cardnumber",
    "cvv",
    "cvc",
    "ssn",
    "비밀번호",
];

/// Whether a field's, header's or cookie's name says that its value is nobody else's business.
#[must_use]
pub fn is_secret_name(name: &str) -> bool {
    let lower: String = name
        .to_ascii_lowercase()
        .chars()
        .filter(|c| !matches!(c, '-' | '_' | '.' | ' '))
        .collect();
    SECRET_MARKS.iter().any(|mark| lower.contains(mark))
        || matches!(
            lower.as_str(),
            "pwd" | "pass" | "pin" | "auth" | "sid" | "key" | "code" | "sig"
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_in_the_largest_whole_unit() {
        for (text, ours) in [
            ("48h", "2d"),
            ("90s", "90s"),
            ("1m30s", "90s"),
            ("250ms", "250ms"),
            ("1.5s", "1500ms"),
            ("5m", "5m"),
        ] {
            assert_eq!(duration(go_duration(text).unwrap()), ours);
        }
        assert_eq!(go_duration("5"), None);
        assert_eq!(go_duration("5x"), None);
    }

    #[test]
    fn ids_and_names_of_secrets_are_legal() {
        assert_eq!(id_of(" Shop (결제) / API "), "shop-결제-api");
        assert_eq!(id_of("///"), "check");
        assert_eq!(env_name(&["shop api", "pass-word"]), "SHOP_API_PASS_WORD");
        assert_eq!(env_name(&["결제"]), "SECRET");
        assert!(is_secret_name("X-Api-Key") && is_secret_name("access_token") && !is_secret_name("keyword"));
    }
}
