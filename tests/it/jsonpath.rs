//! JSONPath by the compliance suite of RFC 9535 (github.com/jsonpath-standard).

use serde_json::Value;
use serde_json_path::JsonPath;

/// How many cases the suite has, so that none is lost on the way.
const CASES: usize = 703;
/// Cases that the library in use gets wrong, by name.
const KNOWN: &[&str] = &[];

fn holds(case: &Value) -> bool {
    let parsed = JsonPath::parse(case["selector"].as_str().unwrap());
    if case["invalid_selector"] == true {
        return parsed.is_err();
    }
    let Ok(path) = parsed else { return false };
    let found: Vec<Value> = path.query(&case["document"]).all().into_iter().cloned().collect();
    let found = Value::Array(found);
    match case.get("result") {
        Some(wanted) => *wanted == found,
        // Where the order is free, any of these.
        None => case["results"].as_array().unwrap().contains(&found),
    }
}

#[test]
fn jsonpath_is_that_of_rfc_9535() {
    let suite = include_str!("../data/jsonpath/cts.json");
    let suite: Value = serde_json::from_str(suite).unwrap();
    let cases = suite["tests"].as_array().unwrap();
    assert_eq!(cases.len(), CASES);
    let wrong: Vec<&str> = cases
        .iter()
        .filter(|case| !holds(case))
        .map(|case| case["name"].as_str().unwrap())
        .collect();
    assert_eq!(wrong, KNOWN);
}
