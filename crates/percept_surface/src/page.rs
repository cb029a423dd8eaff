//! One HTML file in which the cortex is turned, unfolded and pointed at; also as a part of other pages.
//!
//! The page asks nobody for anything: script, style, data and still pictures are inside. Without WebGL the still pictures stay.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::canvas::escape;

/// The style of the view; once in a page.
pub const STYLE: &str = include_str!("assets/viewer.css");
/// The script of the view; once in a page, after all its fragments.
pub const SCRIPT: &str = include_str!("assets/viewer.js");

/// A view as a part of a page. `id` stands in the address of a place and must be unique in the page; `stills` are PNG files with words for
/// those who cannot see them.
pub fn fragment(id: &str, bundle: &[u8], stills: &[(Vec<u8>, String)]) -> String {
    let mut out = format!("<div class=\"cortex\" id=\"{}\">\n<div class=\"cortex-stills\">", escape(id));
    for (png, alt) in stills {
        let _ = write!(out, "<img alt=\"{}\" src=\"data:image/png;base64,{}\">", escape(alt), STANDARD.encode(png));
    }
    out.push_str("</div>\n<script type=\"application/x-cortex\">");
    STANDARD.encode_string(bundle, &mut out);
    out.push_str("</script>\n</div>\n");
    out
}

/// A whole page around a fragment.
pub fn document(title: &str, lead: &str, fragment: &str) -> String {
    let (title, lead) = (escape(title), escape(lead));
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'unsafe-inline'\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n<title>{title} · percept</title>\n<style>\n\
         body{{font:16px/1.45 system-ui,sans-serif;margin:0 auto;padding:1rem;max-width:72rem}}h1{{font-size:1.3rem;margin:.2rem 0}}\n\
         {STYLE}</style>\n</head>\n<body>\n<main>\n<h1>{title}</h1>\n<p>{lead}</p>\n{fragment}</main>\n<script>\n{SCRIPT}</script>\n</body>\n</html>\n"
    )
}
