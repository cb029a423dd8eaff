//! A log gives the same pictures again, and says when it cannot.

use std::sync::Arc;

use ndarray::s;
use percept_stream::Event;
use percept_stream::controls::Controls;
use percept_stream::engine::{Engine, Run, Sink};
use percept_stream::picture::Painter;
use percept_stream::session::{self, Request};
use percept_stream::settings::{PromptSettings, Settings};
use percept_stream::sinks::files::Wanted;
use percept_stream::sinks::log::{LOG_FILE, Log, SourceOptions};

use crate::script::{Script, block, facts, samples};

fn settings() -> Settings {
    let mut settings = Settings::default();
    settings.picture.steps = 1;
    settings.prompt = vec![PromptSettings { text: "a moon".into(), value: "theta/delta".into(), from: 0.2, to: 3.0 }];
    settings
}

#[test]
fn the_simulated_rat_is_replayed_bit_by_bit() {
    let folder = tempfile::tempdir().expect("a folder");
    let out = folder.path().join("out");
    let request = Request {
        source: "synthetic".into(),
        options: SourceOptions { seed: 5, ..SourceOptions::default() },
        settings: settings(),
        fast: true,
        n_frames: Some(40),
        out: Some(out.clone()),
        wanted: Wanted { png: true, film: true },
        serve: None,
        osc_out: None,
        controls: Arc::default(),
    };
    let summary = session::run(&request, &mut |_| {}).expect("streams");
    assert_eq!(summary.frames, 40);
    let again = folder.path().join("again");
    let replayed = session::replay(&out.join(LOG_FILE), Some(&again), &request.wanted).expect("the same");
    assert_eq!(replayed.frames, 40);
    for name in ["frames/000000.png", "frames/000039.png", "film.avi"] {
        let read = |folder: &std::path::Path| std::fs::read(folder.join(name)).expect(name);
        assert_eq!(read(&out), read(&again), "{name}");
    }

    let text = std::fs::read_to_string(out.join(LOG_FILE)).expect("a log");
    let broken = folder.path().join("broken.jsonl");
    std::fs::write(&broken, text.replace("\"frame_idx\":7,\"sample_idx\":", "\"frame_idx\":7,\"sample_idx\":1"))
        .expect("written");
    let error = session::replay(&broken, None, &request.wanted).expect_err("another sample").to_string();
    assert!(error.contains("frame 7 of the log: the sample"), "{error}");
    for cut in [0, 10, text.len() / 2] {
        std::fs::write(&broken, &text[..cut]).expect("written");
        let _ = session::replay(&broken, None, &Wanted::default());
    }
}

#[test]
fn samples_of_a_live_source_lie_beside_the_log() {
    let folder = tempfile::tempdir().expect("a folder");
    let settings = settings();
    let x = samples(900, 6);
    let events = vec![
        Event::Facts(facts(6, 200.0)),
        block(0, x.slice(s![..333, ..]).to_owned()),
        Event::Value("/mood".into(), 0.25),
        Event::Gap(None),
        block(400, x.slice(s![333..600, ..]).to_owned()),
        Event::Facts(facts(2, 100.0)),
        block(0, x.slice(s![600.., ..2]).to_owned()),
    ];
    let log = Log::new(folder.path(), "udp:9000", &SourceOptions::default(), &settings, true).expect("a log");
    let mut sinks: Vec<Box<dyn Sink>> = vec![Box::new(log)];
    let painter = Painter::open(&settings).expect("the pocket pack");
    let run = Run { fast: true, ..Run::default() };
    let engine = Engine::new(&settings, painter, &mut sinks, Arc::new(Controls::default()), run);
    let summary = engine.run(Script::new(events)).expect("runs");
    assert!(summary.frames > 100, "{}", summary.frames);
    let replayed = session::replay(&folder.path().join(LOG_FILE), None, &Wanted::default()).expect("the same");
    assert_eq!(replayed.frames, summary.frames);
}
