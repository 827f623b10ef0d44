//! The walls: which crate may know which, and where each product's crate has its one home.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
};

use cargo_metadata::{DependencyKind, Metadata, MetadataCommand, Package};

use crate::support::{workspace, world};

fn metadata() -> Metadata {
    let mut command = MetadataCommand::new();
    command.manifest_path(workspace().join("Cargo.toml")).no_deps().other_options(["--offline".to_owned()]);
    command.exec().expect("cargo metadata")
}

/// The crates that a package's code needs; those of its tests only where `tests` says so.
fn needs(package: &Package, tests: bool) -> BTreeSet<String> {
    let wanted = |kind: DependencyKind| tests || kind != DependencyKind::Development;
    package.dependencies.iter().filter(|of| wanted(of.kind)).map(|of| of.name.clone()).collect()
}

fn is_adapter(package: &Package) -> bool {
    package.manifest_path.as_str().contains("/adapters/")
}

#[test]
fn arrows_go_one_way() {
    let metadata = metadata();
    let members = metadata.workspace_packages();
    let names: BTreeSet<String> = members.iter().map(|package| package.name.to_string()).collect();
    assert!(names.len() >= 10, "{names:?}");
    for package in members {
        let allowed: &[&str] = match package.name.as_str() {
            "colloquy" => continue,
            // The benchmarks measure from outside.
            "colloquy-domain" | "colloquy-bench" => &[],
            "colloquy-api" => &["colloquy-domain", "colloquy-schema"],
            "colloquy-schema" | "colloquy-worker" => &["colloquy-domain"],
            "colloquy-conformance" => &["colloquy-domain"],
            // A server for tests.
            "colloquy-qdrant-stand-in" => &[],
            _ if is_adapter(package) => &["colloquy-domain"],
            other => panic!("{other} has no place in the walls"),
        };
        for tests in [false, true] {
            let ours: Vec<_> = needs(package, tests).into_iter().filter(|of| names.contains(of)).collect();
            // The suite of every search engine, and a server in a real one's place, are for their tests alone.
            let of_tests = ["colloquy-conformance", "colloquy-qdrant-stand-in"];
            let suite = |of: &str| tests && is_adapter(package) && of_tests.contains(&of);
            let beyond: Vec<_> =
                ours.iter().filter(|of| !allowed.contains(&of.as_str()) && !suite(of)).collect();
            assert!(beyond.is_empty(), "{} must not know {beyond:?}", package.name);
        }
    }
}

#[test]
fn each_product_has_one_home() {
    const HOMES: &[(&str, &[&str])] = &[
        ("colloquy-postgres", &["diesel", "diesel-async", "diesel_migrations", "bb8", "tokio-postgres"]),
        ("colloquy-redis", &["apalis", "apalis-core", "apalis-redis", "redis"]),
        ("colloquy-embedded", &["tantivy", "hannoy", "heed", "roaring"]),
        ("colloquy-elasticsearch", &["elasticsearch"]),
        ("colloquy-qdrant", &["qdrant-client", "tonic"]),
        ("colloquy-models", &["ort", "tokenizers"]),
        ("colloquy-api", &["tower", "tower-http", "multer"]),
        (
            "colloquy",
            &["clap", "figment", "indicatif", "anyhow", "metrics-exporter-prometheus", "tracing-subscriber"],
        ),
    ];
    let metadata = metadata();
    for package in metadata.workspace_packages() {
        // The benchmarks are clients of everything, and a stand-in is its product.
        if ["colloquy-bench", "colloquy-qdrant-stand-in"].contains(&package.name.as_str()) {
            continue;
        }
        let needs = needs(package, false);
        for (home, crates) in HOMES {
            let strangers: Vec<_> = crates.iter().filter(|of| needs.contains(**of)).collect();
            assert!(
                package.name.as_str() == *home || strangers.is_empty(),
                "{} must not use {strangers:?}",
                package.name
            );
        }
    }
    let domain =
        metadata.workspace_packages().into_iter().find(|package| package.name.as_str() == "colloquy-domain");
    for io in ["reqwest", "axum", "async-graphql", "opentelemetry", "tokio-tungstenite", "nix"] {
        assert!(!needs(domain.expect("the domain"), false).contains(io), "the domain does no I/O: {io}");
    }
}

#[test]
fn versions_features_and_lints_are_set_once() {
    for package in metadata().workspace_packages() {
        let manifest = fs::read_to_string(&package.manifest_path).expect("a manifest");
        let mut section = "";
        let mut lints = false;
        for line in manifest.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'))
        {
            if line.starts_with('[') {
                section = line;
                continue;
            }
            lints |= section == "[lints]" && line == "workspace = true";
            let of_crates = section.ends_with("dependencies]") && !section.starts_with("[workspace");
            let from_root = line.ends_with(".workspace = true") || line.contains("workspace = true");
            assert!(!of_crates || from_root, "{}: {section} {line}", package.name);
            assert!(
                !of_crates || !line.contains("features"),
                "{}: features are the root's: {line}",
                package.name
            );
        }
        assert!(lints, "{} does not take the workspace's lints", package.name);
    }
}

#[test]
fn modules_say_what_they_are_for_and_files_stay_short() {
    let mut folders = vec![workspace().to_owned()];
    let mut lengths = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("a folder").flatten() {
            let (path, name) = (entry.path(), entry.file_name());
            let name = name.to_string_lossy();
            if path.is_dir() {
                if !name.starts_with('.') && name != "target" && name != "node_modules" {
                    folders.push(path);
                }
                continue;
            }
            if !name.ends_with(".rs") {
                continue;
            }
            assert_ne!(name, "mod.rs", "{}: an area is a file beside its folder", path.display());
            let text = fs::read_to_string(&path).expect("a source");
            let head = text.lines().take_while(|line| line.starts_with("//!")).count();
            let of_tests = path.components().any(|part| part.as_os_str() == "tests");
            let is_script = ["build.rs", "schema.rs"].contains(&&*name);
            assert!(head >= 1 || is_script, "{} does not say what it is for", path.display());
            assert!(text.lines().count() <= 600, "{} is too long", path.display());
            if !of_tests {
                lengths.push(text.lines().count());
            }
        }
    }
    lengths.sort_unstable();
    assert!(lengths[lengths.len() / 2] < 160, "the median is {}", lengths[lengths.len() / 2]);
}

/// `section.key` of every line of the commented defaults, and of what is in force without any setting.
#[tokio::test]
async fn every_setting_is_documented_with_its_default() {
    let mut world = world!();
    for variable in world.variables() {
        world.unset(&variable);
    }
    let text = fs::read_to_string(workspace().join("config.default.toml")).expect("config.default.toml");
    let mut documented = BTreeSet::new();
    let (mut section, mut explained) = (String::new(), false);
    for line in text.lines() {
        // A table that is empty by default stands there as a comment, too.
        let uncommented = line.trim_start_matches("# ");
        if let Some(name) = uncommented.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            section = name.to_owned();
            continue;
        }
        // A key without a default stands there as a comment: `# url = "…"`.
        let setting = line.trim_start_matches('#').trim();
        let key = setting.split_once(" = ").map(|(key, _)| key);
        let is_key = |key: &str| {
            !key.is_empty() && key.chars().all(|c| c.is_ascii_lowercase() || c == '_' || c.is_ascii_digit())
        };
        match key.filter(|key| is_key(key)) {
            Some(key) => {
                assert!(explained, "{section}.{key} is not explained");
                // A line can hold a table.
                let line = toml::from_str(setting).unwrap_or_else(|_| serde_json::json!({ key: null }));
                let mut keys = BTreeMap::new();
                flatten(&section, &line, &mut keys);
                documented.extend(keys.into_keys());
            }
            None => explained = line.starts_with('#'),
        }
    }
    let shown = world.run(&["config", "--json"]).await.well();
    let mut in_force = BTreeMap::new();
    flatten("", &serde_json::from_str(&shown).expect("JSON"), &mut in_force);
    let missing: Vec<_> = in_force.keys().filter(|key| !documented.contains(*key)).collect();
    assert!(missing.is_empty(), "config.default.toml lacks {missing:?}");

    // What it says is what holds, and every key of it is known.
    let file = world.folder().join("all.toml");
    fs::write(&file, &text).expect("a file");
    let with_file = world.run(&["config", "--json", "--config", &file.display().to_string()]).await.well();
    assert_eq!(shown, with_file, "the file holds the defaults");
    let optional: Vec<_> = documented.iter().filter(|key| !in_force.contains_key(*key)).collect();
    for key in optional {
        let set = world.run(&["config", "--set", &format!("{key}=127.0.0.1:1")]).await;
        assert!(!set.stderr.contains("unknown field"), "{key}: {set:#?}");
    }
}

fn flatten(prefix: &str, value: &serde_json::Value, keys: &mut BTreeMap<String, String>) {
    match value {
        serde_json::Value::Object(fields) => {
            for (name, value) in fields {
                let path = if prefix.is_empty() { name.clone() } else { format!("{prefix}.{name}") };
                flatten(&path, value, keys);
            }
        }
        value => {
            keys.insert(prefix.to_owned(), value.to_string());
        }
    }
}
