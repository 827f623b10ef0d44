//! Writes ONNX's protobuf, as far as a graph of our own takes: nodes, inputs, an output, and initializers whose
//! numbers stand in another file.

use super::weights::Tensor;

/// Versions of the format and of the operators: the oldest that have what [`super::graph`] uses.
const IR_VERSION: u64 = 9;
const OPERATORS: u64 = 20;

/// `TensorProto.DataType`
#[derive(Debug, Clone, Copy)]
pub(super) enum Kind {
    F32 = 1,
    I64 = 7,
}

pub(super) enum Attribute<'a> {
    Float(f32),
    Int(i64),
    Ints(&'a [i64]),
}

/// A graph as it grows. Values are known by their names.
pub(super) struct Graph {
    /// The file of the weights, beside which the model is said to stand.
    weights: String,
    body: Vec<u8>,
}

impl Graph {
    pub(super) fn new(name: &str, weights: &str) -> Self {
        let mut body = Vec::new();
        text(&mut body, 2, name);
        Self { weights: weights.to_owned(), body }
    }

    pub(super) fn node(
        &mut self,
        operator: &str,
        inputs: &[&str],
        output: &str,
        attributes: &[(&str, Attribute<'_>)],
    ) {
        let mut node = Vec::new();
        inputs.iter().for_each(|name| text(&mut node, 1, name));
        text(&mut node, 2, output);
        text(&mut node, 4, operator);
        for (name, value) in attributes {
            bytes(&mut node, 5, &attribute(name, value));
        }
        bytes(&mut self.body, 1, &node);
    }

    /// Numbers in the file of the weights.
    pub(super) fn weights(&mut self, name: &str, place: &Tensor) {
        let mut tensor = Vec::new();
        place.shape.iter().for_each(|size| number(&mut tensor, 1, *size));
        number(&mut tensor, 2, Kind::F32 as u64);
        text(&mut tensor, 8, name);
        for (key, value) in [
            ("location", self.weights.clone()),
            ("offset", place.offset.to_string()),
            ("length", place.length.to_string()),
        ] {
            let mut entry = Vec::new();
            text(&mut entry, 1, key);
            text(&mut entry, 2, &value);
            bytes(&mut tensor, 13, &entry);
        }
        number(&mut tensor, 14, 1);
        bytes(&mut self.body, 5, &tensor);
    }

    /// A few whole numbers.
    pub(super) fn integers(&mut self, name: &str, values: &[i64]) {
        let mut tensor = Vec::new();
        number(&mut tensor, 1, values.len() as u64);
        number(&mut tensor, 2, Kind::I64 as u64);
        text(&mut tensor, 8, name);
        bytes(&mut tensor, 9, &values.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<_>>());
        bytes(&mut self.body, 5, &tensor);
    }

    /// One number, of no dimension.
    pub(super) fn scalar(&mut self, name: &str, value: f32) {
        let mut tensor = Vec::new();
        number(&mut tensor, 2, Kind::F32 as u64);
        text(&mut tensor, 8, name);
        bytes(&mut tensor, 9, &value.to_le_bytes());
        bytes(&mut self.body, 5, &tensor);
    }

    pub(super) fn input(&mut self, name: &str, kind: Kind, shape: &[&str]) {
        let value = value(name, kind, shape);
        bytes(&mut self.body, 11, &value);
    }

    /// The model, with this value for its output.
    pub(super) fn finish(mut self, output: &str, shape: &[&str]) -> Vec<u8> {
        let value = value(output, Kind::F32, shape);
        bytes(&mut self.body, 12, &value);
        let mut operators = Vec::new();
        number(&mut operators, 2, OPERATORS);
        let mut model = Vec::new();
        number(&mut model, 1, IR_VERSION);
        bytes(&mut model, 7, &self.body);
        bytes(&mut model, 8, &operators);
        model
    }
}

fn attribute(name: &str, value: &Attribute<'_>) -> Vec<u8> {
    let mut field = Vec::new();
    text(&mut field, 1, name);
    let kind = match value {
        Attribute::Float(value) => {
            varint(&mut field, 2 << 3 | 5);
            field.extend_from_slice(&value.to_le_bytes());
            1
        }
        Attribute::Int(value) => {
            number(&mut field, 3, value.cast_unsigned());
            2
        }
        Attribute::Ints(values) => {
            values.iter().for_each(|value| number(&mut field, 8, value.cast_unsigned()));
            7
        }
    };
    number(&mut field, 20, kind);
    field
}

/// `ValueInfoProto`; a dimension that is no number is a name for it.
fn value(name: &str, kind: Kind, shape: &[&str]) -> Vec<u8> {
    let mut dimensions = Vec::new();
    for size in shape {
        let mut dimension = Vec::new();
        match size.parse() {
            Ok(size) => number(&mut dimension, 1, size),
            Err(_) => text(&mut dimension, 2, size),
        }
        bytes(&mut dimensions, 1, &dimension);
    }
    let mut tensor = Vec::new();
    number(&mut tensor, 1, kind as u64);
    bytes(&mut tensor, 2, &dimensions);
    let (mut of_type, mut value) = (Vec::new(), Vec::new());
    bytes(&mut of_type, 1, &tensor);
    text(&mut value, 1, name);
    bytes(&mut value, 2, &of_type);
    value
}

fn text(message: &mut Vec<u8>, field: u64, text: &str) {
    bytes(message, field, text.as_bytes());
}

fn bytes(message: &mut Vec<u8>, field: u64, bytes: &[u8]) {
    varint(message, field << 3 | 2);
    varint(message, bytes.len() as u64);
    message.extend_from_slice(bytes);
}

fn number(message: &mut Vec<u8>, field: u64, value: u64) {
    varint(message, field << 3);
    varint(message, value);
}

fn varint(message: &mut Vec<u8>, mut value: u64) {
    while value > 127 {
        message.push(value as u8 & 127 | 128);
        value >>= 7;
    }
    message.push(value as u8);
}
