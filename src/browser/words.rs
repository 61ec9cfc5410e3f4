//! What browsers say, in words for people.

/// `net::ERR_CONNECTION_REFUSED` and Firefox's `NS_ERROR_CONNECTION_REFUSED` in words.
pub fn network_error(message: &str) -> String {
    let code = ["net::ERR_", "NS_ERROR_", "NS_"]
        .iter()
        .find_map(|start| message.split(start).nth(1))
        .unwrap_or_default();
    let code: String = code
        .chars()
        .take_while(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || *c == '_')
        .collect();
    let words = match code.as_str() {
        "CONNECTION_REFUSED" => "the server refused the connection",
        "CONNECTION_RESET" | "NET_RESET" => "the server reset the connection",
        "CONNECTION_CLOSED" => "the server closed the connection",
        "CONNECTION_TIMED_OUT" | "TIMED_OUT" | "NET_TIMEOUT" => "the connection timed out",
        "EMPTY_RESPONSE" | "NET_EMPTY_RESPONSE" => "the server closed the connection without an answer",
        "NAME_NOT_RESOLVED" | "UNKNOWN_HOST" => "the name does not resolve",
        "TOO_MANY_REDIRECTS" | "REDIRECT_LOOP" => "it redirects in a circle",
        "INTERNET_DISCONNECTED" | "OFFLINE" => "the browser is offline",
        "UNSAFE_REDIRECT" => "it redirects to an address that pages must not open",
        "UNSAFE_PORT" => "browsers do not open this port",
        "BLOCKED_BY_CLIENT" | "BLOCKED_BY_RESPONSE" => "the browser blocked it",
        "ABORTED" | "BINDING_ABORTED" => "it was given up",
        code if code.starts_with("CERT_") => "the certificate is not valid",
        code if code.starts_with("SSL_") => "the TLS connection failed",
        _ => "the page could not be loaded",
    };
    if code.is_empty() {
        first_line(message)
    } else {
        format!("{words} (ERR_{code})")
    }
}

/// The first line: browsers add stack traces.
pub fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().trim().to_owned()
}
