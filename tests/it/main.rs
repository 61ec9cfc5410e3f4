//! haetae as its users meet it: real sockets, real TLS, real SQLite, real Chromium. Only the
//! far ends that need the internet are played, by the demo.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod alerts;
mod apps;
mod browser;
mod cli;
mod config;
mod crash;
mod dns;
mod dns_server;
mod faults;
mod hostile;
mod http;
mod korean;
mod mail_dns;
mod oncall;
mod pages;
mod ping;
mod proxy;
mod receivers;
mod scenario;
mod secrets;
mod serve;
mod servers;
mod spf;
mod support;
mod tcp;
