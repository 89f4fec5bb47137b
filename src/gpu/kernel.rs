//! A kernel is data: a name, WGSL pieces, and how it sees its buffers.

use super::windows::View;

/// How a row kernel reduces along its rows, when it sees each of them whole.
pub(crate) const WHOLE_ROWS: &str = include_str!("../../shaders/whole_rows.wgsl");
/// The same for rows that are longer than a binding, which it sees piece by piece.
pub(super) const WIDE_ROWS: &str = include_str!("../../shaders/wide_rows.wgsl");

/// How an elementwise kernel takes its values, one by one.
pub(crate) const BY_ONE: &str = include_str!("../../shaders/by_one.wgsl");
/// The same by fours.
pub(super) const BY_FOUR: &str = include_str!("../../shaders/by_four.wgsl");

/// Which form of a kernel is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Form {
    /// As the kernel is declared.
    Plain,
    /// Rows piece by piece.
    WideRows,
    /// Values by fours.
    Fours,
}

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
    /// WGSL, in order: shared pieces first, the kernel's own file last.
    pub source: &'static [&'static str],
    /// Size of the uniform `Params` at binding 0, in bytes.
    pub params: usize,
    /// The storage buffers, from binding 1 on.
    pub buffers: &'static [Access],
    /// The `override`s that every launch sets.
    pub overrides: &'static [&'static str],
    /// Constants that must be plain `const`s because a private array takes its size from them.
    pub sizes: &'static [&'static str],
}

/// A named number handed to the shader: an `override`, or a plain constant where [`Kernel::sizes`] names it.
pub(crate) type Constant = (&'static str, f64);

impl Kernel {
    /// The WGSL as the driver's compiler gets it: the sized constants as a header, then the pieces.
    pub fn wgsl(&self, form: Form, constants: &[Constant]) -> String {
        let header: String = constants
            .iter()
            .filter(|(name, _)| self.sizes.contains(name))
            .map(|(name, value)| format!("const {name}: u32 = {value}u;\n"))
            .collect();
        let mut wgsl = header;
        for piece in self.source {
            wgsl.push_str(match form {
                Form::WideRows if *piece == WHOLE_ROWS => WIDE_ROWS,
                Form::Fours if *piece == BY_ONE => BY_FOUR,
                _ => piece,
            });
        }
        wgsl
    }

    /// The same with the values of the `override`s in place: WGSL that any compiler takes by itself.
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

    /// Whether there is a form that takes values by fours.
    pub fn takes_fours(&self) -> bool {
        self.source.contains(&BY_ONE)
    }

    /// The constants that are `override`s.
    pub fn override_values(&self, constants: &[Constant]) -> Vec<Constant> {
        constants.iter().copied().filter(|(name, _)| self.overrides.contains(name)).collect()
    }
}

/// One dispatch: a kernel, the constants that pick its variant, parameters, buffers and the number of workgroups.
pub(crate) struct Launch<'a, P> {
    pub kernel: &'static Kernel,
    pub constants: &'a [Constant],
    pub params: P,
    pub buffers: &'a [View<'a>],
    pub groups: u64,
}
