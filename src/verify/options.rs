//! Options of a verification.

/// Options of [`run_with`](super::run_with).
///
/// ```
/// let options = wgpu_mlp::verify::Options { seed: 7, ..Default::default() };
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Seed of the random inputs.
    pub seed: u64,
    /// Whether the large cases run too. Without them a verification takes seconds even on a slow software driver.
    pub full: bool,
}

impl Default for Options {
    fn default() -> Self {
        Options { seed: 0, full: true }
    }
}
