//! Paths as drift names them.

/// A part of a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    Key(String),
    Element,
}

/// Takes `$.tags[*].color` and `$['a b']` apart; `None` if a name in it was cut.
pub(super) fn steps(path: &str) -> Option<Vec<Step>> {
    let mut rest = path.strip_prefix('$')?;
    let mut steps = Vec::new();
    while !rest.is_empty() {
        if let Some(after) = rest.strip_prefix("[*]") {
            steps.push(Step::Element);
            rest = after;
        } else if let Some(name) = rest.strip_prefix("['") {
            let (name, after) = name.split_once("']")?;
            if name.contains('\\') {
                return None;
            }
            steps.push(Step::Key(name.to_owned()));
            rest = after;
        } else {
            let name = rest.strip_prefix('.')?;
            let length = name.bytes().take_while(|byte| name_byte(char::from(*byte))).count();
            if length == 0 {
                return None;
            }
            steps.push(Step::Key(name[..length].to_owned()));
            rest = &name[length..];
        }
    }
    Some(steps)
}

/// Whether a name with it stands in a path as it is.
pub(super) fn name_byte(byte: char) -> bool {
    byte.is_ascii_alphanumeric() || byte == '_' || byte == '-'
}
