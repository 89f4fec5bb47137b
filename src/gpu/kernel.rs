//! A kernel is data: a name, a file of WGSL, and how it sees its buffers.

use super::templates;
use super::windows::View;

/// Which form of a kernel is wanted: its file asks for these by name. Also, which of them a kernel has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Form {
    /// Values by fours.
    pub fours: bool,
    /// Fours as two 64-bit words.
    pub longs: bool,
    /// Short rows by way of workgroup memory.
    pub staged: bool,
    /// A row's values in registers.
    pub held: bool,
    /// Long rows through registers, piece by piece.
    pub pieces: bool,
    /// Lanes that reduce with subgroup operations.
    pub subgroups: bool,
    /// Lanes that take what all of them use from each other.
    pub shuffled: bool,
}

impl Form {
    /// As the kernel is declared.
    pub const PLAIN: Form = Form {
        fours: false,
        longs: false,
        staged: false,
        held: false,
        pieces: false,
        subgroups: false,
        shuffled: false,
    };
    /// Values by fours.
    pub const FOURS: Form = Form { fours: true, ..Form::PLAIN };
    /// What kernels have that take values by fours.
    pub const BY_FOUR: Form = Form { longs: true, ..Form::FOURS };
    /// What kernels have whose lanes share rows.
    pub const BY_LANES: Form = Form { subgroups: true, ..Form::PLAIN };
    /// What kernels have that go along all of their rows' values.
    pub const BY_LANES_ALONG: Form = Form { fours: true, staged: true, held: true, pieces: true, ..Form::BY_LANES };

    /// What is set, in words.
    pub fn names(self) -> Vec<&'static str> {
        let named = [
            (self.fours, "by fours"),
            (self.longs, "by longs"),
            (self.staged, "staged"),
            (self.held, "held"),
            (self.pieces, "in pieces"),
            (self.subgroups, "subgroups"),
            (self.shuffled, "shuffled"),
        ];
        named.into_iter().filter(|(set, _)| *set).map(|(_, name)| name).collect()
    }

    /// What is set here and may be set there.
    const fn within(self, forms: Form) -> Form {
        Form {
            fours: self.fours && forms.fours,
            longs: self.longs && forms.longs,
            staged: self.staged && forms.staged,
            held: self.held && forms.held,
            pieces: self.pieces && forms.pieces,
            subgroups: self.subgroups && forms.subgroups,
            shuffled: self.shuffled && forms.shuffled,
        }
    }

    /// The flags by the names that the files know.
    pub(super) const fn flags(self) -> [(&'static str, bool); 7] {
        [
            ("fours", self.fours),
            ("longs", self.longs),
            ("staged", self.staged),
            ("held", self.held),
            ("pieces", self.pieces),
            ("subgroups", self.subgroups),
            ("shuffled", self.shuffled),
        ]
    }
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
    /// Its file in `shaders/`, which names what it includes.
    pub file: &'static str,
    /// What may be set in its form.
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

/// A named number handed to the shader: an `override`, or a plain constant where [`Kernel::sizes`] names it.
pub(crate) type Constant = (&'static str, f64);

impl Kernel {
    /// The WGSL as the driver's compiler gets it: the sized constants as a header, then the file, which they and the form's
    /// flags fill in, as far as the kernel has them. What the file enables comes before all of it, as WGSL wants it.
    pub fn wgsl(&self, form: Form, constants: &[Constant]) -> String {
        let sized = || constants.iter().filter(|(name, _)| self.sizes.contains(name));
        let header = sized().map(|(name, value)| format!("const {name}: u32 = {value}u;\n"));
        let text = templates::rendered(self.name, self.file, form.within(self.forms), sized().copied());
        let (enables, rest): (Vec<_>, Vec<_>) =
            text.split_inclusive('\n').partition(|line| line.starts_with("enable "));
        enables.into_iter().map(str::to_string).chain(header).chain(rest.into_iter().map(str::to_string)).collect()
    }

    /// What names the kernel's text: its file, and its name where the file asks for that.
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

/// One dispatch: a kernel, the constants that pick its variant, parameters, buffers and the number of workgroups.
pub(crate) struct Launch<'a, P> {
    pub kernel: &'static Kernel,
    pub constants: &'a [Constant],
    pub params: P,
    pub buffers: &'a [View<'a>],
    pub groups: u64,
}
