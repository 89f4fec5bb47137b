//! Known exceptions to the rules of the source.

/// The exceptions of each rule. No new ones may be added.
pub const EXCEPTIONS: &[(&str, &[&str])] = &[
    ("no file has more than 300 lines", &["tests/mutants"]),
    // The values of a row that are kept in registers are this function's variables.
    ("no function has more than 60 lines", &["shaders/rows/softmax_cross_entropy.wgsl row_work"]),
];
