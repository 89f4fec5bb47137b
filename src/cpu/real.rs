//! The number types of the CPU path: f32, and f64 where results must be more exact than the device's.

use super::{exp, idle};

/// A number type: f32, or f64.
pub trait Real: num_traits::Float + ndarray::LinalgScalar + ndarray::ScalarOperand + Send + Sync {
    /// The nearest value of this type.
    fn of(value: f64) -> Self;

    /// The exponential e^self. For f32 it is written so that loops over it are vectorised; for f64 it is the standard library's.
    fn quick_exp(self) -> Self;

    /// Idle memory of earlier results of this type, if it is kept.
    fn idle() -> Option<&'static idle::Idle<Self>>;
}

impl Real for f32 {
    fn of(value: f64) -> Self {
        value as f32
    }

    #[inline(always)]
    fn quick_exp(self) -> Self {
        exp::exp(self)
    }

    fn idle() -> Option<&'static idle::Idle<Self>> {
        static IDLE: idle::Idle<f32> = idle::Idle::new();
        Some(&IDLE)
    }
}

impl Real for f64 {
    fn of(value: f64) -> Self {
        value
    }

    #[inline(always)]
    fn quick_exp(self) -> Self {
        self.exp()
    }

    fn idle() -> Option<&'static idle::Idle<Self>> {
        None
    }
}
