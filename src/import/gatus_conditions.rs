//! Gatus' conditions, `[BODY].status == UP`, as expectations and thresholds.

use super::sheet::{Pairs, duration, go_duration, literal, pair_of};
use super::yaml::Node;

/// Status codes there can be.
const CODES: std::ops::RangeInclusive<u16> = 100..=599;

/// What an endpoint's conditions come to, before its kind is known.
#[derive(Debug, Default)]
pub struct Conditions {
    /// Status codes that are good; none when no condition looks at them.
    pub statuses: Option<Vec<u16>>,
    /// JSONPath → matcher, in blocks, since a block holds a path once.
    pub json: Vec<(String, Pairs)>,
    /// Matchers of the body as text.
    pub body: Vec<Pairs>,
    /// Bounds of `[RESPONSE_TIME]`.
    pub response_time: Vec<(&'static str, String)>,
    /// Bounds of `[CERTIFICATE_EXPIRATION]`.
    pub certificate: Vec<(&'static str, String)>,
    /// Bounds of `[DOMAIN_EXPIRATION]`.
    pub domain: Vec<(&'static str, String)>,
    /// DNS response codes that are good.
    pub rcodes: Vec<String>,
    /// `[CONNECTED] == true` stands there, which is what every check of ours wants.
    pub connected: bool,
    /// Conditions that were read, the domain's aside.
    pub about_target: usize,
    /// What cannot be carried over, with its place.
    pub left_out: Vec<(String, String)>,
    /// The endpoint is well when it cannot be reached.
    pub inverted: bool,
}

/// One condition, taken apart.
struct Condition<'c> {
    left: &'c str,
    op: &'c str,
    right: &'c str,
}

impl Conditions {
    /// Takes in a condition.
    pub fn add(&mut self, text: &str, at: &str) {
        if let Err(why) = self.read(text) {
            self.left_out
                .push((at.to_owned(), format!("the condition `{text}`: {why}")));
        }
    }

    fn read(&mut self, text: &str) -> Result<(), String> {
        let condition = split(text).ok_or("it is not of the form `LEFT OPERATOR RIGHT`")?;
        let Condition { left, op, right } = condition;
        if left == "[DOMAIN_EXPIRATION]" {
            self.domain.push(time_bound(op, right)?);
            return Ok(());
        }
        self.about_target += 1;
        match left {
            "[STATUS]" => self.status(op, right),
            "[RESPONSE_TIME]" => {
                self.response_time.push(time_bound(op, right)?);
                Ok(())
            }
            "[CERTIFICATE_EXPIRATION]" => {
                self.certificate.push(time_bound(op, right)?);
                Ok(())
            }
            "[CONNECTED]" => match (op, right) {
                ("==", "true") | ("!=", "false") => {
                    self.connected = true;
                    Ok(())
                }
                _ => {
                    self.inverted = true;
                    Err("no check of haetae is well when its target cannot be reached".to_owned())
                }
            },
            "[DNS_RCODE]" if op == "==" => {
                self.rcodes = alternatives(right).iter().map(|code| code.to_ascii_uppercase()).collect();
                Ok(())
            }
            "[IP]" => Err("the address is part of a run's evidence, and not compared; a `dns` check with `expect: { answers: … }` looks at it".to_owned()),
            _ => self.content(left, op, right),
        }
    }

    fn status(&mut self, op: &str, right: &str) -> Result<(), String> {
        let wanted: Vec<u16> = alternatives(right)
            .iter()
            .map(|code| code.parse().map_err(|_| format!("`{code}` is no status code")))
            .collect::<Result<_, String>>()?;
        let one = *wanted.first().ok_or("there is no status code")?;
        let good = |code: u16| match op {
            "==" => wanted.contains(&code),
            "!=" => !wanted.contains(&code),
            "<" => code < one,
            "<=" => code <= one,
            ">" => code > one,
            _ => code >= one,
        };
        let before = self.statuses.take().unwrap_or_else(|| CODES.collect());
        self.statuses = Some(before.into_iter().filter(|code| good(*code)).collect());
        Ok(())
    }

    fn content(&mut self, left: &str, op: &str, right: &str) -> Result<(), String> {
        if let Some(path) = inside(left, "len") {
            let rule = map("length", length(op, right)?);
            return self.matcher(path, rule);
        }
        if let Some(path) = inside(left, "has") {
            let there = match (op, right) {
                ("==", "true") | ("!=", "false") => true,
                ("==", "false") | ("!=", "true") => false,
                _ => return Err("`has()` is compared with true or false".to_owned()),
            };
            return self.matcher(path, vec![pair_of("exists", Node::bare(&there))]);
        }
        if let Some(unknown) = ["[", "len(", "has("]
            .iter()
            .all(|start| !left.starts_with(start))
            .then_some(left)
        {
            return Err(format!("`{unknown}` stands for nothing that haetae knows"));
        }
        for rules in rules(op, right)? {
            self.matcher(left, rules)?;
        }
        Ok(())
    }

    /// Adds a rule at `[BODY].path`, or for the whole body.
    fn matcher(&mut self, path: &str, rules: Pairs) -> Result<(), String> {
        let below = path
            .strip_prefix("[BODY]")
            .ok_or_else(|| format!("`{path}` stands for nothing that haetae knows"))?;
        if below.is_empty() {
            let is_json = rules
                .iter()
                .any(|(key, _)| matches!(key.as_str(), "length" | "exists"));
            if is_json {
                self.json.push(("$".to_owned(), rules));
            } else {
                self.body.push(rules);
            }
            return Ok(());
        }
        self.json.push((json_path(below)?, rules));
        Ok(())
    }

    /// Blocks of `json:` expectations: each path once per block.
    pub fn json_blocks(&self) -> Vec<Pairs> {
        let mut blocks: Vec<Pairs> = Vec::new();
        for (path, rules) in &self.json {
            let value = matcher(rules.clone());
            let free = blocks
                .iter_mut()
                .find(|block| block.iter().all(|(key, _)| key != path));
            match free {
                Some(block) => block.push(pair_of(path, value)),
                None => blocks.push(vec![pair_of(path, value)]),
            }
        }
        blocks
    }
}

/// Status codes as `[200..204, 301]`; a single one as it is.
pub fn status_node(codes: &[u16]) -> Node {
    let mut ranges: Vec<(u16, u16)> = Vec::new();
    for code in codes {
        match ranges.last_mut() {
            Some((_, last)) if *last + 1 == *code => *last = *code,
            _ => ranges.push((*code, *code)),
        }
    }
    let mut nodes: Vec<Node> = ranges
        .iter()
        .map(|(first, last)| match first == last {
            true => Node::bare(first),
            false => Node::Bare(format!("{first}..{last}")),
        })
        .collect();
    if nodes.len() == 1 {
        nodes.remove(0)
    } else {
        Node::List(nodes)
    }
}

/// A matcher: a plain value where it only means equals.
pub fn matcher(mut rules: Pairs) -> Node {
    if rules.len() == 1 && rules[0].0 == "equals" {
        return rules.remove(0).1;
    }
    Node::Map(rules)
}

/// A value as JSON has it: what looks like a number or a truth is one.
pub fn json_value(text: &str) -> Node {
    let number = text.parse::<f64>().is_ok_and(f64::is_finite)
        && serde_json::from_str::<serde_json::Number>(text).is_ok();
    if number || matches!(text, "true" | "false" | "null") {
        return Node::bare(text);
    }
    literal(text)
}

fn split(text: &str) -> Option<Condition<'_>> {
    ["==", "!=", "<=", ">=", "<", ">"]
        .iter()
        .filter_map(|op| text.find(&format!(" {op} ")).map(|at| (at, *op)))
        .min_by_key(|(at, op)| (*at, std::cmp::Reverse(op.len())))
        .map(|(at, op)| Condition {
            left: text[..at].trim(),
            op,
            right: text[at + op.len() + 2..].trim(),
        })
}

fn inside<'t>(text: &'t str, function: &str) -> Option<&'t str> {
    text.strip_prefix(function)?.strip_prefix('(')?.strip_suffix(')')
}

/// `any(a, b)` as a list; anything else is the one there is.
fn alternatives(right: &str) -> Vec<&str> {
    match inside(right, "any") {
        Some(all) => all.split(',').map(str::trim).collect(),
        None => vec![right],
    }
}

/// A bound that is violated where the condition does not hold: `< 300` is `above 300ms`.
fn time_bound(op: &str, right: &str) -> Result<(&'static str, String), String> {
    let amount = if let Ok(ms) = right.parse::<u64>() {
        duration(ms)
    } else {
        let ms = go_duration(right).ok_or_else(|| format!("`{right}` is no duration"))?;
        let simple = right.chars().filter(char::is_ascii_alphabetic).count() == 1 && !right.contains('.');
        if simple { right.to_owned() } else { duration(ms) }
    };
    match op {
        "<" | "<=" => Ok(("above", amount)),
        ">" | ">=" => Ok(("below", amount)),
        _ => Err("a time is not compared for being the same".to_owned()),
    }
}

fn length(op: &str, right: &str) -> Result<Node, String> {
    let n: i64 = right.parse().map_err(|_| format!("`{right}` is no length"))?;
    let bound = |key: &str, n: i64| Ok(Node::one(key, Node::bare(&n)));
    match op {
        "==" => Ok(Node::bare(&n)),
        "<" => bound("max", n - 1),
        "<=" => bound("max", n),
        ">" => bound("min", n + 1),
        ">=" => bound("min", n),
        _ => bound("not", n),
    }
}

/// The rules of a comparison; several when each needs a block of its own.
fn rules(op: &str, right: &str) -> Result<Vec<Pairs>, String> {
    let one = |key: &str, value: Node| Ok(vec![map(key, value)]);
    let values = alternatives(right);
    let patterns: Vec<Option<&str>> = values.iter().map(|value| inside(value, "pat")).collect();
    let has_pattern = patterns.iter().any(Option::is_some);
    match op {
        "==" if has_pattern => {
            if let ([_], Some(pattern)) = (values.as_slice(), patterns[0]) {
                return Ok(vec![like(pattern)]);
            }
            let all = values.iter().zip(&patterns);
            let all: Vec<String> = all
                .map(|(value, pattern)| pattern.map_or_else(|| escape(value), regex_of))
                .collect();
            one("matches", literal(&format!("(?s)^(?:{})$", all.join("|"))))
        }
        "==" if values.len() > 1 => one(
            "one_of",
            Node::List(values.iter().map(|value| json_value(value)).collect()),
        ),
        "==" => one("equals", json_value(right)),
        "!=" if has_pattern => match (values.as_slice(), patterns[0].and_then(around)) {
            ([_], Some(text)) => one("not_contains", literal(text)),
            _ => Err(
                "that a text does not match a pattern cannot be said; `not_contains:` says it of a text"
                    .to_owned(),
            ),
        },
        "!=" => Ok(values.iter().map(|value| map("not", json_value(value))).collect()),
        _ => {
            right
                .parse::<f64>()
                .map_err(|_| format!("`{right}` is no number to compare with"))?;
            let number = Node::bare(right);
            let key = if op.starts_with('<') { "max" } else { "min" };
            let mut pairs = map(key, number.clone());
            if op.len() == 1 {
                pairs.push(pair_of("not", number));
            }
            Ok(vec![pairs])
        }
    }
}

fn map(key: &str, value: Node) -> Pairs {
    vec![pair_of(key, value)]
}

/// `*text*`, where everything else about the pattern is plain.
fn around(pattern: &str) -> Option<&str> {
    let text = pattern.strip_prefix('*')?.strip_suffix('*')?;
    (!text.is_empty() && !text.contains(['*', '?', '['])).then_some(text)
}

/// A pattern as the plainest rule that says the same.
fn like(pattern: &str) -> Pairs {
    let plain = |text: &str| !text.is_empty() && !text.contains(['*', '?', '[']);
    if let Some(text) = around(pattern) {
        return map("contains", literal(text));
    }
    let regex = match (pattern.strip_suffix('*'), pattern.strip_prefix('*')) {
        (Some(start), _) if plain(start) => format!("^{}", escape(start)),
        (_, Some(end)) if plain(end) => format!("{}$", escape(end)),
        _ => format!("(?s)^{}$", regex_of(pattern)),
    };
    map("matches", literal(&regex))
}

/// A glob of Go's `filepath.Match` as a regular expression.
fn regex_of(glob: &str) -> String {
    glob.chars()
        .map(|c| match c {
            '*' => ".*".to_owned(),
            '?' => ".".to_owned(),
            c => escape(c.encode_utf8(&mut [0; 4])),
        })
        .collect()
}

fn escape(text: &str) -> String {
    regex::escape(text)
}

/// `.data[0].id` as a JSONPath.
fn json_path(below: &str) -> Result<String, String> {
    let mut path = String::from("$");
    for part in below.split('.').filter(|part| !part.is_empty()) {
        let (name, index) = part.find('[').map_or((part, ""), |at| part.split_at(at));
        let plain = name
            .chars()
            .enumerate()
            .all(|(n, c)| c == '_' || c.is_alphabetic() || (n > 0 && c.is_alphanumeric()));
        if name.contains(['\'', '"', '(', ')']) {
            return Err(format!("`{part}` is no name that a path can hold"));
        }
        if !name.is_empty() {
            path.push_str(&if plain {
                format!(".{name}")
            } else {
                format!("['{name}']")
            });
        }
        path.push_str(index);
    }
    serde_json_path::JsonPath::parse(&path).map_err(|_| format!("`{below}` is no path"))?;
    Ok(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A condition as the one line of YAML it comes to.
    fn said(texts: &[&str]) -> String {
        let mut conditions = Conditions::default();
        for text in texts {
            conditions.add(text, "");
        }
        let mut said = Vec::new();
        let mut say = |key: &str, node: Node| said.extend(super::super::yaml::pair(key, &node, 0));
        if let Some(codes) = &conditions.statuses {
            say("status", status_node(codes));
        }
        for block in conditions.json_blocks() {
            say("json", Node::Map(block));
        }
        for rules in &conditions.body {
            say("body", matcher(rules.clone()));
        }
        for (sort, bounds) in [
            ("time", &conditions.response_time),
            ("certificate", &conditions.certificate),
            ("domain", &conditions.domain),
        ] {
            for (word, amount) in bounds {
                say(sort, Node::Text(format!("{word} {amount}")));
            }
        }
        for (_, why) in &conditions.left_out {
            said.push(format!("left out: {why}"));
        }
        said.join("\n")
    }

    #[test]
    fn conditions_become_expectations_and_bounds() {
        for (texts, ours) in [
            (&["[STATUS] == 200"][..], "status: 200"),
            (&["[STATUS] == any(200, 429)"], "status: [200, 429]"),
            (&["[STATUS] >= 200", "[STATUS] < 300"], "status: 200..299"),
            (&["[STATUS] != 500"], "status: [100..499, 501..599]"),
            (&["[RESPONSE_TIME] < 300"], "time: above 300ms"),
            (&["[RESPONSE_TIME] <= 1000"], "time: above 1s"),
            (&["[CERTIFICATE_EXPIRATION] > 48h"], "certificate: below 48h"),
            (&["[DOMAIN_EXPIRATION] > 720h"], "domain: below 720h"),
            (&["[BODY].status == UP"], "json: { $.status: UP }"),
            (
                &["[BODY].user.name == pat(john*)"],
                "json: { $.user.name: { matches: ^john } }",
            ),
            (&["[BODY].data[0].id == 1"], "json: { '$.data[0].id': 1 }"),
            (
                &["[BODY][0].id == any(1, 2)"],
                "json: { '$[0].id': { one_of: [1, 2] } }",
            ),
            (
                &["[BODY].x != a", "[BODY].x != b"],
                "json: { $.x: { not: a } }\njson: { $.x: { not: b } }",
            ),
            (
                &["len([BODY].data) < 5"],
                "json: { $.data: { length: { max: 4 } } }",
            ),
            (&["len([BODY].name) == 8"], "json: { $.name: { length: 8 } }"),
            (
                &["has([BODY].errors) == false"],
                "json: { $.errors: { exists: false } }",
            ),
            (&["[BODY].age > 18"], "json: { $.age: { min: 18, not: 18 } }"),
            (&["[BODY] == pat(*Hello*)"], "body: { contains: Hello }"),
            (
                &["[BODY].a == pat(a*b?)"],
                "json: { $.a: { matches: (?s)^a.*b.$ } }",
            ),
            (
                &["[BODY].a == any(x, pat(y*))"],
                "json: { $.a: { matches: (?s)^(?:x|y.*)$ } }",
            ),
            (&["[BODY] != pat(*error*)"], "body: { not_contains: error }"),
            (&["[BODY].my-key == a"], "json: { \"$['my-key']\": a }"),
        ] {
            assert_eq!(said(texts).replace('"', "'"), ours.replace('"', "'"), "{texts:?}");
        }
    }

    #[test]
    fn what_cannot_be_said_is_told() {
        for text in [
            "[IP] == 127.0.0.1",
            "[CONNECTED] == false",
            "[BODY].x != pat(a*b)",
            "nonsense",
            "[CONTEXT].x == 1",
            "[RESPONSE_TIME] == 3",
        ] {
            let told = said(&[text]);
            assert!(told.starts_with("left out: ") && told.contains(text), "{told}");
        }
    }
}
