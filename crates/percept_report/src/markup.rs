//! The smallest parts of the page: escaped text, numbers as a reader wants them, and embedded pictures.

use std::fmt::Write;

/// Escapes text for HTML content and for attributes in double quotes.
pub fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            _ => out.push(c),
        }
    }
    out
}

/// Escapes a name and lets it break before each plus sign, so that `b2c+patch+clip` fits into a narrow column.
pub fn breakable(name: &str) -> String {
    escape(name).replace('+', "<wbr>+")
}

/// The end of a name that has more than `most` letters: there names of layers and steps differ.
pub fn end_of(name: &str, most: usize) -> String {
    let n = name.chars().count();
    if n <= most {
        name.to_owned()
    } else {
        format!("…{}", name.chars().skip(n + 1 - most.max(1)).collect::<String>())
    }
}

/// Escapes a sentence and sets what stands between back-ticks as code.
pub fn sentence(text: &str) -> String {
    let mut out = String::new();
    let parts: Vec<&str> = text.split('`').collect();
    // An even number of parts means a back-tick without a partner: then none of them is markup.
    if parts.len().is_multiple_of(2) {
        return escape(text);
    }
    for (i, part) in parts.iter().enumerate() {
        if i % 2 == 1 {
            let _ = write!(out, "<code>{}</code>", escape(part));
        } else {
            out.push_str(&escape(part));
        }
    }
    out
}

/// Groups the digits of a count by thin spaces: `15 724`.
pub fn count(n: usize) -> String {
    let digits = n.to_string();
    let mut out = String::new();
    for (i, c) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push('\u{202f}');
        }
        out.push(c);
    }
    out
}

/// A score with three decimals and a true minus sign.
pub fn decimal(value: f64) -> String {
    if !value.is_finite() {
        return "not defined".to_owned();
    }
    let text = format!("{value:.3}");
    let text = if text == "-0.000" { "0.000".to_owned() } else { text };
    text.replace('-', "\u{2212}")
}

/// A share as a percentage with one decimal.
pub fn percent(share: f64) -> String {
    if share.is_finite() { format!("{:.1}\u{2009}%", share * 100.0) } else { "not defined".to_owned() }
}

/// A regularisation strength: short, in powers of ten where that is shorter.
pub fn strength(alpha: f64) -> String {
    if alpha == 0.0 || (0.01..10_000.0).contains(&alpha) {
        return format!("{alpha}");
    }
    let text = format!("{alpha:.0e}");
    match text.split_once('e') {
        Some(("1", exponent)) => format!("10{}", superscript(exponent)),
        Some((mantissa, exponent)) => format!("{mantissa}·10{}", superscript(exponent)),
        None => text,
    }
}

fn superscript(digits: &str) -> String {
    digits
        .chars()
        .map(|c| match c {
            '-' => '⁻',
            '1' => '¹',
            '2' => '²',
            '3' => '³',
            '0' => '⁰',
            c => char::from_u32('⁰' as u32 + c.to_digit(10).unwrap_or(0)).unwrap_or(c),
        })
        .collect()
}

/// A PNG file as a `data:` address.
pub fn data_address(png: &[u8]) -> String {
    address("image/png", png)
}

/// A WAV as an address that holds the sound itself.
pub fn sound_address(wav: &[u8]) -> String {
    address("audio/wav", wav)
}

/// A file of any kind as an address that holds it.
pub fn address(kind: &str, bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len() * 4 / 3 + 32);
    let _ = write!(out, "data:{kind};base64,");
    base64(bytes, &mut out);
    out
}

/// Appends the base64 form of `bytes` (RFC 4648, with padding).
fn base64(bytes: &[u8], out: &mut String) {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for group in bytes.chunks(3) {
        let word = group.iter().fold(0u32, |word, &byte| word << 8 | u32::from(byte)) << (8 * (3 - group.len()));
        for place in 0..4 {
            if place <= group.len() {
                out.push(char::from(LETTERS[(word >> (18 - 6 * place)) as usize & 63]));
            } else {
                out.push('=');
            }
        }
    }
}

/// Appends a table: a caption for screen readers, column heads, rows whose first cell is the row's head. Cells are HTML.
pub fn table(out: &mut String, class: &str, caption: &str, heads: &[&str], rows: &[Vec<String>]) {
    let _ =
        write!(out, "<div class=\"scroll\"><table class=\"{class}\"><caption>{}</caption><thead><tr>", escape(caption));
    for head in heads {
        let _ = write!(out, "<th scope=\"col\">{}</th>", escape(head));
    }
    out.push_str("</tr></thead><tbody>\n");
    for row in rows {
        out.push_str("<tr>");
        for (i, cell) in row.iter().enumerate() {
            if i == 0 {
                let _ = write!(out, "<th scope=\"row\">{cell}</th>");
            } else {
                let _ = write!(out, "<td>{cell}</td>");
            }
        }
        out.push_str("</tr>\n");
    }
    out.push_str("</tbody></table></div>\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markup_in_text_is_shown_not_obeyed() {
        assert_eq!(escape("<b>\"R&D\"</b> 'x'"), "&lt;b&gt;&quot;R&amp;D&quot;&lt;/b&gt; &#39;x&#39;");
    }

    #[test]
    fn back_ticks_set_code_only_in_pairs() {
        assert_eq!(sentence("set `a < b` or `c`"), "set <code>a &lt; b</code> or <code>c</code>");
        assert_eq!(sentence("an ` alone"), "an ` alone");
    }

    #[test]
    fn base64_agrees_with_the_rfc_vectors() {
        for (bytes, expected) in [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg=="),
            ("fooba", "Zm9vYmE="),
            ("foobar", "Zm9vYmFy"),
        ] {
            let mut out = String::new();
            base64(bytes.as_bytes(), &mut out);
            assert_eq!(out, expected);
        }
    }

    #[test]
    fn numbers_read_well() {
        assert_eq!(count(15_724), "15\u{202f}724");
        assert_eq!(count(999), "999");
        assert_eq!(decimal(-0.0001), "0.000");
        assert_eq!(decimal(-0.25), "\u{2212}0.250");
        assert_eq!(strength(1e5), "10⁵");
        assert_eq!(strength(3e-4), "3·10⁻⁴");
        assert_eq!(strength(100.0), "100");
        assert_eq!(strength(1e42), "10⁴²");
    }
}
