//! Serves a folder over HTTP, for the byte ranges that GDAL requests.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;

/// The requests so far.
#[derive(Default)]
pub struct Sent {
    pub bytes: AtomicUsize,
}

/// Serves the files of a folder on a free port for the lifetime of the process. Returns the address.
pub fn serve(folder: PathBuf) -> (String, Arc<Sent>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let sent = Arc::new(Sent::default());
    let counted = sent.clone();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let (folder, counted) = (folder.clone(), counted.clone());
            // A client that disconnects is not an error.
            std::thread::spawn(move || answer(stream, &folder, &counted).ok());
        }
    });
    (address, sent)
}

fn answer(mut stream: TcpStream, folder: &Path, sent: &Sent) -> std::io::Result<()> {
    let mut lines = BufReader::new(stream.try_clone()?).lines();
    let request = lines.next().unwrap_or(Ok(String::new()))?;
    let mut range = None;
    for line in lines {
        let line = line?;
        if line.is_empty() {
            break;
        }
        if let Some(asked) = line.to_ascii_lowercase().strip_prefix("range: bytes=") {
            range = asked.split_once('-').map(|(first, last)| (first.parse().ok(), last.parse().ok()));
        }
    }
    let mut words = request.split(' ');
    let (method, name) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let Ok(content) = std::fs::read(folder.join(name.trim_start_matches('/'))) else {
        return stream.write_all(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    };
    let (status, part) = match range {
        Some((first, last)) => ("206 Partial Content", clipped(first, last, content.len())),
        None => ("200 OK", 0..content.len()),
    };
    let (first, last) = (part.start, part.end.saturating_sub(1));
    write!(
        stream,
        "HTTP/1.1 {status}\r\nContent-Length: {}\r\nContent-Range: bytes {first}-{last}/{}\r\nAccept-Ranges: bytes\r\n\
         Connection: close\r\n\r\n",
        part.len(),
        content.len()
    )?;
    if method == "GET" {
        sent.bytes.fetch_add(part.len(), Ordering::Relaxed);
        stream.write_all(&content[part])?;
    }
    Ok(())
}

fn clipped(first: Option<usize>, last: Option<usize>, length: usize) -> Range<usize> {
    let start = first.unwrap_or(0).min(length);
    let end = last.map_or(length, |last| last.saturating_add(1)).min(length);
    start..end.max(start)
}
