//! The declaration of a kernel, which is data: a name, a WGSL template, and how the kernel uses its buffers.

use super::form::{Constant, Form};
use super::templates;

/// How a kernel uses one of its storage buffers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    /// A buffer that the kernel only reads: `var<storage, read>`.
    Read,
    /// A buffer that the kernel writes: `var<storage, read_write>`.
    Write,
}

/// A compute kernel, declared beside its op. Its one name is used for labels, errors, benches and the table of cases.
#[derive(Debug)]
pub(crate) struct Kernel {
    /// The name of the op.
    pub name: &'static str,
    /// The kernel's template in `shaders/`, which names the files that it includes.
    pub file: &'static str,
    /// The flags that its form may have.
    pub forms: Form,
    /// Size of the uniform `Params` at binding 0, in bytes.
    pub params: usize,
    /// The storage buffers, from binding 1 on.
    pub buffers: &'static [Access],
    /// The `override`s that every launch sets.
    pub overrides: &'static [&'static str],
    /// Constants that must be plain `const`s because a private array takes its size from them.
    pub sizes: &'static [&'static str],
}

impl Kernel {
    /// The WGSL as the driver's compiler gets it. First come the directives of the file, as WGSL requires, then the sizes as
    /// constants, then the template, filled in with these sizes and with those of the form's flags that the kernel knows.
    pub fn wgsl(&self, form: Form, constants: &[Constant]) -> String {
        let sized = || constants.iter().filter(|(name, _)| self.sizes.contains(name));
        let header = sized().map(|(name, value)| format!("const {name}: u32 = {value}u;\n"));
        let form = form.within(self.forms);
        let text = templates::rendered(self.name, self.file, form, sized().copied());
        let (enables, rest): (Vec<_>, Vec<_>) =
            text.split_inclusive('\n').partition(|line| line.starts_with("enable "));
        // Browsers require this directive; wgpu's own compiler does not know it.
        let told = cfg!(target_family = "wasm") && (form.subgroups || form.shuffled);
        let enables = told.then_some("enable subgroups;\n").into_iter().chain(enables);
        enables.map(str::to_string).chain(header).chain(rest.into_iter().map(str::to_string)).collect()
    }

    /// The kernel's program: its file, and, if the template tests the kernel's name, the name.
    pub fn program(&self) -> (&'static str, Option<&'static str>) {
        (self.file, templates::asks_for_name(self.file).then_some(self.name))
    }

    /// The WGSL of [`Kernel::wgsl`] with the values of the `override`s filled in, so that any compiler accepts it.
    pub fn resolved_wgsl(&self, form: Form, constants: &[Constant]) -> String {
        let resolved = |line: &str| {
            let Some(declared) = line.strip_prefix("override ") else { return format!("{line}\n") };
            let name = declared.split(':').next().unwrap_or_default();
            let value = constants.iter().find(|(constant, _)| *constant == name).map(|(_, value)| *value);
            let (declaration, comment) = declared.split_once(';').unwrap_or((declared, ""));
            match value {
                Some(value) if declaration.ends_with("bool") => {
                    format!("const {declaration} = {};{comment}\n", value != 0.0)
                }
                Some(value) => format!("const {declaration} = {value}u;{comment}\n"),
                // Computed from others.
                None => format!("const {declared}\n"),
            }
        };
        self.wgsl(form, constants).lines().map(resolved).collect()
    }

    /// The constants that are `override`s.
    pub fn override_values(&self, constants: &[Constant]) -> Vec<Constant> {
        constants.iter().copied().filter(|(name, _)| self.overrides.contains(name)).collect()
    }
}
