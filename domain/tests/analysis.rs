//! The measures and the extractive analyzer, as callers see them.

#[path = "analysis/evidence.rs"]
mod evidence;
#[path = "analysis/language.rs"]
mod language;
#[path = "analysis/measures.rs"]
mod measures;
#[path = "analysis/properties.rs"]
mod properties;
#[path = "analysis/rules.rs"]
mod rules;
#[path = "analysis/samples.rs"]
mod samples;
#[path = "analysis/talks.rs"]
mod talks;
