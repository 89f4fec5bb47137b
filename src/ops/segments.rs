//! Segments: where the gradients of neighbouring parameters lie, for kernels that see those of a whole model at once.

use bytemuck::{Pod, Zeroable};

use crate::options::PenaltyRates;

/// Segments that one launch takes: two for each dense layer.
pub(crate) const SEGMENTS: usize = 28;
/// A run of neighbouring parameters, and where its gradient lies, counted as the kernel takes values.
#[repr(C)]
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
pub(super) struct Segment {
    /// The parameter behind the last.
    pub end: u32,
    /// What makes the number of a parameter that of its gradient's value, modulo 2³².
    pub gradient: u32,
    /// Values from one slice to the next.
    pub stride: u32,
    /// Slices, which add up to the gradient.
    pub slices: u32,
    /// The word behind the last parameter; padding comes behind it.
    pub filled: u32,
    l1: f32,
    l2: f32,
    spare: u32,
}

impl Segment {
    /// Parameters whose gradient has these places, without penalties.
    pub fn new(end: u32, gradient: u32, stride: u32, slices: u32, filled: u32) -> Self {
        Segment { end, gradient, stride, slices, filled, l1: 0.0, l2: 0.0, spare: 0 }
    }

    /// The same with penalties: their gradient is l1 · sign(w) + 2 · l2 · w.
    pub fn pulled(self, pull: &PenaltyRates) -> Self {
        Segment { l1: pull.l1 as f32, l2: (2.0 * pull.l2) as f32, ..self }
    }

    /// Parameters that each have the gradient's value of the same number.
    pub fn alike(pull: &PenaltyRates) -> [Segment; SEGMENTS] {
        [Self::new(u32::MAX, 0, 0, 1, u32::MAX).pulled(pull); SEGMENTS]
    }

    /// Runs of segments, counted in fours, that one launch takes, each with its first word and the one behind its last, and
    /// counted from there.
    pub fn runs(segments: &[Segment]) -> impl Iterator<Item = (u32, u32, [Segment; SEGMENTS])> {
        let mut first = 0;
        segments.chunks(SEGMENTS).map(move |run| {
            let start = first;
            first = run.last().map_or(start, |segment| segment.end);
            let mut all = Self::alike(&PenaltyRates::default());
            for (segment, from) in all.iter_mut().zip(run) {
                let (end, gradient) = (from.end - start, from.gradient.wrapping_add(start));
                *segment = Segment { end, gradient, filled: from.filled - 4 * start, ..*from };
            }
            (4 * start, 4 * first, all)
        })
    }
}
