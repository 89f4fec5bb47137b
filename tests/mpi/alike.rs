//! Jobs that are compared with trainings of one process: a job of one rank, a program without a launcher, and a job with a rank whose
//! rows are all ignored.

use std::time::Duration;

use libtest_mimic::Failed;
use wgpu_mlp::distributed::Ranks;
use wgpu_mlp::{ClassWeights, Device, FitOptions, Mlp, Optimizer, Result, Trainer};

use crate::job::{Ended, Job};
use crate::training::over_ranks::{self, Data, ROWS, WIDTHS};
use crate::training::{bits, rich};
use crate::{digest, opened, say_alike};

/// A training over one rank has the bits of a training without ranks.
pub fn one_rank(device: &str) -> Result<(), Failed> {
    assert_eq!(say_alike(&["plain", device], 1)?, without_ranks(device)?);
    Ok(())
}

/// A program that no launcher has started is the only rank. So is one that its launcher has started alone, although another
/// launcher around it has started several processes.
pub fn no_launcher() -> Result<(), Failed> {
    let environments: [&[(&str, &str)]; 2] = [&[], &[("OMPI_COMM_WORLD_SIZE", "4"), ("PMI_SIZE", "1")]];
    for variables in environments {
        let ended = started_alone(variables)?;
        let said = ended.alike("said: ", 1).filter(|_| ended.success);
        assert_eq!(said, Some(without_ranks("cpu")?), "{variables:?}: {}", ended.text());
    }
    Ok(())
}

/// A launcher of another MPI library starts four processes, each of which is alone for MPI. They must not train, as each would
/// write its checkpoint over those of the others.
pub fn another_launcher() -> Result<(), Failed> {
    for variable in ["OMPI_COMM_WORLD_SIZE", "PMI_SIZE"] {
        let ended = started_alone(&[(variable, "4")])?;
        let wanted = format!(
            "the ranks cannot communicate: by {variable} the launcher has started 4 processes, \
             but for MPI this process is alone; \
             the launcher must belong to the MPI library that the program was built with"
        );
        assert!(!ended.success, "{}", ended.text());
        assert_eq!(ended.lines("error: "), [wanted], "{}", ended.text());
    }
    Ok(())
}

/// Runs a training as a process that no launcher has started, with these environment variables.
fn started_alone(variables: &[(&str, &str)]) -> Result<Ended, Failed> {
    Job::alone(&["plain", "cpu"], variables)?.ended(Duration::from_secs(300))
}

/// What a rank would print of a training without ranks.
fn without_ranks(device: &str) -> Result<String, Failed> {
    let (data, options) = (Data::new(), rich());
    let mut model = Mlp::new(&opened(device)?, &WIDTHS, 3)?;
    let mut epochs = Trainer::new(&options).fit(&mut model, &data.x, &data.labels)?.epochs;
    epochs.iter_mut().for_each(|epoch| epoch.seconds = 0.0);
    Ok(digest(&format!("{:08x?} {epochs:?}", bits(&model)?)))
}

/// The first rank's rows do not count, so its gradients are 0 in every step. Classes are weighted by the other ranks' rows.
pub fn with_ignored_rank(device: &Device, ranks: &Ranks) -> Result<String> {
    let mut data = Data::new();
    data.labels[over_ranks::shares(ranks.size(), ROWS).swap_remove(0)].fill(-100);
    let options = FitOptions {
        epochs: 4,
        batch: 16,
        optimizer: Optimizer::momentum(0.05, 0.9),
        class_weights: ClassWeights::Balanced,
        ..Default::default()
    };
    let over = over_ranks::train(device, ranks, &data, &options)?;
    let alone = over_ranks::train(device, &Ranks::alone(), &data, &options)?;
    let apart = over_ranks::distance(&alone, &over);
    assert!(apart <= 1e-4, "parameters are {apart} apart");
    let rows = |trained: &over_ranks::Trained| trained.epochs.iter().map(|epoch| epoch.rows).collect::<Vec<_>>();
    assert_eq!(rows(&over), rows(&alone));
    Ok(over.words())
}
