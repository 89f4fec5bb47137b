//! Receipts: proofs that the device has done what a read relies on.
//!
//! On Metal a command buffer that the system has ended, since it took too long or touched memory that was gone, counts as completed;
//! on DX12 so does all work of a device that was removed. wgpu tells of neither, and what a read finds is whatever was there
//! before. So there a token goes from each recording to the next: the last commands of a recording copy it from one buffer to
//! another and clear the first. A recording that was not done loses it for good. A read also copies the token and a number of its own
//! to the end of its staging buffer, and whoever reads looks whether both came.

/// The bytes of a receipt.
const BYTES: u64 = 8;
/// The token; anything but 0 would do.
const TOKEN: u32 = 0x746f_6b65;
/// Places for the numbers of reads: more than there are reads between two submits.
const PLACES: u32 = 1024;

/// The bytes of a receipt, in the order of their addresses, as the device should write them.
pub(in crate::gpu) type Receipt = [u8; BYTES as usize];

/// The state of a device that gives receipts.
pub(in crate::gpu) struct Receipts {
    /// One has the token, the other nothing.
    holders: [wgpu::Buffer; 2],
    /// Which of them has it before the recording's end.
    at: usize,
    /// The numbers of reads.
    numbers: wgpu::Buffer,
    reads: u32,
}

impl Receipts {
    pub fn new(device: &wgpu::Device, queue: &wgpu::Queue) -> Self {
        let buffer = |words: u32| {
            device.create_buffer(&wgpu::BufferDescriptor {
                label: Some("receipts"),
                size: 4 * u64::from(words),
                usage: wgpu::BufferUsages::COPY_SRC | wgpu::BufferUsages::COPY_DST,
                mapped_at_creation: false,
            })
        };
        let receipts = Receipts { holders: [buffer(1), buffer(1)], at: 0, numbers: buffer(PLACES), reads: 0 };
        queue.write_buffer(&receipts.holders[0], 0, &TOKEN.to_le_bytes());
        receipts
    }

    /// The bytes that a receipt takes behind what is read.
    pub fn bytes() -> u64 {
        BYTES
    }

    /// Has the device write a receipt to this place, behind all that is recorded so far. Gives what it should be.
    pub fn write(
        &mut self,
        queue: &wgpu::Queue,
        encoder: &mut wgpu::CommandEncoder,
        (target, at): (&wgpu::Buffer, u64),
    ) -> Receipt {
        self.reads = self.reads.wrapping_add(1);
        let place = 4 * u64::from(self.reads % PLACES);
        // It reaches the buffer before any commands of the next submit.
        queue.write_buffer(&self.numbers, place, &self.reads.to_le_bytes());
        encoder.copy_buffer_to_buffer(&self.holders[self.at], 0, target, at, Some(4));
        encoder.copy_buffer_to_buffer(&self.numbers, place, target, at + 4, Some(4));
        let mut receipt = [0; BYTES as usize];
        receipt[..4].copy_from_slice(&TOKEN.to_le_bytes());
        receipt[4..].copy_from_slice(&self.reads.to_le_bytes());
        receipt
    }

    /// Passes the token on: the last commands of a recording.
    pub fn pass_on(&mut self, encoder: &mut wgpu::CommandEncoder) {
        let (from, to) = (self.at, 1 - self.at);
        encoder.copy_buffer_to_buffer(&self.holders[from], 0, &self.holders[to], 0, Some(4));
        encoder.clear_buffer(&self.holders[from], 0, None);
        self.at = to;
    }

    /// The recording was rejected: none of its commands reached the device, and the token is where it was.
    pub fn take_back(&mut self) {
        self.at = 1 - self.at;
    }
}
