//! Tests that compare every kernel's declaration with its shader. They need no GPU.

use std::collections::BTreeSet;
use std::path::Path;

use naga::valid::{Capabilities, ModuleInfo, ValidationFlags, Validator};
use naga::{AddressSpace, ArraySize, StorageAccess, TypeInner};

use super::encode::bind_groups::SLOT_BYTES;
use super::encode::form::{Constant, Form};
use super::encode::kernel::{Access, Kernel};
use super::encode::templates::{FILES, taken_in};
use crate::ops;
use crate::verify;

/// Kernels that other ops launch. The cases of these ops cover them.
const HELPERS: [&str; 3] = ["row_weights", "squared_norm", "statistics"];

/// Numbers with which every kernel compiles.
fn sizes(kernel: &Kernel) -> Vec<Constant> {
    let size = |name| match name {
        "RANGES" => super::bank::RANGES as f64,
        "STEPS" | "BM" | "BN" => 64.0,
        "WM" | "WN" => 32.0,
        "BK" | "UNROLL" => 16.0,
        "LINES" => 32.0,
        flag if flag.starts_with("TRANSPOSE") || flag.starts_with("VECTORS") => 0.0,
        "ALIGNED" | "COLUMN_SUMS" | "ALONG" => 0.0,
        _ => 8.0,
    };
    kernel.sizes.iter().map(|name| (*name, size(*name))).collect()
}

/// The extensions of WGSL that some kernels use.
const CAPABILITIES: Capabilities = Capabilities::SUBGROUP
    .union(Capabilities::SHADER_INT64)
    .union(Capabilities::SHADER_FLOAT16)
    .union(Capabilities::COOPERATIVE_MATRIX);

/// The module of a kernel's text, parsed and validated; a panic names the kernel.
pub(super) fn parsed(name: &str, wgsl: &str) -> (naga::Module, ModuleInfo) {
    let module =
        naga::front::wgsl::parse_str(wgsl).unwrap_or_else(|error| panic!("{name}: {}", error.emit_to_string(wgsl)));
    let mut validator = Validator::new(ValidationFlags::all(), CAPABILITIES);
    let info = validator.validate(&module).unwrap_or_else(|error| panic!("{name}: {error:?}"));
    (module, info)
}

fn module(kernel: &Kernel, form: Form) -> naga::Module {
    parsed(kernel.name, &kernel.wgsl(form, &sizes(kernel))).0
}

/// Every kernel in every form that it has.
fn variants() -> impl Iterator<Item = (&'static Kernel, Form)> {
    ops::kernels().into_iter().flat_map(|kernel| {
        let has = kernel.forms;
        let mut forms = vec![Form::PLAIN];
        let mut extend = |has: bool, with: fn(Form) -> Form| {
            if has {
                forms.extend(forms.clone().into_iter().map(with));
            }
        };
        extend(has.fours, |form| Form { fours: true, ..form });
        // Longs hold fours.
        extend(has.longs, |form| Form { longs: form.fours, ..form });
        // One way along the rows.
        extend(has.staged, |form| Form { staged: true, ..form });
        extend(has.held, |form| Form { held: !form.staged, ..form });
        extend(has.pieces, |form| Form { pieces: !form.staged && !form.held, ..form });
        extend(has.subgroups, |form| Form { subgroups: true, ..form });
        extend(has.shuffled, |form| Form { shuffled: true, ..form });
        forms.into_iter().map(move |form| (kernel, form))
    })
}

/// The files that a file includes, directly or through other files.
fn included(path: &str) -> BTreeSet<&'static str> {
    taken_in(path).into_iter().flat_map(|path| included(path).into_iter().chain([path])).collect()
}

#[test]
fn every_shader_has_its_kernel_and_every_kernel_its_case() {
    let kernels = ops::kernels();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("shaders");
    let mut found = BTreeSet::new();
    for folder in ["", "products", "rows", "elements", "software", "updates"].map(|name| folder.join(name)) {
        for entry in std::fs::read_dir(&folder).expect("a folder of shaders") {
            let path = entry.expect("an entry").path();
            if path.is_file() {
                let path = path.strip_prefix(Path::new(env!("CARGO_MANIFEST_DIR")).join("shaders")).expect("within");
                found.insert(path.to_string_lossy().replace('\\', "/"));
            }
        }
    }
    let known: BTreeSet<_> = FILES.iter().map(|(path, _)| path.to_string()).collect();
    assert_eq!(found, known, "templates.rs lists the files that there are");
    let own: BTreeSet<_> = kernels.iter().map(|kernel| kernel.file).collect();
    let used: BTreeSet<_> = own.iter().flat_map(|file| included(file)).chain(own.iter().copied()).collect();
    for (path, _) in FILES {
        assert!(used.contains(path), "no kernel uses shaders/{path}");
    }
    let cases: BTreeSet<_> = verify::cases().iter().map(|case| case.op).collect();
    for kernel in &kernels {
        let covered = cases.contains(kernel.name) || HELPERS.contains(&kernel.name);
        assert!(covered, "no case for {}", kernel.name);
    }
    let names: BTreeSet<_> = kernels.iter().map(|kernel| (kernel.name, kernel.file)).collect();
    assert_eq!(names.len(), kernels.len(), "two kernels share name and file");
}

/// A kernel includes few files, so that it can be read from its own file.
#[test]
fn a_file_names_at_most_three_others() {
    for (path, text) in FILES.iter().filter(|(path, _)| !path.starts_with("products/")) {
        let named = text.matches("{% include \"").count();
        assert!(named <= 3, "shaders/{path} includes {named} files");
    }
}

/// A pipeline is found by program, form and constants. If two kernels are one program, they share pipelines.
#[test]
fn kernels_that_are_one_program_have_one_text() {
    let mut shared = 0;
    for (kernel, form) in variants() {
        for other in ops::kernels().into_iter().filter(|other| other.program() == kernel.program()) {
            shared += usize::from(other.name != kernel.name);
            assert_eq!(other.wgsl(form, &sizes(other)), kernel.wgsl(form, &sizes(kernel)), "{}", kernel.file);
            assert_eq!(other.overrides, kernel.overrides, "{}", kernel.file);
        }
    }
    assert!(shared > 0, "no kernel shares its program with another's op");
}

#[test]
fn kernels_have_the_forms_that_they_declare() {
    for kernel in ops::kernels() {
        let text = |form: Form| kernel.wgsl(form, &sizes(kernel));
        // Some flags matter only beside another.
        let bases =
            [Form::PLAIN, Form::FOURS, Form { held: true, ..Form::PLAIN }, Form { staged: true, ..Form::PLAIN }];
        let with: [fn(Form) -> Form; 7] = [
            |form| Form { fours: true, ..form },
            |form| Form { longs: true, ..form },
            |form| Form { staged: true, ..form },
            |form| Form { held: true, ..form },
            |form| Form { pieces: true, ..form },
            |form| Form { subgroups: true, ..form },
            |form| Form { shuffled: true, ..form },
        ];
        for ((name, has), with) in kernel.forms.flags().zip(with) {
            let matters = bases.into_iter().any(|form| text(with(form)) != text(form));
            assert_eq!(matters, has, "{}: {name}", kernel.file);
        }
    }
}

#[test]
fn declarations_agree_with_the_shaders() {
    for (kernel, form) in variants() {
        let module = module(kernel, form);
        let name = kernel.name;
        assert_eq!(module.entry_points.len(), 1, "{name}");
        assert_eq!(module.entry_points[0].name, "main", "{name}");
        let mut found = vec![None; kernel.buffers.len() + 1];
        for (_, variable) in module.global_variables.iter() {
            let Some(binding) = variable.binding else { continue };
            assert_eq!(binding.group, 0, "{name}");
            found[binding.binding as usize] = Some(variable);
        }
        let params = found[0].unwrap_or_else(|| panic!("{name} has no Params"));
        assert_eq!(params.space, AddressSpace::Uniform, "{name}");
        let size = module.types[params.ty].inner.size(module.to_ctx()) as usize;
        assert_eq!(size, kernel.params, "{name}: Params differ in size");
        assert!(size <= SLOT_BYTES, "{name}: Params are larger than a slot");
        for (index, access) in kernel.buffers.iter().enumerate() {
            let variable = found[index + 1].unwrap_or_else(|| panic!("{name} has no binding {}", index + 1));
            let AddressSpace::Storage { access: shader } = variable.space else {
                panic!("{name}: binding {} is no storage buffer", index + 1)
            };
            assert_eq!(
                shader.contains(StorageAccess::STORE),
                *access == Access::Write,
                "{name}, binding {}",
                index + 1
            );
        }
    }
}

/// The features that a device is opened with.
#[test]
fn a_device_has_all_that_any_kernel_binds() {
    let most = ops::kernels().iter().map(|kernel| kernel.buffers.len()).max();
    assert_eq!(most, Some(super::limits::STORAGE_BUFFERS as usize));
}

#[test]
fn overrides_are_what_the_host_hands_over() {
    for kernel in ops::kernels() {
        let module = module(kernel, Form::PLAIN);
        let open = |o: &naga::Override| o.init.is_none().then(|| o.name.clone()).flatten();
        let declared: BTreeSet<_> = module.overrides.iter().filter_map(|(_, o)| open(o)).collect();
        let handed: BTreeSet<_> = kernel.overrides.iter().map(|name| name.to_string()).collect();
        assert_eq!(declared, handed, "{}", kernel.name);
        // A default value in an override would be a second place that defines the number.
        for (_, o) in module.overrides.iter() {
            let literal =
                o.init.is_some_and(|init| matches!(module.global_expressions[init], naga::Expression::Literal(_)));
            assert!(!literal, "{}: {:?} has a number for its default", kernel.name, o.name);
        }
    }
}

#[test]
fn no_shader_owns_a_size() {
    for kernel in ops::kernels() {
        let module = module(kernel, Form::PLAIN);
        // Workgroup sizes and array lengths are names that the host defines, so `@workgroup_size(` and `array<..., `
        // are followed by a name.
        for (line, text) in kernel.wgsl(Form::PLAIN, &sizes(kernel)).lines().enumerate() {
            let code = text.split("//").next().unwrap_or_default();
            let sized =
                code.split("@workgroup_size(").nth(1).or_else(|| code.split("array<").nth(1)?.split(", ").nth(1));
            if let Some(size) = sized {
                let named = size.trim_start().starts_with(|c: char| c.is_ascii_uppercase());
                assert!(named, "{}:{}: a size that the host does not own: {text}", kernel.name, line + 1);
            }
        }
        for (_, ty) in module.types.iter() {
            if let TypeInner::Array { size: ArraySize::Constant(length), .. } = ty.inner {
                // BM, BN, BK, TM and TN were 8 here, so every length is a product of those.
                assert!(!kernel.sizes.is_empty(), "{}: an array of {length}", kernel.name);
            }
        }
    }
}

/// A line without the parts that the host fills in.
fn wgsl_alone(line: &str) -> String {
    let mut alone = String::new();
    let mut rest = line;
    while let Some(at) = ["{{", "{%", "{#"].iter().filter_map(|open| rest.find(open)).min() {
        let close = ["}}", "%}", "#}"].iter().filter_map(|close| rest[at..].find(close)).min();
        alone += &rest[..at];
        rest = close.map_or("", |close| &rest[at + close + 2..]);
    }
    alone + rest
}

#[test]
fn shaders_hold_no_numbers_but_small_integers_and_bit_patterns() {
    let small = ["0", "0u", "0.0", "1", "1u", "1.0", "2u", "3u", "4u", "31u", "32u"];
    let patterns = ["0x80000000u", "0x7f800000u", "0xffffffffu"];
    // These numbers are parts of number formats, which scale.wgsl, cut.wgsl and matmul_units.wgsl name.
    let parts = ["0x2000u", "0x38800000u", "2048.0", "23u", "127", "268u", "253u"];
    let allowed = [&small[..], &patterns, &parts].concat();
    for (path, text) in FILES {
        for (line, code) in text.lines().enumerate() {
            let code = wgsl_alone(code);
            let code = code.split("//").next().unwrap_or_default();
            let code = code.replace("@group(0) @binding(", "");
            let word = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '.';
            for token in code.split(|c| !word(c)).filter(|token| token.starts_with(|c: char| c.is_ascii_digit())) {
                let binding = text.lines().nth(line).is_some_and(|line| line.starts_with("@group(0)"));
                let far = token == "128.0" && code.contains("FAR_BELOW");
                assert!(allowed.contains(&token) || binding || far, "shaders/{path}:{}: {token}", line + 1);
            }
        }
    }
}
