// by_one: kernels that take values one by one.

alias Value = f32;
alias Bits = u32;
alias Truth = bool;

