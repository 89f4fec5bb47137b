//! Banks: matrices that lie side by side in one buffer, so that one launch can work on several of them.
//!
//! Each matrix of a bank begins at a multiple of [`PART_WORDS`] words, where a binding may begin. The words between two matrices are
//! padding: kernels may compute with them, but no result depends on them.

use std::ops::Range;
use std::sync::Arc;

use bytemuck::{Pod, Zeroable};

use super::buffer::{Buffer, PART_WORDS};
use super::context::Context;
use super::encode::form::Form;
use super::memory::raw::ByteRange;
use super::view::View;
use crate::error::Result;
use crate::options::PenaltyRates;

/// The most matrices that one launch takes. A dense layer has two.
pub(crate) const RANGES: usize = 28;

/// The words that a matrix of so many words takes in a bank, with its padding.
pub(crate) fn padded(words: usize) -> usize {
    words.saturating_add(PART_WORDS - 1) / PART_WORDS * PART_WORDS
}

/// Buffers for matrices of these shapes. They are parts of one bank if a binding holds all of it, else separate buffers. `new`
/// makes a buffer of a shape.
pub(crate) fn buffers(
    gpu: &Context,
    shapes: &[(usize, usize)],
    new: impl Fn(usize, usize) -> Result<Buffer>,
) -> Result<Vec<Buffer>> {
    let words: Vec<_> = shapes.iter().map(|(rows, cols)| rows.saturating_mul(*cols)).collect();
    let all = words.iter().map(|words| padded(*words)).fold(0, usize::saturating_add);
    if all as u64 > gpu.binding_words() {
        return shapes.iter().map(|(rows, cols)| new(*rows, *cols)).collect();
    }
    Ok(parts(&Arc::new(new(1, all)?), &words))
}

/// The parts of a bank that matrices of so many words take.
fn parts(bank: &Arc<Buffer>, words: &[usize]) -> Vec<Buffer> {
    let mut first = 0;
    let part = |words: &usize| {
        let part = Buffer::part(bank, first, *words as u64);
        first += padded(*words) as u64;
        part
    };
    words.iter().map(part).collect()
}

/// The bank that a buffer is a part of, and the word of the bank where it begins.
fn place(buffer: &Buffer) -> Option<(&Buffer, usize)> {
    let mut bank = buffer.whole()?;
    while let Some(whole) = bank.whole() {
        bank = whole;
    }
    Some((bank, ((buffer.offset() - bank.offset()) / 4) as usize))
}

/// Whether the second buffer lies right behind the first in one bank.
pub(crate) fn are_neighbours(first: &Buffer, second: &Buffer) -> bool {
    match (place(first), place(second)) {
        (Some((bank, at)), Some((other, next))) => {
            std::ptr::eq(bank, other) && next == at + padded(first.words() as usize)
        }
        _ => false,
    }
}

/// Copies of neighbours, which form a new bank. The copy of a single buffer that is in no bank is in none either.
pub(crate) fn duplicate(gpu: &Context, op: &'static str, neighbours: &[&Buffer]) -> Result<Vec<Buffer>> {
    let Some(first) = neighbours.first() else { return Ok(Vec::new()) };
    if first.whole().is_none() {
        return Ok(vec![gpu.duplicate(op, first)?]);
    }
    let words: Vec<_> = neighbours.iter().map(|buffer| buffer.words() as usize).collect();
    let bank = Arc::new(gpu.buffer(op, 1, words.iter().map(|words| padded(*words)).sum())?);
    gpu.copy(ByteRange { bytes: bank.bytes(), ..first.range() }, bank.range())?;
    Ok(parts(&bank, &words))
}

/// The view of some words of a buffer, counted from its start. Behind the buffer's end, in the bank, are the words of its
/// neighbours.
fn words(buffer: &Buffer, words: Range<usize>) -> View<'_> {
    let (bank, first) = place(buffer).unwrap_or((buffer, 0));
    View::of(bank, bank.words() as usize, 0..1, first + words.start..first + words.end)
}

/// The partial sums that a gradient comes in: how many, and the words from one to the next.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PartialSums {
    pub count: usize,
    pub stride: usize,
}

/// Where a kernel finds the gradient of one matrix of parameters.
#[derive(Clone, Copy)]
pub(crate) struct GradientSource<'a> {
    /// The gradient, or the first of its partial sums.
    buffer: &'a Buffer,
    /// The bank, which the launch sees as a whole; none for a gradient that shares no launch with others.
    bank: Option<&'a Buffer>,
    sums: PartialSums,
}

impl<'a> GradientSource<'a> {
    /// A gradient that shares no launch with others.
    pub fn alone(buffer: &'a Buffer) -> Self {
        GradientSource { buffer, bank: None, sums: PartialSums { count: 1, stride: 0 } }
    }

    /// A gradient that shares launches with others of its bank, if it is in one.
    pub fn in_bank(buffer: &'a Buffer, sums: PartialSums) -> Self {
        GradientSource { buffer, bank: place(buffer).map(|(bank, _)| bank), sums }
    }

    /// The word of the bank where the gradient begins.
    fn first(&self) -> usize {
        place(self.buffer).map_or(0, |(_, first)| first)
    }
}

/// A range of neighbouring parameters and the place of their gradient, counted in the kernel's values: `ParameterRange` in
/// `shaders/updates/updates.wgsl`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
pub(crate) struct ParameterRange {
    /// The number of the parameter behind the last.
    end: u32,
    /// The offset from a parameter's index to its gradient's index, modulo 2³².
    gradient: u32,
    /// Values from one partial sum of the gradient to the next.
    stride: u32,
    /// Partial sums, which add up to the gradient.
    slices: u32,
    /// The word behind the last parameter; padding comes behind it.
    filled: u32,
    l1: f32,
    l2: f32,
    spare: u32,
}

impl ParameterRange {
    /// The range of all parameters, for a gradient in which each value has its parameter's number.
    const ALL: ParameterRange = ParameterRange {
        end: u32::MAX,
        gradient: 0,
        stride: 0,
        slices: 1,
        filled: u32::MAX,
        l1: 0.0,
        l2: 0.0,
        spare: 0,
    };

    /// Parameters with this gradient, in values of so many words.
    fn of(source: &GradientSource<'_>, width: u32) -> Self {
        let PartialSums { count, stride } = source.sums;
        ParameterRange {
            gradient: source.first() as u32 / width,
            stride: stride as u32 / width,
            slices: count as u32,
            ..Self::ALL
        }
    }

    /// The range with penalties, whose gradient is l1 · sign(w) + 2 · l2 · w.
    pub fn with_penalties(self, penalty: &PenaltyRates) -> Self {
        ParameterRange { l1: penalty.l1 as f32, l2: (2.0 * penalty.l2) as f32, ..self }
    }
}

/// The parameters of one launch: neighbouring matrices, or a part of one matrix that fits a binding.
pub(crate) struct Run<'a> {
    /// The numbers of the matrices in their lists.
    pub matrices: Range<usize>,
    /// The words of the launch, counted from the start of the first matrix.
    words: Range<usize>,
    /// The view of the gradients that the kernel gets.
    pub gradients: View<'a>,
    pub ranges: [ParameterRange; RANGES],
    pub form: Form,
    /// The number of values. The form decides how many words a value has.
    pub count: u32,
}

impl<'a> Run<'a> {
    /// The view that the kernel gets of another list, which has a matrix for each gradient.
    pub fn view<'b>(&self, list: &[&'b Buffer]) -> View<'b> {
        words(list[self.matrices.start], self.words.clone())
    }

    /// One launch for neighbours whose gradients lie in this bank. It works by fours and includes the padding.
    fn of_neighbours(gpu: &Context, first: usize, sources: &[GradientSource<'a>], bank: &'a Buffer) -> Self {
        let (mut ranges, mut end) = ([ParameterRange::ALL; RANGES], 0);
        for (range, source) in ranges.iter_mut().zip(sources) {
            let words = source.buffer.words() as u32;
            let from = ParameterRange::of(source, 4);
            let (gradient, filled) = (from.gradient.wrapping_sub(end), 4 * end + words);
            end += padded(words as usize) as u32 / 4;
            *range = ParameterRange { end, gradient, filled, ..from };
        }
        let (matrices, words) = (first..first + sources.len(), 0..4 * end as usize);
        Run { matrices, words, gradients: bank.into(), ranges, form: gpu.fours(), count: end }
    }

    /// The launches for one matrix: by fours where every block allows it.
    fn of_one(gpu: &Context, index: usize, source: GradientSource<'a>) -> impl Iterator<Item = Self> {
        let split = gpu.split_flat(source.buffer.words());
        let fours = split.blocks().all(|block| block.words().is_multiple_of(4));
        let (form, width) = if fours { (gpu.fours(), 4) } else { (Form::PLAIN, 1) };
        split.blocks().map(move |block| {
            let count = block.words() / width;
            let (gradients, range) = match source.bank {
                None => (words(source.buffer, block.cols.clone()), ParameterRange::ALL),
                Some(bank) => {
                    let range = ParameterRange::of(&source, width);
                    let gradient = range.gradient + block.cols.start as u32 / width;
                    (bank.into(), ParameterRange { gradient, ..range })
                }
            };
            Run { matrices: index..index + 1, words: block.cols, gradients, ranges: [range; RANGES], form, count }
        })
    }
}

/// The launches that go through all gradients and the matrices of each list. There is one launch for each run of matrices that are
/// neighbours in all lists and whose gradients lie in one bank.
pub(crate) fn runs<'a>(gpu: &Context, lists: &[Vec<&Buffer>], sources: &[GradientSource<'a>]) -> Vec<Run<'a>> {
    let bank_of = |index: usize| sources[index].bank.filter(|_| lists.iter().all(|list| list[index].whole().is_some()));
    let follows = |index: usize, bank: &Buffer| {
        bank_of(index).is_some_and(|other| std::ptr::eq(bank, other))
            && lists.iter().all(|list| are_neighbours(list[index - 1], list[index]))
    };
    let (mut runs, mut first) = (Vec::new(), 0);
    while first < sources.len() {
        let Some(bank) = bank_of(first) else {
            runs.extend(Run::of_one(gpu, first, sources[first]));
            first += 1;
            continue;
        };
        let most = sources.len().min(first + RANGES);
        let end = (first + 1..most).find(|index| !follows(*index, bank)).unwrap_or(most);
        runs.push(Run::of_neighbours(gpu, first, &sources[first..end], bank));
        first = end;
    }
    runs
}
