//! `percept evaluate captions` and `percept judge`: scores of files, and answers on a page.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::Stdio;

use crate::program::{percept, text};

const PREDICTED: &str =
    "id,caption\na,a large red ball on the sand\nb,\"a dog, sleeping\"\nc,two birds in the sky at night\n";
const REFERENCE: &str =
    "id,caption\nc,two birds in the sky by night\na,a big red ball on the sand\na,a red ball\nb,a sleeping dog\n";

fn evaluate(folder: &Path, more: &[&str]) -> (bool, String, String) {
    let arguments = [&["evaluate", "captions", "--predicted", "p.csv", "--reference", "r.csv"], more].concat();
    let output = percept(folder, &arguments).output().expect("the program starts");
    (output.status.success(), text(&output.stdout), text(&output.stderr))
}

#[test]
fn captions_of_two_tables_are_scored() {
    let folder = tempfile::tempdir().expect("a folder");
    let write = |name: &str, words: &str| std::fs::write(folder.path().join(name), words).expect("written");
    write("p.csv", PREDICTED);
    write("r.csv", REFERENCE);
    let (is_success, stdout, stderr) = evaluate(folder.path(), &["--json", "--shuffles", "50", "--draws", "50"]);
    assert!(is_success, "{stderr}");
    let rows: serde_json::Value = serde_json::from_str(&stdout).expect("JSON");
    let metrics: Vec<&str> = rows.as_array().expect("rows").iter().filter_map(|row| row["metric"].as_str()).collect();
    assert_eq!(metrics, ["bleu1", "bleu2", "bleu3", "bleu4", "bleu4_sentence", "rouge_l", "meteor", "cider"]);
    for row in rows.as_array().expect("rows") {
        let of = |name: &str| row[name].as_f64().expect("a number");
        assert!(of("low") <= of("value") && of("value") <= of("high") && of("chance") < of("value"), "{row}");
        assert_eq!(row["n"], 3);
    }
    // Predictions of two methods in one table.
    write("p.csv", "id,arm,text\na,x,a large red ball on the sand\na,y,other\n");
    let (is_success, _, stderr) = evaluate(folder.path(), &["--method", "x"]);
    assert!(!is_success && stderr.contains("2 references without a predicted caption: `c`, `b`"), "{stderr}");
    let (is_success, _, stderr) = evaluate(folder.path(), &["--method", "x", "--common"]);
    assert!(is_success && stderr.contains("left out 2 references"), "{stderr}");
    let (is_success, _, stderr) = evaluate(folder.path(), &["--method", "z"]);
    assert!(!is_success && stderr.contains("there are `x`, `y`"), "{stderr}");
    let (is_success, _, stderr) = evaluate(folder.path(), &["--common"]);
    assert!(!is_success && stderr.contains("predicts item `a` twice"), "{stderr}");
}

#[test]
fn a_rater_answers_and_the_score_is_told() {
    let folder = tempfile::tempdir().expect("a folder");
    let table = "id,method,caption,stimulus\n1,c,a,s.png\n1,caption,b,s.png\n2,c,a,s.png\n2,caption,b,s.png\n";
    std::fs::write(folder.path().join("captions.csv"), table).expect("written");
    let mut judge =
        percept(folder.path(), &["judge", ".", "--port", "0"]).stderr(Stdio::piped()).spawn().expect("started");
    let mut lines = BufReader::new(judge.stderr.take().expect("piped")).lines();
    let line = lines.next().expect("a line").expect("words");
    let address = line.rsplit("http://").next().expect("an address").trim_end_matches('/').to_owned();
    let body = r#"{"rater":"Ann","trial":0,"choice":"left","reaction_ms":700}"#;
    let mut stream = TcpStream::connect(&address).expect("it listens");
    let head = format!(
        "POST /answer HTTP/1.1\r\nHost: {address}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    stream.write_all((head + body).as_bytes()).expect("sent");
    let mut answer = String::new();
    let _ = stream.read_to_string(&mut answer);
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    judge.kill().expect("killed");
    judge.wait().expect("ended");
    let output = percept(folder.path(), &["judge", ".", "--score", "--json"]).output().expect("the program starts");
    assert!(output.status.success(), "{}", text(&output.stderr));
    let verdict: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(verdict[0]["raters"][0]["rater"], "Ann");
    assert_eq!(
        verdict[0]["all"]["wins"].as_u64().expect("a count") + verdict[0]["all"]["losses"].as_u64().expect("a count"),
        1
    );
    let output = percept(folder.path(), &["judge", ".", "--a", "x"]).output().expect("the program starts");
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("there is no method `x`; there are `c`, `caption`"));
}
