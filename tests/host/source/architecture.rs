//! Arrows between source files: none leads upwards, there are no circles, and some folders may not name others.

use super::graph::Graph;
use super::{files, none};

/// The floors of `src/`, from the bottom to the top: files and folders, by their paths without `.rs`. A longer path takes
/// precedence over the folder that it is in. Arrows may lead to lower floors, and within a floor as long as they make no
/// circle.
const FLOORS: &[(&str, &[&str])] = &[
    (
        "plain data and the host",
        &[
            "cores",
            "distributed",
            "error",
            "files",
            "host_memory",
            "options",
            "saved_number",
            "schedule",
            "shares",
            "source",
            "statistics",
            "tensor_file",
            "waiting",
        ],
    ),
    ("the CPU path", &["cpu"]),
    ("the driver", &["gpu/driver", "gpu/counters"]),
    ("device memory", &["gpu/memory"]),
    ("encoding", &["gpu/encode"]),
    ("sizes of kernels", &["gpu/grids", "gpu/limits", "gpu/rows", "gpu/tiles", "gpu/tuned", "gpu/units"]),
    ("the context", &["gpu/choice", "gpu/context", "gpu/open", "gpu/presets"]),
    ("buffers and launches", &["gpu"]),
    ("kernels", &["gpu/kernels", "gpu/mod"]),
    ("devices", &["device/device", "device/info", "tuning/file"]),
    ("matrices", &["gathered", "matrix", "storage"]),
    ("targets", &["targets"]),
    ("buffers of the caller", &["device"]),
    ("ops", &["ops"]),
    ("layers, optimizers, metrics and data", &["data", "layers", "metrics", "optim"]),
    ("models", &["mlp", "plan", "planned", "plot", "progress"]),
    ("tuning and verification", &["tuning", "verify"]),
    ("the crate", &["guide", "lib"]),
];

fn graph(folder: &str) -> Graph {
    let files = files(folder, &[".rs"]);
    Graph::new(files.iter().map(|(file, text)| (file.as_str(), text.as_str())))
}

/// The number of a file's floor: that of the longest of these names that the file's path begins with.
fn floor(floors: &[(&str, &[&str])], file: &str) -> Option<usize> {
    let stem = file.trim_end_matches(".rs");
    let below = |name: &str| stem == name || stem.strip_prefix(name).is_some_and(|rest| rest.starts_with('/'));
    let all = floors
        .iter()
        .enumerate()
        .flat_map(|(floor, (_, names))| names.iter().map(move |name| (name.len(), floor, name)));
    all.filter(|(_, _, name)| below(name)).max().map(|(_, floor, _)| floor)
}

/// The arrows that lead from one floor to a higher one, and files that are on no floor.
fn upward(graph: &Graph, floors: &[(&str, &[&str])]) -> Vec<(String, String)> {
    let homeless = graph.files().filter(|file| floor(floors, file).is_none());
    let mut found: Vec<_> = homeless.map(|file| (file.to_owned(), format!("{file} is on no floor"))).collect();
    for ((from, to), names) in &graph.arrows {
        let (Some(low), Some(high)) = (floor(floors, from), floor(floors, to)) else { continue };
        if low < high {
            let names: Vec<_> = names.iter().map(String::as_str).collect();
            let (low, high) = (floors[low].0, floors[high].0);
            let words = format!("{from} ({low}) -> {to} ({high}), for {}", names.join(", "));
            found.push((format!("{from} -> {to}"), words));
        }
    }
    found
}

/// Every arrow of every circle, by the file that it leaves.
fn circles(folder: &str, graph: &Graph) -> Vec<(String, String)> {
    let arrow = |circle: usize, (from, to): (&str, &str)| {
        let names: Vec<_> = graph.arrows[&(from.to_owned(), to.to_owned())].iter().map(String::as_str).collect();
        let words = format!("circle {circle} in {folder}/: {from} -> {to}, for {}", names.join(", "));
        (format!("{folder}/{from}"), words)
    };
    let circles = graph.circles().into_iter().enumerate();
    circles.flat_map(|(index, arrows)| arrows.into_iter().map(move |ends| arrow(index + 1, ends))).collect()
}

#[test]
fn no_files_are_in_a_circle() {
    let folders = ["src", "benches/roofline"];
    let found: Vec<_> = folders.iter().flat_map(|folder| circles(folder, &graph(folder))).collect();
    none("no circle of files", &found);
}

#[test]
fn arrows_point_downwards() {
    none("arrows point downwards", &upward(&graph("src"), FLOORS));
}

#[test]
fn both_paths_stand_below_the_ops() {
    let graph = graph("src");
    let forbidden = |from: &str, to: &str| {
        let to_matrices = ["matrix.rs", "storage.rs", "targets.rs"].contains(&to) || to.starts_with("ops/");
        (from.starts_with("cpu/") && to.starts_with("ops/")) || (from.starts_with("gpu/") && to_matrices)
    };
    let arrows = graph.arrows.keys().filter(|(from, to)| forbidden(from, to));
    let found: Vec<_> = arrows.map(|(from, to)| (format!("{from} -> {to}"), format!("{from} names {to}"))).collect();
    none("cpu/ and gpu/ name nothing of ops/, and gpu/ neither matrices nor targets", &found);
}

#[test]
fn the_rules_can_be_broken() {
    let files = [
        ("low.rs", "use crate::high::B; pub struct A;"),
        ("high/mod.rs", "pub use deep::B;"),
        ("high/deep.rs", "pub struct B;"),
    ];
    let graph = Graph::new(files);
    let floors: &[(&str, &[&str])] = &[("cellar", &["low", "high/cellar"]), ("attic", &["high"])];
    let found = upward(&graph, floors);
    assert_eq!(found, [("low.rs -> high/deep.rs".into(), "low.rs (cellar) -> high/deep.rs (attic), for B".into())]);
    assert_eq!(upward(&graph, &floors[..1]).len(), 2, "the files of high/ are on no floor");
    assert_eq!((floor(floors, "high/cellar/x.rs"), floor(floors, "highest.rs")), (Some(0), None));
    let circle = Graph::new([("a.rs", "use crate::b::B; pub struct A;"), ("b.rs", "use crate::a::A; pub struct B;")]);
    let words: Vec<_> = circles("src", &circle).into_iter().map(|(_, words)| words).collect();
    assert_eq!(words, ["circle 1 in src/: a.rs -> b.rs, for B", "circle 1 in src/: b.rs -> a.rs, for A"]);
}
