//! A kernel is data: a name, a file of WGSL, and how it sees its buffers.

use super::form::{Constant, Form};
use super::templates;

/// How a kernel uses one of its storage buffers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    /// `var<storage, read>`
    Read,
    /// `var<storage, read_write>`
    Write,
}

/// A compute kernel as declared beside its op: one name for the file, the label, errors, benches and the case table.
#[derive(Debug)]
pub(crate) struct Kernel {
    /// The op's stem.
    pub name: &'static str,
    /// Its file in `shaders/`, which names what it includes.
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
    /// The WGSL as the driver's compiler gets it: the sized constants as a header, then the file, which they and the form's
    /// flags fill in, as far as the kernel has them. What the file enables comes before all of it, as WGSL wants it.
    pub fn wgsl(&self, form: Form, constants: &[Constant]) -> String {
        let sized = || constants.iter().filter(|(name, _)| self.sizes.contains(name));
        let header = sized().map(|(name, value)| format!("const {name}: u32 = {value}u;\n"));
        let form = form.within(self.forms);
        let text = templates::rendered(self.name, self.file, form, sized().copied());
        let (enables, rest): (Vec<_>, Vec<_>) =
            text.split_inclusive('\n').partition(|line| line.starts_with("enable "));
        // Browsers want to be told; wgpu's own compiler does not know the line.
        let told = cfg!(target_family = "wasm") && (form.subgroups || form.shuffled);
        let enables = told.then_some("enable subgroups;\n").into_iter().chain(enables);
        enables.map(str::to_string).chain(header).chain(rest.into_iter().map(str::to_string)).collect()
    }

    /// The kernel's program: its file, and its name where the file asks for that.
    pub fn program(&self) -> (&'static str, Option<&'static str>) {
        (self.file, templates::asks_for_name(self.file).then_some(self.name))
    }

    /// [`Kernel::wgsl`] with the values of the `override`s in place: WGSL that any compiler takes by itself.
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
