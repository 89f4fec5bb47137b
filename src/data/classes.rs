//! Classes of labels that are text. Their ids are given by the order in which they were asked for, or by sorting.

use std::cmp::Ordering::Equal;
use std::collections::HashMap;

use crate::error::{Error, Result};

/// The classes that are known so far, with their ids.
pub(super) struct Classes {
    known: HashMap<String, u32>,
    /// Whether the caller asked for these classes, so that no others are allowed.
    fixed: bool,
}

impl Classes {
    /// The classes that the caller asked for, in the order of their ids. If the list is empty, the classes are those of the
    /// labels to come.
    pub(super) fn new(op: &'static str, asked: &[String]) -> Result<Self> {
        let mut known = HashMap::new();
        for (class, id) in asked.iter().zip(0..) {
            if known.insert(class.clone(), id).is_some() {
                return Err(Error::Combination { op, rule: "classes must name each class once" });
            }
        }
        Ok(Classes { fixed: !known.is_empty(), known })
    }

    /// The id of a label's class; `None` if the caller asked for classes and it is not among them.
    pub(super) fn id(&mut self, label: &str) -> Option<u32> {
        match self.known.get(label) {
            Some(id) => Some(*id),
            None if self.fixed => None,
            None => {
                let id = self.known.len() as u32;
                self.known.insert(label.into(), id);
                Some(id)
            }
        }
    }

    /// Returns the classes in the order of their ids: as asked for, or sorted. If they are sorted, `labels` get the new ids.
    pub(super) fn finish(self, asked: &[String], labels: &mut [u32]) -> Vec<String> {
        if self.fixed { asked.to_vec() } else { sorted(self.known, labels) }
    }
}

/// Sorts the classes and renumbers the labels to match: by value if all classes are numbers, otherwise by name.
fn sorted(known: HashMap<String, u32>, labels: &mut [u32]) -> Vec<String> {
    let mut classes: Vec<_> = known.into_iter().collect();
    let value = |class: &str| class.parse::<f64>().ok().filter(|value| !value.is_nan());
    let numbers = classes.iter().all(|(class, _)| value(class).is_some());
    classes.sort_by(|(left, _), (right, _)| {
        let by_value = if numbers { value(left).partial_cmp(&value(right)) } else { None };
        by_value.unwrap_or(Equal).then_with(|| left.cmp(right))
    });
    let mut ids = vec![0; classes.len()];
    for ((_, old), new) in classes.iter().zip(0..) {
        ids[*old as usize] = new;
    }
    for label in labels {
        *label = ids[*label as usize];
    }
    classes.into_iter().map(|(class, _)| class).collect()
}
