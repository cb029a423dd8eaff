//! The layer rule: edges between our crates point strictly down, tools do not know each other except where the table
//! says why, and heavy foreign crates stay where they belong.

use std::collections::BTreeMap;

use anyhow::Context;
use serde_json::Value;

/// Every crate and its layer. A crate that is not listed is a complaint: put it where it belongs first.
const LAYERS: &[(&str, u32)] = &[
    ("percept_core", 0),
    ("percept_io", 1),
    ("percept_signal", 1),
    ("percept_regress", 1),
    ("percept_stats", 1),
    ("percept_models", 1),
    ("percept_pocket", 1),
    ("percept_pocket_unet", 1),
    ("percept_pocket_captions", 1),
    ("percept_pocket_motion", 1),
    ("percept_pocket_words", 1),
    ("percept_pocket_music", 1),
    ("percept_synth", 1),
    ("percept_serve", 1),
    ("percept_surface", 1),
    ("percept_pipeline", 2),
    ("percept_methods", 3),
    ("percept_stream", 3),
    ("percept_linear", 2),
    ("percept_hub", 2),
    ("percept_report", 2),
    ("percept_judge", 2),
    ("percept", 4),
    ("percept_cli", 5),
    ("xtask", 5),
];

/// Edges inside a layer, each with its reason.
const SIDEWAYS: &[(&str, &str, &str)] = &[
    ("percept_pocket", "percept_models", "the pack is opened by the models it holds weights for"),
    ("percept_pocket", "percept_pocket_unet", "one crate of both would be larger than a registry takes"),
    ("percept_pocket_captions", "percept_models", "as percept_pocket"),
    ("percept_pocket_motion", "percept_models", "as percept_pocket"),
    ("percept_pocket_words", "percept_models", "as percept_pocket"),
    ("percept_pocket_music", "percept_models", "as percept_pocket"),
    ("percept_models", "percept_signal", "what a model hears is a mel spectrogram that its config names"),
    ("percept_synth", "percept_io", "a phantom is written in the true on-disk formats"),
    ("percept_surface", "percept_io", "surfaces and maps are opened from files of any format"),
    ("percept_synth", "percept_signal", "a phantom's noise and drifts are filtered as real ones are"),
];

/// Only tests may use this crate.
const DEV_ONLY: &str = "percept_testing";

/// Foreign crates that only some of ours may name, each with its reason.
const CONFINED: &[(&str, &[&str], &str)] = &[
    ("candle-core", &["percept_models"], "tensors live behind the models' own types"),
    ("tokenizers", &["percept_models"], "text enters models in one place"),
    ("faer", &["percept_regress"], "factorisations belong to the solvers"),
    ("parquet", &["percept_io"], "file formats belong to percept_io"),
    ("axum", &["percept_serve"], "only one crate answers browsers"),
    ("tokio", &["percept_serve"], "nobody else waits for sockets asynchronously"),
    ("quick-xml", &["percept_io"], "file formats belong to percept_io"),
    ("ureq", &["percept_hub"], "only `percept model pull` reaches the network"),
    ("clap", &["percept_cli"], "only the application reads a command line"),
    ("indicatif", &["percept_cli"], "only the application draws progress"),
    ("anyhow", &["percept_cli", "xtask"], "libraries have typed errors"),
];

/// Number of edges in the longest allowed path from an app down to the vocabulary.
const LONGEST_CHAIN: usize = 7;

struct Edge<'a> {
    from: &'a str,
    to: &'a str,
    dev: bool,
}

/// Complaints about the crate graph that `cargo metadata --no-deps` describes.
pub(super) fn check(metadata: &Value) -> anyhow::Result<Vec<String>> {
    let packages = metadata["packages"].as_array().context("`cargo metadata` lists no packages")?;
    let name = |package: &'_ Value| -> anyhow::Result<String> {
        Ok(package["name"].as_str().context("a package has no name")?.to_owned())
    };
    let members: Vec<String> = packages.iter().map(name).collect::<anyhow::Result<_>>()?;
    let mut edges = Vec::new();
    for (package, from) in packages.iter().zip(&members) {
        for dependency in package["dependencies"].as_array().context("a package lists no dependencies")? {
            let to = dependency["name"].as_str().context("a dependency has no name")?;
            edges.push(Edge { from, to, dev: dependency["kind"].as_str() == Some("dev") });
        }
    }
    Ok(complaints(&members, &edges))
}

fn complaints(members: &[String], edges: &[Edge]) -> Vec<String> {
    let layers: BTreeMap<&str, u32> = LAYERS.iter().copied().collect();
    let mut out = Vec::new();
    for member in members {
        if member != DEV_ONLY && !layers.contains_key(member.as_str()) {
            out.push(format!("crate `{member}` has no layer (add it to the table in xtask/src/tidy/layers.rs)"));
        }
    }
    for edge in edges {
        let Edge { from, to, dev } = *edge;
        if to == DEV_ONLY {
            if !dev {
                out.push(format!("`{from}` needs `{to}` outside of tests (move it to dev-dependencies)"));
            }
            continue;
        }
        if let Some((_, allowed, reason)) = CONFINED.iter().find(|(name, ..)| *name == to)
            && !dev
            && !allowed.contains(&from)
        {
            out.push(format!("`{from}` names the crate `{to}`, which belongs to {allowed:?}: {reason}"));
        }
        let (Some(&below), Some(&above)) = (layers.get(to), layers.get(from).or((from == DEV_ONLY).then_some(&1)))
        else {
            continue;
        };
        let excused = SIDEWAYS.iter().any(|&(a, b, _)| (a, b) == (from, to));
        // Tests may compare with a neighbour; nobody, not even a test, looks upwards.
        let allowed = if dev { below <= above } else { below < above || excused };
        if !allowed {
            out.push(format!(
                "`{from}` (layer {above}) depends on `{to}` (layer {below}): edges point down only (move the code, or add an exception with its reason)"
            ));
        }
    }
    let normal: Vec<(&str, &str)> = edges
        .iter()
        .filter(|edge| !edge.dev && layers.contains_key(edge.to))
        .map(|edge| (edge.from, edge.to))
        .collect();
    let chain = longest_chain(&normal);
    if chain.len() > LONGEST_CHAIN + 1 {
        out.push(format!("the chain {} is longer than {LONGEST_CHAIN} edges", chain.join(" → ")));
    }
    out
}

/// The longest path through an acyclic graph (cargo refuses cycles).
fn longest_chain<'a>(edges: &[(&'a str, &'a str)]) -> Vec<&'a str> {
    fn below<'a>(
        node: &'a str,
        edges: &[(&'a str, &'a str)],
        known: &mut BTreeMap<&'a str, Vec<&'a str>>,
    ) -> Vec<&'a str> {
        if let Some(chain) = known.get(node) {
            return chain.clone();
        }
        let mut best = Vec::new();
        for &(_, to) in edges.iter().filter(|(from, _)| *from == node) {
            let chain = below(to, edges, known);
            if chain.len() > best.len() {
                best = chain;
            }
        }
        best.insert(0, node);
        known.insert(node, best.clone());
        best
    }
    let mut known = BTreeMap::new();
    let mut longest = Vec::new();
    for &(from, _) in edges {
        let chain = below(from, edges, &mut known);
        if chain.len() > longest.len() {
            longest = chain;
        }
    }
    longest
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edge<'a>(from: &'a str, to: &'a str) -> Edge<'a> {
        Edge { from, to, dev: false }
    }

    fn complain(edges: &[Edge]) -> Vec<String> {
        complaints(&[], edges)
    }

    #[test]
    fn downward_and_excused_edges_pass() {
        let edges = [edge("percept_methods", "percept_io"), edge("percept_synth", "percept_io")];
        assert_eq!(complain(&edges), Vec::<String>::new());
    }

    #[test]
    fn an_upward_or_sideways_edge_is_named() {
        assert!(complain(&[edge("percept_io", "percept_methods")])[0].contains("`percept_io` (layer 1) depends on"));
        assert!(complain(&[edge("percept_stats", "percept_io")])[0].contains("edges point down only"));
    }

    #[test]
    fn a_test_may_look_sideways_but_not_up() {
        let dev = |from, to| Edge { from, to, dev: true };
        assert!(complain(&[dev("percept_stats", "percept_io")]).is_empty());
        assert_eq!(complain(&[dev("percept_stats", "percept_methods")]).len(), 1);
    }

    #[test]
    fn the_testing_crate_is_for_tests_only() {
        assert!(complain(&[edge("percept_io", "percept_testing")])[0].contains("outside of tests"));
        assert!(complain(&[Edge { from: "percept_io", to: "percept_testing", dev: true }]).is_empty());
        assert_eq!(complain(&[edge("percept_testing", "percept_methods")]).len(), 1);
    }

    #[test]
    fn the_tensor_library_stays_in_the_models() {
        assert!(complain(&[edge("percept_methods", "candle-core")])[0].contains("percept_models"));
    }

    #[test]
    fn an_unknown_crate_is_a_complaint() {
        assert!(complaints(&["percept_misc".to_owned()], &[])[0].contains("has no layer"));
    }

    #[test]
    fn a_chain_that_is_too_long_is_spelled_out() {
        let names = [
            "percept_cli",
            "percept",
            "percept_report",
            "percept_methods",
            "percept_pipeline",
            "percept_pocket",
            "percept_models",
        ];
        let mut edges: Vec<Edge> = names.windows(2).map(|pair| edge(pair[0], pair[1])).collect();
        edges.push(edge("percept_models", "percept_io"));
        edges.push(edge("percept_io", "percept_core"));
        let complaint = complain(&edges).pop().expect("the chain has eight edges");
        assert!(complaint.contains("percept_cli → percept → percept_report"), "{complaint}");
    }

    #[test]
    fn metadata_is_read_as_cargo_prints_it() {
        let metadata = serde_json::json!({"packages": [
            {"name": "percept_io", "dependencies": [{"name": "percept_methods", "kind": null}]},
            {"name": "percept_methods", "dependencies": []},
        ]});
        assert_eq!(check(&metadata).expect("well formed").len(), 1);
        assert!(check(&serde_json::json!({})).is_err());
    }
}
