//! Work spread over threads, with results taken in order.
use std::sync::mpsc;
use std::thread;

const THREADS: usize = 8;
/// Results that each thread may be ahead of the consumer.
const AHEAD: usize = 2;

/// Calls `work` for 0..`count` on all cores and `take` with each result, in order, on this thread; stops at the first
/// error of `take`.
pub(super) fn ordered<T: Send, E>(
    count: usize,
    work: impl Fn(usize) -> T + Sync,
    mut take: impl FnMut(usize, T) -> Result<(), E>,
) -> Result<(), E> {
    let threads = thread::available_parallelism().map_or(1, usize::from).min(THREADS).min(count.max(1));
    thread::scope(|scope| {
        let results: Vec<_> = (0..threads)
            .map(|first| {
                let (sender, receiver) = mpsc::sync_channel(AHEAD);
                let work = &work;
                scope.spawn(move || {
                    // A consumer that has given up has dropped its end.
                    (first..count).step_by(threads).all(|index| sender.send(work(index)).is_ok())
                });
                receiver
            })
            .collect();
        for index in 0..count {
            match results[index % threads].recv() {
                Ok(result) => take(index, result)?,
                // Only a panic ends a thread early; the scope passes it on.
                Err(mpsc::RecvError) => break,
            }
        }
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use super::ordered;

    #[test]
    fn results_come_in_order() {
        let mut seen = Vec::new();
        let done: Result<(), ()> = ordered(
            100,
            |index| index * index,
            |index, square| {
                assert_eq!(square, index * index);
                seen.push(index);
                Ok(())
            },
        );
        assert_eq!(done, Ok(()));
        assert_eq!(seen, (0..100).collect::<Vec<_>>());
    }

    #[test]
    fn the_first_error_ends_the_work() {
        let done = ordered(1_000_000, |index| index, |index, _| if index == 5 { Err(index) } else { Ok(()) });
        assert_eq!(done, Err(5));
    }
}
