//! Counts of the rows to train on, by class. They give the class weights, and show whether there is anything to train on.

use super::batches::{LabelledRows, class_of};
use super::joint::Joint;
use crate::error::Result;
use crate::host_memory::host_filled;

/// The number of rows to train on of each class.
pub(super) struct ClassCounts {
    pub rows: Vec<u64>,
    /// The number of those rows that take part in the losses.
    pub counting: Vec<u64>,
}

impl ClassCounts {
    /// Counts the rows with these numbers.
    pub fn of(rows: LabelledRows<'_>, numbers: impl Iterator<Item = usize>, classes: usize) -> Result<Self> {
        let zeros = || host_filled("fit", (1, classes), 0);
        let mut counts = ClassCounts { rows: zeros()?, counting: zeros()? };
        for row in numbers {
            class_of(rows.ids[row]).into_iter().for_each(|class| counts.rows[class] += 1);
            rows.counting_class(row).into_iter().for_each(|class| counts.counting[class] += 1);
        }
        Ok(counts)
    }

    /// Adds the counts of all ranks.
    pub fn over(self, joint: &Joint<'_>) -> Result<Self> {
        let classes = self.rows.len();
        let mut rows = joint.sum_counts(&[self.rows, self.counting].concat())?;
        let counting = rows.split_off(classes);
        Ok(ClassCounts { rows, counting })
    }

    /// Whether any row of this class takes part in the losses.
    pub fn has(&self, class: usize) -> bool {
        self.counting.get(class) > Some(&0)
    }

    /// Whether any row takes part in the losses if the classes have these weights.
    pub fn any_counts(&self, weights: Option<&[f32]>) -> bool {
        let weighs = |class: usize| weights.is_none_or(|weights| weights.get(class) > Some(&0.0));
        (0..self.counting.len()).any(|class| self.has(class) && weighs(class))
    }
}
