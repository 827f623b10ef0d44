//! Where each tensor stands in a file of safetensors: eight bytes that say how long the header is, the header as
//! JSON, then the numbers. Reads the header only; the numbers are onnxruntime's to map.

use std::{
    collections::HashMap,
    fs::{self, File},
    io::{self, Read},
    path::{Path, PathBuf},
};

use colloquy_domain::{Error, Result};
use serde::Deserialize;
use serde_json::Value;

use super::LOADING;

/// The header of this model takes 11 kB.
const LARGEST_HEADER: u64 = 1024 * 1024;
const BYTES_OF_F32: u64 = 4;

pub(super) struct Weights {
    /// Without links in its path: onnxruntime refuses weights that lead out of their folder.
    pub(super) file: PathBuf,
    tensors: HashMap<String, Tensor>,
}

/// A tensor of 32-bit floats.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Tensor {
    pub(super) shape: Vec<u64>,
    /// In bytes from the beginning of the file.
    pub(super) offset: u64,
    /// In bytes.
    pub(super) length: u64,
}

impl Tensor {
    /// The first rows alone.
    pub(super) fn first(&self, rows: u64) -> Self {
        let length = self.length / self.shape[0] * rows;
        Self { shape: [&[rows], &self.shape[1..]].concat(), offset: self.offset, length }
    }

    /// As a list of numbers.
    pub(super) fn flat(&self) -> Self {
        Self { shape: vec![self.shape.iter().product()], ..self.clone() }
    }
}

#[derive(Deserialize)]
struct Entry {
    dtype: String,
    shape: Vec<u64>,
    data_offsets: [u64; 2],
}

impl Weights {
    pub(super) fn read(file: &Path) -> Result<Self> {
        let unreadable = |error| Error::unavailable(LOADING, error);
        let file = fs::canonicalize(file).map_err(unreadable)?;
        let mut source = File::open(&file).map_err(unreadable)?;
        let length = source.metadata().map_err(unreadable)?.len();
        let tensors = tensors(&mut source, length).map_err(|error| unusable(&file, error))?;
        Ok(Self { file, tensors })
    }

    /// `Unavailable` where the file holds no such tensor, or one of another shape: it is some other model's.
    pub(super) fn tensor(&self, name: &str, shape: &[u64]) -> Result<Tensor> {
        match self.tensors.get(name) {
            Some(tensor) if tensor.shape == shape => Ok(tensor.clone()),
            found => {
                let shapes = found.map_or("nothing of that name".to_owned(), |t| format!("{:?}", t.shape));
                Err(unusable(&self.file, format!("it needs {name} of shape {shape:?} and has {shapes}")))
            }
        }
    }
}

fn unusable(file: &Path, why: impl std::fmt::Display) -> Error {
    let file = file.display();
    let why = format!("{file} is not all-MiniLM-L6-v2: {why}; remove it, and `./run` fetches it anew");
    Error::unavailable(LOADING, why)
}

fn tensors(source: &mut impl Read, length: u64) -> io::Result<HashMap<String, Tensor>> {
    let broken = |what: String| io::Error::new(io::ErrorKind::InvalidData, what);
    let mut header_length = [0; 8];
    source.read_exact(&mut header_length)?;
    let header_length = u64::from_le_bytes(header_length);
    if header_length > LARGEST_HEADER {
        return Err(broken(format!("its header says that it is {header_length} bytes long")));
    }
    let mut header = Vec::new();
    source.take(header_length).read_to_end(&mut header)?;
    let begin = 8 + header_length;

    let mut tensors = HashMap::new();
    for (name, entry) in serde_json::from_slice::<HashMap<String, Value>>(&header)? {
        if name == "__metadata__" {
            continue;
        }
        let Entry { dtype, shape, data_offsets: [from, to] } = Entry::deserialize(entry)?;
        if dtype != "F32" {
            continue;
        }
        let bytes = shape.iter().try_fold(BYTES_OF_F32, |bytes, size| bytes.checked_mul(*size));
        if bytes.is_none() || to.checked_sub(from) != bytes || to > length.saturating_sub(begin) {
            return Err(broken(format!("{name} does not stand where its header says, or it is cut short")));
        }
        tensors.insert(name, Tensor { shape, offset: begin + from, length: to - from });
    }
    Ok(tensors)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(header: &str, numbers: usize) -> Vec<u8> {
        let mut file = (header.len() as u64).to_le_bytes().to_vec();
        file.extend_from_slice(header.as_bytes());
        file.resize(file.len() + numbers * 4, 0);
        file
    }

    fn read(file: &[u8]) -> io::Result<HashMap<String, Tensor>> {
        tensors(&mut &file[..], file.len() as u64)
    }

    const HEADER: &str = r#"{"__metadata__": {"format": "pt"},
        "ids": {"dtype": "I64", "shape": [1], "data_offsets": [0, 8]},
        "table": {"dtype": "F32", "shape": [3, 2], "data_offsets": [8, 32]}}"#;

    #[test]
    fn a_tensor_is_found_by_its_place_in_the_file() {
        let tensors = read(&file(HEADER, 8)).expect("a header");
        let offset = 8 + HEADER.len() as u64 + 8;
        assert_eq!(tensors["table"], Tensor { shape: vec![3, 2], offset, length: 24 });
        assert_eq!(tensors["table"].first(2), Tensor { shape: vec![2, 2], offset, length: 16 });
        assert_eq!(tensors["table"].flat(), Tensor { shape: vec![6], offset, length: 24 });
        assert!(!tensors.contains_key("ids"), "whole numbers are no weights");
    }

    #[test]
    fn a_file_that_is_cut_short_is_refused() {
        let whole = file(HEADER, 8);
        for length in 0..whole.len() {
            assert!(read(&whole[..length]).is_err(), "{length} of {} bytes", whole.len());
        }
    }

    #[test]
    fn a_header_that_says_what_cannot_be_is_refused() {
        let entry = |shape: &str, offsets: &str| {
            format!(r#"{{"table": {{"dtype": "F32", "shape": {shape}, "data_offsets": {offsets}}}}}"#)
        };
        assert!(read(&file(&entry("[2]", "[0, 8]"), 2)).is_ok());
        for (shape, offsets) in
            [("[2]", "[8, 0]"), ("[2]", "[0, 4]"), ("[4294967296, 4294967296]", "[0, 0]"), ("[3]", "[0, 12]")]
        {
            assert!(read(&file(&entry(shape, offsets), 2)).is_err(), "{shape} at {offsets}");
        }
        assert!(read(&u64::MAX.to_le_bytes()).is_err());
        assert!(read(&file("[]", 0)).is_err());
    }
}
