//! Each server at an instant, for a strip that plays the day.

use super::Run;

/// A server at an instant.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Cell {
    /// Its fleet, by place in the file.
    pub fleet: u16,
    /// Whether its process runs.
    pub alive: bool,
    /// Whether its balancer sends it calls.
    pub in_rotation: bool,
    /// What is taken: workers of a pool; calls that an event loop has.
    pub taken: u32,
    /// Of how many; none for an event loop, which takes any number.
    pub room: Option<u32>,
}

impl Run {
    /// The servers as they are now, in the order of the file.
    pub fn cells(&self) -> Vec<Cell> {
        let world = &self.world;
        let cell = |(at, server): (usize, &brownout_models::component::collector::Server)| {
            let fleet = usize::from(server.fleet);
            let room = world.spec.fleets.0.get(fleet).and_then(|(_, fleet)| fleet.pool_of_workers());
            Cell {
                fleet: server.fleet,
                alive: server.alive,
                in_rotation: world.backends[fleet].members.is_in_rotation(at as u32),
                taken: if room.is_some() { server.busy } else { server.pending() as u32 },
                room,
            }
        };
        world.servers.iter().enumerate().map(cell).collect()
    }
}
