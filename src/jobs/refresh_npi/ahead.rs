//! Reads ahead: what inflates a file need not wait for what takes it apart.

use std::io::{self, Read};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

const BLOCK: usize = 256 << 10;
/// How many blocks wait.
const BLOCKS: usize = 3;

/// Reads a source on a thread of its own, for as long as `body` takes what it reads.
pub fn ahead<T>(source: &mut (dyn Read + Send), body: impl FnOnce(&mut dyn Read) -> T) -> T {
    let (blocks, ready) = sync_channel(BLOCKS);
    thread::scope(|scope| {
        scope.spawn(move || read(source, &blocks));
        // With the reader goes what the thread waits for.
        body(&mut Ahead { ready, block: vec![], at: 0 })
    })
}

/// To its end, to the first error, or until nobody takes it any more.
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

/// The blocks as one.
struct Ahead {
    ready: Receiver<io::Result<Vec<u8>>>,
    block: Vec<u8>,
    at: usize,
}

impl Read for Ahead {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if self.at == self.block.len() {
            // The thread ends after its last block, which is empty.
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
        ahead(&mut bytes.as_slice(), |reader| reader.read_to_end(&mut found)).unwrap();
        assert_eq!(found, bytes);
        struct Broken;
        impl Read for Broken {
            fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
                Err(io::ErrorKind::InvalidData.into())
            }
        }
        let error = ahead(&mut Broken, |reader| reader.read_to_end(&mut vec![])).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidData);
        // Whoever does not want it all is not waited for.
        ahead(&mut io::repeat(1), |reader| reader.read(&mut [0; 10])).unwrap();
    }
}
