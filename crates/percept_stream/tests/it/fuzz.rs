//! Damaged messages for the parsers of the live sources, by the thousand in tests and by the million in an example.
//!
//! Valid messages are damaged at random (bits, bytes, extreme lengths, cuts), joined and pushed in pieces of any size. A parser
//! that panics ends the run; one that holds more than [`MEMORY_BYTES`] is reported.

use percept_core::Seed;
use percept_core::seed::Stream;
use percept_stream::sources::{intan, numbers, open_ephys, osc, zmtp};
use rand::Rng;

/// More than any parser may hold.
pub(crate) const MEMORY_BYTES: usize = 40 << 20;

/// What happened.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Report {
    /// Messages that were damaged and pushed.
    pub(crate) n_messages: usize,
    /// What parsers made of them.
    pub(crate) n_understood: usize,
    /// What they refused.
    pub(crate) n_refused: usize,
    /// The most that one held.
    pub(crate) peak_bytes: usize,
}

/// Pushes `n` damaged messages, a quarter to each parser.
pub(crate) fn run(n: usize) -> Report {
    let mut report = Report::default();
    let (mut decoder, mut regroup, mut stream) = (ready(), open_ephys::Regroup::default(), None);
    let (mut blocks, mut parser) = (intan::Blocks::default(), numbers::Parser::default());
    for index in 0..n as u64 {
        let mut random = Seed::new(0).named("fuzz").at(index).stream();
        let which = index % 4;
        let message = damaged(which, index, &mut random);
        report.n_messages += 1;
        match which {
            0 => {
                zeromq(&message, &mut decoder, &mut regroup, &mut stream, &mut report);
                report.peak_bytes = report.peak_bytes.max(decoder.held_bytes());
            }
            1 => {
                blocks.push(&message);
                while let Some(found) = blocks.found() {
                    count(&mut report, !matches!(found, intan::Found::Skipped(_)));
                }
                report.peak_bytes = report.peak_bytes.max(blocks.held_bytes());
            }
            2 => {
                parser.push(&message);
                while let Some(numbers) = parser.numbers() {
                    count(&mut report, !matches!(numbers, numbers::Numbers::Refused(_)));
                }
                report.peak_bytes = report.peak_bytes.max(parser.held_bytes());
            }
            _ => count(&mut report, osc::parse(&message).is_ok()),
        }
    }
    report
}

fn count(report: &mut Report, is_understood: bool) {
    report.n_understood += usize::from(is_understood);
    report.n_refused += usize::from(!is_understood);
}

/// A decoder behind the handshake.
fn ready() -> zmtp::Decoder {
    let mut decoder = zmtp::Decoder::default();
    decoder.push(&zmtp::greeting());
    decoder.push(&zmtp::ready("PUB"));
    while decoder.incoming().is_ok_and(|incoming| incoming.is_some()) {}
    decoder
}

fn zeromq(
    message: &[u8],
    decoder: &mut zmtp::Decoder,
    regroup: &mut open_ephys::Regroup,
    stream: &mut Option<String>,
    report: &mut Report,
) {
    decoder.push(message);
    loop {
        match decoder.incoming() {
            Ok(None) => return,
            Ok(Some(zmtp::Incoming::Message(parts))) => {
                let mut out = Vec::new();
                let taken = open_ephys::parse(&parts, stream).and_then(|part| match part {
                    Some(part) => regroup.take(part, &mut out),
                    None => Ok(()),
                });
                count(report, taken.is_ok());
            }
            Ok(Some(_)) => {}
            // The source opens a new connection then.
            Err(_) => {
                count(report, false);
                *decoder = ready();
                return;
            }
        }
    }
}

fn frame(flags: u8, body: &[u8]) -> Vec<u8> {
    let mut bytes = vec![flags | 2];
    bytes.extend((body.len() as u64).to_be_bytes());
    bytes.extend(body);
    bytes
}

/// A valid message for the parser `which`, and then, nearly always, not valid any more.
fn damaged(which: u64, index: u64, random: &mut Stream) -> Vec<u8> {
    let mut bytes = match which {
        0 => {
            let (channel, number) = (index / 4 % 3, index / 12 * 4);
            let head = format!(
                r#"{{"type":"data","content":{{"stream":"a","channel_num":{channel},"num_samples":4,"sample_num":{number},"sample_rate":1e3}}}}"#
            );
            [frame(1, b"DATA"), frame(1, head.as_bytes()), frame(0, &[0x3f; 16])].concat()
        }
        1 => {
            let mut bytes = 0x2ef0_7a08_u32.to_le_bytes().to_vec();
            for stamp in 0..128u32 {
                bytes.extend((index as u32 / 4 * 128 + stamp).to_le_bytes());
                bytes.extend([0x12, 0x80, 0x34, 0x80]);
            }
            bytes
        }
        2 if random.random_bool(0.5) => b"1.5, -2 3e4;nan\n# rate 250\n".to_vec(),
        2 => [&b"PCPT\x02\0\x02\0\x07\0\0\0"[..], &[0x3f; 16]].concat(),
        _ => {
            let inner = [&b"/mood\0\0\0,fi\0"[..], &[0x3f; 8]].concat();
            let head = [&b"#bundle\0\0\0\0\0\0\0\0\x01"[..], &(inner.len() as u32).to_be_bytes()].concat();
            [head, inner].concat()
        }
    };
    for _ in 0..random.random_range(0..4u32) {
        damage(&mut bytes, random);
    }
    bytes
}

fn damage(bytes: &mut Vec<u8>, random: &mut Stream) {
    if bytes.is_empty() {
        return;
    }
    let at = random.random_range(0..bytes.len() as u64) as usize;
    match random.random_range(0..6u32) {
        0 | 1 => bytes[at] ^= 1 << random.random_range(0..8u32),
        2 => bytes[at] = [0, 0xff, 0x7f, 0x80][random.random_range(0..4u64) as usize],
        3 => bytes.truncate(at),
        4 => {
            let end = (at + 8).min(bytes.len());
            bytes[at..end].fill(0xff);
        }
        _ => {
            let copy = bytes[at..].to_vec();
            bytes.extend(copy);
        }
    }
}
