//! What waits for a task, taken at once.
//!
//! Comes in: the task's way in. Goes out: all that is there, up to a number. Must not know: what it is.

use tokio::sync::mpsc::Receiver;
use tokio::task::yield_now;

/// Takes what waits, up to so many; `false` once nobody is left who could come, or it is over. Where nothing waits, it
/// waits for one, and lets those come along that are as good as here: others have their turn before it looks again.
pub(crate) async fn receive_batch<T>(
    receiver: &mut Receiver<T>,
    into: &mut Vec<T>,
    most: usize,
    over: impl Future<Output = ()>,
) -> bool {
    tokio::select! {
        biased;
        count = receiver.recv_many(into, most) => {
            if count == 0 {
                return false;
            }
        }
        () = over => return false,
    }
    yield_now().await;
    while into.len() < most
        && let Ok(one) = receiver.try_recv()
    {
        into.push(one);
    }
    true
}

#[cfg(test)]
mod tests {
    use super::receive_batch;
    use std::future::{pending, ready};
    use tokio::sync::mpsc;

    #[tokio::test]
    async fn whoever_is_as_good_as_here_comes_along() {
        let (sender, mut receiver) = mpsc::channel(8);
        sender.try_send(1).unwrap();
        tokio::spawn(async move {
            for number in 2..=5 {
                sender.send(number).await.unwrap();
            }
        });
        let mut taken = Vec::new();
        assert!(receive_batch(&mut receiver, &mut taken, 4, pending()).await);
        assert_eq!(taken, [1, 2, 3, 4], "up to the number");
        taken.clear();
        assert!(receive_batch(&mut receiver, &mut taken, 4, pending()).await);
        assert_eq!(taken, [5]);
        assert!(!receive_batch(&mut receiver, &mut taken, 4, pending()).await, "nobody is left");
        let (_sender, mut receiver) = mpsc::channel::<i32>(8);
        assert!(!receive_batch(&mut receiver, &mut taken, 4, ready(())).await, "it is over");
    }
}
