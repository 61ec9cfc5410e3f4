//! An OpenAPI document (3.0, 3.1): its operations that only read, and need nothing, as checks.

use super::openapi_schema::{Schemas, hints, status_nodes};
use super::sheet::{Entry, Pairs, Sheet, env, free_id, id_of, literal, named, pair_of};
use super::value::Value;
use super::yaml::Node;

const METHODS: &[&str] = &[
    "get", "put", "post", "delete", "options", "head", "patch", "trace",
];

/// Reads a document; `base` is where the API is, if it does not say so itself.
///
/// # Errors
/// When it does not say where the API is, or no operation can be asked.
pub fn read(root: &Value, file_name: &str, base: Option<&str>) -> Result<Sheet, String> {
    let version = root.get("openapi").text().unwrap_or_default();
    if !version.starts_with("3.") {
        return Err(format!("OpenAPI {version} is not understood; 3.0 and 3.1 are"));
    }
    let title = root.find(&["info", "title"]).text().unwrap_or("api").to_owned();
    let mut sheet = Sheet {
        name: id_of(&title),
        head: vec![format!(
            "Imported from {file_name}, OpenAPI {version}: {title}. It does not say how often to ask, nor how long to wait: `every` and `timeout` are yours to choose."
        )],
        ..Sheet::default()
    };
    let server = server(root, base, &mut sheet)?;
    sheet
        .shared
        .push(pair_of("vars", Node::one("api", literal(&server))));
    let usual = vec![
        pair_of("every", Node::bare("5m")),
        pair_of("timeout", Node::bare("10s")),
    ];
    sheet.shared.push(pair_of("defaults", Node::Map(usual)));
    operations(root, &title, &mut sheet);
    if root.get("webhooks").is_there() {
        sheet.left_out.push(format!(
            "{}: `webhooks`: nobody asks them",
            root.get("webhooks").at
        ));
    }
    Ok(sheet)
}

/// A check, or a reason, for each operation.
fn operations(root: &Value, title: &str, sheet: &mut Sheet) {
    let schemas = Schemas { root };
    for (path, item) in root.get("paths").entries() {
        let item = schemas.resolve(item);
        for (method, described) in item
            .entries()
            .iter()
            .filter(|(key, _)| METHODS.contains(&key.as_str()))
        {
            let operation = Operation {
                root,
                schemas: &schemas,
                path,
                item,
                method,
                described,
            };
            match operation.entry(title) {
                Ok(mut entry) => {
                    let wanted = entry.id.take().unwrap_or_default();
                    entry.id = Some(free_id(&wanted, &sheet.checks));
                    sheet.checks.push(entry);
                }
                Err(why) => sheet.left_out.push(format!(
                    "{}: {} {path}: {why}",
                    operation.described.at,
                    method.to_uppercase()
                )),
            }
        }
    }
}

/// The first server's address, variables filled in with their defaults.
fn server(root: &Value, base: Option<&str>, sheet: &mut Sheet) -> Result<String, String> {
    let servers = root.get("servers").items();
    for other in servers.iter().skip(1) {
        let url = other.get("url").text().unwrap_or_default();
        sheet.left_out.push(format!(
            "{}: the server `{url}`: `vars: {{ api: … }}` says which one is asked",
            other.at
        ));
    }
    let mut url = servers
        .first()
        .and_then(|server| server.get("url").text())
        .unwrap_or("/")
        .to_owned();
    for (name, variable) in servers
        .first()
        .map_or(&[][..], |server| server.get("variables").entries())
    {
        url = url.replace(
            &format!("{{{name}}}"),
            variable.get("default").text().unwrap_or_default(),
        );
    }
    let is_whole = url.starts_with("http://") || url.starts_with("https://");
    let whole = match base {
        Some(base) if !is_whole => format!("{}{}", base.trim_end_matches('/'), url),
        Some(base) => base.to_owned(),
        None if is_whole => url,
        None => return Err("it does not say where the API is: give `--target https://…`".to_owned()),
    };
    Ok(whole.trim_end_matches('/').to_owned())
}

struct Operation<'v> {
    root: &'v Value,
    schemas: &'v Schemas<'v>,
    path: &'v str,
    item: &'v Value,
    method: &'v str,
    described: &'v Value,
}

impl Operation<'_> {
    fn entry(&self, owner: &str) -> Result<Entry, String> {
        if self.method != "get" {
            return Err(
                "it may change something; a chain of requests can make, look at and remove".to_owned(),
            );
        }
        let needed = self.required();
        if !needed.is_empty() {
            return Err(format!("it needs {}", needed.join(", ")));
        }
        let operation_id = self.described.get("operationId").text();
        let mut entry = Entry {
            id: Some(id_of(
                &operation_id.map_or_else(|| self.path.to_owned(), with_dashes),
            )),
            ..Entry::default()
        };
        entry.set_some("name", self.described.get("summary").text().map(named));
        let tags: Vec<Node> = self
            .described
            .get("tags")
            .texts()
            .iter()
            .map(|tag| named(tag))
            .collect();
        if !tags.is_empty() {
            entry.set("tags", Node::List(tags));
        }
        if self.described.get("deprecated").is_true() {
            entry.remarks.push(format!("{}: deprecated", self.path));
        }
        let mut http = vec![pair_of(
            "url",
            named(&format!("${{vars.api}}{}", self.path.replace("${", "$${"))),
        )];
        self.security(&mut entry, &mut http, owner);
        entry.set_map("http", http);
        entry.expect(vec![self.expectation()]);
        Ok(entry)
    }

    /// Parameters without which it cannot be asked.
    fn required(&self) -> Vec<String> {
        let own = self.described.get("parameters").items();
        let shared = self.item.get("parameters").items();
        let all = own.iter().chain(shared).map(|one| self.schemas.resolve(one));
        let mut needed: Vec<String> = all
            .filter(|one| one.get("required").is_true() || one.get("in").text() == Some("path"))
            .map(|one| {
                format!(
                    "`{}` ({})",
                    one.get("name").text().unwrap_or_default(),
                    one.get("in").text().unwrap_or_default()
                )
            })
            .collect();
        if needed.is_empty() && self.path.contains('{') {
            needed.push("values in its path".to_owned());
        }
        needed.dedup();
        needed
    }

    /// The first way of saying who we are; its secrets are named.
    fn security(&self, entry: &mut Entry, http: &mut Pairs, owner: &str) {
        let own = self.described.get("security");
        let asked = if own.is_there() {
            own
        } else {
            self.root.get("security")
        };
        let ways = asked.items();
        let is_open = ways.is_empty() || ways.iter().any(|way| way.entries().is_empty());
        if is_open {
            return;
        }
        for (name, _) in ways[0].entries() {
            let scheme = self
                .schemas
                .resolve(self.root.find(&["components", "securitySchemes", name]));
            add_scheme(entry, http, name, scheme, owner);
        }
    }

    /// Statuses that are documented as good, and what the answer's schema says.
    fn expectation(&self) -> Pairs {
        let responses = self.described.get("responses").entries();
        let mut expect: Pairs = status_nodes(responses.iter().map(|(code, _)| code.as_str()));
        let good = responses
            .iter()
            .filter(|(code, _)| code.starts_with('2'))
            .collect::<Vec<_>>();
        if let [(_, response)] = good.as_slice() {
            let content = self.schemas.resolve(response).get("content").entries();
            let json = content
                .iter()
                .find(|(mime, _)| mime.starts_with("application/json") || mime.contains("+json"));
            if let Some((_, media)) = json {
                let hints = hints(self.schemas, media.get("schema"));
                if !hints.is_empty() {
                    expect.push(pair_of("json", Node::Map(hints)));
                }
            }
        }
        expect
    }
}

/// How a security scheme is said in `http`.
fn add_scheme(entry: &mut Entry, http: &mut Pairs, name: &str, scheme: &Value, owner: &str) {
    let token = env(&[owner, "TOKEN"]);
    let flow = scheme.find(&["flows", "clientCredentials"]);
    let kind = (
        scheme.get("type").text(),
        scheme.get("scheme").text(),
        scheme.get("in").text(),
    );
    let field = scheme.get("name").text().unwrap_or_default();
    match kind {
        (Some("http"), Some(basic), _) if basic.eq_ignore_ascii_case("basic") => {
            let basic = vec![
                pair_of("user", env(&[owner, "USER"])),
                pair_of("password", env(&[owner, "PASSWORD"])),
            ];
            http.push(pair_of("auth", Node::one("basic", Node::Map(basic))));
        }
        (Some("http"), Some(bearer), _) if bearer.eq_ignore_ascii_case("bearer") => {
            http.push(pair_of("auth", Node::one("bearer", token)));
        }
        (Some("apiKey"), _, Some("header")) => {
            http.push(pair_of("headers", Node::one(field, env(&[owner, field]))));
        }
        (Some("apiKey"), _, Some("query")) => {
            http.push(pair_of("query", Node::one(field, env(&[owner, field]))));
        }
        (Some("apiKey"), _, Some("cookie")) => {
            let Node::Text(value) = env(&[owner, field]) else {
                return;
            };
            http.push(pair_of(
                "headers",
                Node::one("cookie", Node::Text(format!("{field}={value}"))),
            ));
        }
        (Some("oauth2"), _, _) if flow.get("tokenUrl").text().is_some() => {
            let pairs = vec![
                pair_of(
                    "token_url",
                    literal(flow.get("tokenUrl").text().unwrap_or_default()),
                ),
                pair_of("client_id", env(&[owner, "CLIENT_ID"])),
                pair_of("client_secret", env(&[owner, "CLIENT_SECRET"])),
            ];
            http.push(pair_of("auth", Node::one("oauth2", Node::Map(pairs))));
        }
        (Some("oauth2" | "openIdConnect"), _, _) => {
            http.push(pair_of("auth", Node::one("bearer", token)));
        }
        _ => {
            entry.leave_out(
                &scheme.at,
                &format!("the security scheme `{name}`: an http check has nothing like it"),
            );
        }
    }
}

/// `listOrders` as `list-Orders`.
fn with_dashes(name: &str) -> String {
    let mut spaced = String::new();
    for c in name.chars() {
        if c.is_uppercase() && spaced.ends_with(char::is_lowercase) {
            spaced.push('-');
        }
        spaced.push(c);
    }
    spaced
}
