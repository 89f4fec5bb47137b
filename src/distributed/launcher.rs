//! The launcher of an MPI job: the number of processes that it has started, from the environment.

/// The variables in which a launcher tells each process how many it has started: Open MPI's, and that of MPICH and its relatives,
/// which Slurm sets too for a library that speaks PMI.
const PROCESSES: [&str; 2] = ["OMPI_COMM_WORLD_SIZE", "PMI_SIZE"];

/// A variable that PMIx sets for each process that it has started, and Slurm's number of tasks of a job step. PMIx has no variable
/// for the number of processes. Without PMIx, the tasks of a step are programs of their own.
const PMIX_RANK: &str = "PMIX_RANK";
const SLURM_TASKS: &str = "SLURM_STEP_NUM_TASKS";

/// The number of processes that the launcher of this process has started for MPI, and the variable that says so; `None` if there
/// is no launcher. If several launchers are nested, the least number is returned: a launcher may start a process alone, although
/// another one has started several.
pub(super) fn started(variable: impl Fn(&str) -> Option<String>) -> Option<(&'static str, usize)> {
    let number = |name: &'static str| Some((name, variable(name)?.trim().parse::<usize>().ok()?));
    let mut told: Vec<(&str, usize)> = PROCESSES.into_iter().filter_map(number).collect();
    // A launcher that a task of a step has started is nearer to this process than the step.
    if told.is_empty() && variable(PMIX_RANK).is_some() {
        told.extend(number(SLURM_TASKS));
    }
    told.into_iter().min_by_key(|(_, processes)| *processes)
}

/// What to tell a user whose launcher has started several processes, each of which is alone for MPI; `None` if all is well.
pub(super) fn mismatch(started: Option<(&'static str, usize)>, world: usize) -> Option<String> {
    let (variable, processes) = started.filter(|(_, processes)| world == 1 && *processes > 1)?;
    Some(format!(
        "by {variable} the launcher has started {processes} processes, but for MPI this process is alone; \
         the launcher must belong to the MPI library that the program was built with"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a process with these variables is told if it is alone for MPI.
    fn told(variables: &[(&str, &str)]) -> Option<(&'static str, usize)> {
        let found = |name: &str| variables.iter().find(|(own, _)| *own == name);
        let started = started(|name| found(name).map(|(_, value)| (*value).to_owned()));
        assert!(mismatch(started, 4).is_none(), "MPI knows the others");
        mismatch(started, 1).and(started)
    }

    #[test]
    fn a_launcher_of_another_library_is_noticed() {
        assert_eq!(told(&[("OMPI_COMM_WORLD_SIZE", "4"), ("PMIX_RANK", "3")]), Some(("OMPI_COMM_WORLD_SIZE", 4)));
        assert_eq!(told(&[("PMI_SIZE", "2"), ("PMI_RANK", "0")]), Some(("PMI_SIZE", 2)));
        // Slurm's job step, with PMIx.
        let step = [("SLURM_NTASKS", "8"), ("SLURM_STEP_NUM_TASKS", "4"), ("PMIX_RANK", "0")];
        assert_eq!(told(&step), Some(("SLURM_STEP_NUM_TASKS", 4)));
    }

    #[test]
    fn a_process_that_was_started_alone_is_no_mistake() {
        assert_eq!(told(&[]), None);
        assert_eq!(told(&[("OMPI_COMM_WORLD_SIZE", "1")]), None);
        assert_eq!(told(&[("OMPI_COMM_WORLD_SIZE", "many")]), None);
        // A job step of one process in an allocation for eight.
        assert_eq!(told(&[("SLURM_NTASKS", "8"), ("SLURM_STEP_NUM_TASKS", "1"), ("PMIX_RANK", "0")]), None);
        // Tasks of Slurm that do not use MPI.
        assert_eq!(told(&[("SLURM_NTASKS", "4"), ("SLURM_STEP_NUM_TASKS", "4")]), None);
        // Nested launchers: a program that mpirun starts alone, in a step of Slurm or in a process of another launcher.
        let in_step = [("OMPI_COMM_WORLD_SIZE", "1"), ("SLURM_STEP_NUM_TASKS", "4"), ("PMIX_RANK", "0")];
        assert_eq!(told(&in_step), None);
        assert_eq!(told(&[("OMPI_COMM_WORLD_SIZE", "1"), ("PMI_SIZE", "4")]), None);
        assert_eq!(told(&[("OMPI_COMM_WORLD_SIZE", "4"), ("PMI_SIZE", "1")]), None);
        // A launcher of four in a task that Slurm has started alone.
        let shell = [("PMI_SIZE", "4"), ("SLURM_STEP_NUM_TASKS", "1"), ("PMIX_RANK", "0")];
        assert_eq!(told(&shell), Some(("PMI_SIZE", 4)));
    }
}
