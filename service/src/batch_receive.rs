//! Receiving a batch from a channel.
//!
//! Input: the receiver of a task. Output: all waiting messages, up to a limit. Must not know: what the messages
//! are.

use tokio::sync::mpsc::Receiver;
use tokio::task::yield_now;

/// Receives waiting messages, up to `most`; waits for one if there is none. After the first message it yields once,
/// so that senders that are about to send join the batch. Returns `false` once all senders are gone or `over`
/// resolves.
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
