//! The layers of src/README.md hold: an import goes down only, a heavy crate stays in its room, a file stays small.

use std::fs;
use std::path::{Path, PathBuf};

/// Layer of each top-level module; an import may go to the same or to a lower layer.
const LAYERS: &[(&str, u8)] = &[
    ("domain", 0),
    ("config", 1),
    ("telemetry", 1),
    ("tasks", 1),
    ("geom", 2),
    ("film", 2),
    ("vision", 2),
    ("review", 2),
    ("suggest", 2),
    ("ingest", 3),
    ("infer", 3),
    ("train", 3),
    ("export", 3),
    ("report", 3),
    ("store", 3),
    ("blobs", 3),
    ("jobs", 4),
    ("cli", 5),
    ("http", 5),
    ("compose", 6),
    ("main", 6),
    ("lib", 6),
];

/// A heavy crate, by the names it goes by in `use`, and the rooms (module or module::submodule) that may see it.
const ROOMS: &[(&[&str], &[&str])] = &[
    (&["ort", "ort_sys"], &["infer"]),
    (&["candle_core", "candle_nn"], &["train"]),
    (&["prost"], &["train"]),
    (&["hdf5", "hdf5_sys", "hdf5_metno"], &["ingest", "export"]),
    (&["plotters"], &["report"]),
    // `ingest` reads video files through OpenCV's videoio.
    (&["opencv"], &["vision", "geom::pose", "ingest"]),
    (&["clap"], &["cli", "main"]),
    (&["sqlx", "apalis_core", "apalis_sqlite"], &["store"]),
    (&["object_store"], &["blobs"]),
    (&["axum", "tower_http", "utoipa", "utoipa_axum", "utoipa_swagger_ui", "rust_embed"], &["http"]),
    // The edges talk to other services: the webhook's address, a running `crumple serve`.
    (&["reqwest"], &["jobs", "cli"]),
    (&["metrics_exporter_prometheus"], &["telemetry", "http", "compose"]),
];

/// Longest source file, lines.
const LONGEST_FILE: usize = 500;

/// One finding: where, and what is wrong.
type Finding = String;

/// A source file: its place under `src` and its text.
struct Source {
    /// For example `["geom", "pose"]` for src/geom/pose.rs and src/geom/pose/mod.rs.
    module: Vec<String>,
    name: String,
    text: String,
}

fn sources(root: &Path) -> Vec<Source> {
    let mut found = vec![];
    let mut folders = vec![root.to_path_buf()];
    while let Some(folder) = folders.pop() {
        let entries = fs::read_dir(&folder).expect("src is readable");
        for path in entries.map(|e| e.expect("src is readable").path()) {
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|e| e == "rs") {
                found.push(Source {
                    module: module_of(root, &path),
                    name: path.strip_prefix(root).expect("it is below src").display().to_string(),
                    text: fs::read_to_string(&path).expect("a source file is text"),
                });
            }
        }
    }
    found.sort_by(|a, b| a.name.cmp(&b.name));
    found
}

fn module_of(root: &Path, path: &Path) -> Vec<String> {
    let inside: PathBuf = path.strip_prefix(root).expect("it is below src").with_extension("");
    let words = inside.iter().map(|w| w.to_string_lossy().into_owned());
    words.filter(|w| w != "mod").collect()
}

fn layer(module: &str) -> Option<u8> {
    LAYERS.iter().find(|(name, _)| *name == module).map(|(_, layer)| *layer)
}

/// The text without comments, so that prose may name what code may not.
fn code(text: &str) -> String {
    text.lines().map(|line| line.find("//").map_or(line, |at| &line[..at])).collect::<Vec<_>>().join("\n")
}

/// Each identifier that follows `prefix::` in the code; also those in `prefix::{a, b::c}`.
fn followers(code: &str, prefix: &str) -> Vec<String> {
    let mut found = vec![];
    let needle = format!("{prefix}::");
    for (at, _) in code.match_indices(&needle) {
        let before = code[..at].chars().next_back();
        if before.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == ':') {
            continue;
        }
        let rest = &code[at + needle.len()..];
        if let Some(group) = rest.strip_prefix('{') {
            found.extend(first_words_of_group(group));
        } else {
            found.push(first_word(rest));
        }
    }
    found.retain(|w| !w.is_empty());
    found
}

fn first_word(text: &str) -> String {
    text.trim_start().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
}

/// The first identifier of each entry of a `use` group, up to its closing brace.
fn first_words_of_group(group: &str) -> Vec<String> {
    let (mut depth, mut entry, mut entries) = (0, String::new(), vec![]);
    for c in group.chars() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => entries.push(std::mem::take(&mut entry)),
            _ => entry.push(c),
        }
    }
    entries.push(entry);
    entries.iter().map(|e| first_word(e)).collect()
}

/// True when the code uses the crate `name` by path: `name::…`, `use name;` or `extern crate name`.
fn uses_crate(code: &str, name: &str) -> bool {
    let path = !followers(code, name).is_empty();
    let whole = [format!("use {name};"), format!("use {name} as "), format!("extern crate {name};")];
    path || whole.iter().any(|w| code.contains(w.as_str()))
}

fn findings(sources: &[Source]) -> Vec<Finding> {
    let mut found = vec![];
    for source in sources {
        let Some(own) = source.module.first() else { continue };
        let Some(own_layer) = layer(own) else {
            found.push(format!(
                "{}: module `{own}` has no layer; give it one in tests/layers.rs and src/README.md",
                source.name
            ));
            continue;
        };
        let code = code(&source.text);
        for other in [followers(&code, "crate"), followers(&code, "crumple")].concat() {
            match layer(&other) {
                Some(there) if other != *own && there > own_layer => found.push(format!(
                    "{}: `{own}` (layer {own_layer}) imports `{other}` (layer {there}); an import may only go down",
                    source.name
                )),
                _ => {}
            }
        }
        for (names, rooms) in ROOMS {
            let path = source.module.join("::");
            let inside = rooms.iter().any(|r| path == *r || path.starts_with(&format!("{r}::")));
            for name in names.iter().filter(|n| !inside && uses_crate(&code, n)) {
                found.push(format!("{}: sees `{name}`, which only {} may see", source.name, rooms.join(", ")));
            }
        }
        let lines = source.text.lines().count();
        if lines > LONGEST_FILE {
            found.push(format!("{}: {lines} lines, at most {LONGEST_FILE}", source.name));
        }
    }
    found
}

fn planted(name: &str, text: &str) -> Vec<Finding> {
    let module = module_of(Path::new("src"), &Path::new("src").join(name));
    findings(&[Source { module, name: name.to_owned(), text: text.to_owned() }])
}

#[test]
fn imports_go_down_and_heavy_crates_stay_in_their_rooms() {
    let all = sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"));
    assert!(all.len() > 10, "only {} source files were found", all.len());
    let found = findings(&all);
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn a_planted_upward_import_is_caught() {
    for text in [
        "use crate::cli::Args;",
        "use crate::{domain::Mesh, cli::Args};",
        "fn f() { crate::cli::go() }",
        "use crate::{\n    domain::{Mesh, Part},\n    cli,\n};",
    ] {
        let found = planted("geom/raster.rs", text);
        assert!(found.iter().any(|f| f.contains("`geom` (layer 2) imports `cli` (layer 5)")), "{text}: {found:?}");
    }
}

#[test]
fn a_planted_heavy_crate_is_caught() {
    let cases = [
        ("report/a.rs", "use ort::session::Session;", "`ort`"),
        ("infer/a.rs", "fn f(t: &candle_core::Tensor) {}", "`candle_core`"),
        ("geom/raster.rs", "use opencv::prelude::*;", "`opencv`"),
        ("report/a.rs", "use hdf5;", "`hdf5`"),
        ("cli/a.rs", "use plotters::{prelude, style};", "`plotters`"),
    ];
    for (name, text, word) in cases {
        let found = planted(name, text);
        assert!(found.iter().any(|f| f.contains(word)), "{name} {text}: {found:?}");
    }
}

#[test]
fn what_is_allowed_is_not_reported() {
    for (name, text) in [
        ("geom/pose.rs", "use opencv::calib3d;"),
        ("geom/pose/mod.rs", "use opencv::calib3d;"),
        ("infer/a.rs", "use ort::session::Session; use crate::domain::ModelSpec; use crate::infer::b;"),
        ("report/a.rs", "// ort::Session is not for here, nor crate::cli::Args\nfn report::f() {}"),
        ("cli/a.rs", "use crate::report::write; let support::x = 1; use super::export::{a, b};"),
    ] {
        assert_eq!(planted(name, text), Vec::<Finding>::new(), "{name} {text}");
    }
}

#[test]
fn a_file_that_is_too_long_and_a_module_without_a_layer_are_caught() {
    assert!(planted("geom/a.rs", &"//\n".repeat(LONGEST_FILE + 1))[0].contains("501 lines"));
    assert!(planted("helper/a.rs", "")[0].contains("has no layer"));
}
