//! RDAP's answers about domains (RFC 9083).

use serde_json::Value as Json;
use url::Url;

use crate::check::net::fault::Fault;
use crate::check::net::fetch::Fetched;
use crate::model::Timestamp;

/// How much of a server's own words is told.
const LONGEST_WORDS: usize = 200;

/// What a registry says of a domain.
#[derive(Debug, Default, PartialEq)]
pub struct Registration {
    /// When it ends; none when the registry does not say so.
    pub expires: Option<Timestamp>,
    /// Through whom it is registered.
    pub registrar: Option<String>,
    /// `active`, `client transfer prohibited` …
    pub statuses: Vec<String>,
    /// In lower case, without a dot at the end.
    pub nameservers: Vec<String>,
}

/// A domain's name in ASCII and lower case; none when it is none.
pub fn ascii_name(name: &str) -> Option<String> {
    let name = plain_name(name);
    if name.contains(['/', ':', '@', '?', '#']) {
        return None;
    }
    let url = Url::parse(&format!("http://{name}/")).ok()?;
    match url.host()? {
        url::Host::Domain(host)
            if host.contains('.') && url.port().is_none() && url.username().is_empty() =>
        {
            Some(host.to_owned())
        }
        _ => None,
    }
}

/// As names are compared: in lower case, without a dot at the end.
pub fn plain_name(name: &str) -> String {
    name.trim_end_matches('.').to_lowercase()
}

/// Where a server is asked about a domain (RFC 9082 §3.1.3).
pub fn domain_url(base: &Url, name: &str) -> Option<Url> {
    let mut url = base.clone();
    url.path_segments_mut()
        .ok()?
        .pop_if_empty()
        .extend(["domain", name]);
    Some(url)
}

/// Reads an answer.
///
/// # Errors
/// When the domain is not registered, the server refuses, or says something else.
pub fn registration(fetched: &Fetched, name: &str) -> Result<Registration, Fault> {
    let host = fetched.url.host_str().unwrap_or_default();
    match fetched.status {
        200 => {}
        404 => {
            return Err(Fault::lasting(format!(
                "`{name}` is not registered: {host} knows no such domain"
            )));
        }
        429 => {
            return Err(Fault::ours(format!(
                "{host} was asked too often (429): look at this domain less often, once a day is enough"
            )));
        }
        status @ (500..=599) => {
            return Err(Fault::passing(format!(
                "{host} answers {status}{}",
                words(fetched)
            )));
        }
        status => {
            return Err(Fault::lasting(format!(
                "{host} answers {status}{}",
                words(fetched)
            )));
        }
    }
    let json = fetched
        .json
        .as_ref()
        .filter(|json| json["objectClassName"] == "domain")
        .ok_or_else(|| Fault::lasting(format!("{host} does not answer as RDAP describes a domain")))?;
    let told = json["ldhName"].as_str().map(plain_name);
    if told.as_ref().is_some_and(|told| told != name) {
        return Err(Fault::lasting(format!(
            "{host} was asked for `{name}` and answers for `{}`",
            told.unwrap_or_default()
        )));
    }
    Ok(read(json))
}

fn read(json: &Json) -> Registration {
    let items = |key: &str| json[key].as_array().cloned().unwrap_or_default();
    let expires = items("events")
        .iter()
        .filter(|event| event["eventAction"] == "expiration")
        .filter_map(|event| moment(event["eventDate"].as_str()?))
        .min();
    let mut nameservers: Vec<String> = items("nameservers")
        .iter()
        .filter_map(|server| server["ldhName"].as_str().map(plain_name))
        .collect();
    nameservers.sort();
    let mut statuses: Vec<String> = items("status")
        .iter()
        .filter_map(|status| status.as_str().map(str::to_lowercase))
        .collect();
    statuses.sort();
    Registration {
        expires,
        registrar: items("entities").iter().find_map(registrar),
        statuses,
        nameservers,
    }
}

/// The full name of an entity that is the registrar: jCard (RFC 7095) keeps it as `fn`.
fn registrar(entity: &Json) -> Option<String> {
    let roles = entity["roles"].as_array()?;
    if !roles.iter().any(|role| role == "registrar") {
        return None;
    }
    let card = entity["vcardArray"].get(1).and_then(Json::as_array);
    let name = card.and_then(|card| card.iter().find(|property| property[0] == "fn"));
    let name = name.and_then(|property| property[3].as_str());
    name.or_else(|| entity["handle"].as_str()).map(str::to_owned)
}

fn moment(text: &str) -> Option<Timestamp> {
    let moment: jiff::Timestamp = text.parse().ok()?;
    Some(Timestamp::from_unix_us(moment.as_microsecond()))
}

/// What a server says of its refusal (RFC 9083 §6).
fn words(fetched: &Fetched) -> String {
    let json = fetched.json.as_ref();
    let title = json.and_then(|json| json["title"].as_str()).unwrap_or_default();
    let title: String = title.chars().take(LONGEST_WORDS).collect();
    match title.is_empty() {
        true => String::new(),
        false => format!(": {title}"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn names_are_ascii_without_a_dot_at_the_end() {
        for (name, wanted) in [
            ("Example.COM.", Some("example.com")),
            ("한국.kr", Some("xn--3e0b707e.kr")),
            ("localhost", None),
            ("192.0.2.1", None),
            ("a.example:80", None),
            ("a.example/x", None),
        ] {
            assert_eq!(ascii_name(name).as_deref(), wanted, "{name}");
        }
    }

    #[test]
    fn the_first_end_and_the_registrar_are_found() {
        let json = json!({
            "events": [
                { "eventAction": "registration", "eventDate": "1995-08-14T04:00:00Z" },
                { "eventAction": "expiration", "eventDate": "2030-08-13T04:00:00Z" },
                { "eventAction": "expiration", "eventDate": "2029-08-13T06:00:00+02:00" },
            ],
            "status": ["Client Transfer Prohibited", "active"],
            "nameservers": [{ "ldhName": "B.NS.example." }, { "ldhName": "a.ns.example" }],
            "entities": [
                { "roles": ["abuse"], "handle": "x" },
                { "roles": ["registrar"], "vcardArray": ["vcard", [["version", {}, "text", "4.0"], ["fn", {}, "text", "Registrar Ltd"]]] },
            ],
        });
        let read = read(&json);
        assert_eq!(read.expires.unwrap().to_string(), "2029-08-13T04:00:00Z");
        assert_eq!(read.registrar.as_deref(), Some("Registrar Ltd"));
        assert_eq!(read.statuses, ["active", "client transfer prohibited"]);
        assert_eq!(read.nameservers, ["a.ns.example", "b.ns.example"]);
    }
}
