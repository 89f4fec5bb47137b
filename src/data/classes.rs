//! Classes of labels that are text, numbered as they are met, or as they were asked for.

use std::cmp::Ordering::Equal;
use std::collections::HashMap;

/// The classes that are known so far, with their ids.
pub(super) struct Classes {
    known: HashMap<String, u32>,
    /// Whether the classes were asked for, so that there can be no others.
    fixed: bool,
}

impl Classes {
    /// These classes, in the order of their ids; if there are none, those of the labels to come.
    pub(super) fn new(asked: &[String]) -> Self {
        let mut known = HashMap::new();
        for (class, id) in asked.iter().zip(0..) {
            known.entry(class.clone()).or_insert(id);
        }
        Classes { fixed: !known.is_empty(), known }
    }

    /// The id of a label; none if it is not among the classes that were asked for.
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

    /// The classes in the order of their ids, which these labels then have: as asked for, or sorted.
    pub(super) fn finish(self, asked: &[String], labels: &mut [u32]) -> Vec<String> {
        if self.fixed { asked.to_vec() } else { sorted(self.known, labels) }
    }
}

/// Sorts the classes and renumbers the labels to match: by value where all are numbers, else by name.
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
