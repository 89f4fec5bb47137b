//! The form of a kernel: flags that select parts of its template, and the constants that it is compiled with.

/// The form of a kernel: flags that its template tests by name. In a kernel's declaration it holds the flags that the template
/// knows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Form {
    /// Values are `vec4`s.
    pub fours: bool,
    /// A `vec4` is loaded as two 64-bit words.
    pub longs: bool,
    /// Short rows are staged in workgroup memory.
    pub staged: bool,
    /// A row's values are held in registers.
    pub held: bool,
    /// Long rows are read into registers piece by piece.
    pub pieces: bool,
    /// Lanes reduce with subgroup operations.
    pub subgroups: bool,
    /// Lanes take shared values from each other by subgroup shuffles.
    pub shuffled: bool,
}

impl Form {
    /// The plain form, without any flag.
    pub const PLAIN: Form = Form {
        fours: false,
        longs: false,
        staged: false,
        held: false,
        pieces: false,
        subgroups: false,
        shuffled: false,
    };
    /// The form with `vec4`s.
    pub const FOURS: Form = Form { fours: true, ..Form::PLAIN };
    /// The forms of kernels that work on `vec4`s.
    pub const BY_FOUR: Form = Form { longs: true, ..Form::FOURS };
    /// The forms of kernels whose lanes share rows.
    pub const BY_LANES: Form = Form { subgroups: true, ..Form::PLAIN };
    /// The forms of kernels that read all values of their rows.
    pub const BY_LANES_ALONG: Form = Form { fours: true, staged: true, held: true, pieces: true, ..Form::BY_LANES };

    /// The names of the flags that are set.
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

    /// The flags that are set both here and in `forms`.
    pub const fn within(self, forms: Form) -> Form {
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

    /// All flags, by the names that the files know.
    pub(in crate::gpu) const fn flags(self) -> [(&'static str, bool); 7] {
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

/// A constant of a shader: a name and a number. It is an `override`, or, if the kernel lists it under its sizes, a plain constant.
pub(crate) type Constant = (&'static str, f64);
