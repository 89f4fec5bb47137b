//! The rules for the source, checked in its text: arrows, lengths, words.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

mod architecture;
mod exceptions;
mod graph;
mod invariants;
mod lexer;
mod text;

use std::fs;
use std::path::{Path, PathBuf};

/// The paths, relative to the folder, and the texts of all files of a folder of this project whose names have these endings.
fn files(folder: &str, endings: &[&str]) -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let (mut folders, mut found) = (vec![root.clone()], Vec::new());
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path: PathBuf = entry.unwrap().path();
            let name = path.strip_prefix(&root).unwrap().to_string_lossy().replace('\\', "/");
            if path.is_dir() {
                // Packages that a test has installed.
                if !path.ends_with("node_modules") {
                    folders.push(path);
                }
            } else if endings.iter().any(|ending| name.ends_with(ending)) {
                // A folder may also have files that are not text.
                found.push((name, String::from_utf8_lossy(&fs::read(&path).unwrap()).into_owned()));
            }
        }
    }
    found.sort();
    assert!(!found.is_empty(), "{folder} was not found");
    found
}

/// Fails if something breaks a rule and is not listed for it in `exceptions.rs`, and names listed exceptions that no longer
/// break the rule.
fn none(rule: &str, found: &[(String, String)]) {
    let known = exceptions::EXCEPTIONS.iter().filter(|(name, _)| *name == rule).flat_map(|(_, known)| known.iter());
    let known: Vec<&str> = known.copied().collect();
    for mended in known.iter().filter(|known| !found.iter().any(|(what, _)| what == *known)) {
        println!("{rule}: {mended} is mended and can leave the exceptions");
    }
    let wrong: Vec<_> = found.iter().filter(|(what, _)| !known.contains(&what.as_str())).collect();
    let words: Vec<_> = wrong.iter().map(|(_, words)| words.as_str()).collect();
    assert!(wrong.is_empty(), "{rule}:\n{}", words.join("\n"));
}
