//! Parsers: what makes JSON of logs that are not JSON.
//!
//! Events are JSON, so there is nothing to parse. Rows of lookup tables may be CSV, and their schema says how it is written.

use super::{
    super::{Csv, yaml::Node},
    Loader, Of, join,
};

/// Parsers that Panther has for logs that are not JSON.
const TEXT_PARSERS: [&str; 4] = ["csv", "fastmatch", "regex", "script"];

impl<'y> Loader<'y> {
    /// Answers with how CSV is read, if the schema is one of rows and says so.
    pub(super) fn parser(&mut self, top: &'y Node) -> Option<Csv> {
        let parser = top.get("parser")?;
        let Some(entries) = parser.entries() else { return self.fault(parser, "parser", "must be a mapping") };
        let mut csv = None;
        for entry in entries {
            let path = join("parser", &entry.key);
            match entry.key.as_str() {
                "native" => {}
                "csv" if self.of == Of::Rows => csv = self.csv(&path, &entry.value),
                key if TEXT_PARSERS.contains(&key) => {
                    let only = match self.of {
                        Of::Events => "only JSON is read here",
                        Of::Rows => "only JSON and CSV are read here",
                    };
                    self.fault_at::<()>(entry.line, &path, format!("{key} is for logs that are not JSON, and {only}"));
                }
                _ => self.fault_at::<()>(entry.line, &path, "is no parser").unwrap_or_default(),
            }
        }
        csv
    }

    fn csv(&mut self, path: &str, node: &'y Node) -> Option<Csv> {
        if node.entries().is_none() {
            return self.fault(node, path, "must be a mapping");
        }
        self.keys(path, node, &["delimiter", "hasHeader", "columns", "emptyValues", "trimSpace"]);
        let delimiter = self.required_text(path, node, "delimiter");
        let mut list = |key| self.texts(path, node, key).into_iter().map(|(_, text)| text.to_owned()).collect();
        let (columns, empty_values): (Vec<String>, _) = (list("columns"), list("emptyValues"));
        let has_header = self.flag(path, node, "hasHeader");
        let trim_space = self.flag(path, node, "trimSpace");
        if columns.is_empty() && node.get("hasHeader").is_some_and(|flag| flag.flag() == Some(false)) {
            self.fault::<()>(node, &join(path, "columns"), "are needed where no header names them");
        }
        match delimiter?.as_bytes() {
            [b'"' | b'\r' | b'\n'] => {
                self.fault(node, &join(path, "delimiter"), "cannot be what encloses a cell or ends a record")
            }
            [delimiter] => Some(Csv { delimiter: *delimiter, columns, has_header, empty_values, trim_space }),
            _ => self.fault(node, &join(path, "delimiter"), "must be one character of ASCII"),
        }
    }
}
