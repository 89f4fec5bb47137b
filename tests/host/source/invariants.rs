//! The architecture's invariants, checked in the source. (gpu_forced and gpu_training check those of the device.)

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

use std::fs;
use std::path::{Path, PathBuf};

/// The lines of every Rust file under `src/`, without comments and documentation.
fn code() -> Vec<(String, usize, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut folders = vec![root.clone()];
    let mut files: Vec<PathBuf> = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() { folders.push(path) } else { files.push(path) }
        }
    }
    let mut lines = Vec::new();
    // The pages of the guide are prose.
    for file in files.into_iter().filter(|file| file.extension().is_some_and(|kind| kind == "rs")) {
        let name = file.strip_prefix(&root).unwrap().to_string_lossy().replace('\\', "/");
        for (index, line) in fs::read_to_string(&file).unwrap().lines().enumerate() {
            let code = line.split("//").next().unwrap_or_default().to_owned();
            lines.push((name.clone(), index + 1, code));
        }
    }
    assert!(lines.len() > 1000, "the source was not found");
    lines
}

/// Every place outside `allowed` whose code holds one of the words.
fn offenders(words: &[&str], within: impl Fn(&str) -> bool) -> Vec<String> {
    let holds = |code: &str, word: &str| {
        code.match_indices(word).any(|(at, _)| {
            // A hyphen also counts as part of a word, because `wgpu-mlp` is the crate's name.
            let part = |c: char| {
                word.ends_with(|c: char| c.is_ascii_alphanumeric()) && (c.is_ascii_alphanumeric() || "_-".contains(c))
            };
            let before = code[..at].chars().next_back().is_some_and(part);
            let after = code[at + word.len()..].chars().next().is_some_and(part);
            !before && !after
        })
    };
    let places =
        code().into_iter().filter(|(file, _, code)| within(file) && words.iter().any(|word| holds(code, word)));
    places.map(|(file, line, code)| format!("src/{file}:{line}: {}", code.trim())).collect()
}

fn none(found: Vec<String>, invariant: &str) {
    assert!(found.is_empty(), "{invariant}, but:\n{}", found.join("\n"));
}

/// The places that are not in a file's unit tests, which are at its end.
fn outside_tests(found: Vec<String>) -> Vec<String> {
    let lines = code();
    let tests_begin = |file: &str| {
        let own = lines.iter().filter(|(name, _, _)| name == file);
        own.filter(|(_, _, code)| code.contains("#[cfg(test)]") && !code.contains("pub"))
            .map(|(_, line, _)| *line)
            .next_back()
    };
    let outside = |place: &String| {
        let mut parts = place.trim_start_matches("src/").splitn(3, ':');
        let (file, line) = (parts.next().unwrap(), parts.next().unwrap().parse::<usize>().unwrap());
        tests_begin(file).is_none_or(|begin| line < begin)
    };
    found.into_iter().filter(outside).collect()
}

#[test]
fn only_gpu_device_and_error_name_wgpu() {
    let allowed = |file: &str| file.starts_with("gpu/") || file.starts_with("device/") || file.starts_with("error/");
    let found = offenders(&["wgpu"], |file| !allowed(file));
    // The crate re-exports wgpu to its users under one name.
    let found =
        found.into_iter().filter(|place| !place.starts_with("src/lib.rs") || !place.contains("pub use device::"));
    none(found.collect(), "only gpu/, device/ and error/ name wgpu");
}

#[test]
fn layers_and_mlp_cannot_tell_a_gpu_from_a_cpu() {
    let words = ["gpu", "cpu", "Storage", "Context", "context", "Buffer", "DeviceKind", ".info()"];
    let within = |file: &str| file.starts_with("layers/") || file.starts_with("mlp/") || file.starts_with("optim");
    none(outside_tests(offenders(&words, within)), "layers/ and mlp/ cannot tell a GPU from a CPU");
}

#[test]
fn both_paths_share_no_arithmetic() {
    none(offenders(&["gpu", "Matrix", "Device"], |file| file.starts_with("cpu/")), "cpu/ knows nothing of gpu/");
    none(offenders(&["cpu"], |file| file.starts_with("gpu/")), "gpu/ knows nothing of cpu/");
}

#[test]
fn verification_shares_no_formula() {
    // `cpu` as a word of its own occurs in paths, and in groups such as `use crate::{cpu, ops}` on one line or many.
    let words = ["cpu", "CLIP", "CLIP_EPSILON"];
    let found = offenders(&words, |file| file.starts_with("verify/"));
    // The reference may be used, and the device whose results are verified may be named.
    let found = found.into_iter().filter(|place| {
        let rest = place.replacen("Device::cpu()", "", 1).replacen("crate::cpu::reference", "", 1);
        rest == *place || words.iter().any(|word| rest.contains(word))
    });
    none(found.collect(), "verify/ takes what results should be from the reference alone");
}

#[test]
fn the_reference_takes_nothing_from_the_crate() {
    let within = |file: &str| file.starts_with("cpu/reference/");
    assert!(!offenders(&["use"], within).is_empty(), "the reference was not found");
    none(offenders(&["crate", "wgpu_mlp"], within), "cpu/reference/ takes nothing from the rest of the crate");
    // The other files of the folder are one step up from a file of it.
    none(offenders(&["super::super"], within), "cpu/reference/ takes nothing from cpu/");
    none(offenders(&["super"], |file| file == "cpu/reference/mod.rs"), "cpu/reference/ takes nothing from cpu/");
    let others = |file: &str| file.starts_with("cpu/") && file != "cpu/mod.rs" && !file.starts_with("cpu/reference/");
    none(offenders(&["reference"], others), "the CPU path takes nothing from cpu/reference/");
}

#[test]
fn data_flows_one_way() {
    let below = |file: &str| file.starts_with("gpu/") || file.starts_with("cpu/") || file.starts_with("ops/");
    none(offenders(&["layers", "mlp", "optim"], below), "ops/, cpu/ and gpu/ know nothing of layers and models");
    none(offenders(&["mlp"], |file| file.starts_with("layers/")), "layers/ knows nothing of models");
}

#[test]
fn nothing_panics_by_intent() {
    let words =
        [".unwrap()", ".expect(", "panic!(", "unreachable!(", "todo!(", "unimplemented!(", "assert!(", "assert_eq!("];
    let found = offenders(&words, |file| {
        ![
            "gpu/declarations.rs",
            "gpu/spirv.rs",
            "gpu/presets.rs",
            "gpu/translated.rs",
            "verify/swept.rs",
            "cpu/tests.rs",
        ]
        .contains(&file)
    });
    none(outside_tests(found), "the public API never panics");
}

#[test]
fn unsafe_stands_in_four_places() {
    let found = offenders(&["unsafe {", "unsafe fn", "unsafe impl", "unsafe trait", "unsafe extern"], |_| true);
    let allowed = [
        ("src/gpu/encode/compile.rs", "create_shader_module_trusted"),
        ("src/gpu/driver/ending.rs", "unsafe extern"),
        ("src/cpu/gemm.rs", "unsafe {"),
        ("src/gpu/open.rs", "ExperimentalFeatures::enabled"),
    ];
    assert_eq!(found.len(), allowed.len(), "{found:?}");
    for (file, call) in allowed {
        assert!(found.iter().any(|place| place.starts_with(file) && place.contains(call)), "{found:?}");
    }
}

#[test]
fn only_reads_wait() {
    // A read maps the buffer that it waits for, and staging memory for uploads is mapped when it is ready. The waits themselves
    // go through turns.rs, which limits their length.
    let words = ["PollType::Wait", "map_async", "recv", "recv_timeout"];
    // The messages between ranks wait for ranks and not for the device.
    let within = |file: &str| {
        ![
            "distributed/in_threads.rs",
            "distributed/mpi.rs",
            "mlp/train/early_sums.rs",
            "gpu/read.rs",
            "gpu/memory/staging.rs",
            "gpu/driver/turns.rs",
        ]
        .contains(&file)
    };
    let polls = offenders(&words, within);
    // The callers that wait: a read; a call that is too far ahead of the device; an error that is about to be returned, because
    // a lost device is noticed when it is idle; and the thread that waits for futures.
    let waiting = ["context.rs", "encode/live.rs", "driver/errors.rs", "driver/poll_thread.rs", "driver/turns.rs"]
        .map(|file| format!("gpu/{file}"));
    let waits = offenders(&["wait_for"], |file| !waiting.iter().any(|allowed| allowed == file));
    let found = polls.into_iter().chain(waits);
    none(found.collect(), "only a read waits for the device");
}
