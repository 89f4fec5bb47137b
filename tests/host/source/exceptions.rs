//! What breaks a rule of the source and is known.

/// Rules, and for each what may break it: nothing new may come to it.
pub const EXCEPTIONS: &[(&str, &[&str])] = &[
    ("no file has more than 300 lines", &["tests/mutants"]),
    // What a row keeps in registers are this function's variables.
    ("no function has more than 60 lines", &["shaders/rows/softmax_cross_entropy.wgsl row_work"]),
];
