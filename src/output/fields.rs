//! The fields of a log line in text.

use std::fmt::{self, Debug};

use tracing::field::Field;
use tracing_subscriber::fmt::format::Writer;

/// Writes a field of an event as text. The code of an error stands in brackets behind the message.
pub fn write_field(to: &mut Writer<'_>, field: &Field, value: &dyn Debug) -> fmt::Result {
    let text = format!("{value:?}");
    match field.name() {
        "message" => write!(to, "{text}"),
        "error_code" => write!(to, "[{}]", text.trim_matches('"')),
        name if to.has_ansi_escapes() => write!(to, "\u{1b}[3m{name}\u{1b}[0m\u{1b}[2m=\u{1b}[0m{text}"),
        name => write!(to, "{name}={text}"),
    }
}

#[cfg(test)]
mod tests {
    use std::io::{self, Write};
    use std::sync::{Arc, Mutex};
    use tracing_subscriber::field::MakeExt as _;
    use tracing_subscriber::fmt::MakeWriter;
    use tracing_subscriber::fmt::format::debug_fn;

    use super::write_field;

    #[derive(Clone, Default)]
    struct Kept(Arc<Mutex<Vec<u8>>>);

    impl Write for Kept {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().expect("one thread").write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl MakeWriter<'_> for Kept {
        type Writer = Self;

        fn make_writer(&self) -> Self {
            self.clone()
        }
    }

    #[test]
    fn a_code_is_in_brackets_behind_the_message() {
        let kept = Kept::default();
        let fields = debug_fn(write_field).delimited(" ");
        let lines =
            tracing_subscriber::fmt().with_writer(kept.clone()).with_ansi(false).without_time().fmt_fields(fields);
        tracing::subscriber::with_default(lines.finish(), || {
            tracing::error!(error_code = %"BRAKE", job = "prune", "too {}", "much");
            tracing::error!(error_code = "PANIC", "out of order");
        });
        let text = String::from_utf8(kept.0.lock().expect("one thread").clone()).expect("UTF-8");
        let said: Vec<&str> = text.lines().map(|line| line.split(": ").last().unwrap_or_default()).collect();
        assert_eq!(said, ["too much [BRAKE] job=\"prune\"", "out of order [PANIC]"]);
    }
}
