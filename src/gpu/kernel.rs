//! A kernel is data: a name, WGSL pieces, and how it sees its buffers.

use super::windows::View;

/// How an elementwise kernel takes its values, one by one.
pub(crate) const BY_ONE: &str = include_str!("../../shaders/by_one.wgsl");
/// The same by fours.
const BY_FOUR: &str = include_str!("../../shaders/by_four.wgsl");

/// How a product's sums go to memory: one by one.
pub(crate) const STORE_BY_ONE: &str = include_str!("../../shaders/store_by_one.wgsl");
/// The same by fours.
const STORE_BY_FOUR: &str = include_str!("../../shaders/store_by_four.wgsl");

/// How a row kernel reads its rows: whenever it wants a value.
pub(crate) const STREAMED: &str = include_str!("../../shaders/streamed.wgsl");
/// The same once, into registers.
const HELD: &str = include_str!("../../shaders/held.wgsl");

/// Where a row kernel starts, and how its lanes reduce.
pub(crate) const EACH_ROW: &str = include_str!("../../shaders/each_row.wgsl");
pub(crate) const LANES_BY_MEMORY: &str = include_str!("../../shaders/lanes_by_memory.wgsl");
/// The same with subgroup operations.
const EACH_ROW_BY_SUBGROUP: &str = include_str!("../../shaders/each_row_by_subgroup.wgsl");
const LANES_BY_SUBGROUP: &str = include_str!("../../shaders/lanes_by_subgroup.wgsl");

/// Four values as two 64-bit words.
pub(crate) const LONGS: &str = include_str!("../../shaders/longs.wgsl");
/// How a product's memory holds its values.
pub(crate) const CELLS: &str = include_str!("../../shaders/cells.wgsl");
/// The same by fours of two 64-bit words.
const CELLS_BY_LONG: &str = include_str!("../../shaders/cells_by_long.wgsl");

/// How a workgroup's rows are joined to one record.
pub(crate) const RECORD_BY_MEMORY: &str = include_str!("../../shaders/record_by_memory.wgsl");
/// The same with subgroup operations.
const RECORD_BY_SUBGROUP: &str = include_str!("../../shaders/record_by_subgroup.wgsl");
/// How the threads of a head without workgroup memory come by its weights.
pub(crate) const WEIGHTS_BY_MEMORY: &str = include_str!("../../shaders/weights_by_memory.wgsl");
/// The same with subgroup operations.
const WEIGHTS_BY_SUBGROUP: &str = include_str!("../../shaders/weights_by_subgroup.wgsl");

/// Which form of a kernel is wanted: what is set puts a piece in another's place.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Form {
    /// Values by fours.
    pub fours: bool,
    /// Fours as two 64-bit words.
    pub longs: bool,
    /// A row's values in registers.
    pub held: bool,
    /// Lanes that reduce with subgroup operations.
    pub subgroups: bool,
    /// Lanes that take what all of them use from each other.
    pub shuffled: bool,
}

impl Form {
    /// As the kernel is declared.
    pub const PLAIN: Form = Form { fours: false, longs: false, held: false, subgroups: false, shuffled: false };
    /// Values by fours.
    pub const FOURS: Form = Form { fours: true, ..Form::PLAIN };

    /// What is set, in words.
    pub fn names(self) -> Vec<&'static str> {
        let named = [
            (self.fours, "by fours"),
            (self.longs, "by longs"),
            (self.held, "held"),
            (self.subgroups, "subgroups"),
            (self.shuffled, "shuffled"),
        ];
        named.into_iter().filter(|(set, _)| *set).map(|(_, name)| name).collect()
    }

    /// Pieces, what stands in for them, and whether it does.
    pub(super) const fn swaps(self) -> [(&'static str, &'static str, bool); 8] {
        [
            (BY_ONE, BY_FOUR, self.fours),
            (STORE_BY_ONE, STORE_BY_FOUR, self.fours),
            (STREAMED, HELD, self.held),
            (EACH_ROW, EACH_ROW_BY_SUBGROUP, self.subgroups),
            (LANES_BY_MEMORY, LANES_BY_SUBGROUP, self.subgroups),
            (CELLS, CELLS_BY_LONG, self.longs),
            (RECORD_BY_MEMORY, RECORD_BY_SUBGROUP, self.shuffled),
            (WEIGHTS_BY_MEMORY, WEIGHTS_BY_SUBGROUP, self.shuffled),
        ]
    }

    fn piece(self, declared: &'static str) -> &'static str {
        let swap = self.swaps().into_iter().find(|(piece, _, set)| *set && *piece == declared);
        swap.map_or(declared, |(_, other, _)| other)
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
        let tools = if form.longs && !self.source.contains(&LONGS) { LONGS } else { "" };
        self.source.iter().fold(header + tools, |wgsl, piece| wgsl + form.piece(piece))
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

    /// Whether there is a form that keeps a row's values in registers.
    pub fn holds_rows(&self) -> bool {
        self.source.contains(&STREAMED) && self.source.contains(&EACH_ROW)
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
