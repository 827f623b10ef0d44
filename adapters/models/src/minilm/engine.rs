//! One onnxruntime session: token ids in, unit vectors out.

use std::{path::Path, sync::Mutex};

use colloquy_domain::{Error, Result};
use ort::{
    environment::Environment,
    ep::CPU,
    session::{Session, builder::SessionBuilder},
    value::TensorRef,
};

use super::{
    EMBEDDING, LOADING,
    graph::{DIMENSIONS, IDS, MASK, POSITIONS, STATES},
};

/// Where onnxruntime looks for the weights of a model that came from memory.
const WEIGHTS_FOLDER: &str = "session.model_external_initializers_file_folder_path";

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
    positions: Vec<i64>,
    mask: Vec<f32>,
}

impl Engine {
    /// `weights` is the file that the model names.
    pub(super) fn load(runtime: &Runtime, model: &[u8], weights: &Path) -> Result<Self> {
        let folder = weights.parent().unwrap_or(weights).to_string_lossy();
        let session = builder(runtime)
            .and_then(|builder| Ok(builder.with_config_entry(WEIGHTS_FOLDER, folder)?))
            .and_then(|mut builder| builder.commit_from_memory(model))
            .map_err(|error| Error::unavailable(LOADING, error))?;
        Ok(Self { session, ids: Vec::new(), positions: Vec::new(), mask: Vec::new() })
    }

    /// A vector a text, in their order. Shorter texts are padded to the longest.
    pub(super) fn embed(&mut self, texts: &[Vec<i64>]) -> Result<Vec<Vec<f32>>> {
        let width = texts.iter().map(Vec::len).max().unwrap_or(0);
        if width == 0 {
            return Ok(Vec::new());
        }
        self.fill(texts, width);
        let internal = |error: ort::Error| Error::internal(EMBEDDING, error);
        let ids = TensorRef::from_array_view(([texts.len(), width], self.ids.as_slice()));
        let positions = TensorRef::from_array_view(([width], self.positions.as_slice()));
        let mask = TensorRef::from_array_view(([texts.len(), 1, 1, width], self.mask.as_slice()));
        let outputs = self
            .session
            .run(ort::inputs![
                IDS => ids.map_err(internal)?,
                POSITIONS => positions.map_err(internal)?,
                MASK => mask.map_err(internal)?,
            ])
            .map_err(internal)?;
        let (shape, states) = outputs[STATES].try_extract_tensor::<f32>().map_err(internal)?;
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
        self.ids.clear();
        self.ids.resize(cells, 0);
        self.mask.clear();
        self.mask.resize(cells, f32::MIN);
        for (row, text) in texts.iter().enumerate() {
            let cells = row * width..row * width + text.len();
            self.ids[cells.clone()].copy_from_slice(text);
            self.mask[cells].fill(0.0);
        }
        self.positions.clear();
        self.positions.extend(0..width as i64);
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
