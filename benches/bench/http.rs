//! Requests and answers of HTTP, with as little work as the load generator can get by with.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};

/// An answer that is there as a whole.
pub(crate) struct Answer<'a> {
    pub(crate) status: u16,
    pub(crate) replayed: bool,
    pub(crate) body: &'a [u8],
    /// Of head and body together.
    pub(crate) length: usize,
}

/// Reads an answer off the front of `input`, if it is there as a whole.
pub(crate) fn answer(input: &[u8]) -> Option<Answer<'_>> {
    let mut headers = [httparse::EMPTY_HEADER; 32];
    let mut response = httparse::Response::new(&mut headers);
    let head = match response.parse(input).expect("an answer of HTTP") {
        httparse::Status::Complete(head) => head,
        httparse::Status::Partial => return None,
    };
    let named = |name: &str| {
        let found = response.headers.iter().find(|header| header.name.eq_ignore_ascii_case(name))?;
        std::str::from_utf8(found.value).ok()
    };
    let body: usize = named("content-length").expect("its length").parse().expect("its length");
    let replayed = named("idempotent-replayed").is_some();
    let status = response.code.expect("a status");
    let length = head + body;
    Some(Answer { status, replayed, body: input.get(head..length)?, length })
}

/// Puts a request into `out`; `headers` are lines with their ends.
pub(crate) fn request(out: &mut Vec<u8>, method: &str, path: &str, headers: &str, body: &[u8]) {
    write!(out, "{method} {path} HTTP/1.1\r\nHost: bench\r\n{headers}Content-Length: {}\r\n\r\n", body.len())
        .expect("memory");
    out.extend_from_slice(body);
}

/// A connection for what is asked beside the loads, one request after the other.
pub(crate) struct Caller {
    stream: TcpStream,
    key: String,
}

impl Caller {
    pub(crate) fn new(address: SocketAddr, key: &str) -> Self {
        let stream = TcpStream::connect(address).expect("a connection");
        stream.set_nodelay(true).expect("a connection");
        Self { stream, key: format!("Authorization: Bearer {key}\r\n") }
    }

    /// The status and body of an answer; `headers` come after the key.
    pub(crate) fn call(&mut self, method: &str, path: &str, headers: &str, body: &[u8]) -> (u16, Vec<u8>) {
        let mut out = Vec::with_capacity(body.len() + 512);
        request(&mut out, method, path, &format!("{}{headers}", self.key), body);
        self.stream.write_all(&out).expect("the server takes a request");
        let mut input = Vec::with_capacity(64 * 1024);
        let mut part = vec![0; 64 * 1024];
        loop {
            let read = self.stream.read(&mut part).expect("the server answers");
            assert!(read > 0, "the server hung up at {method} {path}");
            input.extend_from_slice(&part[..read]);
            if let Some(answer) = answer(&input) {
                return (answer.status, answer.body.to_vec());
            }
        }
    }

    /// The JSON of an answer that must be a good one.
    pub(crate) fn json(&mut self, method: &str, path: &str, headers: &str, body: &[u8]) -> serde_json::Value {
        let (status, body) = self.call(method, path, headers, body);
        let text = String::from_utf8_lossy(&body);
        assert!(matches!(status, 200 | 201), "{method} {path}: {status} {text}");
        serde_json::from_slice(&body).expect("JSON")
    }
}
