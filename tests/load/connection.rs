//! A keep-alive connection of a load client: one request, one reply, minimal CPU.
//!
//! The clients share the machine with the service, so their CPU is missing there. They implement only the parts of
//! HTTP that these requests need, and read only the status and the body of a reply.

use anyhow::{Context, Result, bail};
use httparse::{EMPTY_HEADER, Response, Status};
use std::io::Write;
use std::net::SocketAddr;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Most headers of a reply.
const HEADERS: usize = 32;

/// A connection to the service.
#[derive(Debug)]
pub struct Connection {
    stream: TcpStream,
    written: Vec<u8>,
    read: Vec<u8>,
}

impl Connection {
    pub async fn to(address: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(address).await.context("the service takes no connection")?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, written: Vec::new(), read: Vec::new() })
    }

    /// Sends a request below the API's prefix, a `POST` if it has a body; gives the reply's status and body.
    pub async fn call(&mut self, path: &str, body: Option<&str>) -> Result<(u16, &[u8])> {
        let method = if body.is_some() { "POST" } else { "GET" };
        self.written.clear();
        write!(self.written, "{method} /api/adaptive{path} HTTP/1.1\r\nhost: localhost\r\n")?;
        match body {
            Some(body) => {
                let length = body.len();
                let head = format_args!("content-type: application/json\r\ncontent-length: {length}\r\n\r\n");
                write!(self.written, "{head}{body}")?;
            }
            None => self.written.extend_from_slice(b"\r\n"),
        }
        self.stream.write_all(&self.written).await?;
        self.read.clear();
        loop {
            if self.stream.read_buf(&mut self.read).await? == 0 {
                bail!("{path}: the service hung up");
            }
            if let Some((status, at)) = whole(&self.read)? {
                return Ok((status, &self.read[at..]));
            }
        }
    }
}

/// The status of a reply and where its body begins, once it is there to its end.
fn whole(read: &[u8]) -> Result<Option<(u16, usize)>> {
    let mut headers = [EMPTY_HEADER; HEADERS];
    let mut reply = Response::new(&mut headers);
    let Status::Complete(at) = reply.parse(read)? else { return Ok(None) };
    let status = reply.code.context("a reply has a status")?;
    let length = reply.headers.iter().find(|header| header.name.eq_ignore_ascii_case("content-length"));
    let length: usize = str::from_utf8(length.context("a reply has a length")?.value)?.parse()?;
    Ok((read.len() >= at + length).then_some((status, at)))
}
