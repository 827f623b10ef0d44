//! Transcripts as people bring them: tables of wild shapes, properties, and ninety real ones.

#[path = "transcripts/changelog.rs"]
mod changelog;
#[path = "transcripts/data.rs"]
mod data;
#[path = "transcripts/json_formats.rs"]
mod json_formats;
#[path = "transcripts/json_properties.rs"]
mod json_properties;
#[path = "transcripts/properties.rs"]
mod properties;
#[path = "transcripts/refusals.rs"]
mod refusals;
#[path = "transcripts/shapes.rs"]
mod shapes;
