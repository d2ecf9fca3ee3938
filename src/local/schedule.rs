//! Which steps may start now. Pure: given the graph, where everybody is and what the machine has, it decides; the executor obeys.

/// The process that a step needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Lane {
    /// A worker with DuckDB; there may be several.
    Sql,
    /// The one worker with the Spark session.
    Spark,
    /// A worker of its own, for a training.
    Training,
}

/// A step as the scheduler sees it.
#[derive(Debug, Clone, PartialEq)]
pub struct Task {
    /// Positions of the tasks that must have succeeded before; all are smaller than the task's own.
    pub after: Vec<usize>,
    /// The process that it needs.
    pub lane: Lane,
    /// How long it is expected to take.
    pub seconds: f64,
}

/// Where a task is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// It waits for others.
    Waiting,
    /// It has to run, and waits for a place.
    Ready,
    /// It runs.
    Running,
    /// What it writes is up to date.
    Succeeded,
    /// It failed.
    Failed,
    /// Something that it needs failed.
    NotRun,
}

/// What the machine has to offer, in whole MB and cores.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Capacity {
    /// Memory for all processes together.
    pub memory_mb: u64,
    /// Steps at the same time.
    pub cores: usize,
    /// Of a worker with DuckDB.
    pub sql_mb: u64,
    /// Of the worker with the Spark session; it is taken as long as a Spark step is still to come.
    pub spark_mb: u64,
    /// Of a training.
    pub training_mb: u64,
}

impl Capacity {
    fn memory_of(&self, lane: Lane) -> u64 {
        match lane {
            Lane::Sql => self.sql_mb,
            Lane::Spark => 0,
            Lane::Training => self.training_mb,
        }
    }
}

/// What is to be done next.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Decision {
    /// Everything before these has succeeded: find out whether they are up to date.
    pub examine: Vec<usize>,
    /// Start these.
    pub start: Vec<usize>,
    /// These will not run, each because of the failed task named second.
    pub give_up: Vec<(usize, usize)>,
}

/// Decides what is to be done next; nothing at all when all is done or must be waited for.
pub fn decide(tasks: &[Task], states: &[State], capacity: &Capacity) -> Decision {
    let mut decision = Decision::default();
    let state = |i: usize| states.get(i).copied().unwrap_or(State::NotRun);
    let mut blame: Vec<Option<usize>> = Vec::with_capacity(tasks.len());
    for (i, task) in tasks.iter().enumerate() {
        let culprit = match state(i) {
            State::Failed => Some(i),
            _ => task.after.iter().find_map(|before| blame.get(*before).copied().flatten()),
        };
        blame.push(culprit);
        match (state(i), culprit) {
            (State::Waiting, Some(culprit)) => decision.give_up.push((i, culprit)),
            (State::Waiting, None) if task.after.iter().all(|before| state(*before) == State::Succeeded) => {
                decision.examine.push(i);
            }
            _ => {}
        }
    }
    decision.start = start(tasks, states, capacity);
    decision
}

fn start(tasks: &[Task], states: &[State], capacity: &Capacity) -> Vec<usize> {
    let with = |wanted: State| move |pair: &(&Task, &State)| *pair.1 == wanted;
    let running: Vec<Lane> = tasks.iter().zip(states).filter(with(State::Running)).map(|(task, _)| task.lane).collect();
    let unfinished = |state: &State| matches!(state, State::Waiting | State::Ready | State::Running);
    let spark_is_up = tasks.iter().zip(states).any(|(task, state)| task.lane == Lane::Spark && unfinished(state));

    let mut memory = if spark_is_up { capacity.spark_mb } else { 0 };
    memory += running.iter().map(|lane| capacity.memory_of(*lane)).sum::<u64>();
    let mut places = capacity.cores.saturating_sub(running.len());
    let mut spark_is_free = !running.contains(&Lane::Spark);
    let mut someone_runs = !running.is_empty();

    let urgency = urgency(tasks);
    let mut ready: Vec<usize> = (0..tasks.len()).filter(|i| states.get(*i) == Some(&State::Ready)).collect();
    ready.sort_by(|a, b| {
        let of = |i: &usize| urgency.get(*i).copied().unwrap_or_default();
        of(b).total_cmp(&of(a)).then(a.cmp(b))
    });
    let mut chosen = Vec::new();
    for i in ready {
        let Some(task) = tasks.get(i) else { continue };
        let needs = capacity.memory_of(task.lane);
        // A step that is too big for the machine still gets its chance, alone.
        let fits = memory + needs <= capacity.memory_mb || !someone_runs;
        if places == 0 && someone_runs || !fits || task.lane == Lane::Spark && !spark_is_free {
            continue;
        }
        places = places.saturating_sub(1);
        memory += needs;
        spark_is_free &= task.lane != Lane::Spark;
        someone_runs = true;
        chosen.push(i);
    }
    chosen
}

/// Of each task: the seconds until the last of those that wait for it is done. The longest chain goes first.
fn urgency(tasks: &[Task]) -> Vec<f64> {
    let mut urgency: Vec<f64> = tasks.iter().map(|task| task.seconds).collect();
    for (i, task) in tasks.iter().enumerate().rev() {
        let own = urgency.get(i).copied().unwrap_or_default();
        for before in &task.after {
            let seconds = tasks.get(*before).map_or(0.0, |task| task.seconds);
            if let Some(so_far) = urgency.get_mut(*before) {
                *so_far = so_far.max(seconds + own);
            }
        }
    }
    urgency
}

#[cfg(test)]
mod tests {
    use super::State::{Failed, NotRun, Ready, Running, Succeeded, Waiting};
    use super::*;

    const ROOMY: Capacity = Capacity { memory_mb: 8000, cores: 4, sql_mb: 400, spark_mb: 1400, training_mb: 600 };

    fn task(lane: Lane, after: &[usize]) -> Task {
        Task { after: after.to_vec(), lane, seconds: 1.0 }
    }

    /// 0 → 1 → 3, 2 → 3, 4 alone.
    fn diamond(lane: Lane) -> Vec<Task> {
        [&[][..], &[0], &[], &[1, 2], &[]].iter().map(|after| task(lane, after)).collect()
    }

    #[test]
    fn what_has_become_possible_is_examined() {
        let table = [
            ([Waiting, Waiting, Waiting, Waiting, Waiting], vec![0, 2, 4]),
            ([Succeeded, Waiting, Running, Waiting, Ready], vec![1]),
            ([Succeeded, Succeeded, Running, Waiting, Succeeded], vec![]),
            ([Succeeded, Succeeded, Succeeded, Waiting, Succeeded], vec![3]),
            ([Succeeded, Succeeded, Succeeded, Succeeded, Succeeded], vec![]),
        ];
        for (states, examine) in table {
            assert_eq!(decide(&diamond(Lane::Sql), &states, &ROOMY).examine, examine, "{states:?}");
        }
    }

    #[test]
    fn a_failure_stops_what_needs_it_and_nothing_else() {
        let decision = decide(&diamond(Lane::Sql), &[Failed, Waiting, Ready, Waiting, Waiting], &ROOMY);
        assert_eq!(decision.give_up, [(1, 0), (3, 0)]);
        assert_eq!(decision.examine, [4]);
        assert_eq!(decision.start, [2]);
        let decision = decide(&diamond(Lane::Sql), &[Failed, NotRun, Succeeded, NotRun, Succeeded], &ROOMY);
        assert_eq!(decision, Decision::default());
    }

    #[test]
    fn steps_start_within_cores_and_memory() {
        let ready = [Ready; 5];
        let independent = |lane| vec![task(lane, &[]); 5];
        let started = |lane, states: &[State], cores, memory_mb| {
            decide(&independent(lane), states, &Capacity { cores, memory_mb, ..ROOMY }).start
        };
        assert_eq!(started(Lane::Sql, &ready, 2, 8000), [0, 1]);
        assert_eq!(started(Lane::Sql, &ready, 9, 8000), [0, 1, 2, 3, 4]);
        assert_eq!(started(Lane::Sql, &ready, 9, 1200), [0, 1, 2]);
        assert_eq!(started(Lane::Sql, &[Running, Running, Ready, Ready, Ready], 9, 1200), [2]);
        assert_eq!(started(Lane::Sql, &[Running, Running, Ready, Ready, Ready], 2, 8000), [0_usize; 0]);
        // Too big for the machine: one at a time.
        assert_eq!(started(Lane::Training, &ready, 9, 500), [0]);
        assert_eq!(started(Lane::Training, &[Running, Ready, Ready, Ready, Ready], 9, 500), [0_usize; 0]);
    }

    #[test]
    fn there_is_one_spark_session_and_its_memory_is_taken_until_the_last_job() {
        let tasks =
            vec![task(Lane::Spark, &[]), task(Lane::Spark, &[]), task(Lane::Training, &[]), task(Lane::Sql, &[])];
        let small = Capacity { memory_mb: 2000, ..ROOMY };
        assert_eq!(decide(&tasks, &[Ready; 4], &small).start, [0, 2]);
        assert_eq!(decide(&tasks, &[Running, Ready, Ready, Ready], &small).start, [2]);
        assert_eq!(decide(&tasks, &[Succeeded, Succeeded, Ready, Ready], &small).start, [2, 3]);
    }

    #[test]
    fn the_longest_chain_goes_first() {
        let mut tasks = vec![task(Lane::Sql, &[]), task(Lane::Sql, &[]), task(Lane::Sql, &[1])];
        let one = Capacity { cores: 1, ..ROOMY };
        assert_eq!(decide(&tasks, &[Ready, Ready, Waiting], &one).start, [1]);
        tasks[0].seconds = 5.0;
        assert_eq!(decide(&tasks, &[Ready, Ready, Waiting], &one).start, [0]);
    }
}
