//! What a device does in a schedule.

use super::plan::{Action, Step};
use super::world::{Simulated, World};
use crate::checker::Room;
use crate::{Device, Record};
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use tokio::time::sleep;

/// Requests of one action have numbers from a thousand times its own on.
const REQUESTS_PER_ACTION: u64 = 1_000;

/// A device after its life.
pub struct Life {
    pub device: Device,
    pub stay: Stay,
}

/// Whether every message was due to it.
#[derive(Default)]
pub struct Stay {
    /// Rooms that it left. Messages were not due to it all the time.
    left: BTreeSet<Room>,
    /// It was cut off, with what it had not read yet.
    cut: bool,
}

/// Does what the plan says of a device, but for what is left out.
pub async fn live(world: Arc<World>, number: usize, record: Arc<Mutex<Record>>) -> Life {
    let part = &world.plan.devices[number];
    let granted = world.plan.grants.get(&part.user);
    let reach = Arc::new(Simulated(Arc::clone(&world)));
    let device = Device::new(reach, &record, part.name.clone(), part.user, granted);
    let device = device.speaking(part.way);
    let device = if part.stays_on { device.staying_on() } else { device };
    let device = if world.plan.rounds.is_some() { device.in_rounds(part.asks_for_rounds) } else { device };
    // Whoever is taken out of a room is not pushed all of it.
    let left = world.plan.orders.rooms_without(part.user).collect();
    let mut life = Life { device, stay: Stay { left, cut: false } };
    sleep(part.comes_after).await;
    for (index, (pause, action)) in part.actions.iter().enumerate() {
        if world.without.actions.contains(&(number, index)) {
            continue;
        }
        sleep(*pause).await;
        world.log.note(format_args!("{} {action:?}", part.name));
        life.device.number_from(REQUESTS_PER_ACTION * (index as u64 + 1));
        if life.act(action).await {
            world.find(format!("{} was let in where it may not be", part.name));
        }
    }
    // What comes after is numbered on its own.
    life.device.number_from(REQUESTS_PER_ACTION * (part.actions.len() as u64 + 1));
    world.log.note(format_args!("{} is done", part.name));
    life
}

impl Life {
    /// Answers whether something was taken that may not be.
    async fn act(&mut self, action: &Action) -> bool {
        let device = &mut self.device;
        match action {
            Action::Join(room) => device.join(*room).await,
            Action::Leave(room) => {
                self.stay.left.insert(*room);
                device.leave(*room).await;
            }
            Action::Send(room) => {
                device.try_send(*room).await;
            }
            Action::SendAgain => device.repeat().await,
            Action::Edit(room) => device.edit(*room).await,
            Action::EditAgain => device.edit_again().await,
            Action::Recall(room) => device.recall(*room).await,
            Action::RecallAny(room) => device.recall_any(*room).await,
            Action::React(room) => device.react(*room).await,
            Action::SendCut(room) => {
                self.stay.cut = true;
                device.send_cut(*room).await;
            }
            Action::SendUnnamed(room) => {
                device.connect().await;
                device.send_unnamed(*room).await;
            }
            Action::Trespass(room) => return device.trespass(*room).await,
            Action::Listen => device.listen().await,
            Action::Cut => {
                self.stay.cut = true;
                device.cut();
            }
            Action::Close => {
                self.stay.cut = true;
                device.close().await;
            }
            Action::Pipeline { steps, put_right } => {
                let leaves =
                    steps.iter().filter_map(|step| if let Step::Leave(room) = step { Some(*room) } else { None });
                self.stay.left.extend(leaves);
                // Of two joins at once one is undone, and what is said meanwhile is told by the other's `lastId`.
                let joins = |step: &&Step| matches!(step, Step::Join(_));
                if steps.iter().filter(joins).count() > 1 {
                    self.stay.left.extend(steps.iter().find_map(Step::joined));
                }
                device.pipeline(steps).await;
                match steps.last().filter(|_| *put_right) {
                    Some(Step::Join(room)) => device.join(*room).await,
                    Some(Step::Leave(room)) => device.leave(*room).await,
                    _ => {}
                }
            }
        }
        false
    }
}

impl Stay {
    /// Rooms in which the device was from its first join to the end, on one connection that it read.
    pub fn rooms_all_the_time(&self, device: &Device) -> Vec<(String, Room)> {
        let rooms = device.known_rooms().into_iter().filter(|room| !self.left.contains(room));
        let rooms = rooms.map(|room| (device.name.clone(), room));
        if device.is_connected() && device.connects == 1 && !self.cut { rooms.collect() } else { Vec::new() }
    }
}
