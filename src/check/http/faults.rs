//! What it means that an exchange failed.

use std::error::Error as StdError;
use std::io;

use crate::check::net::fault::{Fault, FaultError, Side};

/// A request that got no answer. `proxy` is what it went through.
pub fn no_answer(error: reqwest::Error, address: &str, proxy: Option<&str>) -> Fault {
    // The URL may hold a secret, and says nothing new.
    let error = error.without_url();
    if let Some(proxy) = proxy.filter(|_| error.is_connect()) {
        return through_proxy(&error, address, proxy);
    }
    if let Some(fault) = Fault::from_chain(&error, address) {
        return fault;
    }
    if error.is_timeout() {
        return Fault::passing(format!("the connection to {address} timed out"));
    }
    if error.is_builder() {
        return Fault::ours(format!("the request cannot be made: {}", root_cause(&error)));
    }
    let cause = root_cause(&error);
    match find::<hyper::Error>(&error) {
        Some(hyper) if hyper.is_parse_too_large() => {
            Fault::lasting(format!("the headers of {address}'s answer have no end"))
        }
        Some(hyper) if hyper.is_incomplete_message() => {
            Fault::passing(format!("{address} closed the connection before it answered"))
        }
        Some(hyper) if hyper.is_canceled() || hyper.is_closed() => Fault::passing(format!(
            "{address} closed the connection before it was asked, or does not speak HTTP here ({cause})"
        )),
        Some(hyper) if hyper.is_parse() => Fault::lasting(format!(
            "{address} does not speak HTTP here ({cause}): a TLS port, or another protocol?"
        )),
        // Hyper's own word, without a deeper cause: what came was no answer to the request.
        Some(hyper) if hyper.source().is_none() => Fault::passing(format!(
            "{address} does not answer as HTTP wants it ({cause}): another protocol?"
        )),
        _ => Fault::passing(format!("the exchange with {address} failed: {cause}")),
    }
}

/// Between us and the proxy, or between the proxy and the target?
fn through_proxy(error: &reqwest::Error, address: &str, proxy: &str) -> Fault {
    let place = format!("the proxy {proxy}");
    let Some(fault) = Fault::from_chain(error, &place) else {
        return Fault::passing(format!(
            "{place} makes no connection to {address}: {}",
            root_cause(error)
        ));
    };
    if find::<rustls::Error>(error).is_some() {
        return Fault {
            what: format!("{address}, through {place}: {}", fault.what),
            ..fault
        };
    }
    if find::<FaultError>(error).is_some() {
        return fault;
    }
    // The only connection that is made from here is the one to the proxy.
    Fault {
        side: Side::Ours,
        ..fault
    }
}

/// A body that ended before its end; `had` bytes of it had come, unpacked.
pub fn half_an_answer(error: reqwest::Error, address: &str, had: usize) -> Fault {
    let error = error.without_url();
    let cut = find::<hyper::Error>(&error).is_some();
    if !cut && find::<io::Error>(&error).is_some() {
        return Fault::lasting(format!(
            "the answer of {address} is not packed as its Content-Encoding says, or is damaged: {}",
            root_cause(&error)
        ));
    }
    let fault = Fault::from_chain(&error, address).unwrap_or_else(|| {
        Fault::passing(format!(
            "the answer of {address} broke off: {}",
            root_cause(&error)
        ))
    });
    Fault {
        what: format!("{} (after {had} bytes of the body)", fault.what),
        ..fault
    }
}

/// The error of this type in a chain of them. An `io::Error` may carry one inside without
/// naming it as its source.
fn find<'e, T: StdError + 'static>(error: &'e (dyn StdError + 'static)) -> Option<&'e T> {
    let mut link = Some(error);
    while let Some(current) = link {
        if let Some(found) = current.downcast_ref::<T>() {
            return Some(found);
        }
        let inner = current.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        if let Some(found) = inner.and_then(|inner| find::<T>(inner)) {
            return Some(found);
        }
        link = current.source();
    }
    None
}

/// The innermost cause in its own words.
pub fn root_cause(error: &dyn StdError) -> String {
    let mut cause = error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    cause.to_string()
}
