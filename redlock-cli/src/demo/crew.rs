//! The clients of a run, in processes of their own or in this one, and what they report.

use std::env;
use std::io;
use std::process::{ExitStatus, Stdio};

use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};
use tokio::sync::oneshot;
use tokio::task::JoinSet;

use super::client::{Client, Job};
use super::event::Event;
use super::fleet::Fleet;
use super::worker::WorkerArgs;

/// Clients that run until they have finished, or until this value is dropped.
pub(super) struct Crew {
    members: Vec<Member>,
    news: UnboundedReceiver<(usize, News)>,
    /// Dropping it ends the clients: a worker process is killed with the task that reads what it says.
    tasks: JoinSet<()>,
}

/// What comes from a client.
#[derive(Debug)]
pub(super) enum News {
    Said(Event),
    /// A worker wrote a line that is none.
    Garbled(String),
    /// It has ended; with the reason, unless it had said that it was done.
    Ended(Option<String>),
}

struct Member {
    name: String,
    pid: Option<u32>,
    go: Go,
}

/// How a client is told to begin.
enum Go {
    Process(ChildStdin),
    Task(Option<oneshot::Sender<()>>),
}

type Mouth = UnboundedSender<(usize, News)>;

impl Crew {
    /// Starts one client per job; none begins before [`Crew::go`].
    pub(super) fn start(jobs: Vec<Job>, fleet: &Fleet) -> io::Result<Self> {
        let (mouth, news) = mpsc::unbounded_channel();
        let mut tasks = JoinSet::new();
        let mut members = Vec::with_capacity(jobs.len());
        for (index, job) in jobs.into_iter().enumerate() {
            let mouth = mouth.clone();
            members.push(match fleet {
                Fleet::Redis(servers) => {
                    Member::process(index, &job, &servers.admin_urls(), mouth, &mut tasks)?
                }
                Fleet::InProcess(nodes) => {
                    let (go, gone) = oneshot::channel();
                    let nodes = nodes.seen_by(index);
                    tasks.spawn(async move {
                        let ended = run_here(index, Client::connect(job, nodes), gone, &mouth).await;
                        let _ = mouth.send((index, News::Ended(ended)));
                    });
                    Member { name: format!("client {}", index + 1), pid: None, go: Go::Task(Some(go)) }
                }
            });
        }
        Ok(Self { members, news, tasks })
    }

    pub(super) fn len(&self) -> usize {
        self.members.len()
    }

    /// The process ids of the workers, if there are any.
    pub(super) fn pids(&self) -> Vec<u32> {
        self.members.iter().filter_map(|member| member.pid).collect()
    }

    /// What people call a client.
    pub(super) fn name(&self, index: usize) -> &str {
        &self.members[index].name
    }

    /// Tells all clients to begin.
    pub(super) async fn go(&mut self) {
        for member in &mut self.members {
            match &mut member.go {
                // One that is gone is reported by what reads its output.
                Go::Process(pipe) => drop(pipe.write_all(b"go\n").await),
                Go::Task(go) => drop(go.take().map(|go| go.send(()))),
            }
        }
    }

    /// Ends what is still running.
    pub(super) async fn stop(mut self) {
        self.tasks.shutdown().await;
    }

    /// The next report and the index of the client it comes from; none once all have ended.
    pub(super) async fn next(&mut self) -> Option<(usize, News)> {
        self.news.recv().await
    }
}

impl Member {
    fn process(
        index: usize,
        job: &Job,
        urls: &[String],
        mouth: Mouth,
        tasks: &mut JoinSet<()>,
    ) -> io::Result<Self> {
        let mut child = Command::new(env::current_exe()?)
            .args(WorkerArgs::words(job, urls))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            // A Ctrl-C on the terminal is for the demo to handle.
            .process_group(0)
            .kill_on_drop(true)
            .spawn()?;
        let lost = || io::Error::other("a worker's pipes are not there");
        let (stdin, stdout) = (child.stdin.take().ok_or_else(lost)?, child.stdout.take().ok_or_else(lost)?);
        let pid = child.id();
        tasks.spawn(async move {
            let ended = listen(index, child, stdout, &mouth).await;
            let _ = mouth.send((index, News::Ended(ended)));
        });
        let name = format!("worker {} (pid {})", index + 1, pid.unwrap_or_default());
        Ok(Self { name, pid, go: Go::Process(stdin) })
    }
}

/// Passes on what a worker says, until its process has ended; says how, if that was too early.
async fn listen(index: usize, mut child: Child, stdout: ChildStdout, mouth: &Mouth) -> Option<String> {
    let mut lines = BufReader::new(stdout).lines();
    let mut done = false;
    let stopped = loop {
        match lines.next_line().await {
            Ok(Some(line)) => {
                let news = match line.parse() {
                    Ok(event) => {
                        done |= event == Event::Done;
                        News::Said(event)
                    }
                    Err(error) => News::Garbled(error.to_string()),
                };
                let _ = mouth.send((index, news));
            }
            Ok(None) => break None,
            Err(error) => break Some(format!("could not be read: {error}")),
        }
    };
    match (child.wait().await, stopped) {
        _ if done => None,
        (_, Some(why)) => Some(why),
        (Ok(status), None) => Some(how_it_ended(status)),
        (Err(error), None) => Some(format!("could not be waited for: {error}")),
    }
}

fn how_it_ended(status: ExitStatus) -> String {
    format!("ended early ({status})")
}

/// Runs a client in this process; says why it ended, if that was too early.
async fn run_here(
    index: usize,
    connecting: impl Future<Output = Result<Client, redlock::BuildError>>,
    gone: oneshot::Receiver<()>,
    mouth: &Mouth,
) -> Option<String> {
    let client = match connecting.await {
        Ok(client) => client,
        Err(error) => return Some(error.to_string()),
    };
    let say = |event| mouth.send((index, News::Said(event)));
    let _ = say(Event::Ready);
    // The demo is over before it has begun.
    gone.await.ok()?;
    let (events, mut reported) = mpsc::unbounded_channel();
    let reporting = async {
        while let Some(event) = reported.recv().await {
            let _ = say(event);
        }
    };
    tokio::join!(client.contend(events), reporting);
    None
}
