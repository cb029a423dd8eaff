//! Paths into structures and cells: `design.runs{3}.onset`.

use crate::{Error, Result};

/// A variable and the way from it to a value.
pub(super) struct VariablePath<'a> {
    pub(super) name: &'a str,
    pub(super) steps: Vec<Step<'a>>,
}

/// One step; indices here count from 0.
pub(super) enum Step<'a> {
    Field(&'a str),
    Cell(usize),
    Element(usize),
}

impl<'a> VariablePath<'a> {
    pub(super) fn parse(path: &'a str) -> Result<Self> {
        let wrong = || {
            let remedy = "write it as in MATLAB: `a.b`, `a{1}.b` or `a(1).b`";
            Error::mismatch("the path", "names, `{n}` and `(n)`", format!("`{path}`"), remedy)
        };
        let end = path.find(['.', '{', '(']).unwrap_or(path.len());
        let (name, mut rest) = path.split_at(end);
        if name.is_empty() {
            return Err(wrong());
        }
        let mut steps = Vec::new();
        while let Some(first) = rest.chars().next() {
            let tail = &rest[1..];
            if first == '.' {
                let end = tail.find(['.', '{', '(']).unwrap_or(tail.len());
                if end == 0 {
                    return Err(wrong());
                }
                steps.push(Step::Field(&tail[..end]));
                rest = &tail[end..];
                continue;
            }
            let close = if first == '{' { '}' } else { ')' };
            let end = tail.find(close).ok_or_else(wrong)?;
            let index = tail[..end].trim().parse::<usize>().ok().and_then(|n| n.checked_sub(1)).ok_or_else(wrong)?;
            steps.push(if first == '{' { Step::Cell(index) } else { Step::Element(index) });
            rest = &tail[end + 1..];
            if !rest.is_empty() && !rest.starts_with(['.', '{', '(']) {
                return Err(wrong());
            }
        }
        Ok(Self { name, steps })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_read_as_in_matlab() {
        let path = VariablePath::parse("design.runs{3}.block(2).onset").expect("valid");
        assert_eq!(path.name, "design");
        let words: Vec<String> = path
            .steps
            .iter()
            .map(|step| match step {
                Step::Field(name) => (*name).to_owned(),
                Step::Cell(index) => format!("{{{index}}}"),
                Step::Element(index) => format!("({index})"),
            })
            .collect();
        assert_eq!(words, ["runs", "{2}", "block", "(1)", "onset"]);
    }

    #[test]
    fn a_path_that_is_none_is_refused() {
        for path in ["", ".a", "a..b", "a{0}", "a{x}", "a(1", "a{1}b", "a."] {
            assert!(VariablePath::parse(path).is_err(), "`{path}` passed");
        }
    }
}
