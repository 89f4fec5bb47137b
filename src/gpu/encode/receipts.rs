//! Receipts: proofs that the device has done the work whose results are read.
//!
//! On Metal the system may end a command buffer, because it took too long or used memory that was gone, and still report it as
//! completed. On DX12 all work of a removed device is reported as completed. wgpu reports neither, and a read would return old
//! content as a result. So on these backends a token goes from each recording to the next: the last commands of a recording copy
//! the token from one buffer to another and clear the first. If a recording was not done, the token is lost for good. A read also
//! copies the token and the read's own number to the end of its staging buffer, and then checks that both have come. If not, the
//! device counts as
//! lost.

/// The bytes of a receipt.
const BYTES: u64 = 8;
/// The token. Any number except 0 would do.
const TOKEN: u32 = 0x746f_6b65;
/// The number of places for the numbers of reads. There are never so many reads between two submits.
const PLACES: u32 = 1024;

/// The bytes of a receipt, in the order of their addresses, as the device should write them.
pub(in crate::gpu) type Receipt = [u8; BYTES as usize];

/// The state of a device that gives receipts.
pub(in crate::gpu) struct Receipts {
    /// Two buffers, of which one holds the token and the other 0.
    holders: [wgpu::Buffer; 2],
    /// The index of the buffer that holds the token before the end of the recording.
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

    /// The bytes of a receipt, which come behind the content of a read.
    pub fn bytes() -> u64 {
        BYTES
    }

    /// Records the writing of a receipt to this place, behind everything recorded so far. Returns the bytes that it should have.
    pub fn write(
        &mut self,
        queue: &wgpu::Queue,
        encoder: &mut wgpu::CommandEncoder,
        (target, at): (&wgpu::Buffer, u64),
    ) -> Receipt {
        self.reads = self.reads.wrapping_add(1);
        let place = 4 * u64::from(self.reads % PLACES);
        // This write reaches the buffer before the commands of the next submit run.
        queue.write_buffer(&self.numbers, place, &self.reads.to_le_bytes());
        encoder.copy_buffer_to_buffer(&self.holders[self.at], 0, target, at, Some(4));
        encoder.copy_buffer_to_buffer(&self.numbers, place, target, at + 4, Some(4));
        let mut receipt = [0; BYTES as usize];
        receipt[..4].copy_from_slice(&TOKEN.to_le_bytes());
        receipt[4..].copy_from_slice(&self.reads.to_le_bytes());
        receipt
    }

    /// Records the last commands of a recording, which pass the token on.
    pub fn pass_on(&mut self, encoder: &mut wgpu::CommandEncoder) {
        let (from, to) = (self.at, 1 - self.at);
        encoder.copy_buffer_to_buffer(&self.holders[from], 0, &self.holders[to], 0, Some(4));
        encoder.clear_buffer(&self.holders[from], 0, None);
        self.at = to;
    }

    /// Notes that the recording was rejected: none of its commands reached the device, so the token is still in its old buffer.
    pub fn take_back(&mut self) {
        self.at = 1 - self.at;
    }
}
