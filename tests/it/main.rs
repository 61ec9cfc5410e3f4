//! haetae as its users meet it: real sockets, real TLS, real SQLite, real Chromium. Only the
//! far ends that need the internet are played, by the demo.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod access;
mod alerts;
mod apps;
mod browser;
mod cli;
mod config;
mod crash;
mod faults;
mod grpc;
mod hostile;
mod http;
mod korean;
mod oncall;
mod openapi;
mod pages;
mod peers;
mod proxy;
mod receivers;
mod scenario;
mod secrets;
mod serve;
mod servers;
mod smtp;
mod support;
mod tcp;
mod thresholds;
mod tls;
mod trigger;
mod udp;
mod websocket;
