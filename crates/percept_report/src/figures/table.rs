//! The head of a table whose cells are pictures or sounds.

use std::fmt::Write;

use crate::error::ReportError;
use crate::markup::escape;

/// What a table of cells is called, and what stands in it.
pub(super) struct Table<'a> {
    pub title: &'a str,
    /// The attributes of the element.
    pub attributes: &'a str,
    pub columns: &'a [String],
    /// What a cell holds, in the plural.
    pub cells: &'a str,
}

impl Table<'_> {
    /// Appends the table up to its first row; `rows` are labels with numbers of cells.
    ///
    /// # Errors
    /// [`ReportError::Figure`] when a row has another number of cells than there are columns.
    pub(super) fn begin<'r>(
        &self,
        out: &mut String,
        rows: impl IntoIterator<Item = (&'r String, usize)>,
    ) -> Result<(), ReportError> {
        let n_columns = self.columns.len();
        if let Some((label, n)) = rows.into_iter().find(|(_, n)| *n != n_columns) {
            return Err(ReportError::Figure {
                title: self.title.to_owned(),
                expected: format!("{n_columns} {} per row", self.cells),
                got: format!("{n} in row `{label}`"),
            });
        }
        let _ = write!(
            out,
            "<div class=\"scroll\"><table {}><caption>{}</caption><thead><tr><th scope=\"col\">Row</th>",
            self.attributes,
            escape(self.title)
        );
        for column in self.columns {
            let _ = write!(out, "<th scope=\"col\">{}</th>", escape(column));
        }
        out.push_str("</tr></thead><tbody>\n");
        Ok(())
    }
}
