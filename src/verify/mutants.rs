//! Settings from the environment by which `tests/mutants` shortens a verification.

use std::env::var;

use super::case::Case;

/// Whether cases run only in the device's own settings.
pub(super) fn in_own_setting_only() -> bool {
    var("WGPU_MLP_AS_CHOSEN").is_ok()
}

/// Whether the case is to run. `WGPU_MLP_ONLY` names ops, or beginnings of printed cases, separated by semicolons. Without it every
/// case runs.
pub(super) fn wants(case: &Case) -> bool {
    let Ok(names) = var("WGPU_MLP_ONLY") else { return true };
    let printed = case.to_string();
    let mut names = names.split(';').map(str::trim);
    names.any(|name| name == case.op || (name.contains(' ') && printed.starts_with(name)))
}
