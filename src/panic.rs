//! A panic is a defect of the program. It becomes an error with a place in our code, and never ends the process.
//!
//! The text of a panic may hold a value of a row, so nobody prints it: only the place is told.

use std::any::Any;
use std::future::{self, Future};
use std::panic::{self, AssertUnwindSafe, PanicHookInfo};
use std::pin::pin;
use std::sync::Mutex;

use tracing::error;

use crate::error::{Error, ErrorKind};

/// The place of the last panic.
static PLACE: Mutex<Option<String>> = Mutex::new(None);

/// Installs the hook that keeps the place of a panic and logs one line.
pub fn install_hook() {
    panic::set_hook(Box::new(|info: &PanicHookInfo<'_>| {
        let place = info.location().map_or_else(|| "an unknown place".to_owned(), place);
        error!(error_code = "PANIC", "panic at {place}");
        if let Ok(mut last) = PLACE.lock() {
            *last = Some(place);
        }
    }));
}

/// File and line, the file of a library from the library's name on: the rest of the path tells of the machine that
/// built it.
fn place(location: &panic::Location<'_>) -> String {
    let file = location.file();
    let file = file.rfind("/src/").map_or(file, |at| &file[file[..at].rfind('/').map_or(0, |slash| slash + 1)..]);
    format!("{file}:{}", location.line())
}

/// Awaits a future; a panic in it is an error.
pub async fn catch<T>(work: impl Future<Output = T>) -> Result<T, Error> {
    let mut work = pin!(work);
    future::poll_fn(|context| {
        let polled = panic::catch_unwind(AssertUnwindSafe(|| work.as_mut().poll(context)));
        match polled {
            Ok(polled) => polled.map(Ok),
            Err(cause) => std::task::Poll::Ready(Err(as_error(&cause))),
        }
    })
    .await
}

fn as_error(_: &Box<dyn Any + Send>) -> Error {
    let place = PLACE.lock().ok().and_then(|place| place.clone()).unwrap_or_else(|| "an unknown place".to_owned());
    let message = format!(
        "panic at {place}, a defect of rounds {}; what was committed stays. Report it with this line",
        env!("ROUNDS_VERSION")
    );
    Error::new("PANIC", ErrorKind::Other, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_is_an_error_that_does_not_repeat_its_text() {
        let work = async {
            tokio::task::yield_now().await;
            panic!("CANARY");
        };
        let error = catch::<()>(work).await.unwrap_err();
        assert_eq!(error.code, "PANIC");
        assert!(!error.message.contains("CANARY"), "{error}");
        assert_eq!(catch(async { 7 }).await.unwrap(), 7);
    }
}
