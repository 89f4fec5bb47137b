// by_four: kernels that take values by fours: the device moves them faster. The host does so where their number allows it.

alias Value = vec4<f32>;
alias Bits = vec4<u32>;
alias Truth = vec4<bool>;

