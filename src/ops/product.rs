//! Products on the device, which matmul, linear and its gradients share: how each is cut up and recorded.

use std::ops::Range;
use std::sync::Arc;

use super::factor::Factor;
use super::family::{CutParams, DirectParams, Family, LargestParams, PanelParams, Params, PlainParams, SumParams};
use super::{column_sum, flag};
use crate::error::Result;
use crate::gpu::{
    Buffer, Constant, Context, Form, Halves, Kernel, LargestGrid, Launch, LinearGrid, Method, Panel, PlainGrid,
    ProductSplit, View, runs,
};
use crate::options::Activation;

/// What happens to the finished sums.
#[derive(Clone, Copy)]
pub(super) enum Epilogue<'a> {
    Nothing,
    /// Bias, `1 x n`, then ReLU where asked for.
    Bias(&'a Buffer, Activation),
    /// What goes back through the ReLU that made these outputs, `m x n`.
    Mask(&'a Buffer),
}

/// One product as the kernel computes it: c = a b, `m x n`, then the epilogue.
#[derive(Clone, Copy)]
pub(super) struct Product<'a> {
    pub family: &'static Family,
    pub a: &'a Buffer,
    pub b: &'a Buffer,
    pub epilogue: Epilogue<'a>,
    pub transpose_a: bool,
    pub transpose_b: bool,
    pub m: usize,
    pub n: usize,
    pub k: usize,
}

/// How c is laid out: words from one slice's partial product to the next, and where b's column sums go behind it.
#[derive(Clone, Copy)]
struct Layout {
    stride: usize,
    sums_at: Option<usize>,
}

/// What becomes of a window's sums.
struct Ending<'a> {
    extra: Option<View<'a>>,
    biased: bool,
    relu: bool,
    masked: bool,
    accumulate: bool,
}

impl Ending<'_> {
    /// As shaders take them.
    fn flags(&self) -> [u32; 4] {
        [self.biased, self.relu, self.masked, self.accumulate].map(u32::from)
    }
}

/// How a gradient's product is cut along k, so that its partial products can lie with others in one buffer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Slicing {
    method: Method,
    slice: usize,
    /// Partial products.
    pub slices: usize,
}

impl Slicing {
    /// For `XᵀdY`, with X `rows x inputs` and dY `rows x outputs`; none where a binding does not hold an operand.
    pub fn of_gradient(gpu: &Context, rows: usize, inputs: usize, outputs: usize) -> Option<Self> {
        let words = gpu.binding_words();
        let whole = ProductSplit { m: inputs, n: outputs, k: rows };
        if ProductSplit::new(words, [inputs, outputs, rows], true, false) != whole {
            return None;
        }
        let method = gpu.method([inputs, outputs, rows]);
        let slice = method.slice([inputs, outputs, rows], words);
        Some(Slicing { method, slice, slices: rows.div_ceil(slice) })
    }

    /// Whether the product, and the way back to the inputs as well, go by a few outputs a thread, each operand in one piece.
    pub fn is_plain_both_ways(&self, gpu: &Context, rows: usize, inputs: usize, outputs: usize) -> bool {
        let back = [rows, inputs, outputs];
        let whole = ProductSplit { m: rows, n: inputs, k: outputs };
        self.method == Method::Plain
            && ProductSplit::new(gpu.binding_words(), back, false, true) == whole
            && gpu.method(back) == Method::Plain
    }

    /// The same product over `k` in one slice.
    pub fn uncut(self, k: usize) -> Self {
        Slicing { slice: k, slices: 1, ..self }
    }

    /// How many partial column sums there are: one where the kernel does not make them along the way.
    pub fn sums(&self) -> usize {
        if let Method::Direct(_) | Method::Units(_) = self.method { 1 } else { self.slices }
    }
}

impl<'a> Product<'a> {
    /// Both operands as they lie, nothing added; the dimensions are still to be filled in.
    pub fn of(family: &'static Family, a: &'a Buffer, b: &'a Buffer) -> Self {
        let (transpose_a, transpose_b) = (false, false);
        Product { family, a, b, epilogue: Epilogue::Nothing, transpose_a, transpose_b, m: 0, n: 0, k: 0 }
    }

    /// Records the product and gives the buffer that will hold it.
    pub fn record(&self, gpu: &Context) -> Result<Buffer> {
        let op = self.family.name();
        let (m, n, k) = (self.m, self.n, self.k);
        let words = gpu.binding_words();
        let split = ProductSplit::new(words, [m, n, k], self.transpose_a, self.transpose_b);
        let method = gpu.method([split.m, split.n, split.k]);
        if let Method::Tiled(_) | Method::Units(_) = method {
            let out = gpu.buffer(op, m, n)?;
            for rows in runs(m, split.m) {
                for cols in runs(n, split.n) {
                    for ks in runs(k, split.k) {
                        self.launch_tiles(gpu, method, [rows.clone(), cols.clone(), ks], &out)?;
                    }
                }
            }
            return Ok(out);
        }
        // An epilogue wants the finished sums, and slices want the whole product's room in a binding.
        let bare = matches!(self.epilogue, Epilogue::Nothing) && split.m == m && split.n == n;
        let slice = if bare { method.slice([m, n, split.k], words) } else { split.k };
        let slices = split.k.div_ceil(slice);
        let out = gpu.buffer(op, slices * m, n)?;
        for rows in runs(m, split.m) {
            for cols in runs(n, split.n) {
                for ks in runs(k, split.k) {
                    let c = if slices > 1 { View::from(&out) } else { View::of(&out, n, rows.clone(), cols.clone()) };
                    let layout = Layout { stride: rows.len() * cols.len(), sums_at: None };
                    self.launch(gpu, method, slice, [rows.clone(), cols.clone(), ks], c, layout)?;
                }
            }
        }
        if slices == 1 { Ok(out) } else { column_sum::reduce(gpu, op, out, slices, m * n) }
    }

    /// Records the product's slices as partial products, `stride` words apart, with the partial column sums of b behind
    /// each: as many as [`Slicing::sums`] says.
    pub fn record_slices(
        &self,
        gpu: &Context,
        slicing: &Slicing,
        out: &Arc<Buffer>,
        stride: usize,
        sums_at: usize,
    ) -> Result<()> {
        let layout = Layout { stride, sums_at: Some(sums_at) };
        let whole = [0..self.m, 0..self.n, 0..self.k];
        self.launch(gpu, slicing.method, slicing.slice, whole, View::from(out.as_ref()), layout)?;
        if let Method::Direct(_) | Method::Units(_) = slicing.method {
            let sums = Buffer::part(out, sums_at as u64, self.n as u64);
            column_sum::reduce_into(gpu, self.family.name(), self.b, self.k, self.n, &sums)?;
        }
        Ok(())
    }

    /// One window of the product in tiles: by slices of k where it has few tiles, which are added up then.
    fn launch_tiles(
        &self,
        gpu: &Context,
        method: Method,
        [rows, cols, ks]: [Range<usize>; 3],
        out: &Buffer,
    ) -> Result<()> {
        let (m, n) = (rows.len(), cols.len());
        let slice = method.slice([m, n, ks.len()], gpu.binding_words());
        let slices = ks.len().div_ceil(slice);
        let c = View::of(out, self.n, rows.clone(), cols.clone());
        let layout = Layout { stride: m * n, sums_at: None };
        if slices == 1 {
            return self.launch(gpu, method, slice, [rows, cols, ks], c, layout);
        }
        let partials = gpu.buffer(self.family.name(), slices, m * n)?;
        let after = self.ending([&rows, &cols, &ks]);
        let none = Ending { extra: None, biased: false, relu: false, masked: false, accumulate: false };
        self.launch_with(gpu, method, slice, [rows, cols, ks], View::from(&partials), layout, none)?;
        let (form, width) = if n.is_multiple_of(4) { (gpu.fours(), 4) } else { (Form::PLAIN, 1) };
        let [biased, relu, masked, accumulate] = after.flags();
        let count = (m * n / width) as u32;
        let launch = Launch {
            kernel: &self.family.sum_slices,
            constants: &LinearGrid::constants(),
            params: SumParams {
                count,
                n: (n / width) as u32,
                slices: slices as u32,
                stride: count,
                biased,
                relu,
                masked,
                accumulate,
            },
            buffers: &[View::from(&partials), after.extra.unwrap_or(View::from(&partials)), c],
            groups: LinearGrid::groups(count.into()),
        };
        gpu.dispatch(launch, form)
    }

    /// What becomes of a window's sums.
    fn ending(&self, [rows, cols, ks]: [&Range<usize>; 3]) -> Ending<'a> {
        let (last, accumulate) = (ks.end == self.k, ks.start > 0);
        let none = Ending { extra: None, biased: false, relu: false, masked: false, accumulate };
        match self.epilogue {
            Epilogue::Bias(bias, activation) if last => Ending {
                extra: Some(View::of(bias, self.n, 0..1, cols.clone())),
                biased: true,
                relu: activation == Activation::Relu,
                ..none
            },
            Epilogue::Mask(outputs) if last => {
                Ending { extra: Some(View::of(outputs, self.n, rows.clone(), cols.clone())), masked: true, ..none }
            }
            _ => none,
        }
    }

    /// One window of the product: these rows and columns of c, over these steps of k.
    fn launch(
        &self,
        gpu: &Context,
        method: Method,
        slice: usize,
        [rows, cols, ks]: [Range<usize>; 3],
        c: View<'_>,
        layout: Layout,
    ) -> Result<()> {
        let ending = self.ending([&rows, &cols, &ks]);
        self.launch_with(gpu, method, slice, [rows, cols, ks], c, layout, ending)
    }

    /// The same with another ending.
    #[allow(clippy::too_many_arguments, reason = "what a launch is told")]
    fn launch_with(
        &self,
        gpu: &Context,
        method: Method,
        slice: usize,
        [rows, cols, ks]: [Range<usize>; 3],
        c: View<'_>,
        layout: Layout,
        ending: Ending<'_>,
    ) -> Result<()> {
        let a = match self.transpose_a {
            true => View::of(self.a, self.m, ks.clone(), rows.clone()),
            false => View::of(self.a, self.k, rows.clone(), ks.clone()),
        };
        let b = match self.transpose_b {
            true => View::of(self.b, self.k, cols.clone(), ks.clone()),
            false => View::of(self.b, self.n, ks.clone(), cols.clone()),
        };
        let [biased, relu, masked, accumulate] = ending.flags();
        let extra = ending.extra;
        let slices = ks.len().div_ceil(slice);
        let (down, across) = method.grid(rows.len(), cols.len());
        let groups = down * across * slices as u64;
        let (m, n, k) = (rows.len() as u32, cols.len() as u32, ks.len() as u32);
        let (slice, slices, stride) = (slice as u32, slices as u32, layout.stride as u32);
        let (down, across) = (down as u32, across as u32);
        let sums_at = layout.sums_at.map_or(0, |at| at as u32);
        // Then every row of c, and of each slice, begins at a multiple of four words.
        let fours = n.is_multiple_of(4) && stride.is_multiple_of(4);
        let form = if fours { gpu.fours() } else { Form::PLAIN };
        // Each workgroup does what it would have done in one dispatch, so the bits are the same.
        let dispatch_groups = |kernel: &'static Kernel,
                               constants: &[Constant],
                               buffers: &[View<'_>],
                               [k, slice]: [u32; 2],
                               multiply_adds: u64| {
            for run in gpu.groups_at_a_time(groups, multiply_adds) {
                let params = Params {
                    m,
                    n,
                    k,
                    slice,
                    down,
                    across,
                    slices,
                    stride,
                    sums_at,
                    biased,
                    relu,
                    masked,
                    accumulate,
                    first_group: run.start as u32,
                };
                let launch = Launch { kernel, constants, params, buffers, groups: run.end - run.start };
                gpu.dispatch_work(launch, form, (run.end - run.start).saturating_mul(multiply_adds))?;
            }
            Ok(())
        };
        match method {
            Method::Tiled(tile) => {
                let aligned = tile.covers(rows.len(), cols.len(), ks.len(), slice as usize);
                let mut constants = vec![
                    ("TRANSPOSE_A", flag(self.transpose_a)),
                    ("TRANSPOSE_B", flag(self.transpose_b)),
                    ("VECTORS_A", flag(if self.transpose_a { m } else { k }.is_multiple_of(4))),
                    ("VECTORS_B", flag(if self.transpose_b { k } else { n }.is_multiple_of(4))),
                    ("ALIGNED", flag(aligned)),
                    ("COLUMN_SUMS", flag(layout.sums_at.is_some())),
                ];
                constants.extend(tile.constants(gpu.is_software()));
                let buffers = [a, b.clone(), extra.unwrap_or(b), c];
                let multiply_adds = tile.multiply_adds(slice.min(k));
                dispatch_groups(&self.family.tiled, &constants, &buffers, [k, slice.min(k)], multiply_adds)
            }
            Method::Units(tile) => {
                let mut constants = vec![("ALIGNED", flag(tile.covers(rows.len(), cols.len())))];
                constants.extend(tile.constants());
                let [lines_a, lines_b] = tile.halves([rows.len(), cols.len(), ks.len()], slice as usize);
                let a =
                    Uncut { view: a, lines: rows.len(), steps: ks.len(), along: !self.transpose_a, padded: lines_a };
                let b = Uncut { view: b, lines: cols.len(), steps: ks.len(), along: self.transpose_b, padded: lines_b };
                let [a, b] = cut(gpu, self.family, [a, b])?;
                let halves_b = View::from(&b.halves);
                let buffers = [
                    View::from(&a.halves),
                    halves_b.clone(),
                    View::from(&a.largest),
                    View::from(&b.largest),
                    extra.unwrap_or(halves_b),
                    c,
                ];
                let steps = lines_a.steps as u32;
                let slice = steps / slices;
                dispatch_groups(&self.family.units, &constants, &buffers, [steps, slice], tile.multiply_adds(slice))
            }
            Method::Plain => {
                let (a_row, a_step) = if self.transpose_a { (1, m) } else { (k, 1) };
                let (b_step, b_col) = if self.transpose_b { (1, k) } else { (n, 1) };
                let launch = Launch {
                    kernel: &self.family.plain,
                    constants: &PlainGrid::constants(),
                    params: PlainParams {
                        m,
                        n,
                        k,
                        a_row,
                        a_step,
                        b_step,
                        b_col,
                        sums_at,
                        summed: u32::from(layout.sums_at.is_some()),
                        biased,
                        relu,
                        masked,
                        accumulate,
                    },
                    buffers: &[a, b.clone(), extra.unwrap_or(b), c],
                    groups: PlainGrid::groups(PlainGrid::blocks(rows.len(), cols.len())),
                };
                gpu.dispatch(launch, form)
            }
            Method::Panel(panel) => {
                let a = Factor { view: a, steps: rows.len(), length: ks.len(), by_step: !self.transpose_a };
                let a_groups = a.groups() as u32;
                let packed = a.pack(gpu, self.family, true)?;
                let a = packed.as_ref().map_or(a.view, View::from);
                let (b_step, b_col) = if self.transpose_b { (1, k) } else { (n, 1) };
                let launch = Launch {
                    kernel: &self.family.panel,
                    constants: &Panel::constants(),
                    params: PanelParams {
                        m,
                        n,
                        k,
                        groups: a_groups,
                        b_step,
                        b_col,
                        rows: panel.rows(),
                        slice,
                        down,
                        across,
                        slices,
                        stride,
                        sums_at,
                        summed: u32::from(layout.sums_at.is_some()),
                        biased,
                        relu,
                        masked,
                        accumulate,
                    },
                    buffers: &[a, b.clone(), extra.unwrap_or(b), c],
                    groups,
                };
                gpu.dispatch(launch, form)
            }
            Method::Direct(direct) => {
                let mut constants = direct.constants().to_vec();
                constants.push(("ACCUMULATE", f64::from(accumulate)));
                let a = Factor { view: a, steps: ks.len(), length: rows.len(), by_step: self.transpose_a };
                let b = Factor { view: b, steps: ks.len(), length: cols.len(), by_step: !self.transpose_b };
                let (left, right) = direct.ordered(a, b);
                let (lefts, rights) = (left.groups() as u32, right.groups() as u32);
                let (packed_left, packed_right) =
                    (left.pack(gpu, self.family, false)?, right.pack(gpu, self.family, false)?);
                let left = packed_left.as_ref().map_or(left.view, View::from);
                let right = packed_right.as_ref().map_or(right.view, View::from);
                let params = DirectParams {
                    m,
                    n,
                    k,
                    lefts,
                    rights,
                    slice,
                    down,
                    across,
                    slices,
                    stride,
                    biased,
                    relu,
                    masked,
                    accumulate,
                    left_groups: direct.left_groups(),
                };
                let launch = Launch {
                    kernel: &self.family.direct,
                    constants: &constants,
                    params,
                    buffers: &[left, right.clone(), extra.unwrap_or(right), c],
                    groups,
                };
                gpu.dispatch(launch, form)
            }
        }
    }
}

/// A factor before it is cut in halves: so many lines and steps of k. Lines lie `along` memory, or each step does.
struct Uncut<'a> {
    view: View<'a>,
    lines: usize,
    steps: usize,
    along: bool,
    padded: Halves,
}

/// A factor as matrix units take it.
struct Cut {
    /// Two for each number.
    halves: Buffer,
    /// The largest magnitude of each line, which tells its scale.
    largest: Buffer,
}

/// Records how both factors are cut. What is done to one does not wait for what is done to the other.
fn cut(gpu: &Context, family: &'static Family, factors: [Uncut<'_>; 2]) -> Result<[Cut; 2]> {
    let [a, b] = &factors;
    let (blocks_a, blocks_b) = (a.largest_of_blocks(gpu, family)?, b.largest_of_blocks(gpu, family)?);
    let (largest_a, largest_b) = (a.largest(gpu, family, blocks_a)?, b.largest(gpu, family, blocks_b)?);
    Ok([a.cut(gpu, family, largest_a)?, b.cut(gpu, family, largest_b)?])
}

impl Uncut<'_> {
    /// Whether rows of memory are read by fours.
    fn vectors(&self) -> bool {
        if self.along { self.steps } else { self.lines }.is_multiple_of(4)
    }

    /// What is read at a time of a row of memory, where each step of k is such a row: lines, or fours of them.
    fn cells(&self) -> usize {
        if self.vectors() { self.lines / 4 } else { self.lines }
    }

    /// Rows of a block, and how many blocks there are.
    fn blocks(&self) -> (usize, usize) {
        let run = LargestGrid::run(self.steps, self.cells());
        (run, self.steps.div_ceil(run))
    }

    /// The largest magnitudes of the lines in each block of steps; room for each line's where lines lie along memory.
    fn largest_of_blocks(&self, gpu: &Context, family: &'static Family) -> Result<Buffer> {
        if self.along {
            return gpu.buffer(family.name(), 1, self.lines);
        }
        let (run, blocks) = self.blocks();
        let out = gpu.buffer(family.name(), blocks, self.lines)?;
        self.launch_largest(gpu, family, self.view.clone(), [self.steps, run, blocks], &out)?;
        Ok(out)
    }

    /// The largest of all blocks.
    fn largest(&self, gpu: &Context, family: &'static Family, of_blocks: Buffer) -> Result<Buffer> {
        if self.along {
            return Ok(of_blocks);
        }
        let (_, blocks) = self.blocks();
        if blocks == 1 {
            return Ok(of_blocks);
        }
        let out = gpu.buffer(family.name(), 1, self.lines)?;
        self.launch_largest(gpu, family, View::from(&of_blocks), [blocks, blocks, 1], &out)?;
        Ok(out)
    }

    fn launch_largest(
        &self,
        gpu: &Context,
        family: &'static Family,
        matrix: View<'_>,
        [rows, run, blocks]: [usize; 3],
        out: &Buffer,
    ) -> Result<()> {
        let across = LargestGrid::across(self.cells());
        gpu.launch(Launch {
            kernel: &family.largest,
            constants: &LargestGrid::constants(self.vectors()),
            params: LargestParams {
                rows: rows as u32,
                cols: self.cells() as u32,
                run: run as u32,
                across: across as u32,
            },
            buffers: &[matrix, View::from(out)],
            groups: blocks as u64 * across as u64,
        })
    }

    fn cut(&self, gpu: &Context, family: &'static Family, largest: Buffer) -> Result<Cut> {
        let halves = gpu.buffer(family.name(), self.padded.lines, self.padded.steps)?;
        gpu.launch(Launch {
            kernel: &family.cut,
            constants: &self.padded.constants(self.along, self.vectors()),
            params: CutParams {
                lines: self.lines as u32,
                steps: self.steps as u32,
                padded_lines: self.padded.lines as u32,
                padded_steps: self.padded.steps as u32,
            },
            buffers: &[self.view.clone(), View::from(&largest), View::from(&halves)],
            groups: self.padded.groups(self.along),
        })?;
        Ok(Cut { halves, largest })
    }
}
