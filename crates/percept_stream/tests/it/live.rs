//! Live sources against what independent programs sent: recorded from pyzmq and python-osc, built as Intan describes.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use percept_stream::sources::{SourceWord, open_live};
use percept_stream::{Event, Source, SourceFacts};

/// Far more than any step takes; a source that never says what is awaited fails the test then.
const PATIENCE: Duration = Duration::from_secs(30);

fn fixture(name: &str) -> Vec<u8> {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/live").join(name);
    std::fs::read(path).expect("the fixture")
}

fn open(word: &str, rate_hz: Option<f64>) -> Box<dyn Source> {
    open_live(&SourceWord::parse(word).expect("a word"), rate_hz).expect("opened")
}

/// Events until one is `wanted`, which is the last.
fn until(source: &mut dyn Source, wanted: impl Fn(&Event) -> bool) -> Vec<Event> {
    let started = Instant::now();
    let mut events = Vec::new();
    while !events.last().is_some_and(&wanted) {
        assert!(started.elapsed() < PATIENCE, "awaited in vain after {} events: {:?}", events.len(), events.last());
        events.extend(source.next(Duration::from_millis(20)).expect("the source goes on"));
    }
    events
}

fn is_lost(event: &Event) -> bool {
    matches!(event, Event::Lost(_))
}

fn facts(events: &[Event]) -> Vec<&SourceFacts> {
    events.iter().filter_map(|event| if let Event::Facts(facts) = event { Some(facts) } else { None }).collect()
}

/// Number of the first sample, and shape.
fn blocks(events: &[Event]) -> Vec<(u64, (usize, usize))> {
    let block =
        |event: &Event| if let Event::Samples(b) = event { Some((b.first_sample, b.samples.dim())) } else { None };
    events.iter().filter_map(block).collect()
}

/// A server that plays one answer to each connection, after it heard something where `waits`, and then closes it.
fn server(answers: Vec<Vec<u8>>, waits: bool) -> (u16, JoinHandle<()>) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    let port = listener.local_addr().expect("an address").port();
    let play = move || {
        for answer in answers {
            let (mut client, _) = listener.accept().expect("a client");
            if waits {
                client.read_exact(&mut [0; 1]).expect("a greeting");
            }
            // In pieces that fit no border.
            for piece in answer.chunks(1777) {
                if client.write_all(piece).is_err() {
                    break;
                }
            }
            // The client's words are taken, so that closing does not destroy what it has not read yet.
            let _ = client.shutdown(std::net::Shutdown::Write);
            let _ = client.read_to_end(&mut Vec::new());
        }
    };
    (port, std::thread::spawn(play))
}

#[test]
fn open_ephys_as_pyzmq_sends_it_with_losses_changes_and_a_return() {
    let recorded = fixture("open_ephys.bin");
    let garbage = b"HTTP/1.1 200 OK\r\n\r\n".to_vec();
    let (port, server) = server(vec![recorded.clone(), garbage, recorded], true);
    let mut source = open(&format!("openephys:127.0.0.1:{port}"), None);
    let events = until(source.as_mut(), is_lost);
    let said = facts(&events);
    assert_eq!((said[0].channels.len(), said[0].rate_hz, said[0].channels[2].unit.as_str()), (3, 1000.0, "V"));
    assert!(said[0].name.ends_with("stream Rhythm"), "{}", said[0].name);
    assert_eq!(said[1].channels.len(), 2);
    // The block that began when the set was not known yet is lost, and that of which a channel is missing.
    let blocks = blocks(&events);
    let first: Vec<u64> = blocks.iter().map(|block| block.0).collect();
    let gaps: Vec<&Event> = events.iter().filter(|event| matches!(event, Event::Gap(_))).collect();
    assert_eq!(first[..3], [0, 16, 32]);
    assert_eq!(gaps[..2], [&Event::Gap(Some(16)), &Event::Gap(Some(48))]);
    assert!(events.iter().any(|event| matches!(event, Event::Refused(words) if words.contains("only 2 channels"))));
    for event in &events {
        let Event::Samples(block) = event else { continue };
        for ((row, channel), &value) in block.samples.indexed_iter() {
            // The second block was the first that was whole.
            let number = (5016 + block.first_sample + row as u64) as f64;
            let expected = (100.0 * (channel as f64 + 1.0) + (number / 7.0 + channel as f64).sin() * 50.0) * 1e-6;
            assert!((value - expected).abs() < 1e-10, "{row} {channel}: {value} {expected}");
        }
    }
    // Garbage is refused, and when the true program is there again, it goes on.
    let events = until(source.as_mut(), |event| *event == Event::Back);
    assert!(
        events.iter().any(|event| matches!(event, Event::Refused(words) if words.contains("no greeting"))),
        "{events:?}"
    );
    let events = until(source.as_mut(), is_lost);
    assert!(self::blocks(&events).len() > 20);
    drop(source);
    server.join().expect("the server ends");
}

#[test]
fn intan_as_described_with_garbage_and_another_number_of_channels() {
    let recorded = fixture("intan.bin");
    let (port, server) = server(vec![recorded.clone(), recorded], false);
    let mut source = open(&format!("intan:127.0.0.1:{port}"), Some(20_000.0));
    let events = until(source.as_mut(), is_lost);
    let said = facts(&events);
    assert_eq!(said.iter().map(|f| f.channels.len()).collect::<Vec<_>>(), [3, 5]);
    assert_eq!(said[0].rate_hz, 20_000.0);
    let refused = events.iter().filter(|event| matches!(event, Event::Refused(_))).count();
    assert!(refused >= 1, "{refused}");
    let all = blocks(&events);
    assert_eq!(all.iter().map(|block| block.0 / 128).collect::<Vec<_>>(), (0..12).collect::<Vec<u64>>());
    for event in &events {
        let Event::Samples(block) = event else { continue };
        for ((row, channel), &value) in block.samples.indexed_iter() {
            let stamp = 1280 + block.first_sample + row as u64;
            let counts = 1000.0 * (channel as f64 + 1.0) + (stamp % 100) as f64;
            assert!((value - counts * 0.195e-6).abs() < 1e-12);
        }
    }
    let events = until(source.as_mut(), |event| *event == Event::Back);
    assert!(!events.is_empty());
    let events = until(source.as_mut(), is_lost);
    assert!(events.contains(&Event::Gap(None)) || !blocks(&events).is_empty());
    drop(source);
    server.join().expect("the server ends");
}

/// A port that was free a moment ago.
fn free_port(udp: bool) -> u16 {
    let address = (Ipv4Addr::LOCALHOST, 0);
    let address: SocketAddr = if udp {
        UdpSocket::bind(address).and_then(|socket| socket.local_addr()).expect("a free port")
    } else {
        TcpListener::bind(address).and_then(|socket| socket.local_addr()).expect("a free port")
    };
    address.port()
}

#[test]
fn osc_of_python_osc_gives_samples_and_values() {
    let port = free_port(true);
    let mut source = open(&format!("osc:{port}"), None);
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a socket");
    let recorded = fixture("osc.bin");
    let mut rest = recorded.as_slice();
    while let Some((len, after)) = rest.split_first_chunk::<4>() {
        let (datagram, after) = after.split_at(u32::from_le_bytes(*len) as usize);
        socket.send_to(datagram, (Ipv4Addr::LOCALHOST, port)).expect("sent");
        socket.send_to(b"garbage", (Ipv4Addr::LOCALHOST, port)).expect("sent");
        rest = after;
    }
    let events = until(source.as_mut(), |event| *event == Event::Value("mood".into(), 0.75));
    // What was collected of samples comes after the values of the same reading.
    let mut events = events;
    while blocks(&events).iter().map(|block| block.1.0).sum::<usize>() < 21 {
        events.extend(until(source.as_mut(), |_| true));
    }
    assert_eq!(facts(&events)[0].rate_hz, 200.0);
    let rows: Vec<Vec<f64>> = events
        .iter()
        .filter_map(|event| if let Event::Samples(block) = event { Some(&block.samples) } else { None })
        .flat_map(|samples| samples.rows().into_iter().map(|row| row.to_vec()).collect::<Vec<_>>())
        .collect();
    assert_eq!(rows, (0..21).map(|i| vec![f64::from(i), 0.5 * f64::from(i), -1.25]).collect::<Vec<_>>());
    let value = |name: &str, value| events.contains(&Event::Value(name.to_owned(), value));
    assert!(value("mood", 0.25) && value("hand/0", 1.0) && value("hand/1", 2.5) && value("hand/2", 1.0));
    assert!(events.iter().any(|event| matches!(event, Event::Refused(_))));
}

#[test]
fn numbers_by_udp_and_tcp_with_a_sender_that_goes_and_returns() {
    let port = free_port(true);
    let mut source = open(&format!("udp:{port}"), Some(100.0));
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a socket");
    for datagram in ["1 2\n3 4", "oops", "5,6"] {
        socket.send_to(datagram.as_bytes(), (Ipv4Addr::LOCALHOST, port)).expect("sent");
    }
    let mut n_rows = 0;
    let mut refused = 0;
    while n_rows < 3 || refused < 1 {
        let events = until(source.as_mut(), |event| matches!(event, Event::Samples(_) | Event::Refused(_)));
        n_rows += blocks(&events).iter().map(|block| block.1.0).sum::<usize>();
        refused += events.iter().filter(|event| matches!(event, Event::Refused(_))).count();
    }
    let port = free_port(false);
    let mut source = open(&format!("tcp:{port}"), None);
    let connect = || TcpStream::connect((Ipv4Addr::LOCALHOST, port)).expect("connected");
    let mut client = connect();
    client.write_all(b"# rate 250\n# names left,right\n1 2\n3 4\n").expect("sent");
    drop(client);
    let events = until(source.as_mut(), is_lost);
    let said = facts(&events)[0];
    assert_eq!((said.rate_hz, said.channels[1].name.as_str()), (250.0, "right"));
    assert_eq!(blocks(&events).iter().map(|block| block.1.0).sum::<usize>(), 2);
    let mut client = connect();
    client.write_all(b"PCPT\x03\0\x02\0\x0a\0\0\0").expect("sent");
    client.write_all(&[0; 24]).expect("sent");
    let events = until(source.as_mut(), |event| matches!(event, Event::Samples(_)));
    assert!(events.contains(&Event::Back));
    assert_eq!(facts(&events)[0].channels.len(), 3);
    assert_eq!(blocks(&events), [(10, (2, 3))]);
}

#[test]
fn a_silent_source_is_lost_and_a_port_in_use_is_said() {
    let port = free_port(true);
    let mut source = open(&format!("udp:{port}"), Some(100.0));
    let events = until(source.as_mut(), is_lost);
    assert!(matches!(&events[..], [Event::Lost(words)] if words.contains("no samples")), "{events:?}");
    let word = SourceWord::parse(&format!("osc:{port}")).expect("a word");
    let words = open_live(&word, None).err().expect("in use").to_string();
    assert!(words.contains(&format!("127.0.0.1:{port}")) && words.ends_with("(choose a port that is free)"), "{words}");
}

#[test]
fn a_stream_of_a_laboratory_without_its_library_says_what_to_install() {
    // Where the library is there, nothing is to be said.
    if let Err(error) = open_live(&SourceWord::Lsl("nobody".into()), None) {
        assert!(error.to_string().contains("install liblsl"), "{error}");
    }
}

#[test]
fn ten_thousand_damaged_messages_stop_no_parser() {
    let report = crate::fuzz::run(10_000);
    assert_eq!(report.n_messages, 10_000);
    assert!(report.n_understood > 2_000 && report.n_refused > 1_000, "{report:?}");
    assert!(report.peak_bytes <= crate::fuzz::MEMORY_BYTES, "{report:?}");
}
