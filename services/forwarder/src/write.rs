//! Writing the objects of one plan, several at once.

use bytes::Bytes;
use futures::{StreamExt, TryStreamExt, stream};
use latchkey_core::delivery::{Compression, Object};
use object_store::PutPayload;
use tokio::sync::Mutex;

use crate::store::{Store, WriteError};

/// Objects written at once: hides the latency of an object store.
const WRITERS: usize = 4;

/// Shrinks NDJSON about tenfold at some 700 MB/s. Level 3 takes half as long again and leaves 2 % less at best.
const ZSTD_LEVEL: i32 = 1;

/// Whose plan it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Author {
    /// This process', and nothing of it is written.
    Me,
    /// Somebody's who may have written a part of it. An object that is there is whole, and stays: should retention have taken events of
    /// the plan since, writing it again would make it poorer.
    Somebody,
}

/// Writes all objects, or fails with the first that could not be written.
pub(crate) async fn write(
    store: &Store,
    objects: Vec<Object>,
    compression: Compression,
    author: Author,
) -> Result<(), WriteError> {
    // Compressed one after the other, which bounds memory; those before are written meanwhile.
    let turn = Mutex::new(());
    stream::iter(objects)
        .map(|object| write_one(store, object, compression, author, &turn))
        .buffer_unordered(WRITERS)
        .try_collect()
        .await
}

async fn write_one(
    store: &Store,
    object: Object,
    compression: Compression,
    author: Author,
    turn: &Mutex<()>,
) -> Result<(), WriteError> {
    if author == Author::Somebody {
        store.sweep(&object.name);
        if store.holds(&object.name).await? {
            return Ok(());
        }
    }
    let Object { name, content, .. } = object;
    let payload = match compression {
        Compression::None => PutPayload::from_iter(content),
        Compression::Zstd => {
            let _turn = turn.lock().await;
            match tokio::task::spawn_blocking(move || compress(content)).await {
                Ok(frame) => frame.into(),
                Err(panic) => std::panic::resume_unwind(panic.into_panic()),
            }
        }
    };
    store.put(&name, payload).await
}

/// One zstd frame of all chunks; each is freed as soon as it is read.
fn compress(content: Vec<Bytes>) -> Vec<u8> {
    const INVARIANT: &str = "compressing memory to memory fails only for an invalid level";
    let mut encoder = zstd::Encoder::new(Vec::new(), ZSTD_LEVEL).expect(INVARIANT);
    for chunk in content {
        std::io::Write::write_all(&mut encoder, &chunk).expect(INVARIANT);
    }
    encoder.finish().expect(INVARIANT)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_compressed_object_is_one_frame_of_all_chunks() {
        let frame = compress(vec![Bytes::from_static(b"{\"a\":1}\n"), Bytes::from_static(b"{\"a\":2}\n")]);
        assert_eq!(zstd::decode_all(frame.as_slice()).unwrap(), b"{\"a\":1}\n{\"a\":2}\n");
    }
}
