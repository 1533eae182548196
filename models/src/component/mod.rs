//! The parts of the world: what a file says of each, and how each behaves.

pub mod balancer;
pub mod clients;
pub mod collector;
pub mod network;
pub mod operator;
pub mod probe;
mod rest;
pub mod store;
pub mod trouble;
