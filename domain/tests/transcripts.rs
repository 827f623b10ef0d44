//! Transcripts as people bring them: tables of wild shapes, properties, and ninety real ones.

#[path = "transcripts/archive_invariants.rs"]
mod archive_invariants;
#[path = "transcripts/bad_input.rs"]
mod bad_input;
#[path = "transcripts/changelog.rs"]
mod changelog;
#[path = "transcripts/corpora.rs"]
mod corpora;
#[path = "transcripts/data.rs"]
mod data;
#[path = "transcripts/doubts.rs"]
mod doubts;
#[path = "transcripts/exports.rs"]
mod exports;
#[path = "transcripts/invariants.rs"]
mod invariants;
#[path = "transcripts/json_formats.rs"]
mod json_formats;
#[path = "transcripts/json_properties.rs"]
mod json_properties;
#[path = "transcripts/lengths.rs"]
mod lengths;
#[path = "transcripts/properties.rs"]
mod properties;
#[path = "transcripts/refusals.rs"]
mod refusals;
#[path = "transcripts/shapes.rs"]
mod shapes;
#[path = "transcripts/text_formats.rs"]
mod text_formats;
#[path = "transcripts/text_properties.rs"]
mod text_properties;
