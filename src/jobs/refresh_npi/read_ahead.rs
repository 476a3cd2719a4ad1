//! Reads ahead on a thread, so that inflating a file and parsing it go on at the same time.

use std::io::{self, Read};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

const BLOCK: usize = 256 << 10;
/// How many blocks may wait to be taken.
const BLOCKS: usize = 3;

/// Reads a source on a thread of its own, as long as `body` reads its blocks.
pub fn read_ahead<T>(source: &mut (dyn Read + Send), body: impl FnOnce(&mut dyn Read) -> T) -> T {
    let (blocks, ready) = sync_channel(BLOCKS);
    thread::scope(|scope| {
        scope.spawn(move || read(source, &blocks));
        // When the reader is dropped, so is its end of the channel, and the thread ends.
        body(&mut Blocks { ready, block: vec![], at: 0 })
    })
}

/// Reads to the end, to the first error, or until the receiver is dropped.
fn read(source: &mut dyn Read, blocks: &SyncSender<io::Result<Vec<u8>>>) {
    loop {
        let mut block = Vec::with_capacity(BLOCK);
        let read = source.take(BLOCK as u64).read_to_end(&mut block).map(|_| block);
        let more = read.as_ref().is_ok_and(|block| !block.is_empty());
        if blocks.send(read).is_err() || !more {
            return;
        }
    }
}

/// The blocks, as one reader.
struct Blocks {
    ready: Receiver<io::Result<Vec<u8>>>,
    block: Vec<u8>,
    at: usize,
}

impl Read for Blocks {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if self.at == self.block.len() {
            // The last block of the thread is empty; after it the channel is closed.
            self.block = self.ready.recv().unwrap_or_else(|_| Ok(vec![]))?;
            self.at = 0;
        }
        let count = (self.block.len() - self.at).min(out.len());
        out[..count].copy_from_slice(&self.block[self.at..self.at + count]);
        self.at += count;
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_reads_what_is_there_to_the_end_or_the_error() {
        let bytes: Vec<u8> = (0..1_000_003_u32).map(|n| n as u8).collect();
        let mut found = vec![];
        read_ahead(&mut bytes.as_slice(), |reader| reader.read_to_end(&mut found)).unwrap();
        assert_eq!(found, bytes);
        struct Broken;
        impl Read for Broken {
            fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
                Err(io::ErrorKind::InvalidData.into())
            }
        }
        let error = read_ahead(&mut Broken, |reader| reader.read_to_end(&mut vec![])).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidData);
        // A body that reads only a part does not wait for the rest.
        read_ahead(&mut io::repeat(1), |reader| reader.read(&mut [0; 10])).unwrap();
    }
}
