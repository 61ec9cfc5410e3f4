//! haetae as its users meet it: real sockets, real TLS, real SQLite, real Chromium. Only the
//! far ends that need the internet are played, by the demo.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod access;
mod alerts;
mod apps;
mod browser;
mod cli;
mod command;
mod config;
mod crash;
mod dns;
mod domain;
mod dns_server;
mod faults;
mod grid;
mod grpc;
mod heartbeat;
mod host;
mod hostile;
mod http;
mod import;
mod jenkins;
mod jsonpath;
mod korean;
mod mail_dns;
mod metrics;
mod oncall;
mod openapi;
mod otel;
mod pages;
mod peers;
mod ping;
mod prometheus;
mod proxy;
mod receivers;
mod redis;
mod run;
mod scenario;
mod secrets;
mod serve;
mod servers;
mod smtp;
mod spf;
mod sql;
mod support;
mod tcp;
mod thresholds;
mod tls;
mod trigger;
mod udp;
mod websocket;
