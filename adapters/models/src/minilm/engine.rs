//! One onnxruntime session: token ids in, unit vectors out.

use std::{fs, path::Path, sync::Mutex};

use colloquy_domain::{Error, Result};
use ort::{
    environment::Environment,
    ep::CPU,
    session::{Session, builder::SessionBuilder},
    value::TensorRef,
};

use super::{EMBEDDING, LOADING, graph};

pub(super) const DIMENSIONS: usize = 384;

const INPUTS: [&str; 3] = ["input_ids", "attention_mask", "token_type_ids"];
const OUTPUT: &str = "last_hidden_state";

/// onnxruntime's library, loaded. It allows one environment a process, ever: once made, it is kept.
static ENVIRONMENT: Mutex<Option<Environment>> = Mutex::new(None);

pub(super) struct Runtime(Environment);

impl Runtime {
    pub(super) fn load(library: &Path) -> Result<Self> {
        let mut kept = ENVIRONMENT.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        if let Some(environment) = kept.as_ref() {
            return Ok(Self(environment.clone()));
        }
        let environment = ort::init_from(library)
            .map_err(|error| Error::unavailable(LOADING, error))?
            .with_name("colloquy")
            .with_telemetry(false)
            .build()
            .map_err(|error| Error::unavailable(LOADING, error))?;
        *kept = Some(environment.clone());
        Ok(Self(environment))
    }
}

pub(super) struct Engine {
    session: Session,
    ids: Vec<i64>,
    mask: Vec<i64>,
    types: Vec<i64>,
}

impl Engine {
    pub(super) fn load(runtime: &Runtime, weights: &Path) -> Result<Self> {
        let file = fs::read(weights).map_err(|error| Error::unavailable(LOADING, error))?;
        let smaller = graph::look_up_before_unpacking(&file);
        if smaller.is_none() {
            tracing::warn!("the embedding model has a form that takes more memory than it need");
        }
        let session = builder(runtime)
            .and_then(|mut builder| builder.commit_from_memory(smaller.as_ref().unwrap_or(&file)))
            .map_err(|error| Error::unavailable(LOADING, error))?;
        check(&session)?;
        Ok(Self { session, ids: Vec::new(), mask: Vec::new(), types: Vec::new() })
    }

    /// A vector a text, in their order. Shorter texts are padded to the longest.
    pub(super) fn embed(&mut self, texts: &[Vec<i64>]) -> Result<Vec<Vec<f32>>> {
        let width = texts.iter().map(Vec::len).max().unwrap_or(0);
        if width == 0 {
            return Ok(Vec::new());
        }
        self.fill(texts, width);
        let shape = [texts.len(), width];
        let internal = |error: ort::Error| Error::internal(EMBEDDING, error);
        let tensor = |data| TensorRef::from_array_view((shape, data)).map_err(internal);
        let outputs = self
            .session
            .run(ort::inputs![
                INPUTS[0] => tensor(self.ids.as_slice())?,
                INPUTS[1] => tensor(self.mask.as_slice())?,
                INPUTS[2] => tensor(self.types.as_slice())?,
            ])
            .map_err(internal)?;
        let (shape, states) = outputs[OUTPUT].try_extract_tensor::<f32>().map_err(internal)?;
        if states.len() != texts.len() * width * DIMENSIONS {
            return Err(Error::internal(EMBEDDING, format!("the model answered with the shape {shape:?}")));
        }
        Ok(texts
            .iter()
            .zip(states.chunks_exact(width * DIMENSIONS))
            .map(|(text, states)| mean_of_unit_length(&states[..text.len() * DIMENSIONS]))
            .collect())
    }

    fn fill(&mut self, texts: &[Vec<i64>], width: usize) {
        let cells = texts.len() * width;
        for buffer in [&mut self.ids, &mut self.mask, &mut self.types] {
            buffer.clear();
            buffer.resize(cells, 0);
        }
        for (row, text) in texts.iter().enumerate() {
            let cells = row * width..row * width + text.len();
            self.ids[cells.clone()].copy_from_slice(text);
            self.mask[cells].fill(1);
        }
    }
}

/// One thread a session: two sessions of one thread do as well as one of two, and none of them spins.
/// Without arena and memory patterns, because lengths vary and an arena keeps the largest it ever saw.
fn builder(runtime: &Runtime) -> ort::Result<SessionBuilder> {
    Ok(Session::builder(&runtime.0)?
        .with_execution_providers([CPU::default().with_arena_allocator(false).build()])?
        .with_memory_pattern(false)?
        .with_intra_threads(1)?
        .with_inter_threads(1)?
        .with_intra_op_spinning(false)?)
}

/// Refuses a file that is some other model.
fn check(session: &Session) -> Result<()> {
    let named = |names: &[&str]| session.inputs().iter().all(|input| names.contains(&input.name()));
    let width = session
        .outputs()
        .iter()
        .find(|output| output.name() == OUTPUT)
        .and_then(|output| output.dtype().tensor_shape())
        .and_then(|shape| shape.last().copied());
    if named(&INPUTS) && session.inputs().len() == INPUTS.len() && width == Some(DIMENSIONS as i64) {
        return Ok(());
    }
    let found = (session.inputs(), session.outputs());
    Err(Error::unavailable(
        LOADING,
        format!("model.onnx is not all-MiniLM-L6-v2; it takes and gives {found:?}"),
    ))
}

/// The mean over a text's tokens, scaled to length one: a dot product of two is their cosine.
fn mean_of_unit_length(states: &[f32]) -> Vec<f32> {
    let mut vector = vec![0.0_f32; DIMENSIONS];
    for state in states.chunks_exact(DIMENSIONS) {
        for (sum, value) in vector.iter_mut().zip(state) {
            *sum += value;
        }
    }
    // The sum points where the mean does, and only the direction is kept.
    let length = vector.iter().map(|value| value * value).sum::<f32>().sqrt().max(f32::MIN_POSITIVE);
    for value in &mut vector {
        *value /= length;
    }
    vector
}
