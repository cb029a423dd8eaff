//! ZMTP 3.0, the protocol of ZeroMQ's sockets over TCP, as far as a client of a publisher or of a replier needs it: greeting
//! without security, handshake, messages of several parts.
//!
//! Bytes are pushed as they come, in any pieces. No socket is known here, and every size is bounded before memory is taken.
//!
//! This is our own code because the crate `zeromq` brings an asynchronous runtime, and `zmq` links the C++ library.
//!
//! # References
//! <https://rfc.zeromq.org/spec/23/> (ZMTP 3.0).

/// The longest message, all parts together: a block of one channel has some kilobytes.
const MAX_MESSAGE_BYTES: usize = 16 << 20;
const MAX_PARTS: usize = 32;
const GREETING_BYTES: usize = 64;

const MORE: u8 = 1;
const LONG: u8 = 2;
const COMMAND: u8 = 4;

/// What arrived.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Incoming {
    /// The other side's greeting: the handshake is to be sent.
    Greeting,
    /// The other side's handshake: messages may follow.
    Ready,
    /// A message, part by part.
    Message(Vec<Vec<u8>>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Greeting,
    Handshake,
    Traffic,
}

/// Turns bytes into messages.
#[derive(Debug)]
pub struct Decoder {
    bytes: Vec<u8>,
    start: usize,
    stage: Stage,
    parts: Vec<Vec<u8>>,
    parts_bytes: usize,
}

impl Default for Decoder {
    fn default() -> Self {
        Self { bytes: Vec::new(), start: 0, stage: Stage::Greeting, parts: Vec::new(), parts_bytes: 0 }
    }
}

impl Decoder {
    /// Takes bytes as they come.
    pub fn push(&mut self, bytes: &[u8]) {
        self.bytes.drain(..std::mem::take(&mut self.start));
        self.bytes.extend_from_slice(bytes);
    }

    /// What has arrived whole, one after the other.
    ///
    /// # Errors
    /// What is wrong; the connection is of no use then.
    pub fn incoming(&mut self) -> Result<Option<Incoming>, String> {
        loop {
            let rest = &self.bytes[self.start..];
            if self.stage == Stage::Greeting {
                let Some(greeting) = rest.first_chunk::<GREETING_BYTES>() else {
                    // A wrong start need not wait for the rest.
                    return if rest.first().is_none_or(|&first| first == 0xff) {
                        Ok(None)
                    } else {
                        Err(not_zmtp(rest))
                    };
                };
                check_greeting(greeting)?;
                self.start += GREETING_BYTES;
                self.stage = Stage::Handshake;
                return Ok(Some(Incoming::Greeting));
            }
            let Some((flags, len, head)) = frame_head(rest)? else { return Ok(None) };
            if self.parts_bytes + len > MAX_MESSAGE_BYTES || self.parts.len() >= MAX_PARTS {
                return Err(format!("a message of more than {MAX_MESSAGE_BYTES} bytes or {MAX_PARTS} parts"));
            }
            let Some(body) = rest.get(head..head + len) else { return Ok(None) };
            let (body, is_command) = (body.to_vec(), flags & COMMAND != 0);
            self.start += head + len;
            match (self.stage, is_command) {
                (Stage::Handshake, true) if body.starts_with(b"\x05READY") => {
                    self.stage = Stage::Traffic;
                    return Ok(Some(Incoming::Ready));
                }
                (Stage::Handshake, _) => return Err(format!("`{}` in place of READY", shown(&body))),
                (_, true) if body.starts_with(b"\x05ERROR") => {
                    return Err(format!("the error `{}`", shown(&body[6..])));
                }
                // Commands of later versions; we said that we speak 3.0.
                (_, true) => {}
                (_, false) => {
                    self.parts_bytes += len;
                    self.parts.push(body);
                    if flags & MORE == 0 {
                        self.parts_bytes = 0;
                        return Ok(Some(Incoming::Message(std::mem::take(&mut self.parts))));
                    }
                }
            }
        }
    }

    /// Bytes held: never more than one message and what was pushed last.
    pub fn held_bytes(&self) -> usize {
        self.bytes.len() + self.parts_bytes
    }
}

fn not_zmtp(bytes: &[u8]) -> String {
    format!("`{}` is no greeting of ZeroMQ", shown(bytes))
}

fn shown(bytes: &[u8]) -> String {
    bytes[..bytes.len().min(24)].escape_ascii().to_string()
}

fn check_greeting(greeting: &[u8; GREETING_BYTES]) -> Result<(), String> {
    if greeting[0] != 0xff || greeting[9] != 0x7f {
        return Err(not_zmtp(greeting));
    }
    if greeting[10] < 3 {
        return Err(format!("version {} of ZMTP, not 3", greeting[10]));
    }
    let mechanism = greeting[12..32].split(|&byte| byte == 0).next().unwrap_or_default();
    if mechanism == b"NULL" { Ok(()) } else { Err(format!("the mechanism `{}`, not `NULL`", shown(mechanism))) }
}

/// Flags and length of a frame, and the bytes before its body; `None` if they are not all there.
fn frame_head(bytes: &[u8]) -> Result<Option<(u8, usize, usize)>, String> {
    let Some((&flags, rest)) = bytes.split_first() else { return Ok(None) };
    if flags & !(MORE | LONG | COMMAND) != 0 || (flags & COMMAND != 0 && flags & MORE != 0) {
        return Err(format!("the frame flags {flags:#04x}"));
    }
    if flags & LONG == 0 {
        return Ok(rest.first().map(|&len| (flags, usize::from(len), 2)));
    }
    let Some(len) = rest.first_chunk::<8>() else { return Ok(None) };
    let len = u64::from_be_bytes(*len);
    match usize::try_from(len).ok().filter(|&len| len <= MAX_MESSAGE_BYTES) {
        Some(len) => Ok(Some((flags, len, 9))),
        None => Err(format!("a frame of {len} bytes")),
    }
}

/// Our greeting: version 3.0, no security, a client.
pub fn greeting() -> [u8; GREETING_BYTES] {
    let mut bytes = [0; GREETING_BYTES];
    bytes[0] = 0xff;
    bytes[9] = 0x7f;
    bytes[10] = 3;
    bytes[12..16].copy_from_slice(b"NULL");
    bytes
}

/// Our handshake as a socket of the type `kind`, such as `SUB`.
pub fn ready(kind: &str) -> Vec<u8> {
    let mut body = b"\x05READY".to_vec();
    for (name, value) in [("Socket-Type", kind), ("Identity", "")] {
        body.push(name.len() as u8);
        body.extend_from_slice(name.as_bytes());
        body.extend_from_slice(&(value.len() as u32).to_be_bytes());
        body.extend_from_slice(value.as_bytes());
    }
    let mut frame = vec![COMMAND, body.len() as u8];
    frame.extend_from_slice(&body);
    frame
}

/// The subscription to everything.
pub fn subscribe_all() -> [u8; 3] {
    // A message of one byte, 1, and an empty prefix.
    [0, 1, 1]
}

/// A request of one part, behind the empty part that repliers expect.
pub fn request(text: &[u8]) -> Vec<u8> {
    let mut out = vec![MORE, 0];
    if let Ok(len) = u8::try_from(text.len()) {
        out.extend_from_slice(&[0, len]);
    } else {
        out.push(LONG);
        out.extend_from_slice(&(text.len() as u64).to_be_bytes());
    }
    out.extend_from_slice(text);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(decoder: &mut Decoder) -> Vec<Incoming> {
        std::iter::from_fn(|| decoder.incoming().expect("valid")).collect()
    }

    #[test]
    fn bytes_in_any_pieces_are_the_same_messages() {
        let mut bytes = greeting().to_vec();
        bytes.extend(ready("PUB"));
        bytes.extend([MORE, 4]);
        bytes.extend(b"DATA");
        bytes.extend([LONG, 0, 0, 0, 0, 0, 0, 1, 44]);
        bytes.extend([7; 300]);
        bytes.extend(request(b"x"));
        let mut whole = Decoder::default();
        whole.push(&bytes);
        let expected = all(&mut whole);
        assert_eq!(expected.len(), 4);
        assert_eq!(expected[2], Incoming::Message(vec![b"DATA".to_vec(), vec![7; 300]]));
        assert_eq!(expected[3], Incoming::Message(vec![vec![], b"x".to_vec()]));
        for step in [1, 3, 64] {
            let mut decoder = Decoder::default();
            let mut got = Vec::new();
            for piece in bytes.chunks(step) {
                decoder.push(piece);
                got.extend(all(&mut decoder));
            }
            assert_eq!(got, expected, "pieces of {step}");
        }
    }

    #[test]
    fn what_is_no_zmtp_is_refused_with_words() {
        let refuse = |bytes: &[u8]| {
            let mut decoder = Decoder::default();
            decoder.push(bytes);
            loop {
                match decoder.incoming() {
                    Ok(Some(_)) => {}
                    other => return other.expect_err("refused"),
                }
            }
        };
        assert!(refuse(b"HTTP/1.1 200 OK").contains("no greeting"));
        let mut old = greeting();
        old[10] = 1;
        assert!(refuse(&old).contains("version 1"));
        let mut secure = greeting();
        secure[12..17].copy_from_slice(b"CURVE");
        assert!(refuse(&secure).contains("CURVE"));
        let mut long = greeting().to_vec();
        long.extend(ready("PUB"));
        long.extend([LONG, 0xff, 0, 0, 0, 0, 0, 0, 0]);
        assert!(refuse(&long).contains("a frame of"));
    }
}
