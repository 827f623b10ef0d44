//! One change to the model in memory. The file holds the table of word embeddings as int8 and unpacks it
//! before the lookup: `Gather(Mul(Cast(table), scale), ids)`. onnxruntime computes constants ahead, so each
//! session would hold all 30,522 rows as f32, 35 MB more. Here the lookup comes first and only the rows found
//! are unpacked, which gives the same numbers. Reads and writes ONNX's protobuf as far as that takes.

const IDS: &str = "input_ids";

/// Field numbers of `ModelProto`, `GraphProto`, `NodeProto` and `TensorProto`.
const MODEL_GRAPH: u64 = 7;
const GRAPH_NODE: u64 = 1;
const GRAPH_INITIALIZER: u64 = 5;
const NODE_INPUT: u64 = 1;
const NODE_OUTPUT: u64 = 2;
const NODE_OP: u64 = 4;
const NODE_ATTRIBUTE: u64 = 5;
const TENSOR_DIMS: u64 = 1;
const TENSOR_NAME: u64 = 8;

/// `None` for a graph of another form, which is then best left as it is.
pub(super) fn look_up_before_unpacking(model: &[u8]) -> Option<Vec<u8>> {
    let mut changed = Vec::with_capacity(model.len() + 1024);
    for field in fields(model)? {
        if field.number == MODEL_GRAPH {
            put(&mut changed, MODEL_GRAPH, &change(field.bytes)?);
        } else {
            changed.extend_from_slice(field.whole);
        }
    }
    Some(changed)
}

fn change(graph: &[u8]) -> Option<Vec<u8>> {
    let fields = fields(graph)?;
    let nodes: Vec<Node<'_>> =
        fields.iter().filter(|field| field.number == GRAPH_NODE).map(Node::read).collect::<Option<_>>()?;
    let made_by = |name: &str, op: &str| nodes.iter().find(|node| node.op == op && node.outputs == [name]);

    let lookup = nodes.iter().find(|node| node.op == "Gather" && node.inputs.get(1) == Some(&IDS))?;
    let table = *lookup.inputs.first()?;
    let unpack = made_by(table, "Mul")?;
    let [floats, scale] = unpack.inputs[..] else {
        return None;
    };
    let cast = made_by(floats, "Cast")?;
    let [packed] = cast.inputs[..] else { return None };
    let alone = |name| nodes.iter().filter(|node| node.inputs.contains(&name)).count() == 1;
    let a_scale_for_each_row = fields
        .iter()
        .filter(|field| field.number == GRAPH_INITIALIZER)
        .any(|tensor| is_column(tensor.bytes, scale) == Some(true));
    if !(alone(table) && alone(floats) && a_scale_for_each_row) {
        return None;
    }

    let found = |what: &str| format!("{table}.found.{what}");
    let (rows, scales, unpacked) = (found("rows"), found("scales"), found("floats"));
    let mut changed = Vec::with_capacity(graph.len() + 1024);
    for field in &fields {
        if field.whole == lookup.whole {
            lookup.put(&mut changed, &[packed, IDS], &[&rows]);
            lookup.put(&mut changed, &[scale, IDS], &[&scales]);
            cast.put(&mut changed, &[&rows], &[&unpacked]);
            unpack.put(&mut changed, &[&unpacked, &scales], &lookup.outputs);
        } else if field.whole != unpack.whole && field.whole != cast.whole {
            changed.extend_from_slice(field.whole);
        }
    }
    Some(changed)
}

/// Whether this tensor has the name, and one column.
fn is_column(tensor: &[u8], name: &str) -> Option<bool> {
    let fields = fields(tensor)?;
    let named = fields.iter().any(|field| field.number == TENSOR_NAME && field.bytes == name.as_bytes());
    let dims: Vec<u64> =
        fields.iter().filter(|field| field.number == TENSOR_DIMS).map(|dim| dim.value).collect();
    Some(named && matches!(dims[..], [_, 1]))
}

struct Node<'a> {
    op: &'a str,
    inputs: Vec<&'a str>,
    outputs: Vec<&'a str>,
    attributes: Vec<&'a [u8]>,
    whole: &'a [u8],
}

impl<'a> Node<'a> {
    fn read(field: &Field<'a>) -> Option<Self> {
        let mut node =
            Self { op: "", inputs: vec![], outputs: vec![], attributes: vec![], whole: field.whole };
        for part in fields(field.bytes)? {
            match part.number {
                NODE_INPUT => node.inputs.push(str::from_utf8(part.bytes).ok()?),
                NODE_OUTPUT => node.outputs.push(str::from_utf8(part.bytes).ok()?),
                NODE_OP => node.op = str::from_utf8(part.bytes).ok()?,
                NODE_ATTRIBUTE => node.attributes.push(part.bytes),
                _ => {}
            }
        }
        Some(node)
    }

    /// The same operation between other values.
    fn put(&self, graph: &mut Vec<u8>, inputs: &[&str], outputs: &[&str]) {
        let mut node = Vec::new();
        inputs.iter().for_each(|name| put(&mut node, NODE_INPUT, name.as_bytes()));
        outputs.iter().for_each(|name| put(&mut node, NODE_OUTPUT, name.as_bytes()));
        put(&mut node, NODE_OP, self.op.as_bytes());
        self.attributes.iter().for_each(|attribute| put(&mut node, NODE_ATTRIBUTE, attribute));
        put(graph, GRAPH_NODE, &node);
    }
}

struct Field<'a> {
    number: u64,
    /// Of a number.
    value: u64,
    /// Of anything with a length.
    bytes: &'a [u8],
    /// With key and length.
    whole: &'a [u8],
}

/// The fields of a message, or `None` for bytes that are none.
fn fields(message: &[u8]) -> Option<Vec<Field<'_>>> {
    let mut rest = message;
    let mut fields = Vec::new();
    while !rest.is_empty() {
        let start = rest;
        let key = take_varint(&mut rest)?;
        let (value, bytes) = match key & 7 {
            0 => (take_varint(&mut rest)?, &[][..]),
            1 => (0, rest.split_off(..8)?),
            2 => {
                let length = usize::try_from(take_varint(&mut rest)?).ok()?;
                (0, rest.split_off(..length)?)
            }
            5 => (0, rest.split_off(..4)?),
            _ => return None,
        };
        fields.push(Field { number: key >> 3, value, bytes, whole: &start[..start.len() - rest.len()] });
    }
    Some(fields)
}

fn take_varint(rest: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let byte = *rest.split_off_first()?;
        value |= u64::from(byte & 127) << shift;
        if byte < 128 {
            return Some(value);
        }
    }
    None
}

fn put(message: &mut Vec<u8>, number: u64, bytes: &[u8]) {
    for mut value in [number << 3 | 2, bytes.len() as u64] {
        while value > 127 {
            message.push(value as u8 & 127 | 128);
            value >>= 7;
        }
        message.push(value as u8);
    }
    message.extend_from_slice(bytes);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(op: &str, inputs: &[&str], output: &str) -> Vec<u8> {
        let mut graph = Vec::new();
        let node = Node { op, inputs: vec![], outputs: vec![], attributes: vec![b"axis"], whole: &[] };
        node.put(&mut graph, inputs, &[output]);
        graph
    }

    fn model(nodes: &[Vec<u8>], scale_dims: [u8; 2]) -> Vec<u8> {
        let mut scale = vec![8, scale_dims[0], 8, scale_dims[1]];
        put(&mut scale, TENSOR_NAME, b"scale");
        let mut graph = nodes.concat();
        put(&mut graph, GRAPH_INITIALIZER, &scale);
        let mut model = vec![8, 10];
        put(&mut model, MODEL_GRAPH, &graph);
        model
    }

    fn unpacked_first() -> [Vec<u8>; 4] {
        [
            node("Cast", &["packed"], "floats"),
            node("Mul", &["floats", "scale"], "table"),
            node("Gather", &["table", IDS], "embedding"),
            node("Erf", &["embedding"], "last"),
        ]
    }

    fn ops(model: &[u8]) -> Vec<String> {
        let graph = fields(model).expect("a model").pop().expect("a graph").bytes;
        let nodes = fields(graph).expect("a graph");
        let nodes = nodes.iter().filter(|field| field.number == GRAPH_NODE);
        let nodes = nodes.map(|field| Node::read(field).expect("a node"));
        nodes.map(|n| format!("{} {} > {}", n.op, n.inputs.join(" "), n.outputs.join(" "))).collect()
    }

    #[test]
    fn the_lookup_moves_before_the_unpacking() {
        let changed = look_up_before_unpacking(&model(&unpacked_first(), [9, 1])).expect("the form it knows");
        assert_eq!(
            ops(&changed),
            [
                "Gather packed input_ids > table.found.rows",
                "Gather scale input_ids > table.found.scales",
                "Cast table.found.rows > table.found.floats",
                "Mul table.found.floats table.found.scales > embedding",
                "Erf embedding > last",
            ]
        );
    }

    #[test]
    fn graphs_of_another_form_are_left_alone() {
        let one_scale_for_all = model(&unpacked_first(), [1, 9]);
        assert!(look_up_before_unpacking(&one_scale_for_all).is_none());

        let mut used_twice = unpacked_first().to_vec();
        used_twice.push(node("MatMul", &["last", "table"], "words"));
        assert!(look_up_before_unpacking(&model(&used_twice, [9, 1])).is_none());

        let never_packed = model(&unpacked_first()[2..], [9, 1]);
        assert!(look_up_before_unpacking(&never_packed).is_none());
    }

    #[test]
    fn bytes_that_are_no_model_are_left_alone() {
        let whole = model(&unpacked_first(), [9, 1]);
        for length in 0..whole.len() {
            assert!(look_up_before_unpacking(&whole[..length]).is_none_or(|changed| changed.len() <= 2));
        }
        assert!(look_up_before_unpacking(&[0xff; 64]).is_none());
    }
}
