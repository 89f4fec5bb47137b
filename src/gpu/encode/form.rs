//! The form of a kernel: flags that select parts of its template, and the constants that it is compiled with.

/// Defines the form, with a name in reports for each flag.
macro_rules! form {
    ($($(#[$meta:meta])* $flag:ident => $name:literal,)*) => {
        /// The form of a kernel: flags that its template tests by name. In a kernel's declaration it holds the flags that the
        /// template knows.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
        pub(crate) struct Form {
            $($(#[$meta])* pub $flag: bool,)*
        }

        impl Form {
            /// The plain form, without any flag.
            pub const PLAIN: Form = Form { $($flag: false),* };

            /// The names of the flags that are set.
            pub fn names(self) -> Vec<&'static str> {
                [$((self.$flag, $name)),*].into_iter().filter(|(set, _)| *set).map(|(_, name)| name).collect()
            }

            /// The flags that are set both here and in `forms`.
            pub const fn within(self, forms: Form) -> Form {
                Form { $($flag: self.$flag && forms.$flag),* }
            }

            /// All flags, by the names that the files know.
            pub(in crate::gpu) fn flags(self) -> impl Iterator<Item = (&'static str, bool)> {
                [$((stringify!($flag), self.$flag)),*].into_iter()
            }
        }
    };
}

form! {
    /// Values are `vec4`s.
    fours => "by fours",
    /// A `vec4` is loaded as two 64-bit words.
    longs => "by longs",
    /// Short rows are staged in workgroup memory.
    staged => "staged",
    /// A row's values are held in registers.
    held => "held",
    /// Long rows are read into registers piece by piece.
    pieces => "in pieces",
    /// Lanes reduce with subgroup operations.
    subgroups => "subgroups",
    /// Lanes take shared values from each other by subgroup shuffles.
    shuffled => "shuffled",
}

impl Form {
    /// The form with `vec4`s.
    pub const FOURS: Form = Form { fours: true, ..Form::PLAIN };
    /// The forms of kernels that work on `vec4`s.
    pub const BY_FOUR: Form = Form { longs: true, ..Form::FOURS };
    /// The forms of kernels whose lanes share rows.
    pub const BY_LANES: Form = Form { subgroups: true, ..Form::PLAIN };
    /// The forms of kernels that read all values of their rows.
    pub const BY_LANES_ALONG: Form = Form { fours: true, staged: true, held: true, pieces: true, ..Form::BY_LANES };
}

/// A constant of a shader: a name and a number. It is an `override`, or, if the kernel lists it under its sizes, a plain constant.
pub(crate) type Constant = (&'static str, f64);
