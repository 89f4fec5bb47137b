//! The form of a kernel: which parts of its file are wanted, and the numbers that it is compiled with.

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

    /// The flags by the names that the files know.
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

/// A named number handed to the shader: an `override`, or a plain constant where the kernel names it.
pub(crate) type Constant = (&'static str, f64);
