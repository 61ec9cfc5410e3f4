//! A DNS server of the tests' own, over UDP and TCP on one port: it answers from a closure, and
//! misbehaves where it is told to.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use hickory_proto::op::{Message, MessageType, ResponseCode};
use hickory_proto::rr::{Name, RData, Record, RecordType};

/// What the server does with one question.
#[derive(Debug, Clone)]
pub enum Reaction {
    /// Answers with this message, its id set.
    Answer(Box<Message>),
    /// Sends these bytes as they are; behind the question's id when the first is true.
    Raw(bool, Vec<u8>),
    /// Says nothing; over TCP it closes the connection.
    Nothing,
    /// Says nothing and keeps the connection.
    Silence,
}

/// One question as the server sees it.
pub struct Asked<'m> {
    pub message: &'m Message,
    pub over_tcp: bool,
    /// How many came before.
    pub nth: usize,
}

impl Asked<'_> {
    pub fn name(&self) -> String {
        let labels = self.message.queries[0].name().iter();
        let owned: Vec<String> = labels
            .map(|label| String::from_utf8_lossy(label).to_lowercase() + ".")
            .collect();
        owned.concat()
    }

    pub fn kind(&self) -> RecordType {
        self.message.queries[0].query_type()
    }

    /// An answer with these records.
    pub fn answer(&self, records: Vec<Record>) -> Reaction {
        let mut message = self.reply(ResponseCode::NoError);
        message.add_answers(records);
        Reaction::Answer(Box::new(message))
    }

    /// An answer without records.
    pub fn code(&self, code: ResponseCode) -> Reaction {
        Reaction::Answer(Box::new(self.reply(code)))
    }

    pub fn reply(&self, code: ResponseCode) -> Message {
        let asked = &self.message.metadata;
        let mut message = Message::new(asked.id, MessageType::Response, asked.op_code);
        message.metadata.response_code = code;
        message.metadata.recursion_desired = true;
        message.metadata.recursion_available = true;
        message.add_query(self.message.queries[0].clone());
        message
    }
}

pub fn name(text: &str) -> Name {
    // Label by label: DNS allows more in them than the library's reader does.
    let labels = text.split('.').filter(|label| !label.is_empty());
    let mut name = Name::from_labels(labels.map(str::as_bytes)).unwrap();
    name.set_fqdn(true);
    name
}

pub fn record(owner: &str, data: RData) -> Record {
    Record::from_rdata(name(owner), 300, data)
}

pub fn a(owner: &str, address: &str) -> Record {
    let address: Ipv4Addr = address.parse().unwrap();
    record(owner, RData::A(address.into()))
}

pub fn serve(react: impl Fn(&Asked<'_>) -> Reaction + Send + Sync + 'static) -> SocketAddr {
    let (udp, tcp) = sockets();
    let address = udp.local_addr().unwrap();
    let react = Arc::new(react);
    let count = Arc::new(AtomicUsize::new(0));
    let (react_tcp, count_tcp) = (Arc::clone(&react), Arc::clone(&count));
    thread::spawn(move || {
        let mut buffer = [0; 4096];
        while let Ok((length, from)) = udp.recv_from(&mut buffer) {
            let nth = count.fetch_add(1, Ordering::SeqCst);
            if let Some(bytes) = bytes_of(&buffer[..length], false, nth, &*react).0 {
                let _ = udp.send_to(&bytes, from);
            }
        }
    });
    thread::spawn(move || {
        for stream in tcp.incoming().flatten() {
            let nth = count_tcp.fetch_add(1, Ordering::SeqCst);
            let react = Arc::clone(&react_tcp);
            thread::spawn(move || talk(stream, nth, &*react));
        }
    });
    address
}

fn talk(mut stream: TcpStream, nth: usize, react: &(dyn Fn(&Asked<'_>) -> Reaction + Send + Sync)) {
    let _ = stream.set_read_timeout(Some(Duration::from_secs(20)));
    let mut length = [0; 2];
    while stream.read_exact(&mut length).is_ok() {
        let mut question = vec![0; usize::from(u16::from_be_bytes(length))];
        if stream.read_exact(&mut question).is_err() {
            return;
        }
        match bytes_of(&question, true, nth, react) {
            (Some(bytes), _) => {
                let length = u16::try_from(bytes.len()).unwrap().to_be_bytes();
                let _ = stream.write_all(&[&length, bytes.as_slice()].concat());
            }
            (None, true) => {}
            (None, false) => return,
        }
    }
}

/// What goes out, and whether a connection stays open without it.
fn bytes_of(
    question: &[u8],
    over_tcp: bool,
    nth: usize,
    react: &(dyn Fn(&Asked<'_>) -> Reaction + Send + Sync),
) -> (Option<Vec<u8>>, bool) {
    let message = Message::from_vec(question).unwrap();
    let id = message.metadata.id;
    let asked = Asked {
        message: &message,
        over_tcp,
        nth,
    };
    match react(&asked) {
        Reaction::Answer(mut answer) => {
            answer.metadata.id = id;
            let bytes = answer.to_vec().unwrap();
            if !over_tcp && bytes.len() > 1_232 {
                let mut short = answer.truncate();
                short.metadata.id = id;
                return (Some(short.to_vec().unwrap()), true);
            }
            (Some(bytes), true)
        }
        Reaction::Raw(true, rest) => (Some([&id.to_be_bytes(), rest.as_slice()].concat()), true),
        Reaction::Raw(false, bytes) => (Some(bytes), true),
        Reaction::Nothing => (None, false),
        Reaction::Silence => (None, true),
    }
}

fn sockets() -> (UdpSocket, TcpListener) {
    for _ in 0..50 {
        let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
        if let Ok(tcp) = TcpListener::bind(udp.local_addr().unwrap()) {
            return (udp, tcp);
        }
    }
    panic!("no port is free for both UDP and TCP");
}
