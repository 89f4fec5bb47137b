//! Tests that need no GPU: the CPU path, options and errors, files, documents, and the source's own rules.

#[path = "../awaiting/mod.rs"]
mod awaiting;
#[path = "../common/mod.rs"]
mod common;
#[path = "../contract/mod.rs"]
mod contract;
#[path = "../training/mod.rs"]
mod training;

/// The call must fail with this variant and these words.
macro_rules! refused {
    ($call:expr, $pattern:pat, $message:expr) => {{
        let error = $call.err().expect("an error");
        assert!(matches!(error, $pattern), "another variant: {error:?}");
        assert_eq!(error.to_string(), $message);
    }};
}

mod async_forms;
mod broken_models;
mod bytes;
mod clipped_losses;
mod cross_entropy;
#[cfg(feature = "data")]
mod data;
mod dropout;
mod errors;
mod files;
mod fit;
mod foreign_files;
mod growing;
#[cfg(feature = "serde")]
mod json;
mod layers;
mod learning;
mod matrices;
mod metrics;
mod notebook;
mod nothing_to_learn;
mod op_errors;
mod optimizers;
mod ranks;
#[cfg(target_os = "linux")]
mod ranks_confined;
mod ranks_drift;
mod ranks_end;
#[cfg(feature = "data")]
mod readme;
mod refused;
#[cfg(feature = "serde")]
mod reports;
mod resumed;
mod schedules;
mod shape_errors;
mod source;
#[cfg(unix)]
mod summary;
mod trainings;
mod update_edges;
