//! Tests of the SPIR-V that drivers get for the hardware's kernels; no GPU is needed. Compilers must be able to keep a thread's
//! values in registers. They cannot do so for an array whose elements are picked by the variable of a loop that is not unrolled.

use std::collections::{BTreeMap, BTreeSet};

use naga::back::spv;

use super::declarations::parsed;
use super::encode::form::{Constant, Form};
use super::encode::kernel::Kernel;
use super::kernels::products::halves::Halves;
use super::kernels::products::largest::LargestGrid;
use super::rows::RowGrid;
use super::tiles::{Tile, TileOperands};
use super::units::{UnitTile, Units};
use crate::ops;

/// Storage classes.
const PRIVATE: u32 = 6;
const FUNCTION: u32 = 7;
const STORAGE_BUFFER: u32 = 12;

/// The capabilities of WebGPU's smallest devices.
const WORKGROUP_BYTES: u32 = 16 << 10;

/// The types and variables of a module.
#[derive(Default)]
struct Spirv {
    /// Composite types, with the types that they contain.
    parts: BTreeMap<u32, Vec<u32>>,
    arrays: BTreeSet<u32>,
    vectors: BTreeMap<u32, u32>,
    /// Pointer types: the storage class and the type that is pointed at.
    pointers: BTreeMap<u32, (u32, u32)>,
    constants: BTreeSet<u32>,
    /// Results, by the types they have.
    types: BTreeMap<u32, u32>,
    variables: Vec<u32>,
    /// The accesses into composites, and their indices.
    chains: Vec<(u32, Vec<u32>)>,
    /// The loads, and where they load from.
    loads: Vec<(u32, u32)>,
    /// Bytes of workgroup memory.
    workgroup_bytes: u32,
}

impl Spirv {
    fn of(kernel: &Kernel, form: Form, constants: &[Constant]) -> Self {
        let (module, info) = parsed(kernel.file, &kernel.wgsl(form, constants));
        let overrides =
            kernel.override_values(constants).iter().map(|(name, value)| (name.to_string(), *value)).collect();
        let (module, info) = naga::back::pipeline_constants::process_overrides(&module, &info, None, &overrides)
            .unwrap_or_else(|error| panic!("{}: {error:?}", kernel.file));
        let options = spv::Options { lang_version: (1, 3), ..Default::default() };
        let words =
            spv::write_vec(&module, &info, &options, None).unwrap_or_else(|error| panic!("{}: {error:?}", kernel.file));
        let shared =
            module.global_variables.iter().filter(|(_, variable)| variable.space == naga::AddressSpace::WorkGroup);
        let bytes = shared.map(|(_, variable)| module.types[variable.ty].inner.size(module.to_ctx()));
        let mut read = Spirv { workgroup_bytes: bytes.sum(), ..Default::default() };
        let mut rest = &words[5..];
        while let Some(first) = rest.first() {
            let (instruction, later) = rest.split_at((first >> 16) as usize);
            read.note(first & 0xffff, &instruction[1..]);
            rest = later;
        }
        read
    }

    fn note(&mut self, opcode: u32, words: &[u32]) {
        match (opcode, words) {
            (23, [id, _, length]) => _ = self.vectors.insert(*id, *length),
            (28 | 29, [id, element, ..]) => {
                self.arrays.insert(*id);
                self.parts.insert(*id, vec![*element]);
            }
            (30, [id, members @ ..]) => _ = self.parts.insert(*id, members.to_vec()),
            (32, [id, class, pointee]) => _ = self.pointers.insert(*id, (*class, *pointee)),
            (43, [ty, id, ..]) => {
                self.constants.insert(*id);
                self.types.insert(*id, *ty);
            }
            (59, [ty, id, ..]) => {
                self.variables.push(*id);
                self.types.insert(*id, *ty);
            }
            (61, [ty, id, pointer, ..]) => {
                self.loads.push((*ty, *pointer));
                self.types.insert(*id, *ty);
            }
            (65 | 66, [ty, id, base, indices @ ..]) => {
                self.chains.push((*base, indices.to_vec()));
                self.types.insert(*id, *ty);
            }
            _ => {}
        }
    }

    fn class(&self, pointer: u32) -> Option<u32> {
        self.pointers.get(self.types.get(&pointer)?).map(|(class, _)| *class)
    }

    fn holds_array(&self, ty: u32) -> bool {
        self.arrays.contains(&ty)
            || self.parts.get(&ty).is_some_and(|parts| parts.iter().any(|part| self.holds_array(*part)))
    }

    /// The variables of a thread that compilers may keep in memory.
    fn in_memory(&self) -> Vec<String> {
        let own = |id: &u32| matches!(self.class(*id), Some(PRIVATE | FUNCTION));
        let arrays = self.variables.iter().filter(|id| own(id) && self.holds_array(self.pointers[&self.types[id]].1));
        let picked = self
            .chains
            .iter()
            .filter(|(base, indices)| own(base) && indices.iter().any(|index| !self.constants.contains(index)));
        arrays
            .map(|id| format!("an array of a thread's own: %{id}"))
            .chain(picked.map(|(base, _)| format!("an index that is a variable, into %{base}")))
            .collect()
    }

    /// The number of words of each load from a storage buffer.
    fn storage_loads(&self) -> BTreeSet<u32> {
        let loads = self.loads.iter().filter(|(_, pointer)| self.class(*pointer) == Some(STORAGE_BUFFER));
        loads.map(|(ty, _)| self.vectors.get(ty).copied().unwrap_or(1)).collect()
    }
}

/// The layout of a product's operands: whole tiles, rows that are multiples of four words, or any.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Rows {
    Aligned,
    Vectors,
    Words,
}

fn tiles() -> impl Iterator<Item = (Vec<Constant>, Rows)> {
    let layouts = [(false, false, false), (true, false, false), (true, false, true), (false, true, false)];
    Tile::ALL.into_iter().flat_map(move |tile| {
        layouts.into_iter().flat_map(move |(transpose_a, transpose_b, column_sums)| {
            [Rows::Aligned, Rows::Vectors, Rows::Words].map(|rows| {
                let operands = TileOperands {
                    transpose_a,
                    transpose_b,
                    vectors_a: rows != Rows::Words,
                    vectors_b: rows != Rows::Words,
                    aligned: rows == Rows::Aligned,
                    column_sums,
                };
                (tile.constants(false, &operands).to_vec(), rows)
            })
        })
    })
}

#[test]
fn products_keep_their_sums_in_registers_and_read_vectors() {
    let matmul = ops::kernels().into_iter().find(|kernel| kernel.file == "products/matmul.wgsl").expect("the product");
    for (constants, rows) in tiles() {
        let form = if rows == Rows::Words { Form::PLAIN } else { Form::FOURS };
        let spirv = Spirv::of(matmul, form, &constants);
        assert_eq!(spirv.in_memory(), Vec::<String>::new(), "{constants:?}");
        let loads = spirv.storage_loads();
        let wanted = if rows == Rows::Words { BTreeSet::from([1]) } else { BTreeSet::from([4]) };
        assert_eq!(loads, wanted, "{constants:?}: words of a load");
        let large = constants.contains(&("BM", 256.0));
        assert!(spirv.workgroup_bytes <= if large { 24_832 } else { WORKGROUP_BYTES }, "{constants:?}");
    }
}

#[test]
fn tiles_with_a_head_behind_them_fit_workgroup_memory() {
    let head = ops::kernels().into_iter().find(|kernel| kernel.file == "rows/linear_cross_entropy.wgsl").expect("it");
    for tile in Tile::ALL.into_iter().filter(|tile| tile.row_a_thread(10)) {
        for vectors_a in [false, true] {
            let mut constants = vec![("LANES", 1.0), ("ROWS", tile.sides.rows.into()), ("FAN", 16.0)];
            constants.extend([("DISTRIBUTIONS", 0.0), ("SPREAD", 0.0)]);
            let (transpose_a, transpose_b, vectors_b) = (false, false, false);
            let (aligned, column_sums) = (false, false);
            let operands = TileOperands { transpose_a, transpose_b, vectors_a, vectors_b, aligned, column_sums };
            constants.extend(tile.constants(false, &operands));
            let spirv = Spirv::of(head, Form::PLAIN, &constants);
            assert!(spirv.workgroup_bytes <= WORKGROUP_BYTES, "{constants:?}: {}", spirv.workgroup_bytes);
            assert_eq!(spirv.in_memory(), Vec::<String>::new(), "{constants:?}");
        }
    }
}

/// For all sizes of subgroups and matrices, no value is kept in memory, and no more workgroup memory is used than the host computes.
#[test]
fn products_on_matrix_units_keep_their_sums_and_their_room() {
    let matmul = ops::kernels().into_iter().find(|kernel| kernel.file == UNITS).expect("the product");
    let tiles = Units::KNOWN.into_iter().flat_map(|units| [UnitTile::large_of(units), UnitTile::medium_of(units)]);
    for (tile, aligned) in tiles.flat_map(|tile| [false, true].map(|aligned| (tile, aligned))) {
        for form in [Form::PLAIN, Form::FOURS] {
            let constants = tile.constants(aligned);
            let spirv = Spirv::of(matmul, form, &constants);
            assert_eq!(spirv.in_memory(), Vec::<String>::new(), "{constants:?}");
            assert_eq!(spirv.workgroup_bytes, tile.memory(), "{constants:?}");
        }
    }
}

#[test]
fn factors_of_matrix_units_are_cut_and_looked_at_from_registers() {
    let kernel = |file| ops::kernels().into_iter().find(|kernel| kernel.file == file).expect("the kernel");
    for units in Units::KNOWN {
        let [halves, _] = Halves::of(UnitTile::large_of(units), [100, 100, 300], 300);
        for (along, vectors) in [(false, false), (false, true), (true, false), (true, true)] {
            let constants = halves.constants(along, vectors);
            let spirv = Spirv::of(kernel("products/cut.wgsl"), Form::PLAIN, &constants);
            assert_eq!(spirv.in_memory(), Vec::<String>::new(), "{constants:?}");
            assert!(spirv.workgroup_bytes <= WORKGROUP_BYTES, "{constants:?}: {}", spirv.workgroup_bytes);
            assert!(constants.iter().all(|(name, value)| *name != "THREADS" || *value <= 256.0), "{constants:?}");
        }
    }
    for vectors in [false, true] {
        let spirv = Spirv::of(kernel("products/largest.wgsl"), Form::PLAIN, &LargestGrid::constants(vectors));
        assert_eq!(spirv.in_memory(), Vec::<String>::new());
        assert_eq!(spirv.storage_loads(), BTreeSet::from([if vectors { 4 } else { 1 }]));
    }
}

/// On a device with fewer threads or less workgroup memory, fewer lanes share a row.
#[test]
fn rows_take_no_more_workgroup_memory_than_the_host_counts_on() {
    let mut looked_at = 0;
    for kernel in ops::kernels().into_iter().filter(|kernel| kernel.forms.subgroups) {
        for (lanes, subgroups) in [128u32, 256, 512, 1024].into_iter().flat_map(|lanes| [(lanes, false), (lanes, true)])
        {
            let number = |name: &str| match name {
                "LANES" => f64::from(lanes),
                "FAN" | "HELD" => 16.0,
                _ => 1.0,
            };
            let names = kernel.sizes.iter().chain(kernel.overrides);
            let constants: Vec<_> = names.map(|name| (*name, number(name))).collect();
            let form = Form { pieces: kernel.forms.pieces, subgroups, ..Form::PLAIN };
            let spirv = Spirv::of(kernel, form, &constants);
            assert!(spirv.workgroup_bytes <= RowGrid::memory(lanes), "{} by {lanes} lanes", kernel.file);
            looked_at += 1;
        }
    }
    assert!(looked_at > 40, "{looked_at} variants");
}

/// The folder of kernels that only software drivers run. Registers do not matter there.
const SOFTWARE: &str = "software/";

const UNITS: &str = "products/matmul_units.wgsl";

#[test]
fn nothing_that_hardware_runs_keeps_arrays() {
    let numbers = |kernel: &Kernel, name: &str| match name {
        "ROWS" => 1.0,
        "TM" | "TN" => 4.0,
        "BM" | "BN" => 64.0,
        "WM" | "WN" => 32.0,
        "LANES" | "THREADS" if kernel.file != UNITS => 32.0,
        flag if flag.starts_with("TRANSPOSE") || flag.starts_with("VECTORS") => 0.0,
        "ALIGNED" | "COLUMN_SUMS" | "ALONG" => 0.0,
        "SIDE" | "LANES" | "LEAST_LANES" if kernel.file == UNITS => 8.0,
        _ => 16.0,
    };
    for kernel in ops::kernels().into_iter().filter(|kernel| !kernel.file.starts_with(SOFTWARE)) {
        let constants: Vec<_> =
            kernel.sizes.iter().chain(kernel.overrides).map(|name| (*name, numbers(kernel, name))).collect();
        let has = kernel.forms;
        for form in [
            Form::PLAIN,
            Form { fours: has.fours, ..Form::PLAIN },
            Form { staged: has.staged, ..Form::PLAIN },
            Form { staged: has.staged, fours: has.fours, ..Form::PLAIN },
            Form { held: has.held, ..Form::PLAIN },
            Form { held: has.held, fours: has.fours, subgroups: has.subgroups, ..Form::PLAIN },
            Form { pieces: has.pieces, ..Form::PLAIN },
            Form { pieces: has.pieces, fours: has.fours, subgroups: has.subgroups, ..Form::PLAIN },
            Form { subgroups: has.subgroups, shuffled: has.shuffled, ..Form::PLAIN },
        ] {
            let spirv = Spirv::of(kernel, form, &constants);
            assert!(spirv.workgroup_bytes <= WORKGROUP_BYTES, "{}", kernel.file);
            assert_eq!(spirv.in_memory(), Vec::<String>::new(), "{} {:?}", kernel.file, form.names());
        }
    }
}
