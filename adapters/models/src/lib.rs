//! Models behind the domain's ports. [`MiniLm`] embeds on this machine's processors with onnxruntime;
//! [`HashingEmbedder`] is for tests: no files, no threads, the same vectors everywhere.

mod hashing;
mod minilm;
mod telemetry;

pub use hashing::HashingEmbedder;
pub use minilm::{MiniLm, MiniLmSettings};
