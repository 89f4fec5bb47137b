//! Settings from the environment by which `tests/mutants` shortens a verification.

use std::env::var;

use super::case::Case;

/// Whether nothing runs in other settings than the device's own.
pub(super) fn in_own_setting_only() -> bool {
    var("WGPU_MLP_AS_CHOSEN").is_ok()
}

/// Whether the case is wanted: `WGPU_MLP_ONLY` names ops, or beginnings of printed cases, separated by semicolons. Every case is
/// wanted where it is not set.
pub(super) fn wants(case: &Case) -> bool {
    let Ok(names) = var("WGPU_MLP_ONLY") else { return true };
    let printed = case.to_string();
    let mut names = names.split(';').map(str::trim);
    names.any(|name| name == case.op || (name.contains(' ') && printed.starts_with(name)))
}
