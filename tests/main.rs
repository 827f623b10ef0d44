//! End to end: the real binary over HTTP and WebSocket, with a real PostgreSQL and a real Redis that this
//! process starts for itself, and the shape of the workspace.

mod accounts;
mod analysis;
mod architecture;
mod audit;
mod batches;
mod chaos;
mod console;
mod conversations;
mod erasure;
mod imports;
mod jobs;
mod languages;
mod live;
mod manage;
mod meaning;
mod operations;
mod outage;
mod people;
mod progress;
mod rebuild;
mod roles;
mod saved_searches;
mod schedules;
mod search;
mod search_facets;
mod search_order;
mod search_pages;
mod search_similar;
mod search_spelling;
mod search_suggestions;
mod servers;
mod shell;
mod support;
mod telemetry;
mod tenancy;
