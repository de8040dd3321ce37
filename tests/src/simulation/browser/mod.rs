//! The client of browsers, `web/chat-client.js` itself, as a device of a schedule. Node runs it in lockstep: it is told
//! what happened, and answers what the client did. Its sockets, its requests, its clocks and its chance are the
//! simulation's, so a seed decides about it as about everything else.

mod application;
mod network;
mod node;
mod plan;
mod tab;

pub use node::Client;
pub use plan::{Errand, Visit};

use super::world::World;
use crate::Record;
use crate::chaos::lock;
use crate::checker::{History, View};
use application::Application;
use futures_util::future::join_all;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tab::{Command, Tab};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

/// How long a client may take to learn all that it missed, when nothing goes wrong any more: longer than the longest
/// time-outs, back-offs and forced pauses one after the other.
const WAIT_MAX: Duration = Duration::from_secs(15 * 60);

/// The browsers of a schedule.
pub struct Browsers {
    world: Arc<World>,
    all: Vec<Browser>,
}

/// A browser with one tab, and whoever uses it.
struct Browser {
    number: usize,
    visit: Visit,
    application: Arc<Mutex<Application>>,
    commands: mpsc::UnboundedSender<Command>,
    /// Changes with each step of the client.
    steps: watch::Receiver<u64>,
    tab: JoinHandle<()>,
}

impl Browsers {
    /// Opens the browsers of the plan, if the schedule has a client for them.
    pub fn open(world: &Arc<World>, client: Option<&Arc<Client>>, record: &Arc<Mutex<Record>>) -> Self {
        let visits = client.into_iter().flat_map(|client| world.plan.browsers.iter().map(move |visit| (client, visit)));
        let open = |(number, (client, visit)): (usize, (&Arc<Client>, &Visit))| {
            let visit = visit.clone();
            let application = Application::new(visit.name.clone(), visit.user, visit.page, Arc::clone(record));
            let application = Arc::new(Mutex::new(application));
            let (commands, given) = mpsc::unbounded_channel();
            let (stepped, steps) = watch::channel(0);
            let tab = Tab::new(Arc::clone(world), client, visit.clone(), Arc::clone(&application));
            #[allow(clippy::disallowed_methods, reason = "joined when the browsers are closed")]
            let tab = tokio::spawn(tab.run(given, stepped));
            Browser { number: world.plan.devices.len() + number, visit, application, commands, steps, tab }
        };
        Self { world: Arc::clone(world), all: visits.enumerate().map(open).collect() }
    }

    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// Does in each what the plan says, but for what is left out.
    pub async fn live(&self) {
        join_all(self.all.iter().map(|browser| browser.live(&self.world))).await;
    }

    /// Has all come back, say one more thing in each of their rooms, and learn what they missed so far. Some go away
    /// again, until they are asked what they were shown.
    pub async fn come_to_rest(&mut self) {
        let world = &self.world;
        join_all(self.all.iter_mut().map(|browser| async move {
            browser.tell(Command::Rest);
            browser.wait(world, "come to rest", Application::is_at_rest).await;
            if browser.visit.misses_the_end {
                browser.tell(Command::Away);
            }
        }))
        .await;
        // A send settles with its own push. Those to others are still on their way.
        if !self.is_empty() {
            sleep(super::REST).await;
        }
    }

    /// What each was shown, once it was shown the newest messages.
    pub async fn views(&mut self, history: &History) -> Vec<View> {
        let world = &self.world;
        let views = self.all.iter_mut().map(|browser| async move {
            browser.tell(Command::Back);
            browser.wait(world, "show the newest messages", |shown| shown.is_up_to_date(&history.stored)).await;
            lock(&browser.application).views(&history.stored)
        });
        join_all(views).await.concat()
    }

    /// Closes all, and says what they should not have done.
    pub async fn close(self) {
        for browser in self.all {
            browser.tell(Command::Close);
            if let Err(error) = browser.tab.await {
                self.world.find(super::said(error));
            }
            for wrong in lock(&browser.application).findings(self.world.plan.hostile) {
                self.world.find(format!("{}: {wrong}", browser.visit.name));
            }
        }
    }
}

impl Browser {
    fn tell(&self, command: Command) {
        // A tab that has crashed is a finding of its own.
        let _ = self.commands.send(command);
    }

    async fn live(&self, world: &World) {
        sleep(self.visit.comes_after).await;
        for (index, (pause, errand)) in self.visit.errands.iter().enumerate() {
            if world.without.actions.contains(&(self.number, index)) {
                continue;
            }
            sleep(*pause).await;
            self.tell(Command::Run(errand.clone()));
        }
        world.log.note(format_args!("{} is done", self.visit.name));
    }

    /// Waits until something holds. If it never does, what was not shown by then is missed.
    async fn wait(&mut self, world: &World, what: &str, holds: impl Fn(&Application) -> bool) {
        let application = &self.application;
        let held = timeout(WAIT_MAX, self.steps.wait_for(|_| holds(&lock(application)))).await;
        if !matches!(held, Ok(Ok(_))) {
            let left = lock(application).left_to_do();
            world.find(format!("{} does not {what}: {left}", self.visit.name));
        }
    }
}
