//! Messages of a round: the call that a rank is in, whether it has failed, and a few numbers.

use super::communicator::CommunicationError;

/// Defines the calls, each with its name in errors.
macro_rules! calls {
    ($($(#[$meta:meta])* $call:ident $(= $number:literal)? => $name:literal,)*) => {
        /// The call that a rank is in. Ranks compare it, since they may be in different calls.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[cfg_attr(target_family = "wasm", allow(dead_code, reason = "calls that block are native"))]
        #[repr(u8)]
        pub(crate) enum Call {
            $($(#[$meta])* $call $(= $number)?,)*
        }

        impl Call {
            const ALL: &[Call] = &[$(Call::$call),*];

            /// The name of the call in errors.
            pub fn name(self) -> &'static str {
                match self {
                    $(Call::$call => $name,)*
                }
            }
        }
    };
}

calls! {
    /// A training begins or ends.
    Fit = 1 => "fit",
    Step => "a step of fit",
    /// A part of a step's gradients is added.
    Gradients => "the gradients of a step of fit",
    Validation => "the validation of fit",
    Epoch => "the end of an epoch of fit",
    Predict => "predict",
    Evaluate => "evaluate",
    EvaluateWeighted => "evaluate_weighted",
    Score => "score",
    ScoreTopK => "score_top_k",
    ConfusionMatrix => "confusion_matrix",
    Verify => "verify",
    Sum => "sum",
    /// A call of the program itself.
    Agree => "agree",
    /// The program ends.
    Leave => "the end of the program",
}

/// Stands for a call where no call has ended with an error.
pub(super) const NOT_TOLD: u8 = 0;
/// Stands for every call: the ranks were in different ones when an error ended them.
pub(super) const EVERY_CALL: u8 = u8::MAX;

/// The numbers of a message.
pub(crate) type Numbers = [u64; 8];

/// A message.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Message {
    pub call: Call,
    /// The length of the failed rank's error message; `None` if the rank has not failed.
    pub failed: Option<u32>,
    pub numbers: Numbers,
}

impl Message {
    /// The number of bytes of each message.
    pub const BYTES: usize = 8 + size_of::<Numbers>();

    pub fn bytes(&self) -> Vec<u8> {
        let head = [self.call as u8, u8::from(self.failed.is_some()), 0, 0];
        let numbers = self.numbers.iter().flat_map(|number| number.to_le_bytes());
        head.into_iter().chain(self.failed.unwrap_or(0).to_le_bytes()).chain(numbers).collect()
    }

    pub fn read(bytes: &[u8]) -> Result<Self, CommunicationError> {
        let (head, rest) = bytes.split_first_chunk::<8>().ok_or("a message was cut short")?;
        let call = Call::ALL.iter().copied().find(|call| *call as u8 == head[0]).ok_or("a message was damaged")?;
        let length = u32::from_le_bytes([head[4], head[5], head[6], head[7]]);
        let mut numbers = Numbers::default();
        let words =
            rest.chunks_exact(8).map(|word| word.iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte)));
        numbers.iter_mut().zip(words).for_each(|(number, word)| *number = word);
        Ok(Message { call, failed: (head[1] != 0).then_some(length), numbers })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn messages_arrive_as_they_were_sent() {
        for call in Call::ALL.iter().copied() {
            for failed in [None, Some(0), Some(70_000)] {
                let numbers = [0, 1, u64::MAX, 1.5f64.to_bits(), 1 << 40, 5, 6, 7];
                let sent = Message { call, failed, numbers };
                assert_eq!(sent.bytes().len(), Message::BYTES);
                assert_eq!(Message::read(&sent.bytes()).unwrap(), sent);
            }
        }
        assert!(Message::read(&[1; 7]).is_err() && Message::read(&[0; Message::BYTES]).is_err());
    }
}
