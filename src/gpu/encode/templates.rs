//! Templates: the files in `shaders/` are WGSL in the syntax of Jinja, and the host fills them in. `Device::kernels`, or the example
//! `kernels`, shows the text that a driver gets.
//!
//! `{% include "folder/file.wgsl" %}` includes another file. `{% if fours %}` tests a flag of the kernel's [`Form`], and
//! `{% if kernel == "nll" %}` the kernel's name. `{{ BM }}` is a constant that the kernel's declaration lists under its sizes.
//! `{% for i in range(TM) %}` repeats text for each number: a value that a GPU should keep in a register must be a variable of its
//! own, because compilers keep arrays that are indexed by a loop's variable in memory.

use std::sync::OnceLock;

use minijinja::{AutoEscape, Environment, UndefinedBehavior, Value};

use super::form::{Constant, Form};

/// Every file, by its path.
macro_rules! files {
    ($($path:literal,)*) => {
        pub(in crate::gpu) const FILES: &[(&str, &str)] = &[$(($path, include_str!(concat!("../../../shaders/", $path)))),*];
    };
}

files![
    "common.wgsl",
    "elements/bias_add.wgsl",
    "elements/column_sum.wgsl",
    "elements/dropout.wgsl",
    "elements/dropout_rows.wgsl",
    "elements/elements.wgsl",
    "elements/pcg4d.wgsl",
    "elements/relu.wgsl",
    "elements/values.wgsl",
    "products/cut.wgsl",
    "products/fields.wgsl",
    "products/largest.wgsl",
    "products/matmul.wgsl",
    "products/matmul_units.wgsl",
    "products/scale.wgsl",
    "products/store.wgsl",
    "products/sum_slices.wgsl",
    "products/tile.wgsl",
    "rows/accuracy.wgsl",
    "rows/along.wgsl",
    "rows/argmax.wgsl",
    "rows/linear_cross_entropy.wgsl",
    "rows/masses.wgsl",
    "rows/maximum.wgsl",
    "rows/nll.wgsl",
    "rows/nll_backward.wgsl",
    "rows/records.wgsl",
    "rows/reductions.wgsl",
    "rows/row_weights.wgsl",
    "rows/rows.wgsl",
    "rows/softmax.wgsl",
    "rows/softmax_backward.wgsl",
    "rows/softmax_cross_entropy.wgsl",
    "rows/staging.wgsl",
    "rows/statistics.wgsl",
    "rows/streaming.wgsl",
    "rows/targets.wgsl",
    "software/block.wgsl",
    "software/dense_backward.wgsl",
    "software/direct.wgsl",
    "software/linear_cross_entropy_direct.wgsl",
    "software/pack.wgsl",
    "software/pack_blocks.wgsl",
    "software/panel.wgsl",
    "software/plain.wgsl",
    "updates/adagrad.wgsl",
    "updates/adam.wgsl",
    "updates/clip_scale.wgsl",
    "updates/momentum.wgsl",
    "updates/rmsprop.wgsl",
    "updates/sgd.wgsl",
    "updates/updates.wgsl",
];

/// The files that a template includes or imports.
pub(in crate::gpu) fn taken_in(path: &str) -> Vec<&'static str> {
    let text = FILES.iter().find(|(known, _)| *known == path).map_or("", |(_, text)| text);
    let after = |word: &str| text.split(word).skip(1).filter_map(|rest| rest.split('"').next()).collect();
    let named: [Vec<&str>; 2] = ["{% include \"", "{% import \""].map(after);
    named.concat()
}

/// Whether a template, or one that it includes, tests the kernel's name. Then kernels that share the template are different
/// programs.
pub(in crate::gpu) fn asks_for_name(path: &str) -> bool {
    let own = FILES.iter().find(|(known, _)| *known == path);
    own.is_some_and(|(_, text)| text.contains("kernel ==") || text.contains("kernel !="))
        || taken_in(path).into_iter().any(asks_for_name)
}

fn environment() -> &'static Environment<'static> {
    static ENVIRONMENT: OnceLock<Environment<'static>> = OnceLock::new();
    ENVIRONMENT.get_or_init(|| {
        let mut environment = Environment::new();
        environment.set_trim_blocks(true);
        environment.set_lstrip_blocks(true);
        environment.set_keep_trailing_newline(true);
        environment.set_auto_escape_callback(|_| AutoEscape::None);
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        for (path, text) in FILES {
            #[cfg(wgpu_mlp_mutants)]
            let text = &mutant::text_of(path, text);
            if let Err(error) = environment.add_template(path, text) {
                log::error!("{error:#}");
            }
        }
        environment
    })
}

/// The text of a template, filled in. An error goes into the text, which the driver's compiler then refuses. The tests render every
/// kernel in every form, so this does not happen to users.
pub(in crate::gpu) fn rendered(kernel: &str, file: &str, form: Form, sizes: impl Iterator<Item = Constant>) -> String {
    let flags = form.flags().map(|(name, set)| (name, Value::from(set)));
    let sizes = sizes.map(|(name, size)| (name, Value::from(size as u32)));
    let name = [("kernel", Value::from(kernel))].into_iter();
    let context: Value = flags.chain(sizes).chain(name).collect();
    #[cfg(wgpu_mlp_mutants)]
    mutant::note(kernel, file, &context);
    let text = environment().get_template(file).and_then(|template| template.render(context));
    text.unwrap_or_else(|error| {
        let causes = std::iter::successors(Some(&error as &dyn std::error::Error), |error| error.source());
        causes.map(|cause| format!("{cause:#}\n")).collect()
    })
}

/// One file with a mistake in it, for `tests/mutants`, which finds out whether a wrong kernel is noticed: in the file that
/// `WGPU_MLP_MUTANT` names, the text in `WGPU_MLP_MUTANT_FIND` becomes that in `WGPU_MLP_MUTANT_PUT`.
#[cfg(wgpu_mlp_mutants)]
mod mutant {
    use std::env::var;
    use std::process::exit;
    use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

    use minijinja::Value;

    use super::{FILES, environment};

    /// Exit code where the mutant itself is wrong: no other use of it may be taken for a kernel that was found out.
    const WRONG_MUTANT: i32 = 3;

    pub(in crate::gpu) fn text_of(path: &str, text: &'static str) -> &'static str {
        let (Ok(file), Ok(find), Ok(put)) =
            (var("WGPU_MLP_MUTANT"), var("WGPU_MLP_MUTANT_FIND"), var("WGPU_MLP_MUTANT_PUT"))
        else {
            return text;
        };
        if !FILES.iter().any(|(known, _)| *known == file) {
            eprintln!("mutant: there is no file {file}");
            exit(WRONG_MUTANT);
        }
        if path != file {
            return text;
        }
        let found = text.matches(&find).count();
        if found != 1 {
            eprintln!("mutant: {file} has the text {found} times, which should be once: {find}");
            exit(WRONG_MUTANT);
        }
        text.replace(&find, &put).leak()
    }

    /// Says once whether some kernel that is compiled takes the changed text in.
    pub(in crate::gpu) fn note(kernel: &str, file: &str, context: &Value) {
        static SAID: AtomicBool = AtomicBool::new(false);
        let Ok(mutated) = var("WGPU_MLP_MUTANT") else { return };
        if SAID.load(Relaxed) {
            return;
        }
        let mut original = environment().clone();
        for (path, text) in FILES.iter().filter(|(path, _)| *path == mutated) {
            if original.add_template(path, text).is_err() {
                return;
            }
        }
        let render = |environment: &minijinja::Environment<'_>| {
            environment.get_template(file).and_then(|template| template.render(context)).ok()
        };
        if render(&original) != render(environment()) && !SAID.swap(true, Relaxed) {
            eprintln!("mutant: taken in by {kernel}");
        }
    }
}
