//! The server of the sets, on a Unix socket.

use std::io::{self, BufRead as _, BufReader, Write as _};
use std::net::Shutdown;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};

use super::{SetKind, Sets};
use crate::history::RunEvent;

/// The resource of a run, served by threads of this process until it is dropped.
pub struct Resource {
    path: PathBuf,
    shared: Arc<Shared>,
    listening: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    sets: Mutex<Sets>,
    stop: AtomicBool,
}

impl Resource {
    /// Starts it, with a socket in this directory. A path of a socket must be shorter than about 100 bytes.
    ///
    /// # Errors
    /// If the socket cannot be made.
    pub fn start(directory: &Path) -> io::Result<Self> {
        let path = directory.join("resource.sock");
        let listener = UnixListener::bind(&path).map_err(|error| {
            let what = format!("cannot listen at {}: {error}; use a shorter directory", path.display());
            io::Error::new(error.kind(), what)
        })?;
        let shared = Arc::new(Shared::default());
        let serving = Arc::clone(&shared);
        let listening =
            thread::Builder::new().name("resource".to_owned()).spawn(move || listen(&listener, &serving))?;
        Ok(Self { path, shared, listening: Some(listening) })
    }

    /// The socket.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What the sets have now, as the history has it at the end.
    pub fn sets(&self) -> RunEvent {
        let sets = self.shared.sets.lock().unwrap_or_else(PoisonError::into_inner);
        RunEvent::Sets { fenced: sets.elements(SetKind::Fenced), unfenced: sets.elements(SetKind::Unfenced) }
    }

    /// How often a set has been read.
    pub fn reads(&self) -> usize {
        self.shared.sets.lock().unwrap_or_else(PoisonError::into_inner).reads()
    }
}

impl Drop for Resource {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::SeqCst);
        // It waits for somebody who comes.
        let woken = UnixStream::connect(&self.path).is_ok();
        if let Some(listening) = self.listening.take().filter(|_| woken) {
            let _ = listening.join();
        }
        let _ = std::fs::remove_file(&self.path);
    }
}

/// Serves everybody who comes until it is told to stop; no thread is left then.
fn listen(listener: &UnixListener, shared: &Arc<Shared>) {
    let mut clients: Vec<(UnixStream, JoinHandle<()>)> = Vec::new();
    for stream in listener.incoming() {
        if shared.stop.load(Ordering::SeqCst) {
            break;
        }
        clients.retain(|(_, serving)| !serving.is_finished());
        let Ok(stream) = stream else { continue };
        let Ok(other) = stream.try_clone() else { continue };
        let shared = Arc::clone(shared);
        let serving = thread::Builder::new().name("resource".to_owned()).spawn(move || {
            // Whoever sends nonsense, or is killed, is served no longer.
            let _ = serve(&stream, &shared);
        });
        if let Ok(serving) = serving {
            clients.push((other, serving));
        }
    }
    for (stream, serving) in clients {
        let _ = stream.shutdown(Shutdown::Both);
        let _ = serving.join();
    }
}

fn serve(stream: &UnixStream, shared: &Shared) -> io::Result<()> {
    let (mut lines, mut to) = (BufReader::new(stream).lines(), stream);
    while let Some(line) = lines.next().transpose()? {
        let request = serde_json::from_str(&line)?;
        let reply = shared.sets.lock().unwrap_or_else(PoisonError::into_inner).answer(request);
        let mut line = serde_json::to_vec(&reply)?;
        line.push(b'\n');
        to.write_all(&line)?;
    }
    Ok(())
}
