//! all-MiniLM-L6-v2 as an ONNX graph: BERT of six layers, as published. The graph holds no weights: it says where
//! in the file of safetensors each of them stands, and onnxruntime maps it from there. The table of words stays
//! mapped, shared by all threads; the matrices are copied once a session, in the order that products want.

use colloquy_domain::Result;

use super::{
    onnx::{Attribute, Graph, Kind},
    tokens::MAX_TOKENS,
    weights::Weights,
};

pub(super) const DIMENSIONS: usize = 384;

/// Ids of the tokens: texts × tokens.
pub(super) const IDS: &str = "ids";
/// 0, 1, 2 … up to the count of tokens.
pub(super) const POSITIONS: &str = "positions";
/// Added to what a token thinks of another: 0, or as little as there is for padding. Texts × 1 × 1 × tokens.
pub(super) const MASK: &str = "mask";
/// One row a token, padding included: texts · tokens × [`DIMENSIONS`].
pub(super) const STATES: &str = "states";

const LAYERS: usize = 6;
const HEADS: u64 = 12;
const WIDTH: u64 = DIMENSIONS as u64;
const INNER: u64 = 4 * WIDTH;
const WORDS: u64 = 30_522;
const POSITIONS_KNOWN: u64 = 512;
const EPSILON: f32 = 1e-12;

/// The model's bytes, or which tensor the file lacks.
pub(super) fn build(weights: &Weights) -> Result<Vec<u8>> {
    let file = weights.file.file_name().unwrap_or_default().to_string_lossy();
    let mut bert = Bert { graph: Graph::new("all-MiniLM-L6-v2", &file), weights };
    bert.graph.input(IDS, Kind::I64, &["texts", "tokens"]);
    bert.graph.input(POSITIONS, Kind::I64, &["tokens"]);
    bert.graph.input(MASK, Kind::F32, &["texts", "1", "1", "tokens"]);
    bert.constants();
    let mut states = bert.embeddings()?;
    for layer in 0..LAYERS {
        states = bert.layer(&format!("encoder.layer.{layer}."), &states)?;
    }
    bert.graph.node("Identity", &[&states], STATES, &[]);
    Ok(bert.graph.finish(STATES, &["rows", &WIDTH.to_string()]))
}

/// What the layers share: shapes, and the scale of attention.
const ROWS: &str = "shape.rows";
const BY_HEAD: &str = "shape.heads";
const SCALE: &str = "scale";

struct Bert<'a> {
    graph: Graph,
    weights: &'a Weights,
}

impl Bert<'_> {
    fn constants(&mut self) {
        let head = WIDTH / HEADS;
        self.graph.integers(ROWS, &[-1, WIDTH.cast_signed()]);
        self.graph.integers("shape.head", &[HEADS.cast_signed(), head.cast_signed()]);
        self.graph.scalar(SCALE, 1.0 / (head as f32).sqrt());
        self.graph.node("Shape", &[IDS], "shape.ids", &[]);
        self.graph.node("Concat", &["shape.ids", "shape.head"], BY_HEAD, &[("axis", Attribute::Int(0))]);
    }

    /// Word, place and kind of text added up. There is one kind of text here, the first.
    fn embeddings(&mut self) -> Result<String> {
        let table = |name: &str, rows| {
            self.weights.tensor(&format!("embeddings.{name}_embeddings.weight"), &[rows, WIDTH])
        };
        let words = table("word", WORDS)?;
        let positions = table("position", POSITIONS_KNOWN)?.first(MAX_TOKENS as u64);
        let kind = table("token_type", 2)?.first(1).flat();
        let graph = &mut self.graph;
        graph.weights("words", &words);
        graph.weights("places", &positions);
        graph.weights("kind", &kind);
        graph.node("Gather", &["words", IDS], "embedding.word", &[]);
        graph.node("Gather", &["places", POSITIONS], "embedding.place", &[]);
        graph.node("Add", &["embedding.place", "kind"], "embedding.placed", &[]);
        graph.node("Add", &["embedding.word", "embedding.placed"], "embedding.sum", &[]);
        graph.node("Reshape", &["embedding.sum", ROWS], "embedding.rows", &[]);
        self.normal("embeddings.LayerNorm", "embedding.rows")
    }

    /// Each token looks at all others, then thinks for itself.
    fn layer(&mut self, layer: &str, states: &str) -> Result<String> {
        let name = |part: &str| format!("{layer}{part}");
        let query = self.heads(&name("attention.self.query"), states, &[0, 2, 1, 3])?;
        let key = self.heads(&name("attention.self.key"), states, &[0, 2, 3, 1])?;
        let value = self.heads(&name("attention.self.value"), states, &[0, 2, 1, 3])?;
        let [scores, scaled, masked, shares, seen, turned, rows] =
            ["scores", "scaled", "masked", "shares", "seen", "turned", "rows"].map(name);
        let graph = &mut self.graph;
        graph.node("MatMul", &[&query, &key], &scores, &[]);
        graph.node("Mul", &[&scores, SCALE], &scaled, &[]);
        graph.node("Add", &[&scaled, MASK], &masked, &[]);
        graph.node("Softmax", &[&masked], &shares, &[("axis", Attribute::Int(-1))]);
        graph.node("MatMul", &[&shares, &value], &seen, &[]);
        graph.node("Transpose", &[&seen], &turned, &[("perm", Attribute::Ints(&[0, 2, 1, 3]))]);
        graph.node("Reshape", &[&turned, ROWS], &rows, &[]);
        let attended = self.linear(&name("attention.output.dense"), &rows, WIDTH, WIDTH)?;
        let states = self.normal_sum(&name("attention.output.LayerNorm"), states, &attended)?;

        let inner = self.linear(&name("intermediate.dense"), &states, WIDTH, INNER)?;
        let bent = name("bent");
        self.graph.node("Gelu", &[&inner], &bent, &[]);
        let outer = self.linear(&name("output.dense"), &bent, INNER, WIDTH)?;
        self.normal_sum(&name("output.LayerNorm"), &states, &outer)
    }

    /// A linear layer whose rows are parted among the heads and turned.
    fn heads(&mut self, name: &str, states: &str, order: &[i64]) -> Result<String> {
        let rows = self.linear(name, states, WIDTH, WIDTH)?;
        let (parted, turned) = (format!("{name}.parted"), format!("{name}.turned"));
        self.graph.node("Reshape", &[&rows, BY_HEAD], &parted, &[]);
        self.graph.node("Transpose", &[&parted], &turned, &[("perm", Attribute::Ints(order))]);
        Ok(turned)
    }

    fn linear(&mut self, name: &str, rows: &str, from: u64, to: u64) -> Result<String> {
        let matrix = self.load(&format!("{name}.weight"), &[to, from])?;
        let bias = self.load(&format!("{name}.bias"), &[to])?;
        self.graph.node("Gemm", &[rows, &matrix, &bias], name, &[("transB", Attribute::Int(1))]);
        Ok(name.to_owned())
    }

    fn normal_sum(&mut self, name: &str, a: &str, b: &str) -> Result<String> {
        let sum = format!("{name}.sum");
        self.graph.node("Add", &[a, b], &sum, &[]);
        self.normal(name, &sum)
    }

    fn normal(&mut self, name: &str, rows: &str) -> Result<String> {
        let weight = self.load(&format!("{name}.weight"), &[WIDTH])?;
        let bias = self.load(&format!("{name}.bias"), &[WIDTH])?;
        let attributes = [("axis", Attribute::Int(-1)), ("epsilon", Attribute::Float(EPSILON))];
        self.graph.node("LayerNormalization", &[rows, &weight, &bias], name, &attributes);
        Ok(name.to_owned())
    }

    fn load(&mut self, name: &str, shape: &[u64]) -> Result<String> {
        self.graph.weights(name, &self.weights.tensor(name, shape)?);
        Ok(name.to_owned())
    }
}
