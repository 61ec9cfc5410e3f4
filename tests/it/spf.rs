//! SPF agrees with the openspf test suite for RFC 7208 (tests/data/spf), asked over real DNS.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::Path;
use std::time::Duration;

use haetae::check::mail_dns::Asker;
use haetae::check::mail_dns::spf::{Sender, check_host, result_word};
use hickory_proto::op::ResponseCode;
use hickory_proto::rr::rdata::{CNAME, MX, PTR, TXT};
use hickory_proto::rr::{RData, Record, RecordType};
use serde_json::Value;
use tokio::time::Instant;

use crate::dns_server::{Asked, Reaction, name, serve};

/// A silent server is given up after this long.
const PATIENCE_PER_QUESTION: Duration = Duration::from_millis(150);

/// What a name holds; none stands for silence.
type Zone = BTreeMap<String, Vec<Option<(RecordType, RData)>>>;

fn suite() -> Vec<Value> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/spf/rfc7208-tests.yml");
    let text = std::fs::read_to_string(file).unwrap();
    serde_yaml::from_multiple(&text).unwrap()
}

fn zone(scenario: &Value) -> Zone {
    let mut zone = Zone::new();
    for (owner, records) in scenario["zonedata"].as_object().unwrap() {
        let records = records.as_array().unwrap();
        // A name without TXT records has its SPF records as such; `TXT: NONE` stands for none.
        let has_txt = records.iter().any(|record| record.get("TXT").is_some());
        let mut held = Vec::new();
        for record in records {
            let Some(fields) = record.as_object() else {
                assert_eq!(record, "TIMEOUT");
                held.push(None);
                continue;
            };
            for (kind, value) in fields {
                if kind == "SPF" && has_txt || value == "NONE" {
                    continue;
                }
                held.push(data(kind, value));
            }
        }
        zone.insert(owner.to_lowercase(), held);
    }
    zone
}

/// A record; none where the suite says that its type is not answered.
fn data(kind: &str, value: &Value) -> Option<(RecordType, RData)> {
    if value == "TIMEOUT" {
        return None;
    }
    let text = || value.as_str().unwrap();
    Some(match kind {
        "A" => (RecordType::A, RData::A(text().parse().unwrap())),
        "AAAA" => (RecordType::AAAA, RData::AAAA(text().parse().unwrap())),
        "CNAME" => (RecordType::CNAME, RData::CNAME(CNAME(name(text())))),
        "PTR" => (RecordType::PTR, RData::PTR(PTR(name(text())))),
        "MX" => {
            let preference = u16::try_from(value[0].as_u64().unwrap()).unwrap();
            let exchange = name(value[1].as_str().unwrap());
            (RecordType::MX, RData::MX(MX::new(preference, exchange)))
        }
        "TXT" | "SPF" => {
            let strings: Vec<Vec<u8>> = match value {
                Value::Array(parts) => parts.iter().map(|part| bytes(part.as_str().unwrap())).collect(),
                one => vec![bytes(one.as_str().unwrap())],
            };
            // A TXT record without any string cannot be sent: it has an empty one.
            let strings = match strings.is_empty() {
                true => vec![Vec::new()],
                false => strings,
            };
            // One string holds 255 bytes; longer ones are spread.
            let chunks: Vec<&[u8]> = strings
                .iter()
                .flat_map(|string| match string.is_empty() {
                    true => vec![string.as_slice()],
                    false => string.chunks(255).collect(),
                })
                .collect();
            (RecordType::TXT, RData::TXT(TXT::from_bytes(chunks)))
        }
        other => panic!("the suite has a record of the type {other}"),
    })
}

/// The suite writes bytes as escapes: `\x80` is one byte.
fn bytes(text: &str) -> Vec<u8> {
    let latin: Option<Vec<u8>> = text.chars().map(|c| u8::try_from(u32::from(c)).ok()).collect();
    latin.unwrap_or_else(|| text.as_bytes().to_vec())
}

fn react(zone: &Zone, asked: &Asked<'_>) -> Reaction {
    let mut owner = asked.name();
    let mut answers = Vec::new();
    loop {
        let Some(held) = zone.get(owner.trim_end_matches('.')) else {
            return match answers.is_empty() {
                true => asked.code(ResponseCode::NXDomain),
                false => asked.answer(answers),
            };
        };
        let mut alias = None;
        let mut silent = false;
        let before = answers.len();
        for record in held {
            match record {
                None => silent = true,
                Some((kind, data)) => {
                    if *kind == asked.kind() {
                        answers.push(Record::from_rdata(name(&owner), 60, data.clone()));
                    } else if let RData::CNAME(target) = data {
                        alias = Some((target.0.to_ascii().to_lowercase(), data.clone()));
                    }
                }
            }
        }
        if silent && answers.len() == before {
            return Reaction::Nothing;
        }
        match alias {
            Some((target, data)) if answers.len() < 8 && asked.kind() != RecordType::CNAME => {
                answers.push(Record::from_rdata(name(&owner), 60, data));
                owner = target;
            }
            _ => return asked.answer(answers),
        }
    }
}

fn expected(case: &Value) -> Vec<String> {
    match &case["result"] {
        Value::Array(any) => any.iter().map(|one| one.as_str().unwrap().to_owned()).collect(),
        one => vec![one.as_str().unwrap().to_owned()],
    }
}

#[tokio::test]
async fn every_case_of_the_openspf_suite_has_the_result_it_wants() {
    let mut total = 0;
    let mut different = Vec::new();
    for scenario in suite() {
        let zone = zone(&scenario);
        let server = serve(move |asked| react(&zone, asked));
        for (case_name, case) in scenario["tests"].as_object().unwrap() {
            let asker = Asker {
                servers: vec![server],
                until: Instant::now() + Duration::from_secs(20),
                each: PATIENCE_PER_QUESTION,
            };
            let sender = Sender {
                ip: case["host"].as_str().unwrap().parse::<IpAddr>().unwrap(),
                helo: case["helo"].as_str().unwrap(),
                mail_from: case["mailfrom"].as_str().unwrap(),
            };
            let checked = check_host(&asker, sender).await.unwrap();
            let result = result_word(checked.result);
            total += 1;
            if !expected(case).iter().any(|one| one == result) {
                let wanted = expected(case).join(" or ");
                different.push((
                    case_name.clone(),
                    format!("{case_name}: {result}, wanted {wanted} ({:?})", checked.why),
                ));
            }
        }
    }
    let names: Vec<&str> = different.iter().map(|(name, _)| name.as_str()).collect();
    let told: Vec<&str> = different.iter().map(|(_, what)| what.as_str()).collect();
    assert_eq!(
        names,
        Vec::<&str>::new(),
        "{} of {total} differ:\n{}",
        told.len(),
        told.join("\n")
    );
    assert_eq!(total, 203);
}
