//! Writes small MaxMind databases: a search tree of 24-bit records, a data section, metadata (MaxMind DB format 2.0).

/// A value of the data section.
pub(super) enum Field {
    Text(&'static str),
    Short(u16),
    Number(u32),
    Long(u64),
    Map(Vec<(&'static str, Field)>),
    /// An array without elements.
    Nothing,
}

/// A database of IPv4 ranges, none of which lies in another.
pub(super) fn write(ranges: &[([u8; 4], usize, Field)]) -> Vec<u8> {
    let mut data = Vec::new();
    let mut nodes: Vec<[Target; 2]> = vec![[Target::None; 2]];
    for (network, length, value) in ranges {
        let at = data.len();
        encode(&mut data, value);
        let bits = u32::from_be_bytes(*network);
        let mut node = 0;
        for depth in 0..*length {
            let side = (bits >> (31 - depth) & 1) as usize;
            if depth + 1 == *length {
                nodes[node][side] = Target::Data(at);
            } else if let Target::Node(next) = nodes[node][side] {
                node = next;
            } else {
                nodes.push([Target::None; 2]);
                nodes[node][side] = Target::Node(nodes.len() - 1);
                node = nodes.len() - 1;
            }
        }
    }
    let mut file = Vec::new();
    for side in nodes.iter().flatten() {
        let record = match side {
            Target::None => nodes.len(),
            Target::Node(node) => *node,
            Target::Data(at) => nodes.len() + 16 + at,
        };
        file.extend_from_slice(&u32::try_from(record).unwrap().to_be_bytes()[1..]);
    }
    file.extend_from_slice(&[0; 16]);
    file.extend_from_slice(&data);
    file.extend_from_slice(b"\xab\xcd\xefMaxMind.com");
    encode(
        &mut file,
        &Field::Map(vec![
            ("node_count", Field::Number(u32::try_from(nodes.len()).unwrap())),
            ("record_size", Field::Short(24)),
            ("ip_version", Field::Short(4)),
            ("database_type", Field::Text("Test")),
            ("binary_format_major_version", Field::Short(2)),
            ("binary_format_minor_version", Field::Short(0)),
            ("build_epoch", Field::Long(0)),
            ("languages", Field::Nothing),
            ("description", Field::Map(Vec::new())),
        ]),
    );
    file
}

#[derive(Clone, Copy)]
enum Target {
    None,
    Node(usize),
    Data(usize),
}

/// Control byte: type in three bits, length in five; no length here is above 28.
fn encode(out: &mut Vec<u8>, field: &Field) {
    let length = |length: usize| u8::try_from(length).unwrap();
    match field {
        Field::Text(text) => {
            out.push(2 << 5 | length(text.len()));
            out.extend_from_slice(text.as_bytes());
        }
        Field::Short(number) => {
            out.push(5 << 5 | 2);
            out.extend_from_slice(&number.to_be_bytes());
        }
        Field::Long(number) => {
            // An extended type: 7 and 2 make the 9 of long numbers.
            out.extend_from_slice(&[8, 2]);
            out.extend_from_slice(&number.to_be_bytes());
        }
        Field::Number(number) => {
            out.push(6 << 5 | 4);
            out.extend_from_slice(&number.to_be_bytes());
        }
        // An extended type: 7 and 4 make the 11 of arrays.
        Field::Nothing => out.extend_from_slice(&[0, 4]),
        Field::Map(members) => {
            out.push(7 << 5 | length(members.len()));
            for (key, value) in members {
                encode(out, &Field::Text(key));
                encode(out, value);
            }
        }
    }
}
