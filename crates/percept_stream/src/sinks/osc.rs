//! Numbers of a stream as OSC messages over UDP, for TouchDesigner, Max and lights (Open Sound Control 1.0).
//!
//! `/percept/frame` (int32 frame, int32 sample), `/percept/value/NAME` (float32) for every value of the state and
//! `/percept/prompt/N` (float32) for the weight of each prompt, with every picture. Lost datagrams are nobody's trouble.

use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;

use crate::engine::{Picture, Sink};
use crate::error::{Result, StreamError};

/// Sends numbers.
pub struct OscOut {
    socket: UdpSocket,
    to: SocketAddr,
}

impl OscOut {
    /// Messages to `to`.
    ///
    /// # Errors
    /// When the system gives no socket.
    pub fn new(to: SocketAddr) -> Result<Self> {
        let any: SocketAddr = if to.is_ipv4() { ([0, 0, 0, 0], 0).into() } else { ([0u16; 8], 0).into() };
        let socket = UdpSocket::bind(any).map_err(|error| StreamError::System { what: "a socket for OSC", error })?;
        Ok(Self { socket, to })
    }

    fn send(&self, message: &[u8]) {
        let _ = self.socket.send_to(message, self.to);
    }
}

impl Sink for OscOut {
    fn picture(&mut self, picture: &Arc<Picture>) -> Result<()> {
        let frame = &picture.frame;
        let whole = |n: u64| (n & 0x7fff_ffff) as i32;
        self.send(&message(
            "/percept/frame",
            "ii",
            &[whole(frame.frame_idx).to_be_bytes(), whole(frame.sample_idx).to_be_bytes()],
        ));
        for (name, value) in &frame.state.values {
            let address = format!("/percept/value/{}", name.trim_start_matches('/'));
            self.send(&message(&address, "f", &[(*value as f32).to_be_bytes()]));
        }
        for (i, weight) in frame.state.weights.iter().enumerate() {
            self.send(&message(&format!("/percept/prompt/{i}"), "f", &[weight.to_be_bytes()]));
        }
        Ok(())
    }
}

/// A message: address, types, arguments; texts are filled with zeros to four bytes.
fn message(address: &str, types: &str, arguments: &[[u8; 4]]) -> Vec<u8> {
    let mut out = Vec::new();
    for text in [address.to_owned(), format!(",{types}")] {
        out.extend_from_slice(text.as_bytes());
        let zeros = 4 - text.len() % 4;
        out.extend(std::iter::repeat_n(0, zeros));
    }
    for argument in arguments {
        out.extend_from_slice(argument);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_that_of_the_specification() {
        // The example of OSC 1.0: 440.0 to an oscillator.
        let expected = b"/oscillator/4/frequency\0,f\0\0\x43\xdc\0\0";
        assert_eq!(message("/oscillator/4/frequency", "f", &[440f32.to_be_bytes()]), expected);
    }
}
